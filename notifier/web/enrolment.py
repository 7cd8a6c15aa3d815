"""Putting an order on the watchlist together with those who asked to be told of it, for one call or a line of bulk."""

from dataclasses import dataclass
from datetime import datetime

from notifier.domain.document import Document
from notifier.domain.order import Source, order_key
from notifier.errors import InvalidValue
from notifier.storage.contract import Transaction
from notifier.storage.records import Registration, Watch
from notifier.web.services import Services
from notifier.web.shapes import NewWatch
from notifier.web.wishes import Wish, subscribe, wished


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A checked wish to watch."""

    registration: Registration
    wishes: tuple[Wish, ...]


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What came of it; `told` are the subscriptions of `notify`, with their secrets where they are new."""

    watch: Watch
    is_new: bool
    told: tuple[Document, ...]

    @property
    def status(self) -> int:
        return 201 if self.is_new else 200

    @property
    def told_without_secrets(self) -> list[Document]:
        return [{"id": each["id"]} for each in self.told]


def prepare(services: Services, account: str, body: NewWatch) -> Enrolment:
    """Check all that can be checked without the database.

    Raises: InvalidValue.
    """
    registration = body.registration(account)
    if registration.until_at is not None and registration.until_at <= services.clock.now():
        raise InvalidValue("until", "is over; give an instant to come", "past")
    if Source.HYPERCREDIT in registration.sources and not _has_credit(services, account):
        message = f"hypercredit needs [accounts.{account}.credit] in the configuration"
        raise InvalidValue("sources", message, "unsupported")
    key = order_key(registration.order_id)
    wishes = []
    for place, wish in enumerate(body.notify):
        try:
            wishes.append(wished(services, account, wish, bound_to=key))
        except InvalidValue as error:
            problem = error.problem
            raise InvalidValue(f"notify.{place}.{problem.path}", problem.message, problem.code) from None
    return Enrolment(registration, tuple(wishes))


def _has_credit(services: Services, account: str) -> bool:
    configured = services.config.accounts.get(account)
    return configured is not None and configured.credit is not None


async def enrol(tx: Transaction, enrolment: Enrolment, *, now: datetime) -> Enrolled:
    """Register the watch, and add what `notify` asks for unless the order has the same already.

    Raises: Conflict when a subscription's name is taken.
    """
    watch, is_new = await tx.register(enrolment.registration, now=now)
    told = tuple([await _told(tx, wish, now) for wish in enrolment.wishes])
    return Enrolled(watch, is_new, told)


async def _told(tx: Transaction, wish: Wish, now: datetime) -> Document:
    asked = wish.subscription
    for present in await tx.listening(asked.account, asked.order_key):
        is_alike = (present.order_key, present.channel, present.target, present.events) == (
            asked.order_key, asked.channel, asked.target, asked.events
        )  # fmt: skip
        if is_alike and (await tx.secrets(present.id)).target == wish.secrets.target:
            return {"id": present.id}
    return {"id": asked.id, **await subscribe(tx, wish, now=now), **wish.shown_once}

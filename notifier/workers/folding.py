"""Folding: several deliveries of one subscription by one message, each still counted, frozen and recorded by itself.

Each body is frozen alone, so each can be replayed alone; the message is made of them when it goes. One attempt is
made, and its outcome is everybody's. What a crash swallows comes due again as if it had been sent alone.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import blake2b

from msgspec import structs

from notifier.channels.contract import Channel
from notifier.channels.contract import Folding as CanFold
from notifier.clock import Clock
from notifier.domain.delivery import Outcome, Reason, Verdict, advance
from notifier.domain.digest import BURST, MOST_FOLDED, may_fold, together, window_of
from notifier.domain.event import EventId
from notifier.domain.order import order_key
from notifier.errors import TemplateError
from notifier.logs import get_logger
from notifier.metrics import Metrics
from notifier.storage.contract import Transaction
from notifier.storage.records import AttemptRecord, DueDelivery
from notifier.workers.attempts import Attempts, Made, schedule_of
from notifier.workers.lines import Claimed, DeliveryLimits, Lines
from notifier.workers.rendering import RenderErrors

_TEMPLATE = "digest"

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Fold:
    """Claims that go by one message, in the order in which it tells them."""

    claims: tuple[Claimed, ...]
    body: bytes


class Folder:
    """Puts together what can go together."""

    def __init__(
        self,
        channels: Mapping[str, Channel],
        limits: DeliveryLimits,
        *,
        clock: Clock,
        metrics: Metrics,
        errors: RenderErrors,
    ) -> None:
        self._channels = {name: each for name, each in channels.items() if isinstance(each, CanFold)}
        self._limits = limits
        self._clock = clock
        self._metrics = metrics
        self._errors = errors

    @property
    def names(self) -> Collection[str]:
        """The channels that can fold."""
        return self._channels.keys()

    async def followers(self, tx: Transaction, heads: Sequence[DueDelivery]) -> list[DueDelivery]:
        """Return what waits behind these in their lanes and goes in the same message: news that are gathered."""
        gathering = [
            each
            for each in heads
            if each.subscription.channel in self._channels
            and may_fold(each.logged.event)
            and window_of(each.subscription)
        ]
        if not gathering:
            return []
        found = await tx.following([each.delivery.id for each in gathering], limit=MOST_FOLDED)
        room = dict.fromkeys((each.subscription.id for each in gathering), MOST_FOLDED)
        for each in heads:
            room[each.subscription.id] = room.get(each.subscription.id, 0) - 1
        taken = []
        for each in found:
            room[each.subscription.id] -= 1
            if room[each.subscription.id] >= 0:
                taken.append(each)
        return taken

    def fold(self, claimed: Claimed, lines: Lines) -> Fold | None:
        """Take along what waits behind this one, if it is enough to be told together; None if it goes alone."""
        due = claimed.due
        if not may_fold(due.logged.event):
            return None
        alike = [
            each
            for each in lines.beside(claimed)
            if each.edition == claimed.edition and may_fold(each.due.logged.event)
        ][: MOST_FOLDED - 1]
        if not alike or (len(alike) < BURST and not window_of(due.subscription)):
            return None
        claims = tuple(sorted((claimed, *alike), key=_sequence))
        try:
            body = self._channels[due.subscription.channel].fold([each.body for each in claims])
        except TemplateError as error:
            self._errors.note(due, _TEMPLATE, error)
            return None
        lines.take_along(alike)
        return Fold(claims, body)

    async def make(self, fold: Fold, attempts: Attempts, started_at: datetime) -> list[Made]:
        """Try once for all of them; only the first speaks of how the receiver stands."""
        first, *others = fold.claims
        _, record, after, outcome = await attempts.make(_carrier(fold), started_at)
        assert record is not None and outcome is not None  # noqa: PT018 - an attempt was made
        made: list[Made] = [(first, record, after, outcome)]
        now, channel = self._clock.now(), first.due.subscription.channel
        if outcome.verdict is Verdict.GONE:
            # The receiver is no more: what else is owed to it is not at fault, and waits for somebody to decide.
            return made + [(each, None, each.due.delivery._replace(due_at=now), None) for each in others]
        own = outcome
        if outcome.verdict is Verdict.ACCEPTED:
            own = outcome._replace(reason=Reason.FOLDED, answer=b"", handle=None)
        for each in others:
            schedule = schedule_of(each.due, self._limits)
            ended = advance(each.delivery, own, now=now, schedule=schedule, roll=0.5)
            made.append((each, _record(each, record, own), together(ended, after), None))
        self._metrics.deliveries_total.labels(channel, own.reason).inc(len(others))
        log.info(
            "delivery.folded",
            subscription=first.due.subscription.id,
            channel=channel,
            deliveries=[each.delivery.id for each in fold.claims],
            outcome=outcome.reason,
        )
        return made


def _carrier(fold: Fold) -> Claimed:
    """Return the claim as which the message goes: of one order if all are, with an id that the same ones have again."""
    first = fold.claims[0]
    logged = first.due.logged
    event = replace(logged.event, id=_fold_id(each.due.logged.event.id for each in fold.claims))
    if len({order_key(each.due.logged.event.order_id or "") for each in fold.claims}) > 1:
        event = replace(event, order_id=None)
    due = structs.replace(first.due, logged=structs.replace(logged, event=event))
    return structs.replace(first, due=due, body=fold.body)


def _fold_id(ids: Iterable[EventId]) -> EventId:
    digest = blake2b("\n".join(ids).encode(), digest_size=16)
    return EventId(f"fold_{digest.hexdigest()}")


def _record(claimed: Claimed, of_first: AttemptRecord, outcome: Outcome) -> AttemptRecord:
    return structs.replace(
        of_first,
        delivery_id=claimed.delivery.id,
        number=claimed.delivery.attempts,
        reason=outcome.reason,
        answer=b"",
    )


def _sequence(claimed: Claimed) -> int:
    return claimed.sequence

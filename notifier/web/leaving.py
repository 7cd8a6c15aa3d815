"""The link in each mail by which its recipient leaves: a page with one button, and what the button does (RFC 8058).

Programs that look at links before people do only ever read, and reading changes nothing. The link itself is the
proof, so a mail program may post to it without a key. What it ends is disabled and not deleted: what is owed is
held, and somebody may have hit the wrong button.
"""

from dataclasses import replace

from aiohttp import web

from notifier.domain.event import Event, Fact, counted_event_id
from notifier.domain.health import News
from notifier.domain.leaving import leaving_of
from notifier.domain.snapshot import Subject
from notifier.domain.subscription import DisabledBy, Subscription, SubscriptionState
from notifier.errors import NotFound
from notifier.logs import get_logger
from notifier.storage.contract import Transaction
from notifier.storage.records import Lanes
from notifier.storage.telling import tell
from notifier.web.html import element, page
from notifier.web.routing import Call
from notifier.web.services import Services

_UNKNOWN = "there is no such link; ask whoever runs the notifier to end your messages"
_BUTTON = element("form", element("button", "Unsubscribe"), method="post")

log = get_logger(__name__)


async def show(call: Call) -> web.StreamResponse:
    """Ask whether it is meant; changes nothing."""
    async with call.services.storage.reading() as tx:
        subscription = await _found(call, tx)
    if subscription.disabled_by is DisabledBy.RECIPIENT:
        return _left()
    about = element("b", subscription.name or subscription.id)
    asked = element("p", "Stop the messages of ", about, " to this address?")
    return page("Unsubscribe", asked, _BUTTON, has_form=True)


async def leave(call: Call) -> web.StreamResponse:
    """Disable the subscription; again is as well as once."""
    async with call.services.storage.writing() as tx:
        subscription = await _found(call, tx)
        if subscription.disabled_by is not DisabledBy.RECIPIENT:
            await _disable(tx, call.services, subscription)
    return _left()


async def _found(call: Call, tx: Transaction) -> Subscription:
    """Return whose link it is; every reason against it reads alike.

    Raises: NotFound.
    """
    services = call.services
    subscription_id = leaving_of(services.link_key, call.id)
    for account in services.accounts:
        if subscription_id is None or not services.link_key:
            break
        try:
            return await tx.subscription(account, subscription_id)
        except NotFound:
            continue
    raise NotFound(_UNKNOWN)


async def _disable(tx: Transaction, services: Services, subscription: Subscription) -> None:
    was_disabled = subscription.state is SubscriptionState.DISABLED
    left = replace(subscription, state=SubscriptionState.DISABLED, disabled_by=DisabledBy.RECIPIENT)
    await tx.amend_subscription(left, None, now=services.clock.now())
    log.warning(News.DISABLED, subscription=subscription.id, reason=DisabledBy.RECIPIENT)
    if not was_disabled:
        await _tell(tx, services, subscription)


async def _tell(tx: Transaction, services: Services, subscription: Subscription) -> None:
    """Tell the others, as of a subscription that its receiver has ended by 410 (interface 6.13)."""
    account, of, now = subscription.account, subscription.id, services.clock.now()
    fact = Fact(
        type=News.DISABLED, subject=Subject.SUBSCRIPTION, subject_id=of, field="reason",
        current=DisabledBy.RECIPIENT,
    )  # fmt: skip
    n = await tx.raise_counter(account, fact.subject, of)
    event = Event(
        id=counted_event_id(account, None, fact, n),
        type=fact.type,
        account=account,
        livemode=services.accounts[account],
        subject=fact.subject,
        subject_id=of,
        observed_at=now,
        field=fact.field,
        current=fact.current,
    )
    delivery = services.config.delivery
    await tell(
        tx,
        [event],
        watch=None,
        snapshot=None,
        now=now,
        expires_after_s=delivery.expires_after_s,
        lanes=Lanes(delivery.order_hold_attempts, delivery.order_hold_s),
        new_id=lambda: f"dlv_{services.new_id()}",
        never_to=of,
    )


def _left() -> web.Response:
    return page("You are unsubscribed", element("p", "Nothing more is sent to you."))

"""The link in each mail by which its recipient leaves: a page with one button, and what the button does (RFC 8058).

Programs that look at links before people do only ever read, and reading changes nothing. The link itself is the
proof, so a mail program may post to it without a key. What it ends is disabled and not deleted: what is owed is
held, and somebody may have hit the wrong button.
"""

from dataclasses import replace
from html import escape

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
from notifier.web.page import HEADERS, STYLE
from notifier.web.routing import Call
from notifier.web.services import Services

_UNKNOWN = "there is no such link; ask whoever runs the notifier to end your messages"
_BUTTON = '<form method="post"><button>Unsubscribe</button></form>'
_FORMS = {"Content-Security-Policy": HEADERS["Content-Security-Policy"] + "; form-action 'self'"}

log = get_logger(__name__)


async def show(call: Call) -> web.StreamResponse:
    """Ask whether it is meant; changes nothing."""
    async with call.services.storage.reading() as tx:
        subscription = await _found(call, tx)
    if subscription.disabled_by is DisabledBy.RECIPIENT:
        return _left()
    about = escape(subscription.name or subscription.id)
    return _page("Unsubscribe", f"<p>Stop the messages of <b>{about}</b> to this address?</p>{_BUTTON}")


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
    return _page("You are unsubscribed", "<p>Nothing more is sent to you.</p>")


def _page(title: str, body: str) -> web.Response:
    text = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="robots" content="noindex">'
        f"<title>{title}</title><style>{STYLE}</style></head><body><main><h1>{title}</h1>{body}</main></body></html>"
    )
    return web.Response(text=text, content_type="text/html", charset="utf-8", headers=_FORMS)

"""Events of no snapshot: what sources, subscriptions and deliveries tell, by their own counters (6.3)."""

from datetime import datetime

from notifier.domain.delivery import Delivery
from notifier.domain.event import Event, Fact, counted_event_id
from notifier.domain.order import Source
from notifier.domain.snapshot import Subject
from notifier.domain.subscription import SubscriptionId
from notifier.storage.contract import Transaction
from notifier.storage.telling import tell
from notifier.workers.recording import Telling

_NEVER_MISSED = frozenset({Subject.DELIVERY, Subject.HEARTBEAT, Subject.TEST})
"""Of events about deliveries and the like none is told that it was not delivered: there would be no end to it."""


async def tell_alone(
    tx: Transaction,
    telling: Telling,
    fact: Fact,
    *,
    account: str,
    now: datetime,
    source: Source | None = None,
    about: Event | None = None,
    never_to: SubscriptionId | None = None,
) -> int:
    """Log and owe one event of no snapshot; return how many are told.

    `about` is an event of the order that it speaks of, if it speaks of one.
    """
    n = await tx.raise_counter(account, fact.subject, fact.subject_id or "")
    order_key = about.order_key if about else None
    event = Event(
        id=counted_event_id(account, order_key, fact, n),
        type=fact.type,
        account=account,
        livemode=about.livemode if about else telling.livemode(account),
        subject=fact.subject,
        subject_id=fact.subject_id,
        observed_at=now,
        order_id=about.order_id if about else None,
        order_key=order_key,
        order_version=about.order_version if about else 0,
        source=source,
        field=fact.field,
        previous=fact.previous,
        current=fact.current,
    )
    return await tell(
        tx,
        [event],
        watch=None,
        snapshot=None,
        now=now,
        expires_after_s=telling.expires_after_s,
        lanes=telling.lanes,
        new_id=telling.new_id,
        never_to=never_to,
    )


async def tell_missed(
    tx: Transaction,
    telling: Telling,
    delivery: Delivery,
    *,
    event: Event,
    subscription_id: SubscriptionId,
    now: datetime,
) -> None:
    """Tell that a delivery has ended without being delivered, to everybody but whom it was for."""
    if event.subject in _NEVER_MISSED:
        return
    fact = Fact(
        type="delivery.exhausted",
        subject=Subject.DELIVERY,
        subject_id=delivery.id,
        field="reason",
        current=delivery.reason,
    )
    await tell_alone(tx, telling, fact, account=event.account, now=now, about=event, never_to=subscription_id)

"""The `test.ping` that shows whether a subscription can be reached."""

from notifier.domain.delivery import DeliveryId, owed
from notifier.domain.event import Event, EventId, Fact, counted_event_id
from notifier.domain.snapshot import Subject
from notifier.domain.subscription import Subscription
from notifier.storage.contract import Transaction
from notifier.storage.records import Lanes, NewDelivery
from notifier.web.services import Services


async def owe_ping(
    tx: Transaction, services: Services, subscription: Subscription
) -> tuple[EventId, DeliveryId]:
    """Log the event and owe it to this one subscription, past its patterns and everyone else's."""
    now, config = services.clock.now(), services.config.delivery
    account = subscription.account
    fact = Fact(type="test.ping", subject=Subject.TEST, subject_id=subscription.id)
    n = await tx.raise_counter(account, fact.subject, subscription.id)
    event = Event(
        id=counted_event_id(account, None, fact, n),
        type=fact.type,
        account=account,
        livemode=services.accounts[account],
        subject=fact.subject,
        subject_id=fact.subject_id,
        observed_at=now,
    )
    (sequence,) = await tx.next_sequences(account, 1)
    await tx.add_events([(event, sequence)], None)
    delivery = owed(
        DeliveryId(f"dlv_{services.new_id()}"),
        subscription.state,
        now=now,
        expires_after_s=subscription.expires_after_s or config.expires_after_s,
    )
    debt = NewDelivery(
        delivery=delivery, account=account, subscription=subscription, event=event, watch_id=None
    )
    await tx.owe([debt], now=now, lanes=Lanes(config.order_hold_attempts, config.order_hold_s))
    return event.id, delivery.id

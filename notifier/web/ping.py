"""The `test.ping` that shows whether a subscription can be reached."""

from notifier.domain.delivery import DeliveryId
from notifier.domain.event import Event, EventId, Fact, counted_event_id
from notifier.domain.snapshot import Subject
from notifier.domain.subscription import Subscription
from notifier.storage.contract import Transaction
from notifier.storage.records import Lanes
from notifier.storage.telling import tell_only
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
    delivery_id = await tell_only(
        tx,
        event,
        subscription,
        now=now,
        expires_after_s=config.expires_after_s,
        lanes=Lanes(config.order_hold_attempts, config.order_hold_s),
        new_id=lambda: f"dlv_{services.new_id()}",
    )
    return event.id, delivery_id

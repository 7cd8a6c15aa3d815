"""Telling: events go into the log and are owed to whoever wants them, in the caller's own transaction (6.9)."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from itertools import count
from secrets import token_hex

from notifier.domain.alert.telling import lane_of, may_collapse
from notifier.domain.delivery import Delivery, DeliveryId, owed
from notifier.domain.digest import gathered, may_fold, window_of
from notifier.domain.document import Document, event_document, order_document
from notifier.domain.event import DERIVED_SLUGS, Event
from notifier.domain.juspay_names import owed_of
from notifier.domain.snapshot import Snapshot, Subject
from notifier.domain.subscription import OPERATORS, Mode, Subscription, SubscriptionId, SubscriptionState
from notifier.storage.contract import Transaction
from notifier.storage.records import Lanes, NewDelivery, Watch


def delivery_ids() -> Callable[[], str]:
    """Return a maker of fresh delivery ids: those of one run follow each other, so that indexes grow at one place."""
    run, numbers = token_hex(8), count()
    return lambda: f"dlv_{run}{next(numbers):016x}"


async def tell(
    tx: Transaction,
    events: Sequence[Event],
    *,
    watch: Watch | None,
    snapshot: Snapshot | None,
    now: datetime,
    expires_after_s: float,
    lanes: Lanes,
    new_id: Callable[[], str],
    never_to: SubscriptionId | None = None,
    only_to: Collection[str] = (),
) -> int:
    """Append events of one account and order to the log and owe them to each subscription that wants them.

    `snapshot` is the order as of the events' version. A subscription's own `expires_after_s` goes before the one
    given. `never_to` is the subscription whose own trouble is told (6.13); operators hear of such trouble where
    no other active one does. `only_to` narrows who is told to subscriptions of these ids or names.
    Returns: how many deliveries are owed.
    """
    if not events:
        return 0
    account, order_key = events[0].account, events[0].order_key
    sequences = await tx.next_sequences(account, len(events))
    told = list(zip(events, sequences, strict=True))
    listeners = await tx.listening(account, order_key)
    if only_to:
        listeners = [each for each in listeners if each.id in only_to or each.name in only_to]
    order = order_document(watch.order_id, snapshot) if listeners and watch and snapshot else None
    tags = sorted(watch.tags) if watch else []
    documents = [(event, event_document(event, sequence, order)) for event, sequence in told if listeners]
    deliveries = [
        NewDelivery(
            delivery=_owed(listener, event, DeliveryId(new_id()), now, expires_after_s),
            account=account,
            subscription=listener,
            event=event,
            watch_id=watch.id if watch else lane_of(event),
            may_collapse=_may_collapse(event, listener),
        )
        for listener, wanted in _who_wants(documents, listeners, tags, never_to)
        for event in owed_of(listener, wanted)
    ]
    counts = Counter(new.event.id for new in deliveries)
    await tx.add_events(told, watch.id if watch else None, owed=counts)
    await tx.owe(deliveries, now=now, lanes=lanes)
    return len(deliveries)


def _who_wants(
    documents: Sequence[tuple[Event, Document]],
    listeners: Sequence[Subscription],
    tags: Sequence[str],
    never_to: SubscriptionId | None,
) -> list[tuple[Subscription, list[Event]]]:
    found = [
        (listener, [event for event, document in documents if _wants(listener, event, tags, document)])
        for listener in listeners
        if listener.id != never_to
    ]
    if not found or documents[0][0].subject is not Subject.SUBSCRIPTION:
        return found
    others = [(listener, wanted) for listener, wanted in found if wanted and listener.managed != OPERATORS]
    return others if any(listener.state is SubscriptionState.ACTIVE for listener, _ in others) else found


def _wants(listener: Subscription, event: Event, tags: Sequence[str], document: Document) -> bool:
    return listener.wants(event.type, event.order_key, tags, document)


async def tell_only(
    tx: Transaction,
    event: Event,
    listener: Subscription,
    *,
    now: datetime,
    expires_after_s: float,
    lanes: Lanes,
    new_id: Callable[[], str],
) -> DeliveryId:
    """Append an event of no order to the log and owe it to one subscription, past its patterns and all others."""
    (sequence,) = await tx.next_sequences(event.account, 1)
    await tx.add_events([(event, sequence)], None, owed={event.id: 1})
    delivery = _owed(listener, event, DeliveryId(new_id()), now, expires_after_s)
    debt = NewDelivery(
        delivery=delivery, account=event.account, subscription=listener, event=event, watch_id=None
    )
    await tx.owe([debt], now=now, lanes=lanes)
    return delivery.id


def _owed(
    listener: Subscription, event: Event, delivery_id: DeliveryId, now: datetime, expires_after_s: float
) -> Delivery:
    lifetime_s = listener.expires_after_s or expires_after_s
    delivery = owed(delivery_id, listener.state, now=now, expires_after_s=lifetime_s)
    window_s = window_of(listener)
    return gathered(delivery, window_s) if window_s and may_fold(event) else delivery


def _may_collapse(event: Event, listener: Subscription) -> bool:
    if event.incident is not None:
        return may_collapse(event, listener)
    return listener.mode is Mode.LATEST and not _is_derived(event)


def _is_derived(event: Event) -> bool:
    subject, _, word = event.type.partition(".")
    return word in DERIVED_SLUGS.get(Subject(subject), ())

"""Telling: events go into the log and are owed to whoever wants them, in the caller's own transaction (6.9)."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from notifier.domain.delivery import DeliveryId, owed
from notifier.domain.document import event_document, order_document
from notifier.domain.event import DERIVED_SLUGS, Event
from notifier.domain.snapshot import Snapshot, Subject
from notifier.domain.subscription import OPERATORS, Mode, Subscription, SubscriptionId
from notifier.storage.contract import Transaction
from notifier.storage.records import Lanes, NewDelivery, Watch


def new_delivery_id() -> str:
    """Return a fresh delivery id."""
    return f"dlv_{uuid.uuid4().hex}"


async def tell(
    tx: Transaction,
    events: Sequence[Event],
    *,
    watch: Watch | None,
    snapshot: Snapshot | None,
    now: datetime,
    expires_after_s: float,
    lanes: Lanes,
    new_id: Callable[[], str] = new_delivery_id,
    never_to: SubscriptionId | None = None,
) -> int:
    """Append events of one account and order to the log and owe them to each subscription that wants them.

    `snapshot` is the order as of the events' version. A subscription's own `expires_after_s` goes before the one
    given. `never_to` is the subscription whose own trouble is told (6.13); operators hear of such trouble where
    nobody else does. Returns: how many deliveries are owed.
    """
    if not events:
        return 0
    account, order_key = events[0].account, events[0].order_key
    sequences = await tx.next_sequences(account, len(events))
    told = list(zip(events, sequences, strict=True))
    await tx.add_events(told, watch.id if watch else None)
    listeners = await tx.listening(account, order_key)
    if not listeners:
        return 0
    order = order_document(watch.order_id, snapshot) if watch and snapshot else None
    tags = sorted(watch.tags) if watch else []
    deliveries = []
    for event, sequence in told:
        document = event_document(event, sequence, order)
        deliveries += [
            NewDelivery(
                delivery=owed(
                    DeliveryId(new_id()),
                    listener.state,
                    now=now,
                    expires_after_s=listener.expires_after_s or expires_after_s,
                ),
                account=account,
                subscription=listener,
                event=event,
                watch_id=watch.id if watch else None,
                may_collapse=listener.mode is Mode.LATEST and not _is_derived(event),
            )
            for listener in _who_wants(
                event, [each for each in listeners if each.id != never_to], tags, document
            )
        ]
    await tx.owe(deliveries, now=now, lanes=lanes)
    return len(deliveries)


def _is_derived(event: Event) -> bool:
    subject, _, word = event.type.partition(".")
    return word in DERIVED_SLUGS.get(Subject(subject), ())


def _who_wants(
    event: Event, listeners: Sequence[Subscription], tags: Sequence[str], document: Mapping[str, Any]
) -> list[Subscription]:
    wanting = [each for each in listeners if each.wants(event.type, event.order_key, tags, document)]
    if event.subject is not Subject.SUBSCRIPTION:
        return wanting
    return [each for each in wanting if each.managed != OPERATORS] or wanting

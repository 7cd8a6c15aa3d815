"""What is owed: new deliveries take their place in their lanes, the newest state may take that of older ones."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import Select, Text, and_, bindparam, exists, func, insert, select, type_coerce, update
from sqlalchemy.exc import IntegrityError

from notifier.domain.delivery import Delivery, DeliveryId, DeliveryState, Reason
from notifier.domain.event import Event, EventId
from notifier.domain.instant import from_ms
from notifier.domain.snapshot import Snapshot
from notifier.domain.subscription import Subscription, SubscriptionId
from notifier.errors import Conflict
from notifier.storage.records import DueDelivery, Lanes, LoggedEvent, NewDelivery, SubscriptionSecrets
from notifier.storage.repository import lanes as lane
from notifier.storage.repository.base import AnyRow, Rows
from notifier.storage.repository.subscriptions import unseal
from notifier.storage.tables import Instant, Whole, deliveries, events, snapshots, subscriptions

_PLACE = (deliveries.c.subscription_id, deliveries.c.watch_id, deliveries.c.collapse_key)
_IS_DUE = and_(lane.PENDING, deliveries.c.due_at <= bindparam("now", type_=Instant), ~lane.BLOCKED)
_LONGEST_DUE = (
    select(deliveries.c.seq)
    .where(_IS_DUE)
    .order_by(deliveries.c.due_at)
    .limit(bindparam("limit", type_=Whole))
)


def _heads() -> Select[Any]:
    """Select whoever has something pending, and when the first of it comes due.

    It steps from one subscription to the next, so that a backlog costs no more than a single delivery.
    """
    pending = deliveries.alias("pending")
    is_pending = pending.c.state == lane.PENDING.right
    first = select(func.min(pending.c.subscription_id)).where(is_pending).scalar_subquery()
    head = select(first.label("id")).cte("head", recursive=True)
    after = select(func.min(pending.c.subscription_id)).where(
        is_pending, pending.c.subscription_id > head.c.id
    )
    head = head.union_all(select(after.scalar_subquery()).where(head.c.id.is_not(None)))
    due_at = select(func.min(pending.c.due_at)).where(is_pending, pending.c.subscription_id == head.c.id)
    return select(head.c.id, due_at.scalar_subquery().label("due_at")).where(head.c.id.is_not(None))


def _longest_due_of_each() -> Select[Any]:
    of_one = (
        select(deliveries.c.seq)
        .where(deliveries.c.subscription_id == subscriptions.c.id, _IS_DUE)
        .order_by(deliveries.c.due_at)
        .limit(bindparam("each", type_=Whole))
        .correlate(subscriptions)
    )
    of_all = deliveries.alias("of_all")
    free = subscriptions.c.id.in_(bindparam("free", expanding=True))
    picked = (
        select(of_all.c.seq).select_from(subscriptions).join(of_all, of_all.c.seq.in_(of_one)).where(free)
    )
    return picked.order_by(of_all.c.due_at).limit(bindparam("limit", type_=Whole))


def _with_all(picked: Select[Any]) -> Select[Any]:
    """Select all that an attempt needs, in raw numbers and texts: a document that comes often is decoded once."""
    raw = [type_coerce(column, Text) for column in _DOCUMENTS]
    instants = [type_coerce(column, Whole) for column in _INSTANTS]
    is_of_event = (snapshots.c.watch_id == events.c.watch_id) & (
        snapshots.c.version == events.c.order_version
    )
    return (
        select(*_PLAIN, *instants, *raw, subscriptions.c.secrets, events.c.sequence, lane.HAS_AHEAD)
        .select_from(deliveries)
        .join(subscriptions, subscriptions.c.id == deliveries.c.subscription_id)
        .join(events, events.c.id == deliveries.c.event_id)
        .join(snapshots, is_of_event, isouter=True)
        .where(deliveries.c.seq.in_(picked))
        .order_by(deliveries.c.due_at, deliveries.c.seq)
    )


_MOST_FREE = 1000  # names in one statement
_PLAIN = tuple(
    deliveries.c[name]
    for name in (
        "seq", "id", "subscription_id", "watch_id", "reason", "attempts", "sequence", "body", "skipped", "replay_id"
    )
)  # fmt: skip
_INSTANTS = tuple(deliveries.c[name] for name in ("due_at", "created_at", "expires_at", "lease_until"))
_DOCUMENTS = (subscriptions.c.document, events.c.document, snapshots.c.document)
_HEADS = _heads()
_DUE = _with_all(_LONGEST_DUE)
_DUE_OF_FREE = _with_all(_longest_due_of_each())
_NEXT = select(func.min(deliveries.c.due_at)).where(lane.PENDING)
# The same order and subscription come many times in a row.
_subscription = lru_cache(maxsize=256)(msgspec.json.Decoder(Subscription).decode)
_event = lru_cache(maxsize=256)(msgspec.json.Decoder(Event).decode)
_snapshot = lru_cache(maxsize=256)(msgspec.json.Decoder(Snapshot).decode)
_SKIP = update(deliveries).where(deliveries.c.seq == bindparam("of")).values(skipped=bindparam("ids"))
_ADD = insert(deliveries)


class Owing(Rows):
    async def owe(self, deliveries: Sequence[NewDelivery], *, now: datetime, lanes: Lanes) -> None:
        if not deliveries:
            return
        try:
            await self._each(_ADD, [_row(new) for new in deliveries])
        except IntegrityError:
            raise Conflict("a delivery for this subscription and event is owed already") from None
        ids = [new.delivery.id for new in deliveries]
        freed = await self._collapse([new.delivery.id for new in deliveries if _key(new)], now)
        if any(new.watch_id is not None for new in deliveries):
            await lane.wait_in_lane(self._connection, ids, lanes=lanes, now=now)
        await lane.let_next_go(self._connection, freed, lanes=lanes, now=now)
        self.woken.deliveries = True

    async def _collapse(self, new_ids: Collection[DeliveryId], now: datetime) -> set[tuple[str, int]]:
        """End what newer state takes the place of; return the lanes in which something ended."""
        if not new_ids:
            return set()
        newer = deliveries.alias("newer")
        is_outdated = exists().where(
            newer.c.id.in_(new_ids),
            newer.c.subscription_id == deliveries.c.subscription_id,
            newer.c.watch_id == deliveries.c.watch_id,
            newer.c.collapse_key == deliveries.c.collapse_key,
            newer.c.seq > deliveries.c.seq,
        )
        ended = await self._connection.execute(
            update(deliveries)
            .where(lane.OWED, deliveries.c.lease_until.is_(None), is_outdated)
            .values(state=DeliveryState.SUPERSEDED, reason=Reason.NEWER_STATE, due_at=None, finished_at=now)
            .returning(*_PLACE, deliveries.c.seq, deliveries.c.event_id, deliveries.c.skipped)
        )
        gone = sorted(ended, key=lambda row: row.seq)
        if gone:
            await self._remember_skipped(new_ids, gone)
        return {(row.subscription_id, row.watch_id) for row in gone}

    async def _remember_skipped(self, new_ids: Collection[DeliveryId], gone: Iterable[AnyRow]) -> None:
        skipped: dict[tuple[Any, ...], tuple[str, ...]] = {}
        for row in gone:
            place = tuple(row)[: len(_PLACE)]
            skipped[place] = (*skipped.get(place, ()), *(row.skipped or ()), row.event_id)
        staying = select(deliveries.c.seq, *_PLACE).where(deliveries.c.id.in_(new_ids), lane.OWED)
        rows = [
            {"of": seq, "ids": skipped[tuple(place)]}
            for seq, *place in await self._connection.execute(staying)
            if tuple(place) in skipped
        ]
        await self._each(_SKIP, rows)

    async def due_deliveries(
        self, *, now: datetime, limit: int, lanes: Lanes, busy: Collection[SubscriptionId] = ()
    ) -> list[DueDelivery]:
        wanted = lane.lane_parameters(lanes, now) | {"now": now, "limit": limit}
        if busy:
            heads = [(at, of) for of, at in await self._heads() if of not in busy and at <= now]
            if not heads:
                return []
            free = [of for _, of in sorted(heads)[:_MOST_FREE]]
            wanted |= {"free": free, "each": -(-limit // len(free))}
        rows = (await self._connection.execute(_DUE_OF_FREE if busy else _DUE, wanted)).all()
        first = _first_of_each_lane(rows)
        crowded = [row[0] for row in first if row[-1]]
        ahead = await lane.events_ahead(self._connection, crowded) if crowded else {}
        sealed = {row[2]: row[-3] for row in first}
        secrets = {of: unseal(self._vault, of, each) for of, each in sealed.items()}
        return [_due(row, secrets[row[2]], ahead.get(row[0], ())) for row in first]

    async def next_delivery_at(self, *, busy: Collection[SubscriptionId] = ()) -> datetime | None:
        if busy:
            return min((at for of, at in await self._heads() if of not in busy), default=None)
        at: datetime | None = await self._connection.scalar(_NEXT)
        return at

    async def _heads(self) -> Sequence[AnyRow]:
        heads: Sequence[AnyRow] = (await self._connection.execute(_HEADS)).all()
        return heads


def delivery_of(row: AnyRow) -> Delivery:
    """Read the delivery itself from its row."""
    return Delivery(
        id=row.id,
        state=DeliveryState(row.state),
        reason=Reason(row.reason),
        attempts=row.attempts,
        due_at=row.due_at,
        created_at=row.created_at,
        expires_at=row.expires_at,
        finished_at=row.finished_at,
    )


def _due(row: AnyRow, secrets: SubscriptionSecrets, behind: tuple[EventId, ...]) -> DueDelivery:
    (
        _, delivery_id, _, watch_id, reason, attempts, sequence, body, skipped, replay_id,
        due_at, created_at, expires_at, lease_until,
        subscription, event, snapshot, _, event_sequence, _,
    ) = row  # fmt: skip
    return DueDelivery(
        delivery=Delivery(
            id=delivery_id,
            state=DeliveryState.PENDING,
            reason=Reason(reason),
            attempts=attempts,
            due_at=from_ms(due_at),
            created_at=from_ms(created_at),
            expires_at=from_ms(expires_at),
        ),
        subscription=_subscription(subscription),
        secrets=secrets,
        logged=LoggedEvent(
            event=_event(event),
            sequence=event_sequence,
            watch_id=watch_id,
            snapshot=None if snapshot is None else _snapshot(snapshot),
        ),
        sequence=sequence,
        body=body,
        behind=behind,
        skipped=skipped or (),
        replay_id=replay_id or None,
        is_lapsed=lease_until is not None,
    )


def _first_of_each_lane(rows: Iterable[AnyRow]) -> list[AnyRow]:
    first: dict[tuple[Any, ...], AnyRow] = {}
    for row in rows:
        seq, _, subscription_id, watch_id, *_ = row
        place = ("alone", seq) if watch_id is None else (subscription_id, watch_id)
        if place not in first or seq < first[place][0]:
            first[place] = row
    return list(first.values())


def _key(new: NewDelivery) -> str | None:
    """Return what newer state is compared by, or None for what never collapses."""
    if not new.may_collapse or new.watch_id is None:
        return None
    return f"{new.event.subject}:{new.event.subject_id or ''}"


def _row(new: NewDelivery) -> dict[str, Any]:
    delivery = new.delivery
    return {
        "id": delivery.id,
        "account": new.account,
        "subscription_id": new.subscription.id,
        "event_id": new.event.id,
        "replay_id": "",
        "watch_id": new.watch_id,
        "collapse_key": _key(new),
        "state": delivery.state,
        "reason": delivery.reason,
        "attempts": delivery.attempts,
        "due_at": delivery.due_at,
        "created_at": delivery.created_at,
        "expires_at": delivery.expires_at,
        "finished_at": delivery.finished_at,
    }

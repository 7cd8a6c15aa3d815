"""What is owed: new deliveries take their place in their lanes, the newest state may take that of older ones."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, exists, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from notifier.domain.delivery import Delivery, DeliveryId, DeliveryState, Reason
from notifier.domain.subscription import SubscriptionId
from notifier.errors import Conflict
from notifier.storage.records import DueDelivery, Lanes, LoggedEvent, NewDelivery
from notifier.storage.repository import lanes as lane
from notifier.storage.repository.base import AnyRow, Rows
from notifier.storage.repository.subscriptions import unseal
from notifier.storage.tables import Instant, Whole, deliveries, events, snapshots, subscriptions

_PLACE = (deliveries.c.subscription_id, deliveries.c.watch_id, deliveries.c.collapse_key)
_DUE_NOW = (
    select(deliveries.c.seq)
    .where(
        deliveries.c.state == DeliveryState.PENDING,
        deliveries.c.due_at <= bindparam("now", type_=Instant),
        deliveries.c.subscription_id.not_in(bindparam("busy", expanding=True)),
        ~lane.BLOCKED,
    )
    .order_by(deliveries.c.due_at)
    .limit(bindparam("limit", type_=Whole))
)
_DUE = (
    select(
        deliveries,
        subscriptions.c.document.label("subscription"),
        subscriptions.c.secrets,
        events.c.document,
        events.c.sequence.label("event_sequence"),
        snapshots.c.document.label("snapshot"),
    )
    .join(subscriptions, subscriptions.c.id == deliveries.c.subscription_id)
    .join(events, events.c.id == deliveries.c.event_id)
    .join(
        snapshots,
        (snapshots.c.watch_id == events.c.watch_id) & (snapshots.c.version == events.c.order_version),
        isouter=True,
    )
    .where(deliveries.c.seq.in_(_DUE_NOW))
    .order_by(deliveries.c.due_at, deliveries.c.seq)
)
_NEXT = select(func.min(deliveries.c.due_at)).where(
    deliveries.c.state == DeliveryState.PENDING,
    deliveries.c.subscription_id.not_in(bindparam("busy", expanding=True)),
)
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
        wanted = lane.lane_parameters(lanes, now) | {"now": now, "limit": limit, "busy": list(busy)}
        rows = _first_of_each_lane((await self._connection.execute(_DUE, wanted)).all())
        in_lanes = [row.seq for row in rows if row.watch_id is not None]
        ahead = await lane.events_ahead(self._connection, in_lanes) if in_lanes else {}
        secrets = {
            row.subscription_id: unseal(self._vault, row.subscription_id, row.secrets)
            for row in {row.subscription_id: row for row in rows}.values()
        }
        return [
            DueDelivery(
                delivery=delivery_of(row),
                subscription=row.subscription,
                secrets=secrets[row.subscription_id],
                logged=_logged(row),
                sequence=row.sequence,
                body=row.body,
                behind=ahead.get(row.seq, ()),
                skipped=row.skipped or (),
                replay_id=row.replay_id or None,
                is_lapsed=row.lease_until is not None,
            )
            for row in rows
        ]

    async def next_delivery_at(self, *, busy: Collection[SubscriptionId] = ()) -> datetime | None:
        at: datetime | None = await self._connection.scalar(_NEXT, {"busy": list(busy)})
        return at


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


def _logged(row: AnyRow) -> LoggedEvent:
    return LoggedEvent(
        event=row.document, sequence=row.event_sequence, watch_id=row.watch_id, snapshot=row.snapshot
    )


def _first_of_each_lane(rows: Iterable[AnyRow]) -> list[AnyRow]:
    first: dict[tuple[Any, ...], AnyRow] = {}
    for row in rows:
        place = ("alone", row.seq) if row.watch_id is None else (row.subscription_id, row.watch_id)
        if place not in first or row.seq < first[place].seq:
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

"""What is owed: new deliveries take their place in their lanes, the newest state may take that of older ones."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import (
    CompoundSelect,
    Select,
    and_,
    bindparam,
    exists,
    func,
    insert,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy.types import TypeEngine

from notifier.domain.delivery import Delivery, DeliveryId, DeliveryState, Reason
from notifier.domain.event import EventId
from notifier.domain.instant import from_ms, to_ms
from notifier.domain.subscription import Subscription, SubscriptionId
from notifier.errors import SealBroken, StorageError
from notifier.storage.records import DueDelivery, Lanes, LoggedEvent, NewDelivery, SubscriptionSecrets
from notifier.storage.repository import lanes as lane
from notifier.storage.repository.base import AnyRow, Rows
from notifier.storage.repository.log import LOGGED, read_logged
from notifier.storage.repository.setwise import WORD, any_of, as_parameter, given, in_one_row
from notifier.storage.repository.subscriptions import read_subscription, unseal
from notifier.storage.tables import IS_NEWS, Instant, Whole, bodies, deliveries, events, subscriptions

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
    free = subscriptions.c.id.in_(any_of("free"))
    picked = (
        select(of_all.c.seq).select_from(subscriptions).join(of_all, of_all.c.seq.in_(of_one)).where(free)
    )
    return picked.order_by(of_all.c.due_at).limit(bindparam("limit", type_=Whole))


class _DueRow(msgspec.Struct, array_like=True, gc=False):
    """A due delivery in raw numbers and texts, its columns in this order."""

    due_at: int
    seq: int
    id: str
    subscription_id: str
    event_id: str
    watch_id: int | None
    reason: Reason
    attempts: int
    sequence: int | None
    body_id: str | None
    skipped: str | None
    replay_id: str
    created_at: int
    expires_at: int
    lease_until: int | None
    has_ahead: int


_read_due = msgspec.json.Decoder(list[_DueRow]).decode
_read_skipped = msgspec.json.Decoder(tuple[EventId, ...]).decode


def _news_and(picked: Select[Any]) -> CompoundSelect[Any]:
    """Select besides what wakes people: a backlog, even of its own line, never keeps it waiting."""
    news = select(deliveries.c.seq).where(IS_NEWS, deliveries.c.collapse_key.is_(None), _IS_DUE)
    first = news.order_by(deliveries.c.due_at).limit(_MOST_NEWS).subquery("news")
    return union_all(select(first.c.seq), select(picked.subquery("picked").c.seq))


def _with_all(picked: Select[Any] | CompoundSelect[Any]) -> Select[Any]:
    columns = [deliveries.c[name] for name in _DueRow.__struct_fields__[:-1]]
    return in_one_row(select(*columns, lane.HAS_AHEAD.label("has_ahead")).where(deliveries.c.seq.in_(picked)))


def _behind_these() -> Select[Any]:
    head = deliveries.alias("head")
    is_behind = and_(
        head.c.subscription_id == deliveries.c.subscription_id,
        head.c.watch_id == deliveries.c.watch_id,
        head.c.seq < deliveries.c.seq,
    )
    picked = select(deliveries.c.seq).join(head, is_behind).where(head.c.id.in_(any_of("ids")), lane.PENDING)
    return picked.order_by(deliveries.c.seq).limit(bindparam("limit", type_=Whole))


_MOST_FREE = 1000  # subscriptions in one claim
_MOST_NEWS = 100  # of incidents in one claim, beyond what else it takes
_HEADS = _heads()
_DUE = _with_all(_news_and(_LONGEST_DUE))
_DUE_OF_FREE = _with_all(_news_and(_longest_due_of_each()))
_BEHIND = _with_all(_behind_these())
_NEXT = select(func.min(deliveries.c.due_at)).where(lane.PENDING)
_LISTENERS = select(subscriptions.c.id, subscriptions.c.document, subscriptions.c.secrets).where(
    subscriptions.c.id.in_(any_of("ids"))
)
_TOLD = LOGGED.add_columns(events.c.id).where(events.c.id.in_(any_of("ids")))
_BODIES = select(bodies.c.id, bodies.c.content).where(bodies.c.id.in_(any_of("ids")))
_SKIP = update(deliveries).where(deliveries.c.seq == bindparam("of")).values(skipped=bindparam("ids"))
_new: dict[str, TypeEngine[Any]] = {
    "id": WORD,
    "account": WORD,
    "subscription_id": WORD,
    "event_id": WORD,
    "replay_id": WORD,
    "watch_id": Whole,
    "collapse_key": WORD,
    "state": WORD,
    "reason": WORD,
    "attempts": Whole,
    "due_at": Whole,
    "created_at": Whole,
    "expires_at": Whole,
    "finished_at": Whole,
}
_ADD = insert(deliveries).from_select(list(_new), given("rows", _new).select())


class Owing(Rows):
    async def owe(self, deliveries: Sequence[NewDelivery], *, now: datetime, lanes: Lanes) -> None:
        if not deliveries:
            return
        adding = (_ADD, [{"rows": as_parameter([_row(new) for new in deliveries])}])
        in_lanes = [new.delivery.id for new in deliveries if new.watch_id is not None]
        waiting = [lane.waiting(in_lanes, lanes=lanes, now=now)] if in_lanes else []
        newer = [new.delivery.id for new in deliveries if _key(new) or new.event.incident is not None]
        self._put(adding)
        freed = await self._collapse(newer, now)
        self._put(*waiting)
        await lane.let_next_go(self._connection, freed, lanes=lanes, now=now)
        self.woken.deliveries = True

    async def _collapse(self, new_ids: Collection[DeliveryId], now: datetime) -> set[tuple[str, int]]:
        """End what newer state takes the place of; return the lanes in which something ended.

        News of an incident has its figures too, so older ones that still wait in its lane never keep it waiting.
        """
        if not new_ids:
            return set()
        newer = deliveries.alias("newer")
        is_outdated = exists().where(
            newer.c.id.in_(new_ids),
            newer.c.subscription_id == deliveries.c.subscription_id,
            newer.c.watch_id == deliveries.c.watch_id,
            or_(newer.c.collapse_key == deliveries.c.collapse_key, newer.c.collapse_key.is_(None)),
            deliveries.c.collapse_key.is_not(None),
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
            # In the lane of an incident there is one key, and what never collapses has none.
            for place in (tuple(row)[: len(_PLACE)], (row.subscription_id, row.watch_id, None)):
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
        wanted = lane.raw(lane.lane_parameters(lanes, now) | {"now": now, "limit": limit})
        if busy:
            heads = [(at, of) for of, at in await self._heads() if of not in busy and at <= now]
            free = [of for _, of in sorted(heads)[:_MOST_FREE]]
            wanted |= {"free": as_parameter(free), "each": -(-limit // max(1, len(free)))}
        [(text,)] = await self._ask(_DUE_OF_FREE if busy else _DUE, wanted)
        rows = _first_of_each_lane(sorted(_read_due(text), key=_longest_due))
        return await self._with_all(rows) if rows else []

    async def following(self, ids: Collection[DeliveryId], *, limit: int) -> list[DueDelivery]:
        text = await self._connection.scalar(_BEHIND, {"ids": as_parameter(list(ids)), "limit": limit})
        taken: set[tuple[str, int | None]] = set()
        free = []
        for row in sorted(_read_due(text), key=_place_in_line):
            # Behind one that is taken, or that a crash left taken, nothing of its lane may go.
            place = row.subscription_id, row.watch_id
            if row.lease_until is not None:
                taken.add(place)
            elif place not in taken:
                free.append(row)
        return await self._with_all(free) if free else []

    async def _with_all(self, rows: Sequence[_DueRow]) -> list[DueDelivery]:
        """Add what an attempt needs besides its row; what several rows share is read once."""
        crowded = [row.seq for row in rows if row.has_ahead]
        ahead = await lane.events_ahead(self._connection, crowded) if crowded else {}
        listeners = {
            of: self._listener(document, secrets)
            for of, document, secrets in await self._of(_LISTENERS, {row.subscription_id for row in rows})
        }
        told = {of: read_logged(*rest) for *rest, of in await self._of(_TOLD, {row.event_id for row in rows})}
        frozen = {row.body_id for row in rows if row.body_id is not None}
        contents: dict[str, bytes] = dict(await self._of(_BODIES, frozen)) if frozen else {}
        return [
            _due(
                row,
                listeners[row.subscription_id],
                told[row.event_id],
                body=None if row.body_id is None else contents[row.body_id],
                behind=ahead.get(row.seq, ()),
            )
            for row in rows
        ]

    def _listener(self, document: str, sealed: bytes) -> tuple[Subscription, SubscriptionSecrets]:
        subscription = read_subscription(document)
        try:
            return subscription, unseal(self._vault, subscription.id, sealed)
        except StorageError as error:
            raise SealBroken(str(error), account=subscription.account, subscription=subscription.id) from None

    async def next_delivery_at(self, *, busy: Collection[SubscriptionId] = ()) -> datetime | None:
        if busy:
            return min((at for of, at in await self._heads() if of not in busy), default=None)
        [(at,)] = await self._ask(_NEXT, {})
        return None if at is None else from_ms(at)

    async def _heads(self) -> list[tuple[str, datetime]]:
        return [(of, from_ms(at)) for of, at in await self._ask(_HEADS, {})]


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


def _due(
    row: _DueRow,
    listener: tuple[Subscription, SubscriptionSecrets],
    logged: LoggedEvent,
    *,
    body: bytes | None,
    behind: tuple[EventId, ...],
) -> DueDelivery:
    return DueDelivery(
        row=row.seq,
        delivery=Delivery(
            id=DeliveryId(row.id),
            state=DeliveryState.PENDING,
            reason=row.reason,
            attempts=row.attempts,
            due_at=from_ms(row.due_at),
            created_at=from_ms(row.created_at),
            expires_at=from_ms(row.expires_at),
        ),
        subscription=listener[0],
        secrets=listener[1],
        logged=logged,
        sequence=row.sequence,
        body=body,
        behind=behind,
        skipped=_read_skipped(row.skipped) if row.skipped else (),
        replay_id=row.replay_id or None,
        is_lapsed=row.lease_until is not None,
    )


def _longest_due(row: _DueRow) -> tuple[int, int]:
    return row.due_at, row.seq


def _place_in_line(row: _DueRow) -> int:
    return row.seq


def _first_of_each_lane(rows: Iterable[_DueRow]) -> list[_DueRow]:
    first: dict[tuple[Any, ...], _DueRow] = {}
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


def _row(new: NewDelivery) -> tuple[Any, ...]:
    delivery = new.delivery
    return (
        delivery.id,
        new.account,
        new.subscription.id,
        new.event.id,
        "",
        new.watch_id,
        _key(new),
        delivery.state,
        delivery.reason,
        delivery.attempts,
        _ms(delivery.due_at),
        to_ms(delivery.created_at),
        to_ms(delivery.expires_at),
        _ms(delivery.finished_at),
    )


def _ms(at: datetime | None) -> int | None:
    return None if at is None else to_ms(at)

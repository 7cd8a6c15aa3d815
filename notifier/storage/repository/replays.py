"""Replays: which events come into one, and the deliveries it makes of them.

What a replay makes stands in lanes of its own, told from those of live deliveries by the sign of the watch's number:
the order of an order's events holds within it, and nothing live ever waits for it.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, func, insert, literal_column, select, update

from notifier.domain.delivery import Delivery, DeliveryId, DeliveryState
from notifier.domain.replay import Replay, ReplayId, ReplayState
from notifier.domain.subscription import Subscription
from notifier.errors import NotFound
from notifier.storage.records import Lanes, Made, Recalled, Tally
from notifier.storage.repository.base import AnyRow, Rows
from notifier.storage.repository.lanes import waiting
from notifier.storage.repository.log import logged_event
from notifier.storage.tables import Instant, deliveries, events, replays, snapshots, watches

# Written out, as the index of replayed deliveries says it.
IS_REPLAYED = deliveries.c.replay_id != literal_column("''")

_latest = deliveries.alias("latest")
_last_seq = (
    select(func.max(deliveries.c.seq))
    .where(
        deliveries.c.event_id == events.c.id,
        deliveries.c.subscription_id == bindparam("of_subscription"),
    )
    .correlate(events)
    .scalar_subquery()
)


_had_ended = (_latest.c.finished_at <= bindparam("by", type_=Instant)).label("had_ended")


def _recalled(of_latest: ColumnElement[bool], *, in_full: bool = False) -> Select[Any]:
    is_its_snapshot = and_(
        snapshots.c.watch_id == events.c.watch_id, snapshots.c.version == events.c.order_version
    )
    found = events.join(_latest, of_latest, isouter=True).join(snapshots, is_its_snapshot, isouter=True)
    columns = (
        events.c.id,
        events.c.type,
        events.c.watch_id,
        events.c.order_version,
        events.c.sequence,
        _latest.c.state,
        _had_ended,
        _latest.c.sequence.label("number"),
        _latest.c.body_id,
        snapshots.c.version.label("kept_version"),
    )
    if not in_full:
        return select(*columns).select_from(found)
    found = found.join(watches, watches.c.id == events.c.watch_id, isouter=True)
    more = (events.c.document, snapshots.c.document.label("snapshot"), watches.c.tags)
    return select(*columns, *more).select_from(found)


_IN_RANGE = {in_full: _recalled(_latest.c.seq == _last_seq, in_full=in_full) for in_full in (False, True)}
_OF_DELIVERY = _recalled(_latest.c.event_id == events.c.id).where(_latest.c.id == bindparam("of_delivery"))
_ALIKE = (
    select(events.c.type, _latest.c.state, _had_ended, func.count().label("count"))
    .select_from(events.join(_latest, _latest.c.seq == _last_seq, isouter=True))
    .group_by(events.c.type, _latest.c.state, _had_ended)
)
_PROGRESS = (
    select(deliveries.c.state, func.count())
    .where(IS_REPLAYED, deliveries.c.replay_id == bindparam("of_replay"))
    .group_by(deliveries.c.state)
)
_UNTRIED = (
    select(func.count())
    .select_from(deliveries)
    .where(
        IS_REPLAYED,
        deliveries.c.replay_id == bindparam("of_replay"),
        deliveries.c.state == DeliveryState.PENDING,
        deliveries.c.attempts == 0,
    )
)
_ADD = insert(deliveries)


class Replays(Rows):
    async def log_begins_at(self, account: str) -> datetime | None:
        kept = select(events.c.observed_at, events.c.sequence).where(events.c.account == account)
        first = (await self._connection.execute(kept.order_by(events.c.sequence).limit(1))).one_or_none()
        return first.observed_at if first is not None and first.sequence > 1 else None

    async def add_replay(self, replay: Replay) -> None:
        row = {"id": replay.id, "account": replay.account, "subscription_id": replay.subscription_id}
        await self._connection.execute(insert(replays), row | _columns(replay))

    async def save_replay(self, replay: Replay) -> None:
        written = update(replays).where(replays.c.id == replay.id)
        await self._connection.execute(written.values(_columns(replay)))

    async def replay(self, account: str, replay_id: ReplayId) -> Replay:
        found = select(replays).where(replays.c.account == account, replays.c.id == replay_id)
        row = (await self._connection.execute(found)).one_or_none()
        if row is None:
            raise NotFound(f"there is no replay {replay_id!r}")
        return _replay(row)

    async def running_replays(self) -> list[Replay]:
        is_running = replays.c.state == literal_column("'running'")
        rows = await self._connection.execute(select(replays).where(is_running))
        found = sorted(map(_replay, rows), key=lambda replay: (replay.created_at, replay.id), reverse=True)
        return list({replay.subscription_id: replay for replay in found}.values())[::-1]

    async def recallable(
        self, replay: Replay, subscription: Subscription, *, limit: int, in_full: bool
    ) -> list[Recalled]:
        page = _ranged(_IN_RANGE[in_full], replay, subscription).order_by(events.c.sequence).limit(limit)
        rows = await self._connection.execute(page, _asked(replay, subscription))
        return [_as_recalled(row, in_full=in_full) for row in rows]

    async def recall_tallies(self, replay: Replay, subscription: Subscription) -> list[Tally]:
        alike = _ranged(_ALIKE, replay, subscription)
        rows = await self._connection.execute(alike, _asked(replay, subscription))
        return [
            Tally(type=row.type, state=_state(row), had_ended=bool(row.had_ended), count=row.count)
            for row in rows
        ]

    async def recalled(self, delivery_id: DeliveryId) -> Recalled:
        rows = await self._connection.execute(_OF_DELIVERY, {"of_delivery": delivery_id, "by": None})
        row = rows.one_or_none()
        if row is None:
            raise NotFound(f"there is no delivery {delivery_id!r}")
        return _as_recalled(row, in_full=False)

    async def owe_again(
        self, replay: Replay, again: Sequence[tuple[Recalled, Delivery]], *, now: datetime, lanes: Lanes
    ) -> None:
        if not again:
            return
        await self._each(_ADD, [_row(replay, recalled, delivery) for recalled, delivery in again])
        self._put(waiting([delivery.id for _, delivery in again], lanes=lanes, now=now))
        self.woken.deliveries = True

    async def made_by(self, replay_id: ReplayId) -> Made:
        rows = await self._connection.execute(_PROGRESS, {"of_replay": replay_id})
        states = {DeliveryState(state): count for state, count in rows}
        untried = await self._connection.scalar(_UNTRIED, {"of_replay": replay_id}) or 0
        return Made(states=states, untried=untried)


def _ranged(statement: Select[Any], replay: Replay, subscription: Subscription) -> Select[Any]:
    found = statement.where(
        events.c.account == replay.account,
        events.c.sequence > replay.after,
        events.c.sequence <= replay.last,
    )
    if subscription.order_key is not None:
        found = found.where(events.c.order_key == subscription.order_key)
    if replay.since_at is not None:
        found = found.where(events.c.observed_at >= replay.since_at)
    if replay.until_at is not None:
        found = found.where(events.c.observed_at < replay.until_at)
    return found


def _asked(replay: Replay, subscription: Subscription) -> dict[str, Any]:
    return {"of_subscription": subscription.id, "by": replay.created_at}


def _state(row: AnyRow) -> DeliveryState | None:
    return None if row.state is None else DeliveryState(row.state)


def _columns(replay: Replay) -> dict[str, Any]:
    return {"state": replay.state, "finished_at": replay.finished_at, "document": replay}


def _replay(row: AnyRow) -> Replay:
    # The state may have been written without the document, by the end of the subscription.
    written: Replay = row.document
    return replace(written, state=ReplayState(row.state), finished_at=row.finished_at)


def _as_recalled(row: AnyRow, *, in_full: bool) -> Recalled:
    return Recalled(
        event_id=row.id,
        type=row.type,
        watch_id=row.watch_id,
        order_version=row.order_version,
        sequence=row.sequence,
        state=_state(row),
        had_ended=bool(row.had_ended),
        number=row.number,
        body_id=row.body_id,
        has_snapshot=row.kept_version is not None,
        logged=logged_event(row) if in_full else None,
        tags=tuple(sorted(row.tags or ())) if in_full else (),
    )


def _row(replay: Replay, recalled: Recalled, delivery: Delivery) -> dict[str, Any]:
    return {
        "id": delivery.id,
        "account": replay.account,
        "subscription_id": replay.subscription_id,
        "event_id": recalled.event_id,
        "replay_id": replay.id,
        "watch_id": None if recalled.watch_id is None else -recalled.watch_id,
        "state": delivery.state,
        "reason": delivery.reason,
        "attempts": delivery.attempts,
        "due_at": delivery.due_at,
        "created_at": delivery.created_at,
        "expires_at": delivery.expires_at,
        "sequence": recalled.number,
        "body_id": None if replay.is_rerendered else recalled.body_id,
    }

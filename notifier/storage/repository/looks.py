"""The looks, which the poller reads and writes thousands of times a second, and the snapshots they bring."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache

import msgspec
from sqlalchemy import (
    Update,
    bindparam,
    case,
    func,
    insert,
    null,
    select,
    type_coerce,
    update,
)

from notifier.domain.cadence import Deadlines, Why
from notifier.domain.instant import from_ms, to_ms
from notifier.domain.order import Phase, Source
from notifier.domain.snapshot import Reader, Snapshot
from notifier.errors import Conflict, NotFound
from notifier.storage.records import Look, LookOutcome, LookState, StoredSnapshot, Watch
from notifier.storage.repository.base import AnyRow, Rows, driver_form
from notifier.storage.tables import Whole, looks, snapshots, watches

# Both hot statements speak in raw numbers: a type's own conversion, value by value, costs more than SQLite itself.
_DUE = (
    select(
        looks.c.id,
        looks.c.watch_id,
        looks.c.source,
        watches.c.order_id,
        watches.c.routing_id,
        looks.c.phase,
        looks.c.digest,
        type_coerce(looks.c.reader, looks.c.error.type),
        *(
            type_coerce(column, Whole)
            for column in (
                watches.c.registered_at,
                looks.c.last_polled_at,
                looks.c.last_changed_at,
                looks.c.next_poll_at,
                looks.c.deadline_at,
                looks.c.asked_at,
                looks.c.doubted_at,
            )
        ),
        looks.c.failures,
        watches.c.mandate_id,
    )
    .join(watches, watches.c.id == looks.c.watch_id)
    .where(
        looks.c.account == bindparam("account"),
        looks.c.next_poll_at <= bindparam("now"),
        looks.c.source.in_([bindparam(source.value) for source in Source]),
    )
    .order_by(looks.c.next_poll_at)
    .limit(bindparam("limit", type_=Whole))
)
_NEXT = select(func.min(looks.c.next_poll_at)).where(
    looks.c.account == bindparam("account"), looks.c.next_poll_at > bindparam("after")
)

# A look-up in a dict is five times as quick as the call of an enumeration.
_SOURCES = {source.value: source for source in Source}
_PHASES = {phase.value: phase for phase in Phase}


def _record() -> Update:
    asked = looks.c.asked_at > bindparam("started", type_=Whole)
    return (
        update(looks)
        .where(looks.c.id == bindparam("look"))
        .values(
            next_poll_at=case(
                (looks.c.next_poll_at.is_(None), null()),
                (asked, bindparam("now", type_=Whole)),
                else_=bindparam("next", type_=Whole),
            ),
            why=case((asked, Why.ASKED.value), else_=bindparam("because")),
            asked_at=case((asked, looks.c.asked_at), else_=null()),
            last_polled_at=bindparam("polled", type_=Whole),
            failures=bindparam("failed"),
            error=bindparam("said"),
            doubted_at=bindparam("doubted", type_=Whole),
            polls=looks.c.polls + 1,
        )
    )


_RECORD = _record()


@lru_cache(maxsize=64)
def _reader(text: str | None) -> Reader | None:
    return None if text is None else msgspec.json.decode(text, type=Reader)


def soonest(*instants: datetime | None) -> datetime | None:
    """Return the first of the instants there are, or None."""
    return min((at for at in instants if at is not None), default=None)


class Looks(Rows):
    async def due_looks(
        self,
        account: str,
        *,
        now: datetime,
        limit: int,
        in_flight: Collection[int] = (),
        sources: Collection[Source] = tuple(Source),
    ) -> list[Look]:
        statement, places, constants = driver_form(_DUE, self._connection.dialect)
        wanted = constants | {"account": account, "now": to_ms(now), "limit": limit + len(in_flight)}
        wanted |= {source.value: source.value if source in sources else None for source in Source}
        rows = await self._connection.exec_driver_sql(statement, tuple([wanted[place] for place in places]))
        fresh = [row for row in rows.all() if row[0] not in in_flight]
        return [_look(account, row) for row in fresh[:limit]]

    async def next_look_at(self, account: str, *, after: datetime) -> datetime | None:
        at: datetime | None = await self._connection.scalar(_NEXT, {"account": account, "after": after})
        return at

    async def record_looks(self, outcomes: Sequence[LookOutcome], *, now: datetime) -> None:
        if not outcomes:
            return
        statement, places, constants = driver_form(_RECORD, self._connection.dialect)
        values = constants | {"now": to_ms(now)}
        rows = []
        for outcome in outcomes:
            values["look"] = outcome.look_id
            values["started"] = to_ms(outcome.started_at)
            values["next"] = to_ms(outcome.next_poll_at)
            values["because"] = outcome.why.value
            values["polled"] = _ms(outcome.last_polled_at)
            values["failed"] = outcome.failures
            values["said"] = outcome.error
            values["doubted"] = _ms(outcome.doubted_at)
            rows.append(tuple([values[place] for place in places]))
        await self._connection.exec_driver_sql(statement, rows)

    async def look_state(self, look_id: int) -> LookState:
        found = select(looks, watches.c.status).join(watches).where(looks.c.id == look_id)
        row = (await self._connection.execute(found)).one_or_none()
        if row is None:
            raise NotFound(f"there is no look {look_id}")
        return LookState(
            look_id=look_id,
            digest=row.digest,
            reader=row.reader,
            phase=Phase(row.phase),
            status=row.status,
            deadlines=Deadlines(
                stuck_at=row.stuck_at,
                overdue_at=row.overdue_at,
                mismatch_at=row.mismatch_at,
                settle_at=row.settle_at,
                until_at=row.until_at,
            ),
            last_changed_at=row.last_changed_at,
        )

    async def save_look_state(self, state: LookState) -> None:
        deadlines = state.deadlines
        look = (
            update(looks)
            .where(looks.c.id == state.look_id)
            .values(
                digest=state.digest,
                reader=state.reader,
                phase=state.phase,
                last_changed_at=state.last_changed_at,
                deadline_at=deadlines.soonest,
                stuck_at=deadlines.stuck_at,
                overdue_at=deadlines.overdue_at,
                mismatch_at=deadlines.mismatch_at,
                settle_at=deadlines.settle_at,
                until_at=deadlines.until_at,
            )
        )
        await self._connection.execute(look)
        of_look = select(looks.c.watch_id).where(looks.c.id == state.look_id, looks.c.source == Source.ORDER)
        watch = update(watches).where(watches.c.id == of_look.scalar_subquery())
        await self._connection.execute(watch.values(status=state.status, phase=state.phase))

    async def latest_snapshot(self, watch_id: int, source: Source) -> Snapshot | None:
        of_source = (snapshots.c.watch_id == watch_id, snapshots.c.source == source)
        last = (
            select(snapshots.c.document, looks.c.reader)
            .join(looks, (looks.c.watch_id == snapshots.c.watch_id) & (looks.c.source == snapshots.c.source))
            .where(*of_source)
            .order_by(snapshots.c.version.desc())
            .limit(1)
        )
        row = (await self._connection.execute(last)).one_or_none()
        if row is None:
            return None
        snapshot: Snapshot = row.document
        return replace(snapshot, reader=row.reader or snapshot.reader)

    async def add_snapshot(
        self, watch: Watch, snapshot: Snapshot, *, observed_at: datetime, not_before: datetime | None
    ) -> int:
        version = watch.version + 1
        take = update(watches).where(watches.c.id == watch.id, watches.c.version == watch.version)
        if not (await self._connection.execute(take.values(version=version))).rowcount:
            raise Conflict(f"version {version} of order {watch.order_id!r} is taken; read it again")
        row = {
            "watch_id": watch.id,
            "version": version,
            "source": snapshot.source,
            "document": snapshot,
            "observed_at": observed_at,
            "not_before": not_before,
        }
        await self._connection.execute(insert(snapshots), row)
        return version


class Snapshots(Rows):
    async def snapshots(self, watch_id: int, *, after: int = 0, limit: int = 50) -> list[StoredSnapshot]:
        page = (
            select(snapshots)
            .where(snapshots.c.watch_id == watch_id, snapshots.c.version > after)
            .order_by(snapshots.c.version)
            .limit(limit)
        )
        return [
            StoredSnapshot(
                version=row.version,
                snapshot=row.document,
                observed_at=row.observed_at,
                not_before=row.not_before,
            )
            for row in await self._connection.execute(page)
        ]

    async def snapshot_at(self, watch_id: int, version: int | None = None) -> StoredSnapshot:
        if version is None:
            last = select(func.max(snapshots.c.version)).where(snapshots.c.watch_id == watch_id)
            version = await self._connection.scalar(last) or 0
        found = await self.snapshots(watch_id, after=version - 1, limit=1)
        if not found or found[0].version != version:
            raise NotFound(f"watch {watch_id} has no version {version}")
        return found[0]


def _ms(at: datetime | None) -> int | None:
    return None if at is None else to_ms(at)


def _at(ms: int | None) -> datetime | None:
    return None if ms is None else from_ms(ms)


_SOURCES = {source.value: source for source in Source}
_PHASES = {phase.value: phase for phase in Phase}


def _look(account: str, row: AnyRow) -> Look:
    (
        look_id, watch_id, source, order_id, routing_id, phase, digest, reader,
        registered_at, last_polled_at, last_changed_at, next_poll_at, deadline_at, asked_at, doubted_at, failures,
        mandate_id,
    ) = row  # fmt: skip
    # By place: this runs thousands of times a second.
    return Look(
        look_id,
        watch_id,
        account,
        _SOURCES[source],
        order_id,
        routing_id,
        _PHASES[phase],
        digest,
        _reader(reader),
        from_ms(registered_at),
        _at(last_polled_at),
        from_ms(last_changed_at),
        from_ms(next_poll_at),
        failures,
        _at(deadline_at),
        _at(asked_at),
        _at(doubted_at),
        mandate_id,
    )

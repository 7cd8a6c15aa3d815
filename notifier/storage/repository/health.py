"""Source health, keys, remembered answers, counts, and forgetting."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Delete,
    Select,
    Table,
    delete,
    exists,
    func,
    literal,
    select,
    tuple_,
    type_coerce,
    update,
)
from sqlalchemy.dialects.sqlite import insert as upsert

from notifier.domain.instant import iso
from notifier.domain.order import Source, WatchState
from notifier.errors import Conflict
from notifier.storage.records import RememberedAnswer, SourceHealth, SourceState
from notifier.storage.repository.base import Rows
from notifier.storage.tables import (
    Whole,
    accounts,
    answers,
    api_keys,
    attempts,
    bodies,
    conversations,
    deliveries,
    events,
    looks,
    meta,
    replays,
    snapshots,
    sources,
    targets,
    watches,
)

_REMEMBERED = timedelta(hours=24)
_WRITTEN = "proved_writable_at"


class Health(Rows):
    async def source_health(self, account: str, source: Source) -> SourceHealth:
        found = select(sources).where(sources.c.account == account, sources.c.source == source)
        row = (await self._connection.execute(found)).one_or_none()
        if row is None:
            return SourceHealth(account=account, source=source)
        return SourceHealth(
            account=account,
            source=source,
            state=SourceState(row.state),
            since=row.since,
            failures=row.failures,
            probes=row.probes,
        )

    async def save_source_health(self, health: SourceHealth) -> None:
        members = {
            "state": health.state,
            "since": health.since,
            "failures": health.failures,
            "probes": health.probes,
        }
        await self._upsert(sources, {"account": health.account, "source": health.source} | members, members)

    async def api_key(self, digest: bytes) -> str | None:
        name: str | None = await self._connection.scalar(
            select(api_keys.c.name).where(api_keys.c.digest == digest)
        )
        return name

    async def has_api_key(self) -> bool:
        return await self._connection.scalar(select(api_keys.c.digest).limit(1)) is not None

    async def add_api_key(self, digest: bytes, name: str, *, now: datetime) -> None:
        row = {"digest": digest, "name": name, "created_at": now}
        await self._upsert(api_keys, row, {"name": name})

    async def remembered_answer(self, key: str, route: str, account: str) -> RememberedAnswer | None:
        found = select(answers).where(
            answers.c.key == key, answers.c.route == route, answers.c.account == account
        )
        row = (await self._connection.execute(found)).one_or_none()
        if row is None:
            return None
        return RememberedAnswer(
            key=key,
            route=route,
            account=account,
            digest=row.digest,
            http_status=row.http_status,
            body=row.body,
        )

    async def remember_answer(self, answer: RememberedAnswer, *, now: datetime) -> None:
        row = {
            "key": answer.key,
            "route": answer.route,
            "account": answer.account,
            "digest": answer.digest,
            "http_status": answer.http_status,
            "body": answer.body,
            "created_at": now,
        }
        added = await self._connection.execute(upsert(answers).on_conflict_do_nothing(), row)
        if not added.rowcount:
            raise Conflict("this Idempotency-Key was used meanwhile; ask again for its answer")

    async def shift_due(self, by: timedelta) -> None:
        ms = literal(by // timedelta(milliseconds=1), Whole)
        for column in (
            looks.c.next_poll_at,
            # Looks are compared with these: what was asked for in an hour would be owed until then, again and again.
            looks.c.asked_at,
            looks.c.doubted_at,
            looks.c.attended_until,
            deliveries.c.due_at,
            deliveries.c.lease_until,
            targets.c.rests_until,
            # What was done is not yet to come; after a step forward it may well be that long ago.
            *([looks.c.last_polled_at] if by < timedelta() else []),
        ):
            moved = update(column.table).where(column.is_not(None))
            await self._connection.execute(moved.values({column: type_coerce(column, Whole) + ms}))
        self.woken.looks = self.woken.deliveries = True

    async def prove_writable(self) -> None:
        word = iso(self._clock.now()).encode()
        await self._upsert(meta, {"name": _WRITTEN, "value": word}, {"value": word})

    async def counts(self) -> dict[str, int]:
        counted: dict[str, int] = {}
        for table in (watches, deliveries):
            by_state = select(table.c.state, func.count()).group_by(table.c.state)
            counted |= {
                f"{table.name}.{state}": count
                for state, count in await self._connection.execute(by_state)
                if state != WatchState.REMOVED
            }
        for table in (events, snapshots):
            counted[table.name] = await self._connection.scalar(select(func.count()).select_from(table)) or 0
        return counted

    async def ends(self, *, after: datetime, through: datetime) -> dict[tuple[str, str], int]:
        how = deliveries.c.state, deliveries.c.reason
        in_span = deliveries.c.finished_at > after, deliveries.c.finished_at <= through
        rows = await self._connection.execute(select(*how, func.count()).where(*in_span).group_by(*how))
        return {(state, reason): count for state, reason, count in rows}

    async def prune(
        self, *, before: datetime, answers_before: datetime, now: datetime, limit: int = 1000
    ) -> int:
        await self._note_pruned(before)
        gone = 0
        for statement in (
            _some(answers, answers.c.created_at < now - _REMEMBERED, limit),
            _attempts_of_forgotten(before, limit),
            _some(deliveries, _is_forgotten(before), limit),
            _some(bodies, bodies.c.event_id.in_(_past_events(before)), limit),
            _some(events, events.c.id.in_(_past_events(before)) & ~_HAS_BODY, limit),
            _some(snapshots, _is_past_snapshot(before), limit),
            _some(replays, replays.c.finished_at < before, limit),
            _some(conversations, conversations.c.updated_at < before, limit),
        ):
            gone += (await self._connection.execute(statement)).rowcount
        old = select(attempts.c.seq).where(
            attempts.c.started_at < answers_before, attempts.c.answer.is_not(None)
        )
        emptied = update(attempts).where(attempts.c.seq.in_(old.limit(limit))).values(answer=None)
        return gone + (await self._connection.execute(emptied)).rowcount

    async def _note_pruned(self, before: datetime) -> None:
        """Remember up to which event of each account something may be gone, so that no audit asks for it.

        What ended before an instant was told before it.
        """
        last = select(events.c.account, func.max(events.c.sequence)).where(events.c.observed_at < before)
        for account, sequence in (await self._connection.execute(last.group_by(events.c.account))).all():
            raised = update(accounts).where(accounts.c.name == account, accounts.c.pruned_through < sequence)
            await self._connection.execute(raised.values(pruned_through=sequence))


_HAS_BODY = exists().where(bodies.c.event_id == events.c.id)


def _some(table: Table, is_old: ColumnElement[bool], limit: int) -> Delete:
    """Delete at most so many rows, so that no transaction keeps the others waiting."""
    key = list(table.primary_key)
    place: Any = tuple_(*key) if len(key) > 1 else key[0]
    return delete(table).where(place.in_(select(*key).where(is_old).limit(limit)))


def _is_forgotten(before: datetime) -> ColumnElement[bool]:
    has_attempts = exists().where(attempts.c.delivery_id == deliveries.c.id)
    return (deliveries.c.finished_at < before) & ~has_attempts


def _attempts_of_forgotten(before: datetime, limit: int) -> Delete:
    ended = select(deliveries.c.id).where(deliveries.c.finished_at < before).limit(limit)
    return delete(attempts).where(attempts.c.delivery_id.in_(ended))


def _past_events(before: datetime) -> Select[Any]:
    is_owed = exists().where(deliveries.c.event_id == events.c.id)
    return select(events.c.id).where(events.c.observed_at < before, ~is_owed)


def _is_past_snapshot(before: datetime) -> ColumnElement[bool]:
    newer = snapshots.alias("newer")
    is_not_last = exists().where(
        newer.c.watch_id == snapshots.c.watch_id,
        newer.c.source == snapshots.c.source,
        newer.c.version > snapshots.c.version,
    )
    is_told = exists().where(
        events.c.watch_id == snapshots.c.watch_id, events.c.order_version == snapshots.c.version
    )
    return (snapshots.c.observed_at < before) & is_not_last & ~is_told

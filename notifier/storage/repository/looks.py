"""The looks, which the poller reads and writes thousands of times a second, and the snapshots they bring."""

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from typing import Any

import msgspec
from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    bindparam,
    case,
    func,
    insert,
    null,
    or_,
    select,
    type_coerce,
    update,
)

from notifier.domain.cadence.plan import AFTER_ASKED, Why
from notifier.domain.cadence.situation import Kind, Part, Situation
from notifier.domain.instant import at_ms, to_ms, whole_ms
from notifier.domain.order import OrderId, Phase, Source
from notifier.domain.snapshot import Reader, Snapshot
from notifier.storage.looking import Look, LookOutcome, LookState
from notifier.storage.records import Watch
from notifier.storage.repository.base import Rows
from notifier.storage.repository.setwise import WORD, any_of, as_parameter, given, in_one_row
from notifier.storage.tables import Whole, looks, snapshots, watches

_PartRow = tuple[str, str, str, str, str, int]
"""Kind, word, method, id, mark, since when in ms; source and account are the look's."""


class _DueLook(msgspec.Struct, array_like=True, gc=False):
    """A due look in raw numbers and texts, its columns in this order."""

    next_poll_at: int
    id: int
    watch_id: int
    source: Source
    order_id: OrderId
    routing_id: str | None
    phase: Phase
    digest: str
    reader: str | None
    registered_at: int
    last_polled_at: int | None
    last_changed_at: int
    deadline_at: int | None
    asked_at: int | None
    doubted_at: int | None
    failures: int
    mandate_id: str | None
    parts: str | None
    attended_until: int | None


_OF_WATCH = frozenset({"order_id", "routing_id", "registered_at", "mandate_id"})
_read_due = msgspec.json.Decoder(list[_DueLook]).decode
_read_parts = msgspec.json.Decoder(list[_PartRow]).decode


def _column(name: str) -> ColumnElement[Any]:
    if name == "digest":
        return func.hex(looks.c.digest)
    return (watches if name in _OF_WATCH else looks).c[name]


def looks_where(*wanted: ColumnElement[bool]) -> Select[Any]:
    """Return the statement for looks of an account that meet further conditions, soonest due first.

    It takes the parameters of `wanted_looks`; `read_looks` reads what it gives.
    """
    return in_one_row(
        select(*map(_column, _DueLook.__struct_fields__))
        .join(watches, watches.c.id == looks.c.watch_id)
        .where(
            looks.c.account == bindparam("account"),
            *wanted,
            looks.c.id.not_in(any_of("in_flight")),
            looks.c.source.in_(any_of("sources")),
        )
        .order_by(looks.c.next_poll_at)
        .limit(bindparam("limit", type_=Whole))
    )


NOW = bindparam("now", type_=Whole)
_DUE = looks_where(looks.c.next_poll_at <= NOW)
_NEXT = select(func.min(looks.c.next_poll_at)).where(
    looks.c.account == bindparam("account"), looks.c.next_poll_at > bindparam("after")
)


_seen = given(
    "rows",
    {"id": Whole, "started_at": Whole, "next_poll_at": Whole, "why": WORD, "last_polled_at": Whole,
     "failures": Whole, "error": WORD, "doubted_at": Whole, "asked_at": Whole, "pace": Whole},
    are_named_often=True,
)  # fmt: skip
_asked_at = type_coerce(looks.c.asked_at, Whole)
# Nobody asks in the time to come: then the clock was set back while we were away.
_is_asked = and_(_asked_at > _seen.c.started_at, _asked_at <= bindparam("now", type_=Whole))
_is_answered = and_(
    _asked_at.is_distinct_from(_seen.c.asked_at), _seen.c.next_poll_at > bindparam("soon", type_=Whole)
)
_ATTENDED_MS = 30_000
_attended_until = type_coerce(looks.c.attended_until, Whole)
_for_long = bindparam("soon", type_=Whole) + _ATTENDED_MS
_is_owed_soon = or_(_is_answered, _seen.c.why == Why.AFTER_ASKED.value)
_RECORD = (
    update(looks)
    .where(looks.c.id == _seen.c.id)
    .values(
        next_poll_at=case(
            (looks.c.next_poll_at.is_(None), null()),
            (_is_asked, bindparam("now", type_=Whole)),
            (_is_answered, bindparam("soon", type_=Whole)),
            else_=_seen.c.next_poll_at,
        ),
        why=case((_is_asked, Why.ASKED.value), (_is_answered, Why.AFTER_ASKED.value), else_=_seen.c.why),
        asked_at=case((_is_asked, looks.c.asked_at), else_=null()),
        # The look that is owed after one that was asked for does not wait for the budget, either.
        attended_until=case(
            (and_(_is_owed_soon, func.coalesce(_attended_until, 0) < _for_long), _for_long),
            (_attended_until <= bindparam("now", type_=Whole), null()),
            else_=_attended_until,
        ),
        last_polled_at=_seen.c.last_polled_at,
        failures=_seen.c.failures,
        error=_seen.c.error,
        doubted_at=_seen.c.doubted_at,
        pace=func.coalesce(_seen.c.pace, looks.c.pace),
        polls=looks.c.polls + 1,
    )
)


# Whoever takes a version adds its row, too, which two cannot: so the number is not compared.
_TAKE = update(watches).where(watches.c.id == bindparam("of")).values(version=bindparam("is"))
_ADD = insert(snapshots)
_SAVE_LOOK = (
    update(looks)
    .where(looks.c.id == bindparam("of"))
    .values(
        digest=bindparam("its_digest"),
        reader=bindparam("its_reader"),
        phase=bindparam("its_phase"),
        last_changed_at=bindparam("changed"),
        deadline_at=bindparam("deadline"),
        stuck_at=bindparam("stuck"),
        overdue_at=bindparam("overdue"),
        mismatch_at=bindparam("mismatch"),
        settle_at=bindparam("settle"),
        until_at=bindparam("until"),
        parts=bindparam("its_parts"),
    )
)
_of_order = select(looks.c.watch_id).where(looks.c.id == bindparam("of"), looks.c.source == Source.ORDER)
_SAVE_WATCH = (
    update(watches)
    .where(watches.c.id == _of_order.scalar_subquery())
    .values(status=bindparam("its_status"), phase=bindparam("its_phase"))
)
_encode = msgspec.json.Encoder(order="deterministic").encode
read_snapshot = msgspec.json.Decoder(Snapshot).decode


@lru_cache(maxsize=64)
def reader_of(text: str | None) -> Reader | None:
    """Return a reader as a look's column has it."""
    return None if text is None else msgspec.json.decode(text, type=Reader)


def wanted_looks(
    account: str, *, now: datetime, limit: int, in_flight: Collection[int], sources: Collection[Source]
) -> dict[str, Any]:
    """Return the parameters of a statement of `looks_where`."""
    return {
        "account": account,
        "now": to_ms(now),
        "limit": limit,
        "in_flight": as_parameter(list(in_flight)),
        "sources": as_parameter(list(sources)),
    }


def read_looks(account: str, answer: Sequence[tuple[Any, ...]]) -> list[Look]:
    """Return the looks that a statement of `looks_where` gave, soonest due first."""
    [(rows,)] = answer
    return [_look(account, row) for row in sorted(_read_due(rows), key=attrgetter("next_poll_at"))]


def stored_parts(account: str, source: str, text: str | None) -> tuple[Part, ...] | None:
    """Return the parts as a look's column has them."""
    return None if text is None else _parts(account, Source(source), _read_parts(text))


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
        wanted = wanted_looks(account, now=now, limit=limit, in_flight=in_flight, sources=sources)
        return read_looks(account, await self._ask(_DUE, wanted))

    async def next_look_at(self, account: str, *, after: datetime) -> datetime | None:
        [(soonest_ms,)] = await self._ask(_NEXT, {"account": account, "after": to_ms(after)})
        return at_ms(soonest_ms)

    async def record_looks(self, outcomes: Sequence[LookOutcome], *, now: datetime) -> None:
        if not outcomes:
            return
        now_ms = to_ms(now)
        rows = [_outcome_row(outcome, now_ms) for outcome in outcomes]
        soon = now_ms + whole_ms(AFTER_ASKED.in_s)
        self._put((_RECORD, [{"now": now_ms, "soon": soon, "rows": as_parameter(rows)}]))

    async def save_look_state(self, state: LookState) -> None:
        deadlines = state.deadlines
        look = {
            "of": state.look_id,
            "its_digest": state.digest,
            "its_reader": None if state.reader is None else _encode(state.reader).decode(),
            "its_phase": state.phase,
            "changed": to_ms(state.last_changed_at),
            "deadline": _ms(deadlines.soonest),
            "stuck": _ms(deadlines.stuck_at),
            "overdue": _ms(deadlines.overdue_at),
            "mismatch": _ms(deadlines.mismatch_at),
            "settle": _ms(deadlines.settle_at),
            "until": _ms(deadlines.until_at),
            "its_parts": _encode(_written(state.parts)).decode(),
        }
        watch = {"of": state.look_id, "its_status": state.status, "its_phase": state.phase}
        self._put((_SAVE_LOOK, [look]), (_SAVE_WATCH, [watch]))

    async def add_snapshot(
        self, watch: Watch, snapshot: Snapshot, *, observed_at: datetime, not_before: datetime | None
    ) -> int:
        version = watch.version + 1
        row = {
            "watch_id": watch.id,
            "version": version,
            "source": snapshot.source,
            "document": _encode(snapshot).decode(),
            "observed_at": to_ms(observed_at),
            "not_before": _ms(not_before),
        }
        self._put((_ADD, [row]), (_TAKE, [{"of": watch.id, "is": version}]))
        return version


def _outcome_row(outcome: LookOutcome, now_ms: int) -> tuple[Any, ...]:
    """Return the values of `_seen`, the next poll later by as much as the clock was set back since."""
    gone_back_ms = max(0, outcome.started_ms - now_ms)
    return (
        outcome.look_id,
        outcome.started_ms,
        outcome.next_poll_ms - gone_back_ms,
        outcome.why,
        outcome.last_polled_ms,
        outcome.failures,
        outcome.error,
        outcome.doubted_ms,
        outcome.asked_ms,
        outcome.pace,
    )


def _ms(at: datetime | None) -> int | None:
    return None if at is None else to_ms(at)


@lru_cache(maxsize=4096)
def _situation(source: Source, kind: str, word: str, method: str, account: str) -> Situation:
    return Situation(source, Kind(kind), word, method, account)


def _parts(account: str, source: Source, rows: list[_PartRow]) -> tuple[Part, ...]:
    return tuple(
        [
            Part(_situation(source, kind, word, method, account), part_id, mark, since_ms / 1000)
            for kind, word, method, part_id, mark, since_ms in rows
        ]
    )


def _written(parts: Sequence[Part]) -> list[_PartRow]:
    return [
        (
            part.situation.kind.value,
            part.situation.word,
            part.situation.method,
            part.id,
            part.mark,
            round(part.since_s * 1000),
        )
        for part in parts
    ]


def _look(account: str, row: _DueLook) -> Look:
    # By place: this runs thousands of times a second.
    return Look(
        row.id,
        row.watch_id,
        account,
        row.source,
        row.order_id,
        row.routing_id,
        row.phase,
        bytes.fromhex(row.digest) or None,
        reader_of(row.reader),
        row.registered_at,
        row.last_polled_at,
        row.last_changed_at,
        row.next_poll_at,
        row.failures,
        row.deadline_at,
        row.asked_at,
        row.doubted_at,
        row.mandate_id,
        None if row.parts is None else _parts(account, row.source, _read_parts(row.parts)),
        row.attended_until,
    )

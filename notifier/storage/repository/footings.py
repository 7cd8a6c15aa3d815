"""What looks stand on when they are written thoroughly, read for a whole group of them."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import select

from notifier.domain.deadline import Deadlines
from notifier.domain.instant import at_ms, from_ms
from notifier.domain.order import Phase, Source
from notifier.domain.snapshot import Snapshot
from notifier.storage.looking import Footing, LookState
from notifier.storage.repository.base import Rows
from notifier.storage.repository.looks import read_snapshot, reader_of, stored_parts
from notifier.storage.repository.setwise import any_of, as_parameter
from notifier.storage.repository.watches import WATCH, folded
from notifier.storage.tables import looks, snapshots, watches

_asked = looks.alias("asked")
_theirs = select(_asked.c.watch_id).where(_asked.c.id.in_(any_of("ids")))
_WATCHES = WATCH.where(watches.c.id.in_(_theirs))
_latest = (
    select(snapshots.c.document)
    .where(snapshots.c.watch_id == looks.c.watch_id, snapshots.c.source == looks.c.source)
    .order_by(snapshots.c.version.desc())
    .limit(1)
)
_LOOKS = (
    select(
        looks.c.id, looks.c.account, looks.c.source, looks.c.digest, looks.c.reader, looks.c.phase, watches.c.status,
        looks.c.stuck_at, looks.c.overdue_at, looks.c.mismatch_at, looks.c.settle_at, looks.c.until_at,
        looks.c.last_changed_at, looks.c.parts, looks.c.watch_id, _latest.scalar_subquery(),
    )
    .join(watches)
    .where(looks.c.watch_id.in_(_theirs))
)  # fmt: skip


class Footings(Rows):
    async def footings(self, look_ids: Collection[int]) -> dict[int, Footing]:
        if not look_ids:
            return {}
        ids = {"ids": as_parameter(list(look_ids))}
        by_id = {watch.id: watch for watch in folded(await self._connection.execute(_WATCHES, ids))}
        said: defaultdict[int, dict[Source, Snapshot]] = defaultdict(dict)
        states = {}
        for *row, watch_id, document in await self._ask(_LOOKS, ids):
            state, source = _state(row)
            if state.look_id in look_ids:
                states[state.look_id] = watch_id, state
            if document is not None:
                snapshot = read_snapshot(document)
                said[watch_id][source] = replace(snapshot, reader=state.reader or snapshot.reader)
        return {
            look_id: Footing(watch=by_id[watch_id], state=state, snapshots=said[watch_id])
            for look_id, (watch_id, state) in states.items()
        }


def _state(row: Sequence[Any]) -> tuple[LookState, Source]:
    look_id, account, source, digest, reader, phase, status, *deadlines, last_changed_ms, parts = row
    stuck_at, overdue_at, mismatch_at, settle_at, until_at = map(at_ms, deadlines)
    state = LookState(
        look_id=look_id,
        digest=digest,
        reader=reader_of(reader),
        phase=Phase(phase),
        status=status,
        deadlines=Deadlines(
            stuck_at=stuck_at,
            overdue_at=overdue_at,
            mismatch_at=mismatch_at,
            settle_at=settle_at,
            until_at=until_at,
        ),
        last_changed_at=from_ms(last_changed_ms),
        parts=stored_parts(account, source, parts) or (),
    )
    return state, Source(source)

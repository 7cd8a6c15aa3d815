"""The log of events, in the sequence of each account."""

from collections.abc import Mapping, Sequence

import msgspec
from sqlalchemy import bindparam, insert, select
from sqlalchemy.dialects.sqlite import insert as upsert

from notifier.domain.alert.incident import event_type
from notifier.domain.alert.report import Reason
from notifier.domain.event import Event, EventId, Fact, counted_event_id
from notifier.domain.instant import to_ms
from notifier.domain.order import OrderKey
from notifier.domain.snapshot import Subject
from notifier.errors import NotFound
from notifier.storage.records import LoggedEvent
from notifier.storage.repository.base import AnyRow, Rows
from notifier.storage.repository.looks import read_snapshot
from notifier.storage.repository.setwise import any_of, as_parameter
from notifier.storage.tables import Whole, accounts, counters, events, snapshots

LOGGED = select(
    events.c.document, events.c.sequence, events.c.watch_id, snapshots.c.document.label("snapshot")
).join(
    snapshots,
    (snapshots.c.watch_id == events.c.watch_id) & (snapshots.c.version == events.c.order_version),
    isouter=True,
)
"""Events with their snapshots, as `logged_event` reads them."""


def logged_event(row: AnyRow) -> LoggedEvent:
    """Read an event from a row with the columns `document`, `sequence`, `watch_id` and `snapshot`."""
    return LoggedEvent(
        event=row.document, sequence=row.sequence, watch_id=row.watch_id, snapshot=row.snapshot
    )


def read_logged(document: str, sequence: int, watch_id: int | None, snapshot: str | None) -> LoggedEvent:
    """Read an event from such a row as the driver gives it."""
    return LoggedEvent(
        event=_read_event(document),
        sequence=sequence,
        watch_id=watch_id,
        snapshot=None if snapshot is None else read_snapshot(snapshot),
    )


class Events(Rows):
    async def next_sequences(self, account: str, count: int) -> range:
        [(last,)] = await self._ask(_RAISE, {"account": account, "count": count})
        return range(last - count + 1, last + 1)

    async def raise_counter(self, account: str, subject: str, subject_id: str) -> int:
        row = {"account": account, "subject": subject, "subject_id": subject_id, "value": 1}
        raised = await self._upsert(counters, row, {"value": counters.c.value + 1})
        value: int = raised.value
        return value

    async def add_events(
        self,
        events: Sequence[tuple[Event, int]],
        watch_id: int | None,
        *,
        owed: Mapping[EventId, int] | None = None,
    ) -> None:
        rows = [
            _row(event, sequence, watch_id, None if owed is None else owed[event.id])
            for event, sequence in events
        ]
        self._put((_ADD, rows))

    async def events(
        self,
        account: str,
        *,
        after: int = 0,
        limit: int = 50,
        order_key: OrderKey | None = None,
        event_type: str | None = None,
    ) -> list[LoggedEvent]:
        page = LOGGED.where(events.c.account == account, events.c.sequence > after)
        if order_key is not None:
            page = page.where(events.c.order_key == order_key)
        if event_type is not None:
            page = page.where(events.c.type == event_type)
        rows = await self._connection.execute(page.order_by(events.c.sequence).limit(limit))
        return [logged_event(row) for row in rows]

    async def tellings(self, account: str, incident_id: str, *, limit: int) -> list[LoggedEvent]:
        counted = select(counters.c.value).where(
            counters.c.account == account,
            counters.c.subject == Subject.INCIDENT,
            counters.c.subject_id == incident_id,
        )
        last = await self._connection.scalar(counted) or 0
        # An event names its incident in its document alone; its id can be told from the incident's counter.
        ids = [
            counted_event_id(
                account, None, Fact(type=kind, subject=Subject.INCIDENT, subject_id=incident_id), n
            )
            for n in range(max(0, last - limit) + 1, last + 1)
            for kind in _TELLINGS
        ]
        page = LOGGED.where(events.c.id.in_(any_of("ids"))).order_by(events.c.sequence.desc())
        rows = await self._connection.execute(page, {"ids": as_parameter(ids)})
        return [logged_event(row) for row in rows]

    async def event(self, event_id: EventId) -> LoggedEvent:
        row = (await self._connection.execute(LOGGED.where(events.c.id == event_id))).one_or_none()
        if row is None:
            raise NotFound(f"there is no event {event_id!r}")
        return logged_event(row)


_TELLINGS = frozenset(map(event_type, Reason))
_ADD = insert(events)
_RAISE = (
    upsert(accounts)
    .values(name=bindparam("account"), sequence=bindparam("count", type_=Whole))
    .on_conflict_do_update(
        index_elements=["name"], set_={"sequence": accounts.c.sequence + bindparam("count", type_=Whole)}
    )
    .returning(accounts.c.sequence)
)
_read_event = msgspec.json.Decoder(Event).decode
_encode_event = msgspec.json.Encoder(order="deterministic").encode


def _row(event: Event, sequence: int, watch_id: int | None, owed: int | None) -> dict[str, str | int | None]:
    return {
        "id": event.id,
        "account": event.account,
        "sequence": sequence,
        "watch_id": watch_id,
        "order_key": event.order_key,
        "order_id": event.order_id,
        "order_version": event.order_version,
        "type": event.type,
        "observed_at": to_ms(event.observed_at),
        "document": _encode_event(event).decode(),
        "owed": owed,
    }

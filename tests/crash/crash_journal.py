"""What a round leaves behind: what the harness saw with its own eyes, and what the database says at the end."""

import json
import sqlite3
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path

_NAMED_ONLY = ("watch.", "source.", "incident.", "subscription.", "delivery.", "heartbeat", "test.")


@dataclass(frozen=True, kw_only=True)
class Listener:
    """A subscription, by the name of its receiver."""

    name: str
    events: tuple[str, ...] = ("*.*",)
    ordering: str = "hold"
    mode: str = "all"

    def wants(self, event: "Event") -> bool:
        """Whether a pattern fits; a star for the subject does not mean the system's own (interface 4)."""
        if event.type.startswith(_NAMED_ONLY):
            return False
        return any(fnmatchcase(event.type, pattern) for pattern in self.events)


@dataclass(frozen=True, kw_only=True)
class Kill:
    """The death of a life, and where it was: a named point or at random."""

    life: int
    at: float
    point: str


@dataclass(frozen=True, kw_only=True)
class Served:
    """One good answer of the upstream."""

    order_id: str
    status: str
    life: int | None
    """None when no daemon was known to listen, so that it cannot be said who asked."""


@dataclass(kw_only=True)
class Receipt:
    """One callback as a receiver saw it; `answer` is what it said, None if it never came to it."""

    listener: str
    event_id: str
    order_id: str | None
    sequence: int
    attempt: int
    behind: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    life: int
    at: float
    is_verified: bool = True
    answer: int | None = None

    @property
    def is_accepted(self) -> bool:
        return self.answer is not None and 200 <= self.answer < 300


@dataclass(frozen=True, kw_only=True)
class Event:
    id: str
    sequence: int
    order_id: str | None
    version: int
    type: str
    field: str | None = None
    current: str | None = None


@dataclass(frozen=True, kw_only=True)
class Delivery:
    listener: str
    event_id: str
    state: str
    reason: str
    attempts: int
    sequence: int | None
    tries: tuple[tuple[int, str], ...] = ()
    """Number and reason of each attempt on record, in their order."""


@dataclass(kw_only=True)
class Journal:
    """All of it. `versions` holds each order's stored statuses by version; `finals` the last word of each order."""

    listeners: dict[str, Listener] = field(default_factory=dict)
    kills: list[Kill] = field(default_factory=list)
    served: list[Served] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    registered: set[str] = field(default_factory=set)
    """Orders whose registration was answered."""
    finals: dict[str, str] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    versions: dict[str, list[tuple[int, str]]] = field(default_factory=dict)

    def deaths(self) -> dict[int, Kill]:
        return {kill.life: kill for kill in self.kills}

    def accepted(self) -> dict[tuple[str, str], list[Receipt]]:
        """Return the receipts that were answered well, by listener and event, in the order of their coming."""
        found: dict[tuple[str, str], list[Receipt]] = {}
        for receipt in self.receipts:
            if receipt.is_accepted:
                found.setdefault((receipt.listener, receipt.event_id), []).append(receipt)
        return found


def connected(database: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{database}?mode=ro", uri=True)


def with_database(seen: Journal, database: Path) -> Journal:
    """Return the journal with what the database says, read past all our own code."""
    connection = connected(database)
    try:
        return replace(
            seen,
            events=_events(connection),
            deliveries=_deliveries(connection),
            versions=_versions(connection),
        )
    finally:
        connection.close()


def _events(connection: sqlite3.Connection) -> list[Event]:
    rows = connection.execute(
        "SELECT id, sequence, order_id, order_version, type, document FROM events ORDER BY sequence"
    )
    events = []
    for event_id, sequence, order_id, version, type_, text in rows:
        document = json.loads(text)
        events.append(
            Event(
                id=event_id,
                sequence=sequence,
                order_id=order_id,
                version=version,
                type=type_,
                field=document.get("field"),
                current=document.get("current"),
            )
        )
    return events


def _deliveries(connection: sqlite3.Connection) -> list[Delivery]:
    tries: dict[str, list[tuple[int, str]]] = {}
    for delivery_id, number, reason in connection.execute(
        "SELECT delivery_id, number, reason FROM attempts ORDER BY seq"
    ):
        tries.setdefault(delivery_id, []).append((number, reason))
    rows = connection.execute(
        "SELECT d.id, s.name, d.event_id, d.state, d.reason, d.attempts, d.sequence"
        " FROM deliveries d JOIN subscriptions s ON s.id = d.subscription_id ORDER BY d.seq"
    )
    return [
        Delivery(
            listener=name,
            event_id=event_id,
            state=state,
            reason=reason,
            attempts=attempts,
            sequence=sequence,
            tries=tuple(tries.get(delivery_id, ())),
        )
        for delivery_id, name, event_id, state, reason, attempts, sequence in rows
    ]


def _versions(connection: sqlite3.Connection) -> dict[str, list[tuple[int, str]]]:
    versions: dict[str, list[tuple[int, str]]] = {}
    rows = connection.execute(
        "SELECT w.order_id, s.version, s.document FROM watches w LEFT JOIN snapshots s ON s.watch_id = w.id"
        " ORDER BY w.id, s.version"
    )
    for order_id, version, text in rows:
        of_order = versions.setdefault(order_id, [])
        if text is not None:
            of_order.append((version, json.loads(text)["order"]["status"]))
    return versions

"""What is remembered, as the workers and the web see it: one transaction at a time, values in, values out.

Nothing outside `notifier.storage` knows the database. A transaction commits when its block ends and leaves nothing
behind when it raises. SQLite and PostgreSQL pass one suite: `tests/storage/contract`.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Protocol

from notifier.domain.delivery import Delivery, DeliveryId, DeliveryState
from notifier.domain.event import Event, EventId
from notifier.domain.order import OrderKey, Source, WatchState
from notifier.domain.snapshot import Snapshot
from notifier.domain.subscription import SubscriptionId
from notifier.storage.alerting import AlertStore, IncidentStore, OutcomeStore
from notifier.storage.audience import ConversationStore, ReceiverStore, SubscriptionStore, TemplateStore
from notifier.storage.looking import Footing, Look, LookOutcome, LookState
from notifier.storage.pacing import PacingStore
from notifier.storage.records import (
    AttemptRecord,
    DeliveryView,
    DueDelivery,
    Lanes,
    LoggedEvent,
    NewDelivery,
    Registration,
    RememberedAnswer,
    SourceHealth,
    StoredSnapshot,
    Watch,
)
from notifier.storage.recovery import AuditStore, BacklogStore, ReplayStore
from notifier.storage.signals import Signals


class WatchStore(Protocol):
    """The watchlist and its looks."""

    async def register(self, wish: Registration, *, now: datetime) -> tuple[Watch, bool]:
        """Add a watch or merge into the one there is; due at once.

        Returns: the watch, and True when it is new (or rises from its tombstone, keeping its version).
        Merging: sources and tags united, later `until_at`, given expect and routing_id replace; settled, not_found
        and abandoned become active; paused stays paused.
        """

    async def watch(self, account: str, order_key: OrderKey) -> Watch:
        """Return one watch that is not removed; raises NotFound."""

    async def watch_by_id(self, watch_id: int) -> Watch:
        """Return one watch, removed or not; raises NotFound."""

    async def watches(
        self,
        account: str,
        *,
        state: WatchState | None = None,
        tag: str | None = None,
        status: str | None = None,
        after: int = 0,
        limit: int = 50,
    ) -> list[Watch]:
        """Return watches in the order of their ids, which is the page's cursor; removed ones never."""

    async def watches_of_mandate(self, account: str, mandate_id: str, *, limit: int = 50) -> list[Watch]:
        """Return the newest watches that were registered with this mandate; removed ones never."""

    async def is_removed(self, account: str, order_key: OrderKey) -> bool:
        """Return whether somebody removed this watch, so that only its tombstone is left."""

    async def amend_watch(self, watch: Watch, *, now: datetime) -> Watch:
        """Write the members that people may change: state paused/active, tags, until_at, expect; re-due if active."""

    async def remove_watch(self, account: str, order_key: OrderKey) -> None:
        """Stop polling and leave the tombstone. Deliveries owed still go.

        Raises: NotFound.
        """

    async def end_watch(self, watch_id: int, state: WatchState, *, unless_asked_after: datetime) -> bool:
        """Settle, park or abandon: zero polls until somebody asks. Returns False when somebody already has."""

    async def ask(
        self, account: str, order_key: OrderKey, *, now: datetime, source: Source | None = None
    ) -> Watch:
        """Make the watch's looks due now; revives ended ones, a paused one only remembers (6.14).

        `source` narrows an active watch to that look, else to the order's, where it has one of them.
        Raises: NotFound.
        """


class LookStore(Protocol):
    """What the poller reads and writes."""

    async def due_looks(
        self,
        account: str,
        *,
        now: datetime,
        limit: int,
        in_flight: Collection[int] = (),
        sources: Collection[Source] = tuple(Source),
    ) -> list[Look]:
        """Return looks of these sources due at `now`, longest due first, leaving out those in flight (look ids)."""

    async def next_look_at(self, account: str, *, after: datetime) -> datetime | None:
        """Return when the first look due later than `after` is due."""

    async def record_looks(self, outcomes: Sequence[LookOutcome], *, now: datetime) -> None:
        """Write what looks without a new version leave behind, all in one statement."""

    async def footings(self, look_ids: Collection[int]) -> dict[int, Footing]:
        """Return by id of a look what it stands on, for all of them at once; one that is gone is left out."""

    async def save_look_state(self, state: LookState) -> None:
        """Write the wider part of a look; `deadline_at` follows its deadlines, status and phase its watch."""

    async def add_snapshot(
        self,
        watch: Watch,
        snapshot: Snapshot,
        *,
        observed_at: datetime,
        not_before: datetime | None,
    ) -> int:
        """Take the order's next version, the one after `watch.version`, for the snapshot, and return it.

        When another writer took it the transaction raises Conflict, at the latest at its end.
        """


class SnapshotStore(Protocol):
    """Past and present of orders."""

    async def snapshots(self, watch_id: int, *, after: int = 0, limit: int = 50) -> list[StoredSnapshot]:
        """Return versions after `after`, oldest first."""

    async def snapshot_at(self, watch_id: int, version: int | None = None) -> StoredSnapshot:
        """Return the order as of a version (the last one by default).

        Raises: NotFound.
        """


class EventStore(Protocol):
    """The log that is pushed, read and streamed alike."""

    async def next_sequences(self, account: str, count: int) -> range:
        """Take the account's next sequence numbers; they become visible with this transaction (6.20)."""

    async def raise_counter(self, account: str, subject: str, subject_id: str) -> int:
        """Raise and return a subject's own counter, for events of no snapshot (6.3)."""

    async def add_events(
        self,
        events: Sequence[tuple[Event, int]],
        watch_id: int | None,
        *,
        owed: Mapping[EventId, int] | None = None,
    ) -> None:
        """Append events with their sequences, and to how many each is owed, which an audit asks for.

        An id that is there already is a defect; the transaction raises Conflict, at the latest at its end.
        """

    async def events(
        self,
        account: str,
        *,
        after: int = 0,
        limit: int = 50,
        order_key: OrderKey | None = None,
        event_type: str | None = None,
    ) -> list[LoggedEvent]:
        """Return events after a sequence, in sequence."""

    async def tellings(self, account: str, incident_id: str, *, limit: int) -> list[LoggedEvent]:
        """Return what was told of an incident last, newest first."""

    async def event(self, event_id: EventId) -> LoggedEvent:
        """Return one event; raises NotFound."""


class DeliveryStore(Protocol):
    """What is owed, and every attempt at it."""

    async def owe(self, deliveries: Sequence[NewDelivery], *, now: datetime, lanes: Lanes) -> None:
        """Add deliveries; one waits for the earlier ones of its lane (6.11). Twice the same is a defect."""

    async def due_deliveries(
        self, *, now: datetime, limit: int, lanes: Lanes, busy: Collection[SubscriptionId] = ()
    ) -> list[DueDelivery]:
        """Return unclaimed pending deliveries due at `now` whose lane lets them go, at most one of each lane.

        Longest due first; those of busy subscriptions are left out. Besides so many, and of all subscriptions, come
        news of incidents but those that newer ones may take the place of.
        """

    async def following(self, ids: Collection[DeliveryId], *, limit: int) -> list[DueDelivery]:
        """Return what is owed right behind these in their lanes, in order, due or not, as far as nobody has it."""

    async def next_delivery_at(self, *, busy: Collection[SubscriptionId] = ()) -> datetime | None:
        """Return when the next pending delivery comes due (or its lease runs out)."""

    async def claim(
        self, wanted: Sequence[tuple[DueDelivery, bytes]], *, lease_until: datetime, token: str
    ) -> dict[DeliveryId, int]:
        """Hold deliveries for one attempt each, which this counts: conditional on state, attempt count and lease.

        Freezes the body that stands beside and gives the subscription's sequence at the first attempt.

        Returns: the sequence of each delivery that was won.
        """

    async def record_attempts(
        self,
        records: Sequence[tuple[DueDelivery, AttemptRecord | None, Delivery, str | None]],
        *,
        now: datetime,
        lanes: Lanes,
    ) -> set[DeliveryId]:
        """Write attempts and what became of deliveries whose claim still holds; lets the next of the lane go.

        The token is the claim's; who made none may write only where no claim is alive.

        Returns: those deliveries.
        """

    async def release_claims(self, *, now: datetime) -> int:
        """Give back every claim: right only where one process owns the database and has just started."""

    async def expire_deliveries(
        self, *, now: datetime, lanes: Lanes, limit: int = 500
    ) -> list[tuple[str, DeliveryId]]:
        """End what is still owed at its expiry; return the account and id of each."""

    async def deliveries(
        self,
        account: str,
        *,
        state: DeliveryState | None = None,
        subscription_id: SubscriptionId | None = None,
        order_key: OrderKey | None = None,
        event_id: EventId | None = None,
        after: int = 0,
        limit: int = 50,
    ) -> tuple[list[DeliveryView], int | None]:
        """Return a page, newest first, and the cursor of the next one (pass it as `after`; 0 starts)."""

    async def delivery(self, account: str, delivery_id: DeliveryId) -> DeliveryView:
        """Return one; raises NotFound."""

    async def attempts(self, delivery_id: DeliveryId) -> list[AttemptRecord]:
        """Return a delivery's attempts, first to last."""


class HealthStore(Protocol):
    """Source health, keys, repeated requests, and what `db status` shows."""

    async def source_health(self, account: str, source: Source) -> SourceHealth:
        """Return how a source stands; OK when nothing is known."""

    async def save_source_health(self, health: SourceHealth) -> None:
        """Write how a source stands."""

    async def api_key(self, digest: bytes) -> str | None:
        """Return the name of the key with this SHA-256, or None."""

    async def has_api_key(self) -> bool:
        """Return whether any key is kept."""

    async def add_api_key(self, digest: bytes, name: str, *, now: datetime) -> None:
        """Keep a key's digest; the key itself is never stored."""

    async def remembered_answer(self, key: str, route: str, account: str) -> RememberedAnswer | None:
        """Return the answer once given to this Idempotency-Key."""

    async def remember_answer(self, answer: RememberedAnswer, *, now: datetime) -> None:
        """Keep an answer.

        Raises: Conflict when the key was used meanwhile.
        """

    async def shift_due(self, by: timedelta) -> None:
        """Move every due time and lease, and what looks go by, after the wall clock stepped (6.19)."""

    async def prove_writable(self) -> None:
        """Write something: on a full disk a transaction that changes nothing commits, and proves nothing."""

    async def counts(self) -> dict[str, int]:
        """Return row counts for people and gauges: `watches.<state>`, `deliveries.<state>`, `events`, `snapshots`."""

    async def ends(self, *, after: datetime, through: datetime) -> dict[tuple[str, str], int]:
        """Return how many deliveries ended in a span, by state and reason."""

    async def prune(
        self, *, before: datetime, answers_before: datetime, now: datetime, limit: int = 1000
    ) -> int:
        """Delete history older than `before`, attempts' answers older than `answers_before`, keys' answers past 24 h.

        Never a tombstone, nothing owed, never the last snapshot of a source. Returns: how many rows went.
        """


class Transaction(
    WatchStore,
    LookStore,
    PacingStore,
    SnapshotStore,
    EventStore,
    SubscriptionStore,
    DeliveryStore,
    ReceiverStore,
    ConversationStore,
    ReplayStore,
    BacklogStore,
    AuditStore,
    HealthStore,
    TemplateStore,
    OutcomeStore,
    AlertStore,
    IncidentStore,
    Protocol,
):
    """Everything, inside one transaction."""


class Storage(Protocol):
    """The database, opened and migrated."""

    def key_for(self, purpose: str) -> bytes:
        """Return 32 bytes that follow from the master key, of no use for anything but this purpose."""

    @property
    def signals(self) -> Signals:
        """Wake-ups."""

    @property
    def is_writable(self) -> bool:
        """False from a write that the database refused until one that it took."""

    def writing(self) -> AbstractAsyncContextManager[Transaction]:
        """Open a transaction that may write; one at a time on SQLite. Commits at the end of the block.

        Raises: StorageError when the database is out of reach.
        """

    def reading(self) -> AbstractAsyncContextManager[Transaction]:
        """Open a read-only transaction that sees one state of the database; writing in it fails."""

    async def close(self) -> None:
        """Close every connection; nothing keeps the process alive afterwards."""

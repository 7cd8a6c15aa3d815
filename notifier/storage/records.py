"""Values that storage trades: what a row means, once read and before it is written."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, Self

from msgspec import Struct

from notifier.config.secret import Secret
from notifier.domain.cadence.plan import Why
from notifier.domain.cadence.situation import Part
from notifier.domain.delivery import Delivery, DeliveryId, DeliveryState, Reason
from notifier.domain.event import Event, EventId, Expectation
from notifier.domain.instant import iso, seconds
from notifier.domain.order import OrderId, OrderKey, Phase, Source, WatchState
from notifier.domain.snapshot import Snapshot, Subject
from notifier.domain.subscription import Subscription, SubscriptionId
from notifier.errors import Conflict

MOST_LIVE_SECRETS = 5
"""Signing secrets of one subscription at once; each is a signature in a header of every attempt."""


class Initial(StrEnum):
    """Whether the first snapshot of a watch is told."""

    TELL = "tell"
    SILENT = "silent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """A wish to watch one order; doing it again merges (interface 3)."""

    account: str
    order_id: OrderId
    sources: frozenset[Source] = frozenset({Source.ORDER})
    mandate_id: str | None = None
    routing_id: str | None = None
    expect: Expectation | None = None
    tags: frozenset[str] = frozenset()
    until_at: datetime | None = None
    initial: Initial = Initial.TELL


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """One order we promised to look at. A removed one is a tombstone: its key and version live on (6.7)."""

    id: int
    account: str
    order_id: OrderId
    order_key: OrderKey
    state: WatchState
    version: int
    status: str | None
    phase: Phase | None
    sources: frozenset[Source]
    mandate_id: str | None
    routing_id: str | None
    expect: Expectation | None
    tags: frozenset[str]
    until_at: datetime | None
    initial: Initial
    registered_at: datetime
    last_polled_at: datetime | None = None
    last_changed_at: datetime | None = None
    next_poll_at: datetime | None = None
    next_poll_why: Why | None = None
    next_parts: tuple[Part, ...] | None = None
    """What the next look waits for; None where that is not known yet."""
    polls: int = 0
    failures: int = 0
    last_error: str | None = None

    @property
    def leader(self) -> Source:
        """The source that decides when the watch ends: the order status where it is asked, else HyperCredit."""
        return next(source for source in Source if source in self.sources)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSnapshot:
    """One version of an order."""

    version: int
    snapshot: Snapshot
    observed_at: datetime
    not_before: datetime | None


class LoggedEvent(Struct, frozen=True, kw_only=True, gc=False):
    """An event with its place in its account's log and the snapshot it speaks of."""

    event: Event
    sequence: int
    watch_id: int | None
    snapshot: Snapshot | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OldSecret:
    """A signing secret that was rotated out; it signs beside the present one until its end."""

    secret: Secret
    until_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionSecrets:
    """The part of a subscription that is sealed at rest; write-only for users."""

    target: Secret
    signing: tuple[Secret, ...] = ()
    old: tuple[OldSecret, ...] = ()
    """What signed before a rotation, newest first."""
    headers: dict[str, str] = field(default_factory=dict)
    basic_auth: Secret | None = None

    def live(self, now: datetime) -> tuple[Secret, ...]:
        """Return every secret that signs at this instant, newest first."""
        if not self.old:
            return self.signing
        return self.signing + tuple(each.secret for each in self.old if now < each.until_at)

    def rotated(self, fresh: Secret, *, now: datetime, overlap_s: float) -> Self:
        """Return the secrets with a fresh one; the present one signs along for the overlap.

        Those rotated out before keep the end they were given, but an overlap of 0 ends every old one at once.
        Raises: Conflict when too many would be live.
        """
        if not overlap_s:
            return replace(self, signing=(fresh,), old=())
        kept = tuple(each for each in self.old if now < each.until_at)
        if len(self.signing) + len(kept) >= MOST_LIVE_SECRETS:
            first = iso(min(each.until_at for each in kept))
            raise Conflict(
                f"{MOST_LIVE_SECRETS} signing secrets are live already; wait until the first of them ends at"
                f" {first}, or end all the old ones at once by overlap_s 0"
            )
        leaving = tuple(OldSecret(secret=each, until_at=now + seconds(overlap_s)) for each in self.signing)
        return replace(self, signing=(fresh,), old=leaving + kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDelivery:
    """A delivery to be owed, with the place of its lane: its watch, or the number of its incident's lane."""

    delivery: Delivery
    account: str
    subscription: Subscription
    event: Event
    watch_id: int | None
    may_collapse: bool = False
    """Whether it takes the place of what is still owed of the same subject (`mode: "latest"`)."""


class DueDelivery(Struct, frozen=True, kw_only=True, gc=False):
    """A delivery whose time has come, with all that an attempt needs."""

    row: int
    """Its place among all that was ever owed, by which storage finds it again."""
    delivery: Delivery
    subscription: Subscription
    secrets: SubscriptionSecrets
    logged: LoggedEvent
    sequence: int | None
    """The subscription's sequence, given at the first attempt; None before it."""
    body: bytes | None
    """Frozen at the first attempt; None before it."""
    behind: tuple[EventId, ...]
    skipped: tuple[EventId, ...]
    replay_id: str | None
    is_lapsed: bool
    """Whether an earlier claim ran out without an outcome (a crash, most likely)."""


class Talk(NamedTuple):
    """What one message lives on about, for one subscription."""

    subscription_id: SubscriptionId
    subject: Subject
    subject_id: str


class AttemptRecord(Struct, frozen=True, kw_only=True, gc=False):
    """One attempt, immutable. Units: `duration_ms`."""

    delivery_id: DeliveryId
    number: int
    started_at: datetime
    duration_ms: int
    reason: Reason
    http_status: int | None = None
    retry_after_s: float | None = None
    answer: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryView:
    """A delivery as people read it."""

    delivery: Delivery
    account: str
    subscription_id: SubscriptionId
    event_id: EventId
    event_type: str
    order_id: OrderId | None
    sequence: int | None
    replay_id: str | None


class Recalled(Struct, frozen=True, kw_only=True, gc=False):
    """An event as a replay finds it, with what its subscription's last delivery of it left behind.

    `number` is the sequence that the subscription gave it; `logged` and `tags` are there where they were asked for.
    """

    event_id: EventId
    type: str
    watch_id: int | None
    order_version: int
    sequence: int
    state: DeliveryState | None
    """Of the last delivery; None where there was none."""
    had_ended: bool
    """Whether the last delivery had ended when the replay was asked for."""
    number: int | None
    body_id: str | None
    has_snapshot: bool
    logged: LoggedEvent | None
    tags: tuple[str, ...]


class Tally(Struct, frozen=True, kw_only=True, gc=False):
    """How many events in a replay's range are alike; members as `Recalled` has them."""

    type: str
    state: DeliveryState | None
    had_ended: bool
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What became so far of the deliveries of a replay; `untried` are pending before their first attempt."""

    states: Mapping[DeliveryState, int]
    untried: int

    @property
    def owed(self) -> int:
        return self.states.get(DeliveryState.PENDING, 0) + self.states.get(DeliveryState.HELD, 0)


@dataclass(frozen=True, slots=True)
class Lanes:
    """How long a later event of an order waits for an earlier one. Units: `hold_s` seconds."""

    hold_attempts: int = 3
    hold_s: float = 600.0


class Sign(StrEnum):
    """Things of which it is remembered when they were done last."""

    ALIVE = "alive_at"
    AUDITED = "audited_at"


class Check(StrEnum):
    """What an audit asks; each is the word for what is wrong if the answer is not what it should be."""

    EVENT_LOST = "event_lost"
    DELIVERY_LOST = "delivery_lost"
    DELIVERY_MISSING = "delivery_missing"
    DELIVERY_ASTRAY = "delivery_astray"
    DELIVERY_WITHOUT_TIME = "delivery_without_time"
    DELIVERY_OVERDUE = "delivery_overdue"
    WATCH_WITHOUT_TIME = "watch_without_time"
    WATCH_OVERDUE = "watch_overdue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found: how many rows in all, and the first of them as they are shown."""

    check: Check
    count: int
    rows: tuple[Mapping[str, str | int | None], ...]


class SourceState(StrEnum):
    """How an account's upstream stands."""

    OK = "ok"
    FAILING = "failing"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceHealth:
    """Kept per account and source, so that a restart neither forgets an outage nor tells it twice."""

    account: str
    source: Source
    state: SourceState = SourceState.OK
    since: datetime | None = None
    failures: int = 0
    probes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RememberedAnswer:
    """What an Idempotency-Key was answered; `digest` is of the request's body."""

    key: str
    route: str
    account: str
    digest: bytes
    http_status: int
    body: bytes

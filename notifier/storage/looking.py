"""Looks as storage trades them: the narrow row that is due, what a poll leaves behind, and the wider part."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from msgspec import Struct

from notifier.domain.cadence.plan import Why
from notifier.domain.cadence.situation import Part
from notifier.domain.deadline import Deadlines
from notifier.domain.instant import at_ms, from_ms
from notifier.domain.order import OrderId, Phase, Source
from notifier.domain.snapshot import Reader, Snapshot
from notifier.storage.records import Watch


class Look(Struct, frozen=True, gc=False):
    """The narrow row that a poll touches: one source of one watched order, due at an instant.

    Thousands are made a second, so instants stay what storage has, whole milliseconds since the epoch, until asked for.
    """

    id: int
    watch_id: int
    account: str
    source: Source
    order_id: OrderId
    routing_id: str | None
    phase: Phase
    digest: bytes | None
    reader: Reader | None
    registered_ms: int
    last_polled_ms: int | None
    last_changed_ms: int
    next_poll_ms: int
    failures: int
    deadline_ms: int | None
    asked_ms: int | None
    doubted_ms: int | None
    mandate_id: str | None
    parts: tuple[Part, ...] | None
    """What there is to wait for; None where no answer was read since parts are kept."""
    attended_until_ms: int | None

    @property
    def registered_at(self) -> datetime:
        return from_ms(self.registered_ms)

    @property
    def last_polled_at(self) -> datetime | None:
        return at_ms(self.last_polled_ms)

    @property
    def last_changed_at(self) -> datetime:
        return from_ms(self.last_changed_ms)

    @property
    def next_poll_at(self) -> datetime:
        return from_ms(self.next_poll_ms)

    @property
    def deadline_at(self) -> datetime | None:
        return at_ms(self.deadline_ms)

    @property
    def asked_at(self) -> datetime | None:
        return at_ms(self.asked_ms)

    @property
    def doubted_at(self) -> datetime | None:
        return at_ms(self.doubted_ms)

    @property
    def attended_until(self) -> datetime | None:
        return at_ms(self.attended_until_ms)


class LookOutcome(Struct, frozen=True, kw_only=True, gc=False):
    """What a look without a new version leaves behind. Units: milliseconds since the epoch.

    A request that came in after `started_ms` (`asked_at` later than it) wins over `next_poll_ms`: one more look is
    owed at once. One that came in before it, but after the look was claimed with `asked_ms`, is answered by this
    very look, and is owed the one after it that a request without a change gets (6.14).
    A look whose watch was paused or removed meanwhile stays unscheduled.
    """

    look_id: int
    started_ms: int
    next_poll_ms: int
    why: Why
    last_polled_ms: int | None
    """The start of the last good look: this one, or for a failed look what stood before."""
    asked_ms: int | None = None
    failures: int = 0
    error: str | None = None
    doubted_ms: int | None = None
    pace: int | None = None
    """How often the cadence would look (`notifier.domain.budget.pace_of`); None leaves what is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookState:
    """The look's wider part, read and written only when something changed or must be judged."""

    look_id: int
    digest: bytes | None
    reader: Reader | None
    phase: Phase
    status: str | None
    deadlines: Deadlines
    last_changed_at: datetime
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Footing:
    """What a look finds that is written thoroughly: its order's watch, its own wider part, and what was said last.

    The reader of a snapshot is that of its source's look, which may have moved on without a change.
    """

    watch: Watch
    state: LookState
    snapshots: Mapping[Source, Snapshot]

"""The lines before the senders: one for each subscription, short, so that a slow target fills only its own.

What is claimed holds a lease; what could not be sent within it, or need not be sent any more, is given back with its
attempt, so that nothing but an attempt in flight can ever be made twice.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from msgspec import Struct

from notifier.clock import Clock
from notifier.domain.delivery import Delivery
from notifier.domain.subscription import Subscription, SubscriptionId
from notifier.storage.records import DueDelivery, Lanes
from notifier.workers.pace import Pace

_RECORDING_S = 60.0
_RATED_AHEAD_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryLimits:
    """How deliveries are tried. Units: seconds; `concurrency` attempts at once over all subscriptions."""

    concurrency: int
    longest_attempt_s: float
    schedule: tuple[float, ...]
    lanes: Lanes
    keep_answers: bool = True

    @property
    def senders(self) -> int:
        """Attempts at once for one subscription."""
        return max(1, self.concurrency // 8)

    @property
    def line_length(self) -> int:
        """Deliveries claimed ahead for one subscription."""
        return self.senders * 8

    @property
    def claimed_ahead(self) -> int:
        """Deliveries claimed ahead over all subscriptions."""
        return self.concurrency * 16

    @property
    def lease_s(self) -> float:
        """How long a claim holds: a wait in line, the attempt and its record."""
        return self.longest_attempt_s * (self.line_length / self.senders + 1) + _RECORDING_S


class Claimed(Struct, frozen=True, kw_only=True, gc=False):
    """A delivery that is ours for one attempt; `delivery` counts that attempt, `due.delivery` does not."""

    due: DueDelivery
    delivery: Delivery
    body: bytes
    token: str
    sequence: int
    lease_until: datetime


@dataclass(slots=True)
class Line:
    """What is claimed for one subscription and how many of it are being sent."""

    waiting: deque[Claimed] = field(default_factory=deque)
    sending: int = 0
    outstanding: int = 0
    is_offered: bool = False


class Lines:
    """Every line, and how much more may be claimed."""

    def __init__(self, limits: DeliveryLimits, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        self._longest = timedelta(seconds=limits.longest_attempt_s)
        self._lines: dict[SubscriptionId, Line] = {}
        self._offered: deque[Line] = deque()
        self._rested: deque[Claimed] = deque()
        self._paces: dict[SubscriptionId, tuple[float, Pace]] = {}
        self.outstanding = 0

    def clear(self) -> None:
        """Forget everything, for a worker that begins anew."""
        self._lines.clear()
        self._offered.clear()
        self._rested.clear()
        self.outstanding = 0

    def put(self, claimed: Claimed) -> None:
        """Add to its line."""
        line = self._lines.setdefault(claimed.due.subscription.id, Line())
        line.waiting.append(claimed)
        line.outstanding += 1
        self.outstanding += 1
        self._offer(line)

    def take(self) -> tuple[Claimed, float] | None:
        """Return what is to be sent next, line by line in turns, and in how many seconds; `sent` ends its sending."""
        if self._rested:
            return self._rested.popleft(), 0.0
        while self._offered:
            line = self._offered.popleft()
            line.is_offered = False
            if line.waiting:
                claimed = line.waiting.popleft()
                line.sending += 1
                self._offer(line)
                return claimed, self._wait_s(claimed.due.subscription)
        return None

    def rested(self, claimed: Claimed) -> None:
        """Put what had to wait for its subscription's rate before everything else."""
        self._rested.append(claimed)

    def sent(self, claimed: Claimed) -> None:
        """Let the next of its line go."""
        line = self._lines[claimed.due.subscription.id]
        line.sending -= 1
        self._offer(line)

    def _offer(self, line: Line) -> None:
        if line.waiting and not line.is_offered and line.sending < self._limits.senders:
            line.is_offered = True
            self._offered.append(line)

    def take_back(self) -> list[Claimed]:
        """Return everything that waits, and leave the lines empty; they are outstanding until they land."""
        waiting = [claimed for line in self._lines.values() for claimed in line.waiting]
        for line in self._lines.values():
            line.waiting.clear()
        return waiting

    def landed(self, claimed: Claimed) -> bool:
        """Note that one is done with; return whether there is room for a claim again that was not."""
        key = claimed.due.subscription.id
        line = self._lines[key]
        was_closed = self._is_busy(line) or self.is_full
        line.outstanding -= 1
        self.outstanding -= 1
        if line.outstanding == 0:
            del self._lines[key]
        return was_closed and not (self._is_busy(line) or self.is_full)

    def busy(self) -> set[SubscriptionId]:
        """Return the subscriptions for which nothing more is to be claimed now."""
        return {key for key, line in self._lines.items() if self._is_busy(line)}

    @property
    def is_full(self) -> bool:
        return self.outstanding * 2 > self._limits.claimed_ahead

    def room(self) -> int:
        """Return how many the lines that are not busy have room for; one empty line's worth at least."""
        left = [self._limits.line_length - line.outstanding for line in self._lines.values()]
        return sum(room for room in left if room * 2 >= self._limits.line_length) or self._limits.line_length

    def within(self, due: Sequence[DueDelivery]) -> list[DueDelivery]:
        """Leave out what its subscription's line has no room for."""
        room: dict[SubscriptionId, int] = {}
        taken = []
        for each in due:
            key = each.subscription.id
            left = room.get(key, self._room_of(each.subscription))
            if left > 0:
                taken.append(each)
            room[key] = left - 1
        return taken

    def _wait_s(self, subscription: Subscription) -> float:
        """Take the subscription's next turn at its own rate and return how long to wait for it."""
        rate = subscription.rate_per_s
        if rate is None:
            return 0.0
        known = self._paces.get(subscription.id)
        if known is None or known[0] != rate:
            known = self._paces[subscription.id] = rate, Pace(rate, self._clock)
        return max(0.0, known[1].wait_s())

    def has_time(self, claimed: Claimed, now: datetime) -> bool:
        """Return whether an attempt that begins now ends within its lease."""
        return now + self._longest < claimed.lease_until

    def _is_busy(self, line: Line) -> bool:
        # Below half a claim is worth its transaction.
        return line.outstanding * 2 > self._limits.line_length

    def _room_of(self, subscription: Subscription) -> int:
        line = self._lines.get(subscription.id)
        length = self._limits.line_length
        if subscription.rate_per_s is not None:
            length = min(length, max(1, int(subscription.rate_per_s * _RATED_AHEAD_S)))
        return length - (line.outstanding if line else 0)

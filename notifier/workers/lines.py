"""The lines before the senders: one for each subscription, short, so that a slow target fills only its own.

What is claimed holds a lease; what could not be sent within it, or need not be sent any more, is given back with its
attempt, so that nothing but an attempt in flight can ever be made twice.
"""

from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from msgspec import Struct

from notifier.clock import Clock
from notifier.domain.alert.telling import is_mere_edit
from notifier.domain.delivery import Delivery, DeliveryId
from notifier.domain.digest import MOST_FOLDED
from notifier.domain.health import target_id
from notifier.domain.subscription import Subscription, SubscriptionId
from notifier.storage.records import DueDelivery, Lanes
from notifier.workers.pace import Pace, Rate

_RECORDING_S = 60.0
_RATED_AHEAD_S = 60.0
_INSTANT_S = 1e-6  # what is less is a rounding error and no wait
_AHEAD_OF_EACH = 8  # deliveries claimed for each attempt that may be made at once


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryLimits:
    """How deliveries are tried. Units: seconds; `concurrency` attempts at once over all subscriptions."""

    concurrency: int
    longest_attempt_s: float
    schedule: tuple[float, ...]
    lanes: Lanes
    keep_answers: bool = True
    rates: Mapping[str, Rate] = field(default_factory=dict)
    """By channel, the pace of each target, over all its subscriptions that have none of their own."""
    disable_after_s: float = 432_000.0

    @property
    def senders(self) -> int:
        """Attempts at once for one subscription that accepts what it is sent."""
        return max(1, self.concurrency // 8)

    @property
    def line_length(self) -> int:
        """Deliveries claimed ahead for one subscription that accepts what it is sent."""
        return self.senders * _AHEAD_OF_EACH

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
    edition: int = 0
    """Of the subscriptions, as of which it was claimed."""
    handle: str | None = None
    """Of the message that this one goes on from."""


@dataclass(slots=True)
class Line:
    """What is claimed for one subscription and how many of it are being sent."""

    longest: int
    width: int
    """Attempts at once: one until something is accepted, so that many dead targets do not take all senders."""
    waiting: deque[Claimed] = field(default_factory=deque)
    sending: int = 0
    outstanding: int = 0
    is_offered: bool = False
    folds: bool = False
    is_paced: bool = False
    length: int = 0
    """How much is claimed ahead: little for a dead target, or a few of them fill what all may claim."""

    def __post_init__(self) -> None:
        self.widen(self.width)

    def widen(self, width: int) -> None:
        """Allow so many attempts at once."""
        self.width = width
        self.length = self.longest if self.folds else min(self.longest, width * _AHEAD_OF_EACH)


@dataclass(frozen=True, slots=True)
class Rest:
    """A pace that lets nothing go for so many seconds."""

    pace: Pace
    wait_s: float


class Lines:
    """Every line, and how much more may be claimed."""

    def __init__(
        self, limits: DeliveryLimits, clock: Clock, *, folding: Collection[str] = frozenset()
    ) -> None:
        self._limits = limits
        self._senders, self._line_length = limits.senders, limits.line_length
        self._claimed_ahead = limits.claimed_ahead
        self._folding = folding
        self._clock = clock
        self._longest = timedelta(seconds=limits.longest_attempt_s)
        self._lines: dict[SubscriptionId, Line] = {}
        self._offered: deque[Line] = deque()
        self._paces: dict[str, tuple[Rate, Pace]] = {}
        self._resting: dict[Pace, list[Line]] = {}
        """By pace the lines that wait for a turn, first the one that has waited longest."""
        self._widths: dict[SubscriptionId, int] = {}
        self._held: set[DeliveryId] = set()
        self._paced: set[SubscriptionId] = set()
        """Subscriptions that were met and have a pace, their own or their target's."""
        self._paced_outstanding = 0
        self.outstanding = 0

    def clear(self) -> None:
        """Forget everything, for a worker that begins anew."""
        self._lines.clear()
        self._offered.clear()
        self._resting.clear()
        self._held.clear()
        self._paced_outstanding = 0
        self.outstanding = 0

    def put(self, claimed: Claimed) -> None:
        """Add to its line; news of an incident goes before all that waits there."""
        subscription = claimed.due.subscription
        line = self._lines.get(subscription.id)
        if line is None:
            line = self._lines[subscription.id] = self._new_line(subscription)
        if _is_page(claimed.due):
            line.waiting.appendleft(claimed)
        else:
            line.waiting.append(claimed)
        self._held.add(claimed.delivery.id)
        line.outstanding += 1
        self._paced_outstanding += line.is_paced
        self.outstanding += 1
        self._offer(line)

    def take(self) -> Claimed | Rest | None:
        """Return what is to be sent next, line by line in turns, or a pace whose lines rest until `rested`.

        What a resting line holds stays in it, for edits and stops to take back. `sent` ends a sending.
        """
        while self._offered:
            line = self._offered.popleft()
            if line.waiting:
                pace = self._pace(line.waiting[0].due)
                if pace in self._resting:
                    self._resting[pace].append(line)
                    continue
                if pace is not None and (wait_s := pace.due_in_s()) > _INSTANT_S:
                    self._resting[pace] = [line]
                    return Rest(pace, wait_s)
            line.is_offered = False
            if line.waiting:
                claimed = line.waiting.popleft()
                line.sending += 1
                self._offer(line)
                return claimed
        return None

    def beside(self, claimed: Claimed) -> tuple[Claimed, ...]:
        """Return what waits in the line that this one was taken from."""
        return tuple(self._lines[claimed.due.subscription.id].waiting)

    def take_along(self, others: Sequence[Claimed]) -> None:
        """Take out of their line those that go in one message with the one that was taken."""
        waiting = self._lines[others[0].due.subscription.id].waiting
        taken = {each.delivery.id for each in others}
        left = [each for each in waiting if each.delivery.id not in taken]
        waiting.clear()
        waiting.extend(left)

    def rested(self, pace: Pace) -> None:
        """Let the lines go on that have waited for a turn: pages first, then who has waited longest."""
        for line in sorted(self._resting.pop(pace, ()), key=_begins_with_no_page):
            line.is_offered = False
            self._offer(line)

    def use_turn(self, claimed: Claimed) -> None:
        """Count an attempt against the pace of its subscription or target."""
        pace = self._pace(claimed.due)
        if pace is not None:
            pace.wait_s()

    def sent(self, claimed: Claimed, *, was_accepted: bool | None = None) -> bool:
        """Let the next of its line go: more at once after one that was accepted, one by one after a failure.

        Returns: whether the line, now wider, has room for a claim that it had not.
        """
        key = claimed.due.subscription.id
        line = self._lines[key]
        was_busy = self._is_busy(line)
        line.sending -= 1
        if was_accepted is not None:
            width = min(line.width * 2, self._senders) if was_accepted else 1
            if width != line.width:
                line.widen(width)
                self._widths[key] = width
        self._offer(line)
        return was_busy and not self._is_busy(line)

    @property
    def offered(self) -> int:
        """How many lines have something that may go now."""
        return len(self._offered)

    def _offer(self, line: Line) -> None:
        if line.waiting and not line.is_offered and line.sending < line.width:
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
        was_closed, were_paced_full = self._is_busy(line) or self.is_full, self._are_paced_full
        line.outstanding -= 1
        self._paced_outstanding -= line.is_paced
        self.outstanding -= 1
        self._held.discard(claimed.delivery.id)
        if line.outstanding == 0:
            del self._lines[key]
        if were_paced_full and not self._are_paced_full:
            return not self.is_full
        return was_closed and not (self._is_busy(line) or self.is_full)

    def busy(self) -> set[SubscriptionId]:
        """Return the subscriptions for which nothing more is to be claimed now."""
        busy = {key for key, line in self._lines.items() if self._is_busy(line)}
        return busy | self._paced if self._are_paced_full else busy

    @property
    def is_full(self) -> bool:
        # A claim comes early, while senders still have plenty: what hangs must not make them wait for it.
        return self._left * 4 < self._claimed_ahead

    @property
    def _are_paced_full(self) -> bool:
        return self._paced_left * 8 < self._claimed_ahead

    @property
    def _left(self) -> int:
        return self._claimed_ahead - self.outstanding

    @property
    def _paced_left(self) -> int:
        # Half of all: however many wait for their turn at slow targets, others are claimed meanwhile.
        return self._claimed_ahead // 2 - self._paced_outstanding

    def room(self) -> int:
        """Return how many may be claimed: what lines that are not busy have room for, or one empty line's worth."""
        left = [line.length - line.outstanding for line in self._lines.values() if not self._is_busy(line)]
        one_line = max(self._line_length, MOST_FOLDED if self._folding else 0)
        return min(max(sum(left), one_line), self._left)

    def strangers(self, due: Sequence[DueDelivery]) -> list[DueDelivery]:
        """Leave out what is in our hands: its lease ran out while the database took no outcome."""
        return [each for each in due if each.delivery.id not in self._held]

    def within(self, due: Sequence[DueDelivery]) -> list[DueDelivery]:
        """Leave out what its subscription's line has no room for; for a page there always is."""
        room: dict[SubscriptionId, int] = {}
        taken, paced_left = [], self._paced_left
        for each in due:
            key = each.subscription.id
            if key not in room:
                room[key] = self._room_of(each.subscription)
            is_paced = key in self._paced
            has_room = room[key] > 0 and (paced_left > 0 or not is_paced)
            if has_room or _is_page(each):
                taken.append(each)
                paced_left -= is_paced
            room[key] -= 1
        return taken

    def _pace(self, due: DueDelivery) -> Pace | None:
        """Return the pace that a subscription chose, else that of its target: a channel or mailbox has but one."""
        subscription, rate = due.subscription, self._rate(due.subscription)
        if rate is None:
            return None
        key: str = subscription.id
        if subscription.rate_per_s is None:
            key = target_id("", subscription.channel, due.secrets.target.reveal())
        known = self._paces.get(key)
        if known is None or known[0] != rate:
            known = self._paces[key] = rate, Pace(rate, self._clock)
        return known[1]

    def _rate(self, subscription: Subscription) -> Rate | None:
        own = subscription.rate_per_s
        return Rate(own) if own is not None else self._limits.rates.get(subscription.channel)

    def has_time(self, claimed: Claimed, now: datetime) -> bool:
        """Return whether an attempt that begins now ends within its lease."""
        return now + self._longest < claimed.lease_until

    def _is_busy(self, line: Line) -> bool:
        # Below half a claim is worth its transaction.
        return line.outstanding * 2 > line.length or (line.is_paced and self._are_paced_full)

    def _room_of(self, subscription: Subscription) -> int:
        line = self._lines.get(subscription.id) or self._new_line(subscription)
        (self._paced.add if line.is_paced else self._paced.discard)(subscription.id)
        return line.length - line.outstanding

    def _new_line(self, subscription: Subscription) -> Line:
        """Return an empty line: of a slow one no longer than what goes in a minute, or it is never free."""
        width, rate = self._widths.get(subscription.id, 1), self._rate(subscription)
        if subscription.channel in self._folding:
            return Line(MOST_FOLDED, width, folds=True, is_paced=rate is not None)
        longest = self._line_length
        if rate is not None:
            longest = min(longest, max(1, int(rate.per_s * _RATED_AHEAD_S)))
        return Line(longest, width, is_paced=rate is not None)


def _is_page(due: DueDelivery) -> bool:
    """Return whether it is news of an incident that people must know."""
    event = due.logged.event
    return event.incident is not None and not is_mere_edit(event)


def _begins_with_no_page(line: Line) -> bool:
    return not (line.waiting and _is_page(line.waiting[0].due))

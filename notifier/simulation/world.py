"""Orders as a poller sees them: when it looks, what it sees, and how late it was.

A watch starts at the order's creation, with a look that costs nothing. A look sees everything that changed since the
one before. Requests count inside the window; a change that happened inside it is followed until it is seen, and each
counts its own delay, also where one look sees several.
"""

import heapq
import random
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from notifier.simulation.lives import Life, Sight

WINDOW_S = 7200.0
SHORTEST_S, LONGEST_S = 1.0, 3600.0
_ORDERS_PER_S = 1.0

Tell = Callable[[], None]
Belief = TypeVar("Belief")


def _nothing() -> None: ...


@dataclass(slots=True)
class Tally:
    """What a policy cost: requests inside the window, and the delay of every change in it, in seconds."""

    orders: int = 0
    requests: int = 0
    delays: list[float] = field(default_factory=list)


class Paced(Protocol):
    """A policy whose looks are fixed by what the last change showed."""

    def offsets(self, sight: Sight) -> Sequence[float]:
        """Return the seconds from the look that first saw this to each further look, past the window's length."""
        ...


class Believing(Protocol[Belief]):
    """A policy that decides look by look from what it believes of an order; times are seconds since its creation."""

    def begin(self, sight: Sight) -> Belief:
        """Return what is believed of an order just created."""
        ...

    def look(self, belief: Belief, sight: Sight | None, *, before_s: float, now_s: float) -> Belief:
        """Return what is believed after a look, the one before being at `before_s`; no sight is one unchanged."""
        ...

    def next_s(self, belief: Belief, now_s: float) -> float:
        """Return when to look again after a look at `now_s`, within the bounds."""
        ...


def follow_paced(lives: Sequence[Life], policy: Paced, *, window_s: float = WINDOW_S) -> Tally:
    """Return what a paced policy costs; each look is found, not taken, so the number of looks costs no time."""
    tally = Tally(orders=len(lives))
    for life in lives:
        times, seen, looked_s = life.times, 0, 0.0
        while True:
            offsets = policy.offsets(life.sights[seen])
            left = bisect_left(offsets, window_s - looked_s)
            if seen == len(times) or times[seen] >= window_s:
                tally.requests += left
                break
            place = bisect_left(offsets, times[seen] - looked_s)
            tally.requests += min(place + 1, left)
            looked_s = max(looked_s + offsets[place], times[seen])
            seen = _see(life, seen, looked_s, window_s, tally.delays)
    return tally


def follow(
    lives: Sequence[Life],
    policy: Believing[Belief],
    *,
    starts: Sequence[float],
    window_s: float = WINDOW_S,
    judged_from: int = 0,
    tell: Tell = _nothing,
) -> Tally:
    """Take every look in the order of time over all orders, `starts` being their creations in seconds.

    Only the lives from `judged_from` on are counted. `tell` is called as each order ends.
    """
    judged, unjudged = Tally(orders=len(lives) - judged_from), Tally()
    watches = [_Watch(life, policy.begin(life.sights[0])) for life in lives]
    queue: list[tuple[float, int]] = []
    for number, watch in enumerate(watches):
        watch.due_s = policy.next_s(watch.belief, 0.0)
        queue.append((starts[number] + watch.due_s, number))
    heapq.heapify(queue)
    while queue:
        number = queue[0][1]
        watch = watches[number]
        if _look(watch, policy, window_s, judged if number >= judged_from else unjudged):
            heapq.heapreplace(queue, (starts[number] + watch.due_s, number))
        else:
            heapq.heappop(queue)
            tell()
    return judged


def arrivals(count: int, dice: random.Random) -> list[float]:
    """Return when orders are created: one a second on average, at random."""
    at_s, starts = 0.0, []
    for _ in range(count):
        at_s += dice.expovariate(_ORDERS_PER_S)
        starts.append(at_s)
    return starts


@dataclass(slots=True)
class _Watch(Generic[Belief]):
    """One order under way."""

    life: Life
    belief: Belief
    seen: int = 0
    looked_s: float = 0.0
    due_s: float = 0.0


def _look(watch: _Watch[Belief], policy: Believing[Belief], window_s: float, tally: Tally) -> bool:
    """Take the look that is due and plan the next; return whether there is one."""
    now_s, life, seen = watch.due_s, watch.life, watch.seen
    times, sight = life.times, None
    if now_s < window_s:
        tally.requests += 1
    if seen < len(times) and times[seen] <= now_s:
        watch.seen = seen = _see(life, seen, now_s, window_s, tally.delays)
        sight = life.sights[seen]
    watch.belief = policy.look(watch.belief, sight, before_s=watch.looked_s, now_s=now_s)
    if now_s >= window_s and (seen == len(times) or times[seen] >= window_s):
        return False
    watch.looked_s = now_s
    watch.due_s = policy.next_s(watch.belief, now_s)
    return True


def _see(life: Life, seen: int, now_s: float, window_s: float, delays: list[float]) -> int:
    """Note the delay of every change since the last look, and return how many there were in all."""
    now_seen = bisect_right(life.times, now_s, seen)
    delays.extend(now_s - at_s for at_s in life.times[seen:now_seen] if at_s < window_s)
    return now_seen


def growing_offsets(first_s: float, factor: float, most_s: float, reach_s: float) -> Iterator[float]:
    """Yield the looks of a backoff within the bounds, up to the first that is `reach_s` or later."""
    at_s = 0.0
    while at_s < reach_s:
        at_s += min(max(first_s, SHORTEST_S), most_s, LONGEST_S)
        yield at_s
        first_s = min(first_s * factor, LONGEST_S)

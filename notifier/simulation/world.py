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
from typing import Protocol

from notifier.simulation.lives import Life, Sight

WINDOW_S = 7200.0
SHORTEST_S, LONGEST_S = 1.0, 3600.0
_ORDERS_PER_S = 1.0

Tell = Callable[[], None]


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


class Ageing(Protocol):
    """A policy that asks for how long a sight has stood, and may learn from every look."""

    def next_age(self, sight: Sight, age_s: float) -> float:
        """Return the age at which to look again, within the bounds."""
        ...

    def looked(self, sight: Sight, before_s: float, age_s: float, *, changed: bool) -> float:
        """Take note that looks at these ages showed no change, or one between them; return the age it had then."""
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
    policy: Ageing,
    *,
    starts: Sequence[float],
    window_s: float = WINDOW_S,
    judged_from: int = 0,
    tell: Tell = _nothing,
) -> Tally:
    """Take every look in the order of time over all orders, `starts` being their creations in seconds.

    Only the lives from `judged_from` on are counted. `tell` is called as each order ends.
    """
    tally = Tally(orders=len(lives) - judged_from)
    watches = [_Watch(life, start_s) for life, start_s in zip(lives, starts, strict=True)]
    queue: list[tuple[float, int]] = []
    for number, watch in enumerate(watches):
        watch.due_s = policy.next_age(watch.life.sights[0], 0.0)
        queue.append((watch.start_s + watch.due_s, number))
    heapq.heapify(queue)
    unjudged = Tally()
    while queue:
        number = queue[0][1]
        watch = watches[number]
        if _look(watch, policy, window_s, tally if number >= judged_from else unjudged):
            heapq.heapreplace(queue, (watch.start_s + watch.due_s, number))
        else:
            heapq.heappop(queue)
            tell()
    return tally


def arrivals(count: int, dice: random.Random) -> list[float]:
    """Return when orders are created: one a second on average, at random."""
    at_s, starts = 0.0, []
    for _ in range(count):
        at_s += dice.expovariate(_ORDERS_PER_S)
        starts.append(at_s)
    return starts


@dataclass(slots=True)
class _Watch:
    """One order under way; `entered_s` is when the present sight began, as far as looks can tell."""

    life: Life
    start_s: float
    seen: int = 0
    entered_s: float = 0.0
    looked_s: float = 0.0
    due_s: float = 0.0


def _look(watch: _Watch, policy: Ageing, window_s: float, tally: Tally) -> bool:
    """Take the look that is due and plan the next; return whether there is one."""
    now_s, life, seen = watch.due_s, watch.life, watch.seen
    if now_s < window_s:
        tally.requests += 1
    times, before_s, age_s = life.times, watch.looked_s - watch.entered_s, now_s - watch.entered_s
    if seen < len(times) and times[seen] <= now_s:
        watch.entered_s += policy.looked(life.sights[seen], before_s, age_s, changed=True)
        watch.seen = seen = _see(life, seen, now_s, window_s, tally.delays)
        age_s = now_s - watch.entered_s
    else:
        policy.looked(life.sights[seen], before_s, age_s, changed=False)
    if now_s >= window_s and (seen == len(times) or times[seen] >= window_s):
        return False
    watch.looked_s = now_s
    watch.due_s = watch.entered_s + policy.next_age(life.sights[seen], age_s)
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

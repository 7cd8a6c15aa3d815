"""How long after an order's end the daemon sees it: its own cadence at the shipped price, simulated.

Only ends that alerts count, failed orders and others apart: a cadence sees sooner what it expects.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from numpy.typing import NDArray

from notifier.domain.order import Phase, phase_of
from notifier.simulation.comparison import Comparison
from notifier.simulation.learned import Learned, Parts, frozen
from notifier.simulation.lives import Life, Sight
from notifier.simulation.making import USUAL, made_lives
from notifier.simulation.world import arrivals, follow

PRICE_S = 3.0
CADENCE = f"hazard:{PRICE_S:g}"
AGES = 10
"""Minutes after its own in which an end of a minute may be seen, at most; those that are seen later come last."""
_LEARNED, _LIVES, _SEED = 3000, 9000, 1
_MINUTE_S = 60.0

Shares = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lateness:
    """Seconds from its end to the look that showed it, one for each simulated order."""

    failed: NDArray[np.float64]
    well: NDArray[np.float64]

    def shares(self, lag_s: float) -> tuple[Shares, Shares]:
        """Return which parts of a minute's failed orders, and of the others, are known at each judging.

        A minute is judged `lag_s` after its end: the first part is known then, the next a minute later, and so on.
        """
        return _shares(self.failed, lag_s), _shares(self.well, lag_s)


@cache
def lateness() -> Lateness:
    """Return what the cadence `CADENCE` does to the usual made-up orders."""
    lives = made_lives(USUAL, random.Random(_SEED), _LIVES)
    hazards = frozen(Comparison(lives, _LEARNED, seed=_SEED).learned(PRICE_S))
    judged = lives[_LEARNED:]
    policy = _Noting(Learned(hazards, PRICE_S), iter(judged))
    follow(judged, policy, starts=arrivals(len(judged), random.Random(_SEED)))
    return Lateness(failed=np.array(policy.failed), well=np.array(policy.well))


@dataclass(slots=True)
class _Noting:
    """A policy that notes how late it sees how orders end; each belief knows whose it is."""

    inner: Learned
    lives: Iterator[Life]
    failed: list[float] = field(default_factory=list)
    well: list[float] = field(default_factory=list)

    def begin(self, sight: Sight) -> tuple[Life, Parts]:
        return next(self.lives), self.inner.begin(sight)

    def look(
        self, belief: tuple[Life, Parts], sight: Sight | None, *, before_s: float, now_s: float
    ) -> tuple[Life, Parts]:
        life, parts = belief
        for at_s, was, after in zip(life.times, life.sights[:-1], life.sights[1:], strict=True):
            if before_s < at_s <= now_s and was.status != after.status:
                phase = phase_of(after.status)
                if phase is Phase.FAILED:
                    self.failed.append(now_s - at_s)
                elif phase is Phase.SUCCEEDED:
                    self.well.append(now_s - at_s)
        return life, self.inner.look(parts, sight, before_s=before_s, now_s=now_s)

    def next_s(self, belief: tuple[Life, Parts], now_s: float) -> float:
        return self.inner.next_s(belief[1], now_s)


def _shares(late_s: NDArray[np.float64], lag_s: float) -> Shares:
    """Ends are spread evenly over their minute."""
    known = [float(np.clip(1 + age + (lag_s - late_s) / _MINUTE_S, 0, 1).mean()) for age in range(AGES)]
    return np.diff([0.0, *known[:-1], 1.0])

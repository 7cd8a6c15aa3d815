"""Two blind spots of any failure rate: too little traffic, and orders that never end."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from notifier.domain.alert.finding import Finding
from notifier.domain.alert.report import Place, Tier
from notifier.domain.alert.slices import WHOLE
from notifier.domain.alert.tail import poisson_lower_tail, upper_tail

STEP = 15
_A_WEEK = 7 * 1440 // STEP
_WEEKS = 4
_LEAST_WEEKS = 2
_LEAST_EXPECTED = 20.0
_SILENT = 1e-6
_STUCK_RATE, _STUCK_LEAST, _STUCK = 0.05, 30, 1e-6


class Volume:
    """How many orders each quarter of an hour of the last four weeks had, in the whole account."""

    def __init__(self, last: int = -1, quarters: Sequence[int] = ()) -> None:
        """Begin with the number of the last quarter since 1970 and those up to it; -1 is one that nobody saw."""
        self._last = last
        self._quarters = [*quarters]

    def learn(self, minute: int, orders: int) -> None:
        """Take the quarter that ends with this minute, -1 for one that we did not see; none is taken twice."""
        quarter = minute // STEP
        if quarter <= self._last:
            return
        unseen = min(quarter - self._last - 1, _WEEKS * _A_WEEK) if self._last >= 0 else 0
        self._quarters = [*self._quarters, *[-1] * unseen, orders][-_WEEKS * _A_WEEK - 1 :]
        self._last = quarter

    def document(self) -> dict[str, Any]:
        """Return it as JSON, in the names that `Volume` takes."""
        return {"last": self._last, "quarters": self._quarters}

    @property
    def is_known(self) -> bool:
        """Whether the last quarter was seen."""
        return bool(self._quarters) and self._quarters[-1] >= 0

    def silence(self) -> Finding | None:
        """Return that the last quarter was too quiet, against the same one of the last weeks; None before two."""
        if not self.is_known:
            return None
        same = [seen for seen in self._quarters[-1 - _A_WEEK :: -_A_WEEK] if seen >= 0]
        expected = median(same) if len(same) >= _LEAST_WEEKS else 0.0
        seen = self._quarters[-1]
        tail = poisson_lower_tail(seen, expected)
        if expected < _LEAST_EXPECTED or tail >= _SILENT or 2 * seen > expected:
            return None
        return Finding(
            place=WHOLE,
            tier=Tier.SILENCE,
            window=STEP,
            orders=seen,
            failed=0,
            normal=expected,
            noise=0.0,
            tail=tail,
            excess=expected - seen,
        )


def stuck(hung: Mapping[Place, tuple[int, int]]) -> list[Finding]:
    """Return the places in which too many orders hang, given how many are open and how many of these hang.

    An order hangs when it is open for longer than 95 % of its method's orders are.
    """
    return [
        Finding(
            place=place,
            tier=Tier.STUCK,
            window=STEP,
            orders=still_open,
            failed=late,
            normal=_STUCK_RATE,
            noise=0.0,
            tail=tail,
            excess=late - still_open * _STUCK_RATE,
        )
        for place, (still_open, late) in hung.items()
        if still_open >= _STUCK_LEAST
        and (tail := upper_tail(late, still_open, rate=_STUCK_RATE, noise=0.0)) < _STUCK
    ]

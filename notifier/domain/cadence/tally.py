"""Evidence by age: how many changes fell into each bin, and how many seconds were awaited there."""

from array import array
from collections.abc import Iterable, Sequence
from itertools import accumulate

from notifier.domain.cadence.ages import BINS, EDGES, WIDTHS, bin_of

Span = tuple[int, int, float, float]
"""The first and the last bin between two ages, and the seconds in each; a span of one bin has none in its last."""


def span_of(since_age_s: float, age_s: float) -> Span:
    """Return the span between two ages, the second not before the first."""
    first = bin_of(since_age_s)
    if age_s < EDGES[first + 1] or first == BINS - 1:
        return first, first, age_s - since_age_s, 0.0
    last = bin_of(age_s)
    return first, last, EDGES[first + 1] - since_age_s, age_s - EDGES[last]


class Tally:
    """Events and seconds of exposure in each bin."""

    __slots__ = ("_crossed", "_partly", "events", "total")

    def __init__(self, events: Sequence[float] = (), exposure: Sequence[float] = ()) -> None:
        self.events = array("d", events or (0.0,) * BINS)
        self.total = sum(events)
        self._partly = array("d", exposure or (0.0,) * BINS)
        self._crossed = array("d", (0.0,) * (BINS + 1))

    @property
    def exposure(self) -> list[float]:
        """Seconds in each bin. Bins that were crossed whole are counted by where the crossings begin and end."""
        crossed = accumulate(self._crossed)
        return [
            partly + n * width if n > 0 else partly
            for partly, n, width in zip(self._partly, crossed, WIDTHS, strict=False)
        ]

    def expose(self, span: Span) -> None:
        """Count the seconds of a span as survived."""
        first, last, first_s, last_s = span
        self._partly[first] += first_s
        if first == last:
            return
        self._partly[last] += last_s
        if last - first > 1:
            self._crossed[first + 1] += 1
            self._crossed[last] -= 1

    def book(self, shares: Iterable[tuple[int, float, float]]) -> None:
        """Count one event, spread over bins, with the seconds that it was awaited in each."""
        for number, share, awaited_s in shares:
            self.events[number] += share
            self._partly[number] += awaited_s
        self.total += 1

    def plus(self, other: "Tally") -> "Tally":
        """Return what both have counted."""
        return Tally(_sums(self.events, other.events), _sums(self.exposure, other.exposure))

    def times(self, factor: float) -> "Tally":
        """Return the same evidence with another weight."""
        return Tally([each * factor for each in self.events], [each * factor for each in self.exposure])


def _sums(some: Sequence[float], others: Sequence[float]) -> list[float]:
    return [a + b for a, b in zip(some, others, strict=True)]

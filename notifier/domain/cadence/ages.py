"""Ages in bins: fine when a status is young, as coarse as it is old."""

from bisect import bisect_right
from itertools import pairwise

_RATIO = 1.08
_NARROWEST_S = 1.0
_LAST_EDGE_S = 30 * 86_400.0
_NEVER_S = 1e10


def _edges() -> tuple[float, ...]:
    edges = [0.0]
    while edges[-1] < _LAST_EDGE_S:
        edges.append(max(edges[-1] + _NARROWEST_S, edges[-1] * _RATIO))
    return (*edges, _NEVER_S)


EDGES = _edges()
"""Where bins begin and end, in seconds; the last one holds every age past thirty days."""
WIDTHS = tuple(end - start for start, end in pairwise(EDGES))
BINS = len(WIDTHS)


def bin_of(age_s: float) -> int:
    """Return the bin of an age; before 0 is the first and past the end the last."""
    return bisect_right(EDGES, age_s, 1, BINS) - 1


def middle_s(number: int) -> float:
    """Return the age that stands for a bin; the last one's is where it begins."""
    return EDGES[number] if number == BINS - 1 else (EDGES[number] + EDGES[number + 1]) / 2

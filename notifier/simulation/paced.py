"""The rivals: a fixed interval, a backoff, and a backoff with constants of its own for each phase."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from notifier.domain.order import Phase, phase_of
from notifier.simulation.lives import Life, Sight
from notifier.simulation.world import LONGEST_S, SHORTEST_S, growing_offsets

_FIRSTS_S = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 120.0, 300.0, 900.0)
_FACTORS = (1.0, 1.05, 1.12, 1.25, 1.5, 2.0, 3.0)
_MOSTS_S = (60.0, 300.0, 900.0, LONGEST_S)
_STEPS = (1.5, 1.15)
_SOME = 600

Curve = tuple[float, ...]
Triple = tuple[float, float, float]
Stretch = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Backoff:
    """Begins anew at every change; a factor of one is a fixed interval."""

    curve: Curve

    def offsets(self, sight: Sight) -> Sequence[float]:  # noqa: ARG002 - the same for all
        return self.curve


@dataclass(frozen=True, slots=True)
class PhaseBackoff:
    """A backoff for each phase of the order."""

    curves: Mapping[Phase, Curve]

    def offsets(self, sight: Sight) -> Sequence[float]:
        return self.curves[phase_of(sight.status)]


def backoff(first_s: float, factor: float, most_s: float, *, window_s: float) -> Backoff:
    """Return the backoff whose interval starts at `first_s` and grows by `factor` up to `most_s`."""
    return Backoff(tuple(growing_offsets(first_s, factor, most_s, window_s)))


class PhaseSearch:
    """Finds the constants of each phase that cost least on lives already told, at a price in seconds a request.

    A coarse search on some of the lives, a fine one on all. What a phase costs hangs a little on when its changes
    were seen, so the search is done over in the light of its own answer.
    """

    def __init__(self, lives: Sequence[Life], window_s: float) -> None:
        self._lives, self._window_s = lives, window_s
        triples = product(_FIRSTS_S, _FACTORS, _MOSTS_S)
        self._coarse = [triple for triple in triples if triple[0] <= triple[2]]
        self._curves: dict[Triple, Curve] = {}

    def best(self, price_s: float) -> PhaseBackoff:
        """Return the cheapest constants."""
        policy = PhaseBackoff(dict.fromkeys(Phase, self._curve((10.0, 1.2, LONGEST_S))))
        for lives in (self._lives[:_SOME], self._lives):
            stretches = _stretches(lives, policy, self._window_s)
            policy = PhaseBackoff(
                {phase: self._curve(self._cheapest(stretches[phase], price_s)) for phase in Phase}
            )
        return policy

    def _curve(self, triple: Triple) -> Curve:
        if triple not in self._curves:
            first_s, factor, most_s = triple
            self._curves[triple] = tuple(growing_offsets(first_s, factor, most_s, self._window_s))
        return self._curves[triple]

    def _cheapest(self, stretches: Sequence[Stretch], price_s: float) -> Triple:
        some = stretches[:: max(len(stretches) // _SOME, 1)]
        best = min(self._coarse, key=lambda triple: _cost(self._curve(triple), some, price_s))
        cost = _cost(self._curve(best), stretches, price_s)
        for step in _STEPS:
            is_better = True
            while is_better:
                nearby = [
                    (_cost(self._curve(near), stretches, price_s), near) for near in _around(best, step)
                ]
                is_better = min(nearby)[0] < cost
                cost, best = min(nearby) if is_better else (cost, best)
        return best


def _around(triple: Triple, step: float) -> Iterator[Triple]:
    """Yield the triples a step away; of the factor, what it has above one."""
    first_s, factor, most_s = triple
    for by in (step, 1 / step):
        yield first_s * by, factor, most_s
        yield first_s, 1 + (factor - 1) * by, most_s
        yield first_s, factor, min(max(most_s * by, SHORTEST_S), LONGEST_S)


def _stretches(
    lives: Sequence[Life], policy: PhaseBackoff, window_s: float
) -> dict[Phase, list[tuple[float, float]]]:
    """Return by phase how long each sight stood after it was seen, and how much of the window was left then.

    What stood to the window's end stood for ever.
    """
    found: dict[Phase, list[Stretch]] = {phase: [] for phase in Phase}
    for life in lives:
        seen, looked_s = 0, 0.0
        while looked_s < window_s:
            changes = seen < len(life.times) and life.times[seen] < window_s
            stood_s = life.times[seen] - looked_s if changes else float("inf")
            found[phase_of(life.sights[seen].status)].append((stood_s, window_s - looked_s))
            if not changes:
                break
            offsets = policy.offsets(life.sights[seen])
            looked_s += offsets[bisect_left(offsets, stood_s)]
            while seen < len(life.times) and life.times[seen] <= looked_s:
                seen += 1
    return found


def _cost(curve: Curve, stretches: Sequence[Stretch], price_s: float) -> float:
    requests, delays = 0, 0.0
    for stood_s, left_s in stretches:
        left = bisect_left(curve, left_s)
        place = bisect_left(curve, stood_s) if stood_s < left_s else left
        requests += min(place + 1, left)
        if stood_s < left_s:
            delays += curve[place] - stood_s
    return price_s * requests + delays

"""The rivals: a fixed interval, a backoff, and a backoff with constants of its own for each phase."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

from notifier.domain.order import Phase, phase_of
from notifier.simulation.lives import Life, Sight
from notifier.simulation.world import LONGEST_S, growing_offsets

_FIRSTS_S = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 120.0, 300.0, 900.0)
_FACTORS = (1.0, 1.05, 1.12, 1.25, 1.5, 2.0, 3.0)
_MOSTS_S = (60.0, 300.0, 900.0, LONGEST_S)
_SEARCHED = 2500
_ROUNDS = 3

Curve = tuple[float, ...]


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


@dataclass(frozen=True, slots=True)
class PhaseSearch:
    """Finds the constants of each phase that cost least on lives already told, at a price in seconds a request.

    What a phase costs hangs a little on when its changes were seen, so the search is done over in the light of its
    own answer until that stands.
    """

    lives: Sequence[Life]
    window_s: float
    _curves: tuple[Curve, ...] = field(init=False)

    def __post_init__(self) -> None:
        triples = product(_FIRSTS_S, _FACTORS, _MOSTS_S)
        curves = {
            tuple(growing_offsets(*triple, self.window_s)) for triple in triples if triple[0] <= triple[2]
        }
        object.__setattr__(self, "_curves", tuple(sorted(curves)))

    def best(self, price_s: float) -> PhaseBackoff:
        """Return the cheapest constants."""
        policy = PhaseBackoff(dict.fromkeys(Phase, self._curves[0]))
        for _ in range(_ROUNDS):
            stretches = _stretches(self.lives[:_SEARCHED], policy, self.window_s)
            curves = {phase: self._cheapest(stretches[phase], price_s) for phase in Phase}
            if curves == policy.curves:
                break
            policy = PhaseBackoff(curves)
        return policy

    def _cheapest(self, stretches: Iterable[tuple[float, float]], price_s: float) -> Curve:
        told = list(stretches)
        return min(self._curves, key=lambda curve: _cost(curve, told, price_s))


def _stretches(
    lives: Sequence[Life], policy: PhaseBackoff, window_s: float
) -> dict[Phase, list[tuple[float, float]]]:
    """Return by phase how long each sight stood after it was seen, and how much of the window was left then.

    What stood to the window's end stood for ever.
    """
    found: dict[Phase, list[tuple[float, float]]] = {phase: [] for phase in Phase}
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


def _cost(curve: Curve, stretches: Sequence[tuple[float, float]], price_s: float) -> float:
    requests, delays = 0, 0.0
    for stood_s, left_s in stretches:
        left = bisect_left(curve, left_s)
        place = bisect_left(curve, stood_s) if stood_s < left_s else left
        requests += min(place + 1, left)
        if stood_s < left_s:
            delays += curve[place] - stood_s
    return price_s * requests + delays

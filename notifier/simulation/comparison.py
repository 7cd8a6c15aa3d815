"""Policies side by side on the same orders: learned or searched on the first of them, judged on the rest."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import isfinite

from notifier.domain.cadence.learning import Hazards
from notifier.errors import InvalidValue
from notifier.simulation.figures import Figures, figures
from notifier.simulation.learned import Learned, frozen
from notifier.simulation.lives import Life
from notifier.simulation.paced import PhaseSearch, backoff
from notifier.simulation.world import LONGEST_S, WINDOW_S, Tally, arrivals, follow, follow_paced

SWEEP = (1.0, 3.0, 5.0, 8.0, 12.0, 20.0, 30.0, 60.0)
"""Prices of a request, in seconds of delay, where a policy is asked for without one."""
TRAINED = 5000


class Kind(StrEnum):
    """Families of policies."""

    FIXED = "fixed"
    BACKOFF = "backoff"
    PHASE = "phase"
    HAZARD = "hazard"
    OPTIMAL = "optimal"


_SHAPES = {
    Kind.FIXED: "fixed:SECONDS",
    Kind.BACKOFF: "backoff:FIRST,FACTOR,MAX",
    Kind.PHASE: "phase[:PRICE]",
    Kind.HAZARD: "hazard[:PRICE]",
    Kind.OPTIMAL: "optimal[:PRICE]",
}
_NUMBERS = {Kind.FIXED: 1, Kind.BACKOFF: 3}
USUAL = (
    "fixed:10",
    "fixed:20",
    "fixed:50",
    "fixed:120",
    "backoff:2,1.2,3600",
    "backoff:5,1.4,3600",
    "phase",
    "hazard",
)


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy: its family and its numbers, of which a price is one."""

    kind: Kind
    numbers: tuple[float, ...]

    def __str__(self) -> str:
        return f"{self.kind}:{','.join(f'{number:g}' for number in self.numbers)}"


def policies(text: str) -> tuple[Policy, ...]:
    """Return the policy that a text names, or one for each price of the sweep where it names none.

    Raises: InvalidValue.
    """
    name, colon, rest = text.partition(":")
    try:
        kind = Kind(name)
        numbers = tuple(float(part) for part in rest.split(",")) if colon else ()
    except ValueError:
        raise InvalidValue("--policy", f"{text!r} is no policy; give {', '.join(_SHAPES.values())}") from None
    if not numbers and kind not in _NUMBERS:
        return tuple(Policy(kind, (price_s,)) for price_s in SWEEP)
    if len(numbers) != _NUMBERS.get(kind, 1) or not all(isfinite(each) and each > 0 for each in numbers):
        raise InvalidValue("--policy", f"{text!r} needs other numbers: {_SHAPES[kind]}, all above nought")
    if kind is Kind.BACKOFF and numbers[1] < 1:
        raise InvalidValue("--policy", f"{text!r} shrinks; give a factor of 1 or more")
    return (Policy(kind, numbers),)


@dataclass(slots=True)
class Comparison:
    """A set of lives, of which the first `trained` are there to learn from; the same seed gives the same figures."""

    lives: Sequence[Life]
    trained: int
    window_s: float = WINDOW_S
    seed: int = 0
    live: bool = False
    """Whether what learns goes on learning while it is judged."""
    told: Sequence[Life] | None = None
    """The lives whose law `optimal` is told, if not those there are to learn from."""
    _starts: Sequence[float] = field(init=False)
    _search: PhaseSearch | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        if not 0 <= self.trained < len(self.lives):
            raise InvalidValue(
                "--train", f"is {self.trained} of {len(self.lives)} orders; leave some to judge on"
            )
        self._starts = arrivals(len(self.lives), random.Random(self.seed))

    def judge(self, policy: Policy) -> Figures:
        """Return what a policy costs the lives it has not seen."""
        match policy.kind:
            case Kind.FIXED:
                tally = self._paced(policy.numbers[0], 1.0, LONGEST_S)
            case Kind.BACKOFF:
                tally = self._paced(*policy.numbers)
            case Kind.PHASE:
                tally = follow_paced(
                    self._rest, self._searched().best(policy.numbers[0]), window_s=self.window_s
                )
            case Kind.HAZARD:
                tally = self._hazard(policy.numbers[0])
            case Kind.OPTIMAL:
                tally = self._optimal(policy.numbers[0])
        return figures(str(policy), tally)

    def learned(self, price_s: float) -> Hazards:
        """Return what the cadence learns at a price from the lives there are to learn from."""
        hazards = Hazards()
        follow(
            self._first,
            Learned(hazards, price_s),
            starts=self._starts[: self.trained],
            window_s=self.window_s,
        )
        return hazards

    @property
    def _first(self) -> Sequence[Life]:
        return self.lives[: self.trained]

    @property
    def _rest(self) -> Sequence[Life]:
        return self.lives[self.trained :]

    def _paced(self, first_s: float, factor: float, most_s: float) -> Tally:
        policy = backoff(first_s, factor, most_s, window_s=self.window_s)
        return follow_paced(self._rest, policy, window_s=self.window_s)

    def _hazard(self, price_s: float) -> Tally:
        if self.live:
            return follow(
                self.lives,
                Learned(Hazards(), price_s),
                starts=self._starts,
                window_s=self.window_s,
                judged_from=self.trained,
            )
        policy = Learned(frozen(self.learned(price_s)), price_s)
        return follow(self._rest, policy, starts=self._starts[self.trained :], window_s=self.window_s)

    def _optimal(self, price_s: float) -> Tally:
        from notifier.simulation.optimal import solved  # noqa: PLC0415 - numpy is an extra

        policy = solved(self._to_learn_from(self.told), price_s, window_s=self.window_s)
        return follow(self._rest, policy, starts=self._starts[self.trained :], window_s=self.window_s)

    def _searched(self) -> PhaseSearch:
        if self._search is None:
            self._search = PhaseSearch(self._to_learn_from(None), self.window_s)
        return self._search

    def _to_learn_from(self, told: Sequence[Life] | None) -> Sequence[Life]:
        lives = self._first if told is None else told
        if not lives:
            fault = f"leaves none of {len(self.lives)} orders to learn from; phase and optimal need some"
            raise InvalidValue("--train", fault)
        return lives

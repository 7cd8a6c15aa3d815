"""An alert rule as a value: what is counted, where, how strictly it is tested, and what a person wrote plainly."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from notifier.domain.alert.outcome import PLACED, STUCK, Family, Outcome
from notifier.domain.alert.report import Tier

DEFAULT_WORDS = frozenset({"AUTHORIZATION_FAILED"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What a window must show beside its tail probability. `points` and `ratio` are over the normal rate.

    Units: `window` minutes; `points` a share (0.1 is ten points); `excess` and `least` orders.
    """

    window: int
    points: float
    ratio: float
    excess: float
    least: int


GATES: Mapping[Tier, tuple[Gate, ...]] = {
    Tier.PAGE: (
        Gate(window=3, points=0.20, ratio=2.0, excess=11, least=20),
        Gate(window=5, points=0.10, ratio=1.5, excess=15, least=30),
        Gate(window=10, points=0.10, ratio=1.5, excess=20, least=40),
        Gate(window=15, points=0.08, ratio=1.5, excess=20, least=40),
        Gate(window=60, points=0.08, ratio=1.4, excess=20, least=40),
    ),
    Tier.WARN: (
        Gate(window=5, points=0.05, ratio=1.3, excess=10, least=30),
        Gate(window=15, points=0.05, ratio=1.3, excess=15, least=40),
        Gate(window=60, points=0.04, ratio=1.25, excess=20, least=40),
    ),
    Tier.SLOW: (
        Gate(window=360, points=0.03, ratio=1.0, excess=30, least=200),
        Gate(window=30, points=0.03, ratio=1.0, excess=0, least=0),
    ),
}
"""Windows of PAGE and WARN are alternatives; both of SLOW must hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """A threshold that a person wrote: more than `failed` orders, or a rate over `rate` of at least `least` orders.

    Tested over the last `window` minutes of every slice of the rule. Either may be None.
    """

    window: int
    failed: int | None = None
    rate: float | None = None
    least: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What one alert watches in one account.

    `words` are the statuses that count as failed, out of all ends of the family. `where` narrows the orders that
    are looked at, by PLACED dimensions; by TOLD ones (`resp_code`) it narrows what counts as failed.
    """

    name: str
    family: Family = Family.ORDER
    words: frozenset[str] = DEFAULT_WORDS
    dimensions: tuple[str, ...] = PLACED
    where: Mapping[str, frozenset[str]] = field(default_factory=dict)
    false_pages_per_month: float = 1.0
    tiers: frozenset[Tier] = frozenset({Tier.PAGE, Tier.WARN, Tier.SLOW, Tier.RUN})
    gates: Mapping[Tier, tuple[Gate, ...]] = field(default_factory=lambda: GATES)
    plain: Plain | None = None
    slices: int = 200
    """How many slices live at most; the lightest pairs are left to their parents."""

    def looks_at(self, outcome: Outcome) -> bool:
        """Return whether the outcome is one of those that the rule counts at all."""
        held = dict(outcome.dimensions)
        is_ours = outcome.family is self.family and (outcome.word != STUCK or STUCK in self.words)
        return is_ours and all(
            held.get(name) in values for name, values in self.where.items() if name in PLACED
        )

    def fails(self, outcome: Outcome) -> bool:
        """Return whether an outcome that it counts is counted as failed."""
        held = dict(outcome.dimensions)
        return outcome.word in self.words and all(
            held.get(name) in values for name, values in self.where.items() if name not in PLACED
        )

"""One detector a rule and account: counts in, a verdict a minute out; no clock and no dice, so it replays alike."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from notifier.domain.alert.finding import Verdict
from notifier.domain.alert.report import Place, SliceFigures
from notifier.domain.alert.rule import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """One order put into a minute (`orders` 1) or taken out of it (-1); `failed` likewise or 0."""

    minute: int
    dimensions: Place
    orders: int
    failed: int


class Detector:
    """SKELETON: the signatures stand, the bodies come."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule

    def count(self, tally: Tally) -> None:
        """Take one order into account or out again; minutes that were judged are restated."""

    def step(self, minute: int, held: Collection[Place] = ()) -> Verdict:
        """Close every minute up to this one and judge it.

        `held` are the causes of open incidents: nothing is learned there.
        """
        raise NotImplementedError

    def figures(self, place: Place, window: int) -> SliceFigures:
        """Return how a place stands over the last `window` minutes."""
        raise NotImplementedError

    def is_well(self, place: Place, *, peak: float) -> bool | None:
        """Return whether a place may be called well again; None where there is too little traffic to say."""
        raise NotImplementedError

    def document(self) -> dict[str, Any]:
        """Return what was learned, as JSON."""
        raise NotImplementedError

    @classmethod
    def from_document(cls, rule: Rule, document: dict[str, Any]) -> "Detector":
        """Take up what was learned; the counts of the last six hours are to be counted anew by the caller."""
        raise NotImplementedError

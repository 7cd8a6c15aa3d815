"""What one alert has counted: a detector fed in the order of minutes, and the last hour's cells for its reports.

Pure. The same outcomes in the same order give the same verdicts, live, after a restart and in a backtest.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from notifier.domain.alert.counts import minute_of
from notifier.domain.alert.detect import Detector, Tally, tallies
from notifier.domain.alert.finding import Judged
from notifier.domain.alert.outcome import Outcome, counted
from notifier.domain.alert.report import Place
from notifier.domain.alert.rule import Rule
from notifier.domain.alert.slices import is_within
from notifier.domain.order import OrderKey

HOUR = 60
_SAMPLES = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenOutcome:
    """An outcome in the order in which it was seen. One that is not dated may have ended long before we looked."""

    seq: int
    outcome: Outcome
    is_dated: bool
    observed_at: datetime


@dataclass(slots=True)
class Cell:
    """Orders of one minute that had all the same dimensions; money in minor units by currency."""

    orders: int = 0
    failed: int = 0
    minor: Counter[str] = field(default_factory=Counter)
    failed_minor: Counter[str] = field(default_factory=Counter)

    def add(self, outcome: Outcome, sign: int, *, is_failure: bool) -> None:
        """Put an order in (1) or take it out (-1)."""
        self.orders += sign
        self.failed += sign * is_failure
        if outcome.amount is not None:
            money = {outcome.amount.currency: sign * outcome.amount.minor}
            self.minor.update(money)
            if is_failure:
                self.failed_minor.update(money)


class Ledger:
    """The counts of one rule in one account."""

    def __init__(self, rule: Rule, document: dict[str, Any] | None = None) -> None:
        """Begin knowing nothing, or with what a detector once learned (its `document`)."""
        self.rule = rule
        self.detector = Detector(rule) if document is None else Detector.from_document(rule, document)
        self._waiting: dict[int, list[Tally]] = defaultdict(list)
        """What is known of minutes that are not judged yet: a pause may end with news of many of them at once."""
        self._cells: dict[int, dict[Place, Cell]] = defaultdict(dict)
        self._failed: deque[tuple[int, Place, OrderKey]] = deque(maxlen=_SAMPLES)

    def recount(self, before: Sequence[SeenOutcome], after: Sequence[SeenOutcome]) -> None:
        """Take into account what became known of one subject of one order; both by the time of their end."""
        old, new = self._that_counts(before), self._that_counts(after)
        if old == new:
            return
        for tally in tallies(self.rule, old, new):
            self._waiting[tally.minute].append(tally)
        for outcome, sign in ((old, -1), (new, 1)):
            if outcome is not None:
                self._note(outcome, sign)

    def step(self, minute: int, held: Collection[Place]) -> Judged:
        """Judge a minute, with all that is known to have ended by its end; earlier ones are closed with it."""
        for each in sorted(number for number in self._waiting if number <= minute):
            for tally in self._waiting.pop(each):
                self.detector.count(tally)
        for old in [number for number in self._cells if number <= minute - HOUR]:
            del self._cells[old]
        return self.detector.step(minute, held=held)

    def cells(self, place: Place, *, after: int, through: int) -> Iterator[tuple[int, Place, Cell]]:
        """Yield the cells of a place in some minutes of the last hour."""
        for minute, cells in self._cells.items():
            if after < minute <= through:
                for dimensions, cell in cells.items():
                    if is_within(dimensions, place):
                        yield minute, dimensions, cell

    def samples(self, place: Place, *, after: int, most: int) -> list[OrderKey]:
        """Return some orders that failed at a place, newest first."""
        found: dict[OrderKey, None] = {}
        for minute, dimensions, key in reversed(self._failed):
            if minute > after and is_within(dimensions, place):
                found[key] = None
            if len(found) == most:
                break
        return list(found)

    def _that_counts(self, history: Sequence[SeenOutcome]) -> Outcome | None:
        if not history:
            return None
        looked_at = [each for each in history if self.rule.looks_at(each.outcome)]
        found = counted([each.outcome for each in looked_at], self.rule.fails)
        is_dated = any(each.is_dated for each in looked_at if each.outcome is found)
        return found if is_dated else None

    def _note(self, outcome: Outcome, sign: int) -> None:
        minute, is_failure = minute_of(outcome.ended_at), self.rule.fails(outcome)
        self._cells[minute].setdefault(outcome.dimensions, Cell()).add(outcome, sign, is_failure=is_failure)
        if is_failure and sign > 0:
            self._failed.append((minute, outcome.dimensions, outcome.order_key))

"""What an alert would have done with outcomes that are kept: whom it would have called, when, and how late."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from notifier.domain.alert.alert import Alert
from notifier.domain.alert.counts import minute_of, start_of
from notifier.domain.alert.docket import held_of, moves
from notifier.domain.alert.drafting import Minute
from notifier.domain.alert.finding import Judged
from notifier.domain.alert.incident import Incident, told
from notifier.domain.alert.ledger import HOUR, Ledger
from notifier.domain.alert.report import Reason, Severity

LEARNING = 24 * HOUR
"""Minutes at the beginning in which an alert only learns, where the span is longer than twice that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One time that somebody would have been called; `began_at` is since when the place was worse, as it looks now."""

    incident: Incident
    began_at: datetime

    @property
    def delay_s(self) -> float:
        """Seconds from the first bad minute to the call."""
        return (self.incident.report.opened_at - self.began_at).total_seconds()


@dataclass(slots=True)
class Backtest:
    """Feed it outcomes in the order in which they were seen, and step it over the minutes."""

    alert: Alert
    judges_from: int
    """The first minute that may call; those before it teach what is normal."""
    ledger: Ledger = field(init=False)
    incidents: dict[str, Incident] = field(default_factory=dict)
    calls: dict[str, Call] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.alert.rule)

    def step(self, minutes: Sequence[int]) -> None:
        """Judge some minutes, one after the other."""
        for minute in minutes:
            held = held_of(self.alert, self.incidents.values(), start_of(minute + 1))
            verdict = self.ledger.step(minute, held)
            if minute >= self.judges_from:
                self._move(verdict, Minute(number=minute, ended_at=start_of(minute + 1), lag_s=0.0))

    @property
    def found(self) -> list[Call]:
        """Every call, oldest first, with its incident as it stood at the end."""
        return [replace(call, incident=self.incidents[key]) for key, call in self.calls.items()]

    def _move(self, verdict: Judged, minute: Minute) -> None:
        for incident, reason in moves(self.alert, self.ledger, verdict, self.incidents, minute):
            moved = incident
            if incident.merged_into is None and reason is not None:
                moved = told(incident, reason, now=minute.ended_at)
                if reason is Reason.OPENED and moved.report.severity is not Severity.P3:
                    self.calls[moved.id] = Call(incident=moved, began_at=self._began_at(moved, minute.number))
            self.incidents[moved.id] = moved

    def _began_at(self, incident: Incident, minute: int) -> datetime:
        """Return since when it was worse: the change that explains the last hour best, by sums of deviations."""
        report = incident.report
        between = (report.rate + report.normal) / 2
        by_minute: dict[int, float] = {}
        for number, _, cell in self.ledger.cells(report.cause, after=minute - HOUR, through=minute):
            by_minute[number] = by_minute.get(number, 0.0) + cell.failed - cell.orders * between
        total, least, began = 0.0, 0.0, minute_of(report.opened_at)
        for number in sorted(by_minute):
            if total <= least:
                least, began = total, number
            total += by_minute[number]
        return start_of(began)

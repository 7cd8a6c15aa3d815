"""What an alert would have done with outcomes that are kept: whom it would have called, when, and how late."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from notifier.domain.alert.alert import Alert
from notifier.domain.alert.counts import start_of
from notifier.domain.alert.docket import held_of, moves
from notifier.domain.alert.drafting import Minute
from notifier.domain.alert.finding import Judged
from notifier.domain.alert.incident import Incident, is_related, told
from notifier.domain.alert.ledger import HOUR, Ledger
from notifier.domain.alert.report import SliceFigures
from notifier.domain.alert.slices import WHOLE
from notifier.domain.alert.tail import poisson_interval

LEARNING = 24 * HOUR
"""Minutes before the span in which an alert only learns, where so much is kept."""

_MONTH = 30 * 24 * HOUR
_BEYOND_DOUBT = 1 / 120
"""False pages a month: one in ten years."""


class Backing(StrEnum):
    """Why a page is held for a true one."""

    PEOPLE = "people"
    """Somebody took care of it when it happened, or accepted it for the new normal."""
    EVIDENCE = "evidence"
    """Before its end it was such as chance brings less than once in ten years."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """False pages a month, counted: those of a replay that nothing backs, with the interval of 95 %."""

    doubtful: int
    per_month: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One incident for which somebody would have been called first at `called_at`.

    `began_at` is since when the place was worse, as it looked then.
    """

    incident: Incident
    began_at: datetime
    called_at: datetime
    backing: Backing | None = None

    @property
    def delay_s(self) -> float:
        """Seconds from the first bad minute to the call."""
        return (self.called_at - self.began_at).total_seconds()


@dataclass(slots=True)
class Backtest:
    """Feed it outcomes in the order in which they were seen, and step it over the minutes."""

    alert: Alert
    judges_from: int
    """The first minute that may call; those before it teach what is normal."""
    taken_care_of: Sequence[Incident] = ()
    """What was really told in these days, and acknowledged by somebody."""
    course_every: int = 60
    """Minutes between two points of the course, six hours at most."""
    course: list[tuple[datetime, SliceFigures]] = field(default_factory=list)
    """How the whole account stood."""
    ledger: Ledger = field(init=False)
    incidents: dict[str, Incident] = field(default_factory=dict)
    calls: dict[str, Call] = field(default_factory=dict)
    _least: dict[str, float] = field(default_factory=dict)
    """By incident, the fewest false pages a month that any of its minutes spoke for."""

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.alert.rule)

    def step(self, minutes: Sequence[int]) -> None:
        """Judge some minutes, one after the other."""
        for minute in minutes:
            for place in self.alert.accepted_with(minute):
                self.ledger.detector.accept(place)
            held = held_of(self.alert, self.incidents.values(), start_of(minute + 1))
            verdict = self.ledger.step(minute, held)
            if minute >= self.judges_from:
                self._move(verdict, Minute(number=minute, ended_at=start_of(minute + 1), lag_s=0.0))
                self._follow(minute)

    @property
    def found(self) -> list[Call]:
        """Every call, oldest first, with its incident as it stood at the end."""
        found = [replace(call, incident=self.incidents[key]) for key, call in self.calls.items()]
        return [replace(call, backing=self._backing(call.incident)) for call in found]

    def estimate(self, minutes: int) -> Estimate:
        """Return the false pages a month, the replay having judged so many minutes."""
        doubtful = sum(call.backing is None for call in self.found)
        months = minutes / _MONTH
        low, high = poisson_interval(doubtful)
        return Estimate(doubtful=doubtful, per_month=doubtful / months, low=low / months, high=high / months)

    def _backing(self, incident: Incident) -> Backing | None:
        report = incident.report
        until = report.resolved_at or incident.judged_through
        by_hand = any(
            is_related(each.report.cause, report.cause)
            and each.report.opened_at <= until
            and (each.report.resolved_at is None or each.report.resolved_at >= report.opened_at)
            for each in self.taken_care_of
        )
        accepted = any(
            is_related(each.cause, report.cause) and report.opened_at <= each.at <= until
            for each in self.alert.accepted
        )
        if by_hand or accepted:
            return Backing.PEOPLE
        return Backing.EVIDENCE if self._least[incident.id] <= _BEYOND_DOUBT else None

    def _follow(self, minute: int) -> None:
        whole = self.ledger.detector.figures(WHOLE, self.course_every)
        if minute % self.course_every == self.course_every - 1 and whole is not None:
            self.course.append((start_of(minute + 1), whole))

    def _move(self, verdict: Judged, minute: Minute) -> None:
        for incident, reason in moves(self.alert, self.ledger, verdict, self.incidents, minute):
            moved = incident
            if incident.merged_into is None and reason is not None:
                moved = told(incident, reason, now=minute.ended_at)
                if moved.pages and moved.id not in self.calls:
                    began_at = self._began_at(moved, minute.number)
                    self.calls[moved.id] = Call(incident=moved, began_at=began_at, called_at=minute.ended_at)
            self.incidents[moved.id] = moved
            level = moved.report.false_per_month
            self._least[moved.id] = min(self._least.get(moved.id, level), level)

    def _began_at(self, incident: Incident, minute: int) -> datetime:
        """Return since when it was worse: the change that explains the last hour best, by sums of deviations."""
        report = incident.report
        between = (report.rate + report.normal) / 2
        by_minute: dict[int, float] = {}
        for number, _, cell in self.ledger.cells(report.cause, after=minute - HOUR, through=minute):
            by_minute[number] = by_minute.get(number, 0.0) + cell.failed - cell.orders * between
        total, least, began = 0.0, 0.0, minute
        for number in sorted(by_minute):
            if total <= least:
                least, began = total, number
            total += by_minute[number]
        return start_of(began)

"""Silences: what is kept and shown and not told, until an instant or until the incident ends or grows."""

from dataclasses import dataclass
from datetime import datetime
from typing import NewType

from notifier.domain.alert.incident import Incident
from notifier.domain.alert.report import Place, Severity

SilenceId = NewType("SilenceId", str)


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A wish not to be told. It covers incidents whose rule and cause match, or one incident alone."""

    id: SilenceId
    account: str
    by: str
    created_at: datetime
    rule: str | None = None
    """Name of a rule; None is every one."""
    matchers: Place = ()
    """Dimensions and values that must all stand in the cause; empty matches every cause."""
    until_at: datetime | None = None
    incident_id: str | None = None
    """The one incident meant; without `until_at` for as long as it neither ends nor grows."""
    cause: Place = ()
    severity: Severity | None = None
    """As the incident was when it was silenced."""
    note: str | None = None

    def is_over(self, now: datetime) -> bool:
        """Return whether its instant has passed; one without an instant ends with its incident."""
        return self.until_at is not None and self.until_at <= now

    def covers(self, incident: Incident, now: datetime) -> bool:
        """Return whether this incident is not to be told now."""
        if self.is_over(now):
            return False
        report = incident.report
        if self.incident_id is not None:
            return self.incident_id == incident.id and (
                self.until_at is not None or not self.broken_by(incident)
            )
        has_rule = self.rule is None or self.rule == report.rule
        return has_rule and set(self.matchers) <= set(report.cause)

    def broken_by(self, incident: Incident) -> bool:
        """Return whether a silence until the end is over, since its incident has ended, widened or risen."""
        report = incident.report
        has_risen = self.severity is not None and report.severity < self.severity
        return incident.is_over or report.cause != self.cause or has_risen

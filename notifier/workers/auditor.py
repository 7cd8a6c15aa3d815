"""The auditor: once a day it asks whether anything that was promised is missing, and says so where people look."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from notifier.clock import Clock
from notifier.logs import get_logger
from notifier.metrics import Metrics
from notifier.storage.auditing import audit
from notifier.storage.contract import Storage
from notifier.storage.records import Check, Sign
from notifier.workers.schedule import Job

_LOOK_EVERY_S = 3600.0
_LONGEST_S = 1800.0
_DAILY = timedelta(hours=23, minutes=30)
_ROWS_LOGGED = 3

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Auditor:
    """Audits the database of the running daemon."""

    storage: Storage
    clock: Clock
    metrics: Metrics
    accounts: Collection[str]

    def jobs(self) -> tuple[Job, ...]:
        """Return what recurs: hourly, since it is read, not remembered, when the last audit was."""
        return (Job(name="audit", every_s=_LOOK_EVERY_S, run=self.audit_daily, limit_s=_LONGEST_S),)

    async def audit_daily(self) -> None:
        """Audit unless that was done within the day."""
        async with self.storage.reading() as tx:
            last = await tx.noted(Sign.AUDITED)
        # The last one lies ahead where the clock was set back since.
        if last is None or not timedelta() <= self.clock.now() - last < _DAILY:
            await self.audit()

    async def audit(self) -> None:
        """Ask every check; findings go to the log and the metrics."""
        now = self.clock.now()
        found = {
            finding.check: finding for finding in await audit(self.storage, accounts=self.accounts, at=now)
        }
        for check in Check:
            finding = found.get(check)
            self.metrics.audit_findings.labels(check).set(finding.count if finding else 0)
            if finding:
                log.warning("audit.found", check=check, rows=finding.count, first=finding.rows[:_ROWS_LOGGED])
        log.info("audit.done", findings=sum(finding.count for finding in found.values()))
        async with self.storage.writing() as tx:
            await tx.note(Sign.AUDITED, at=now)

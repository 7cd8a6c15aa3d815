"""The pulse: a sign of life to a watchdog outside, sent only while the daemon does its work.

Silence is the message, so nothing is sent that would hide trouble: a loop that is down, a database that takes no
writes, orders that have been due for far too long.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass

from notifier.clock import Clock
from notifier.domain.delivery import Outcome, Verdict
from notifier.domain.instant import EPOCH
from notifier.errors import StorageError
from notifier.logs import get_logger
from notifier.metrics import Metrics
from notifier.storage.contract import Storage
from notifier.storage.records import Sign
from notifier.workers.schedule import Job

_HOPELESS_LAG_S = 900.0

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """Knocks at a watchdog's door. Units: `every_s` seconds between two knocks."""

    storage: Storage
    clock: Clock
    metrics: Metrics
    accounts: Collection[str]
    liveness: Callable[[], Mapping[str, bool]]
    knock: Callable[[], Awaitable[Outcome]]
    every_s: float

    def jobs(self) -> tuple[Job, ...]:
        """Return what recurs."""
        return (Job(name="pulse", every_s=self.every_s, run=self.beat),)

    async def beat(self) -> None:
        """Knock, unless something is wrong here."""
        why = await self._trouble()
        if why is not None:
            self.metrics.heartbeats_total.labels("withheld").inc()
            log.warning("heartbeat.withheld", why=why)
            return
        outcome = await self.knock()
        is_heard = outcome.verdict is Verdict.ACCEPTED
        self.metrics.heartbeats_total.labels("sent" if is_heard else "failed").inc()
        if not is_heard:
            log.warning("heartbeat.failed", reason=outcome.reason, http_status=outcome.http_status)

    async def _trouble(self) -> str | None:
        dead = [name for name, is_alive in self.liveness().items() if not is_alive]
        if dead:
            return f"not running: {', '.join(dead)}"
        now = self.clock.now()
        try:
            async with self.storage.writing() as tx:
                await tx.note(Sign.ALIVE, at=now)
                due = [await tx.next_look_at(account, after=EPOCH) for account in self.accounts]
        except StorageError:
            return "the database takes no writes"
        lag_s = max(((now - at).total_seconds() for at in due if at is not None), default=0.0)
        return f"orders are due since {lag_s:.0f} s" if lag_s > _HOPELESS_LAG_S else None

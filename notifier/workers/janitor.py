"""Housekeeping: ends what has expired, forgets what has had its time, and keeps the gauges true."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from math import inf

from notifier.clock import Clock
from notifier.domain.delivery import DeliveryState
from notifier.domain.instant import EPOCH
from notifier.domain.order import WatchState
from notifier.logs import get_logger
from notifier.metrics import Metrics
from notifier.storage.contract import Storage, Transaction
from notifier.storage.records import Sign
from notifier.workers.news import tell_missed
from notifier.workers.recording import Telling
from notifier.workers.schedule import Job

_ANSWERS_KEPT = timedelta(days=7)
_OUTCOMES_KEPT = timedelta(days=36)
_STEP = 1000
_STEP_OF_CLOCK = timedelta(seconds=5)
_COMMITTED = timedelta(seconds=10)
"""After so long what a transaction has ended is there to be read."""
_EFFORT = 500.0
"""Counting a million rows takes a quarter of a second: no oftener than once in so many times of what it took."""

log = get_logger(__name__)


class Janitor:
    """The jobs that keep the house."""

    def __init__(
        self,
        *,
        storage: Storage,
        clock: Clock,
        metrics: Metrics,
        telling: Telling,
        retention_days: int,
        accounts: Collection[str],
    ) -> None:
        self._accounts = accounts
        self._storage = storage
        self._clock = clock
        self._metrics = metrics
        self._telling = telling
        self._retention = timedelta(days=retention_days)
        self._counts_from_s = -inf
        self._ends_counted_through = clock.now()

    def jobs(self) -> tuple[Job, ...]:
        """Return what recurs, and how often."""
        return (
            Job(name="clock", every_s=5, run=self.follow_clock),
            Job(name="expire", every_s=30, run=self.expire, limit_s=600),
            Job(name="gauges", every_s=15, run=self.gauge),
            Job(name="prune", every_s=3600, run=self.prune, limit_s=600),
        )

    async def follow_clock(self) -> None:
        """Re-base due times and leases when the wall clock stepped: what was due in a minute still is (6.19).

        Our own clock follows when they are moved: at once by it, not at all when the database refused.
        """
        step = self._clock.drift()
        if abs(step) > _STEP_OF_CLOCK:
            async with self._storage.writing() as tx:
                await tx.shift_due(step)
            log.warning("clock.stepped", step_s=round(step.total_seconds(), 1))
        self._clock.follow()

    async def expire(self) -> None:
        """End deliveries that are still owed at their expiry, and leave a sign of life for an audit to go by."""
        count = 0
        while expired := await self._expire_some():
            count += expired
        if count:
            log.warning("deliveries.expired", count=count)

    async def _expire_some(self) -> int:
        now = self._clock.now()
        async with self._storage.writing() as tx:
            expired = await tx.expire_deliveries(now=now, lanes=self._telling.lanes)
            for account, delivery_id in expired:
                view = await tx.delivery(account, delivery_id)
                logged = await tx.event(view.event_id)
                await tell_missed(
                    tx,
                    self._telling,
                    view.delivery,
                    event=logged.event,
                    subscription_id=view.subscription_id,
                    now=now,
                )
            await tx.note(Sign.ALIVE, at=now)
        return len(expired)

    async def prune(self) -> None:
        """Forget old history in small steps, so that no transaction is long."""
        now = self._clock.now()
        total, gone = 0, _STEP
        while gone:
            async with self._storage.writing() as tx:
                gone = await forget_some(tx, now=now, retention=self._retention)
            total += gone
        if total:
            log.info("history.pruned", rows=total)

    async def gauge(self) -> None:
        """Count watches, owed and ended deliveries, and see how late the oldest due look is, for the metrics."""
        now, began_s = self._clock.now(), self._clock.monotonic()
        async with self._storage.reading() as tx:
            due = [await tx.next_look_at(account, after=EPOCH) for account in self._accounts]
            ends = await tx.ends(after=self._ends_counted_through, through=now - _COMMITTED)
            if began_s >= self._counts_from_s:
                self._show(await tx.counts())
                self._counts_from_s = began_s + _EFFORT * (self._clock.monotonic() - began_s)
        self._ends_counted_through = now - _COMMITTED
        for (state, reason), count in ends.items():
            self._metrics.deliveries_ended_total.labels(state, reason).inc(count)
        lags = [(now - at).total_seconds() for at in due if at is not None]
        self._metrics.due_lag_s.set(max([0.0, *lags]))

    def _show(self, counts: Mapping[str, int]) -> None:
        for state in WatchState:
            self._metrics.watches.labels(state).set(counts.get(f"watches.{state}", 0))
        owed = (DeliveryState.PENDING, DeliveryState.HELD)
        self._metrics.deliveries_owed.set(sum(counts.get(f"deliveries.{state}", 0) for state in owed))


async def forget_some(tx: Transaction, *, now: datetime, retention: timedelta) -> int:
    """Delete a step of what has had its time, nothing that is owed; return how many rows went."""
    before = now - retention
    gone = await tx.prune(before=before, answers_before=now - _ANSWERS_KEPT, now=now, limit=_STEP)
    gone += await tx.prune_outcomes(before=now - _OUTCOMES_KEPT, limit=_STEP)
    return gone + await tx.prune_incidents(before=before, limit=_STEP)

"""What recurs: the only door to apscheduler. Looks and deliveries are not jobs; their due time is a column."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_EXECUTED, EVENT_JOB_MAX_INSTANCES, JobEvent
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from notifier.clock import Clock
from notifier.logs import get_logger
from notifier.metrics import Metrics

_LEAST_S = 0.5
"""Of the machine's: no clock runs so fast that housekeeping is all that is done."""
_OUTCOMES = {EVENT_JOB_ERROR: "failed", EVENT_JOB_EXECUTED: "done", EVENT_JOB_MAX_INSTANCES: "overran"}

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Something done every so often. Units: seconds; a run longer than `limit_s` of the machine's is stopped."""

    name: str
    every_s: float
    run: Callable[[], Awaitable[None]]
    limit_s: float = 60.0


class Schedule:
    """Runs jobs, none of them beside itself, for as long as the daemon runs."""

    name = "schedule"

    def __init__(self, jobs: tuple[Job, ...], *, clock: Clock, metrics: Metrics) -> None:
        self._jobs = jobs
        self._clock = clock
        self._metrics = metrics
        self._running: set[asyncio.Task[None]] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Run the jobs until stopped; one that is under way is let finish."""
        # The default grace of one second would silently drop a run after any hiccup of the loop.
        scheduler = AsyncIOScheduler(
            timezone=UTC, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        )
        scheduler.add_listener(self._count, EVENT_JOB_ERROR | EVENT_JOB_EXECUTED | EVENT_JOB_MAX_INSTANCES)
        for job in self._jobs:
            trigger = IntervalTrigger(seconds=max(self._clock.machine_s(job.every_s), _LEAST_S), timezone=UTC)
            scheduler.add_job(self._once, trigger, args=[job], id=job.name)
        scheduler.start()
        try:
            await stop.wait()
            scheduler.pause()
            await asyncio.sleep(0)  # What has just come due begins, or it would be cancelled before.
            # shutdown() cancels what runs, so what runs is let finish first.
            if self._running:
                await asyncio.wait(self._running)
        finally:
            scheduler.shutdown(wait=False)
            await asyncio.sleep(0)

    async def _once(self, job: Job) -> None:
        task: asyncio.Task[None] = asyncio.ensure_future(_bounded(job))
        self._running.add(task)
        try:
            await task
        finally:
            self._running.discard(task)

    def _count(self, event: JobEvent) -> None:
        outcome = _OUTCOMES[event.code]
        self._metrics.scheduled_jobs_total.labels(event.job_id, outcome).inc()
        if outcome == "overran":
            log.warning("job.overran", job=event.job_id)
        elif outcome != "done":
            error = getattr(event, "exception", None)
            log.error("job.failed", job=event.job_id, error=type(error).__name__ if error else None)


async def _bounded(job: Job) -> None:
    async with asyncio.timeout(job.limit_s):
        await job.run()

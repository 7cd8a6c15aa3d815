"""Keeps workers running: one that fails is told of and started again, and stopping is soft, then hard.

Stop order: claiming and HTTP stop first, what is in flight gets `grace_s`, then it is cancelled and its leases are
left to lapse. Storage closes last, by the exit stack that opened it first.
"""

import asyncio
from collections.abc import Sequence

from notifier.clock import Clock
from notifier.domain.backoff import growing
from notifier.logs import get_logger
from notifier.metrics import Metrics
from notifier.workers.contract import Worker

log = get_logger(__name__)


class Supervisor:
    """Runs workers until told to stop."""

    def __init__(self, workers: Sequence[Worker], *, clock: Clock, metrics: Metrics, grace_s: float) -> None:
        self._workers = tuple(workers)
        self._clock = clock
        self._metrics = metrics
        self._grace_s = grace_s
        self._alive = dict.fromkeys((worker.name for worker in workers), False)

    def liveness(self) -> dict[str, bool]:
        """Return each loop's name and whether it turns."""
        return dict(self._alive)

    async def run(self, stop: asyncio.Event, abort: asyncio.Event) -> None:
        """Work until `stop` is set; `abort` cuts the grace short."""
        tasks = [
            asyncio.create_task(self._keep_running(worker, stop), name=worker.name)
            for worker in self._workers
        ]
        try:
            await stop.wait()
            async with asyncio.TaskGroup() as waiting:
                aborting = waiting.create_task(abort.wait(), name="abort")
                everything = waiting.create_task(_all_done(tasks), name="drain")
                await asyncio.wait(
                    (everything, aborting), timeout=self._grace_s, return_when=asyncio.FIRST_COMPLETED
                )
                everything.cancel()
                aborting.cancel()
        finally:
            late = [task for task in tasks if not task.done()]
            for task in late:
                log.warning("worker.cut_short", worker=task.get_name())
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep_running(self, worker: Worker, stop: asyncio.Event) -> None:
        failures = 0
        while not stop.is_set():
            began = self._clock.monotonic()
            self._alive[worker.name] = True
            try:
                await worker.run(stop)
            except Exception:
                self._alive[worker.name] = False
                self._metrics.loop_errors_total.labels(worker.name).inc()
                failures = 1 if self._clock.monotonic() - began > 60 else failures + 1  # noqa: PLR2004
                wait_s = growing(failures, first_s=1.0, ceiling_s=30.0, roll=self._clock.roll())
                log.exception("worker.failed", worker=worker.name, restart_in_s=round(wait_s, 1))
                await self._clock.wait(stop, wait_s)


async def _all_done(tasks: Sequence[asyncio.Task[None]]) -> None:
    await asyncio.wait(tasks)

"""What recurs does so by our clock, and a job that is slow is not a job that failed."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from notifier.clock import FastClock
from notifier.metrics import Metrics
from notifier.workers.schedule import Job, Schedule

MOST_S = 5.0


async def _run(work: Callable[[], Awaitable[None]], until: Callable[[Metrics], bool]) -> Metrics:
    """Run a job that is due twice a minute, by a clock that runs sixty times as fast, until something is true."""
    metrics, clock, stop = Metrics(), FastClock(60), asyncio.Event()
    schedule = Schedule((Job(name="work", every_s=30, run=work),), clock=clock, metrics=metrics)
    async with asyncio.timeout(MOST_S), asyncio.TaskGroup() as tasks:
        tasks.create_task(schedule.run(stop))
        while not until(metrics):
            await clock.sleep(1)
        stop.set()
    return metrics


def _count(metrics: Metrics, outcome: str) -> float:
    return metrics.scheduled_jobs_total.labels("work", outcome)._value.get()


async def test_a_job_is_due_by_our_clock():
    done: list[float] = []

    async def work() -> None:
        done.append(1)

    metrics = await _run(work, lambda metrics: _count(metrics, "done") >= 1)

    assert done
    assert _count(metrics, "failed") == 0


async def test_a_job_that_is_still_at_it_is_not_run_beside_itself():
    running: list[int] = []
    enough = asyncio.Event()

    async def work() -> None:
        running.append(len(running))
        await enough.wait()

    def until(metrics: Metrics) -> bool:
        if _count(metrics, "overran") >= 1:
            enough.set()
        return enough.is_set()

    metrics = await _run(work, until)

    assert running == [0]
    assert _count(metrics, "failed") == 0


async def test_a_job_that_comes_due_in_the_moment_of_the_stop_has_not_failed():
    metrics, clock, stop, done = Metrics(), FastClock(60), asyncio.Event(), []

    async def work() -> None:
        done.append(1)

    schedule = Schedule((Job(name="work", every_s=30, run=work),), clock=clock, metrics=metrics)
    async with asyncio.timeout(MOST_S), asyncio.TaskGroup() as tasks:
        tasks.create_task(schedule.run(stop))
        await asyncio.sleep(0)
        # Both find their time come when the loop looks up from what held it.
        loop = asyncio.get_running_loop()
        loop.call_later(0.45, loop.call_soon, stop.set)
        loop.call_later(0.4, time.sleep, 0.2)

    assert done == [1]
    assert _count(metrics, "failed") == 0

"""What cases share: figures and how they are measured, an account, and a database of their own."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from notifier.clock import SystemClock
from notifier.config.accounts import Account
from notifier.storage.contract import Storage
from notifier.storage.engine import open_storage
from notifier.storage.records import Lanes
from notifier.storage.telling import delivery_ids
from notifier.workers.recording import Telling

CONCURRENCY = 64
WARM_S, MEASURED_S = 2.0, 8.0
Figures = dict[str, float]
new_delivery_id = delivery_ids()


async def rate(done: Callable[[], int], loops: list[Callable[[], Awaitable[None]]]) -> Figures:
    tasks = [asyncio.ensure_future(loop()) for loop in loops]
    await asyncio.sleep(WARM_S)
    figures = await measured(done)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    return figures


async def measured(done: Callable[[], int]) -> Figures:
    """Count what is done in the measured time, and what CPU it took; the latter shrugs off noisy neighbours."""
    before, began, cpu = done(), time.perf_counter(), time.process_time()
    await asyncio.sleep(MEASURED_S)
    count, lasted, burnt = done() - before, time.perf_counter() - began, time.process_time() - cpu
    return {"rate": count / lasted, "cpu_us": burnt / count * 1e6, "rss_mb": rss_mb()}


def rss_mb() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def lateness(seconds: Iterable[float]) -> Figures:
    """Return the median and the 99th percentile in ms."""
    ordered = sorted(seconds)
    return {f"p{percent}_ms": ordered[len(ordered) * percent // 100] * 1000 for percent in (50, 99)}


def account_at(port: int) -> Account:
    return Account.model_validate(
        {
            "base_url": f"http://127.0.0.1:{port}",
            "merchant_id": "bench",
            "api_key_env": "K",
            "max_concurrency": CONCURRENCY,
        },
        context={"K": "bench"},
    )


def plain_telling() -> Telling:
    return Telling(expires_after_s=285_120, lanes=Lanes(), new_id=new_delivery_id, livemode=lambda _: False)


@asynccontextmanager
async def opened_storage() -> AsyncIterator[tuple[Storage, Path]]:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "bench.db"
        storage = await open_storage(path, clock=SystemClock())
        try:
            yield storage, path
        finally:
            await storage.close()

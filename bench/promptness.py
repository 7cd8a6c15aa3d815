"""Promptness: how soon after the commit of what a poll brought its first attempt begins."""

import asyncio
import sqlite3
import time
from pathlib import Path
from typing import Any

from bench.ground import WARM_S, Figures, lateness, opened_storage
from bench.owing import deliverer_of, delivering, noted, pace_of, subscribe
from bench.watches import polling
from notifier.clock import SystemClock
from notifier.domain.instant import to_ms
from notifier.domain.order import OrderId, parse_order_id
from notifier.domain.polling import PollingPolicy
from notifier.metrics import Metrics
from notifier.storage.contract import Storage
from notifier.storage.records import Registration
from notifier.workers.poller import Poller

_SUBSCRIPTIONS = 12
_PER_S, _LASTING_S = 200, 10.0


async def prompt(port: int) -> Figures:
    """Have one order after the other come due, each told to one subscription, whatever became of those before it."""
    count = int(_PER_S * (WARM_S + _LASTING_S))
    async with opened_storage() as (storage, path):
        orders = await _register(storage, port, count)
        deliverer, doors = deliverer_of(storage)
        begun, _ = noted(doors, of=lambda parcel: parcel.order_id)
        _spread(path, from_ms=to_ms(SystemClock().now()) + 1000)
        burnt = time.process_time()
        async with (
            delivering(deliverer, doors),
            polling(
                port, storage, Metrics(), PollingPolicy(min_interval_s=600, max_interval_s=600)
            ) as poller,
        ):
            committed = _noting_commits(poller)
            async with asyncio.timeout(120):
                while True:
                    await asyncio.sleep(0.1)
                    if len(begun) == count:
                        break
            await asyncio.sleep(WARM_S)
        burnt = time.process_time() - burnt
    warm = {each: committed[each] for each in orders[int(_PER_S * WARM_S) :]}
    figures = lateness(begun[each] - at for each, at in warm.items()) | pace_of(warm)
    return figures | {"cpu_us": burnt / count * 1e6}


async def _register(storage: Storage, port: int, count: int) -> list[OrderId]:
    """Register orders that nobody has looked at, each with the tag that one of the subscriptions listens to."""
    now = SystemClock().now()
    orders = [parse_order_id(f"BENCH{number}") for number in range(count)]
    async with storage.writing() as tx:
        for number in range(_SUBSCRIPTIONS):
            target = f"http://127.0.0.1:{port}/hook/{number}"
            await subscribe(tx, str(number), target, tags=(str(number),))
        for number, order in enumerate(orders):
            tags = frozenset({str(number % _SUBSCRIPTIONS)})
            await tx.register(Registration(account="bench", order_id=order, tags=tags), now=now)
    return orders


def _spread(path: Path, *, from_ms: int) -> None:
    """Let the looks come due one by one, so many a second."""
    database = sqlite3.connect(path)
    with database:
        database.execute("update looks set next_poll_at = ? + (id - 1) * 1000 / ?", (from_ms, _PER_S))
    database.close()


def _noting_commits(poller: Poller) -> dict[OrderId, float]:
    committed: dict[OrderId, float] = {}
    landed = poller._committer._landed  # noqa: SLF001 - the one honest place to see commits

    def noting(item: Any, was_written: bool) -> None:
        polled, outcome = item
        if was_written and outcome is None:
            committed[polled.look.order_id] = time.perf_counter()
        landed(item, was_written)

    poller._committer._landed = noting  # noqa: SLF001
    return committed

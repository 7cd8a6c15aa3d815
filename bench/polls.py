"""Polls: bare GETs, the full cycle of the poller, and how late a due poll starts."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import aiohttp

from bench.ground import (
    CONCURRENCY,
    MEASURED_S,
    WARM_S,
    Figures,
    account_at,
    lateness,
    measured,
    opened_storage,
    rate,
)
from bench.watches import make_watches, polling
from notifier.domain.polling import PollingPolicy
from notifier.metrics import Metrics
from notifier.source import wire
from notifier.source.door import headers_of
from notifier.workers.poller import Poller


async def bare_get(port: int) -> Figures:
    """Ask for one order after the other and decode, in a plain loop, `CONCURRENCY` at once."""
    done = asked = 0
    account = account_at(port)
    headers = headers_of(account, account.api_key)

    async def loop(session: aiohttp.ClientSession) -> None:
        nonlocal done, asked
        while True:
            asked += 1
            order_id = f"OW{asked % 10_000:07d}"
            url, own = f"http://127.0.0.1:{port}/orders/{order_id}", {"x-routing-id": order_id}
            async with session.get(url, headers=own) as answer:
                wire._DECODER.decode(await answer.read())  # noqa: SLF001 - the same decoder on both sides
            done += 1

    connector = aiohttp.TCPConnector(limit=CONCURRENCY)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        return await rate(lambda: done, [lambda: loop(session)] * CONCURRENCY)


def polls(count: int) -> Callable[[int], Coroutine[Any, Any, Figures]]:
    """Return the case that polls so many watches flat out: due, GET, decode, compare, commit, reschedule."""

    async def case(port: int) -> Figures:
        async with opened_storage() as (storage, path):
            await make_watches(storage, path, port, count)
            metrics = Metrics()
            policy = PollingPolicy(min_interval_s=0.001, max_interval_s=0.001)
            async with polling(port, storage, metrics, policy) as poller:
                done = _Count(poller)
                await asyncio.sleep(WARM_S)
                figures = await measured(lambda: done.landed)
            async with storage.reading() as tx:
                assert len(await tx.events("bench")) == 1, "an unchanged order was told"
            return figures

    return case


class _Count:
    """Counts looks that were committed."""

    def __init__(self, poller: Poller) -> None:
        self.landed = 0
        inner = poller._committer._landed  # noqa: SLF001 - the one honest place to count commits

        def counting(item: object, written: bool) -> None:
            self.landed += written
            inner(item, written)  # type: ignore[arg-type]

        poller._committer._landed = counting  # noqa: SLF001


async def idle(port: int) -> Figures:
    """Poll 200 watches each second or so, and say how late a due poll starts."""
    async with opened_storage() as (storage, path):
        await make_watches(storage, path, port, 200)
        metrics = Metrics()
        late: list[float] = []
        metrics.poll_lateness_s.observe = late.append  # type: ignore[method-assign,assignment]
        async with polling(port, storage, metrics, PollingPolicy(min_interval_s=1.0, max_interval_s=1.0)):
            await asyncio.sleep(3)
            late.clear()
            await asyncio.sleep(MEASURED_S)
        return lateness(late) | {"polls": len(late)}

"""Deliveries: bare POSTs, and a backlog brought home."""

import asyncio
import time

import aiohttp

from bench.ground import CONCURRENCY, Figures, opened_storage, rate, rss_mb
from bench.owing import deliverer_of, delivering, owe_backlog, subscribe
from bench.watches import make_watches

_DELIVERIES, _SUBSCRIPTIONS = 24_000, 12
_EGRESS_HEADERS = {"User-Agent": "notifier/0.1.0", "Accept-Encoding": "identity"}


async def bare_post(port: int) -> Figures:
    """Post a callback's bytes under a callback's headers in a plain loop."""
    done = 0
    body = b"x" * 1200
    own = {
        "Content-Type": "application/json",
        "webhook-id": f"evt_{0:032x}",
        "webhook-timestamp": "1795305600",
        "webhook-signature": f"v1,{'A' * 44}",
        "notifier-attempt": "1",
        "notifier-subscription": "sub_0",
        "notifier-sequence": "1000",
    }

    async def loop(session: aiohttp.ClientSession) -> None:
        nonlocal done
        while True:
            async with session.post(f"http://127.0.0.1:{port}/hook", data=body, headers=own) as answer:
                await answer.read()
            done += 1

    connector = aiohttp.TCPConnector(limit=CONCURRENCY)
    async with aiohttp.ClientSession(connector=connector, headers=_EGRESS_HEADERS) as session:
        return await rate(lambda: done, [lambda: loop(session)] * CONCURRENCY)


async def deliver(port: int) -> Figures:
    """Bring a backlog home: claim, render, sign, POST, record."""
    async with opened_storage() as (storage, path):
        await make_watches(storage, path, port, 1)
        async with storage.writing() as tx:
            for number in range(_SUBSCRIPTIONS):
                await subscribe(tx, str(number), f"http://127.0.0.1:{port}/hook/{number}")
        await owe_backlog(storage, _DELIVERIES // _SUBSCRIPTIONS)
        deliverer, doors = deliverer_of(storage)
        began, cpu = time.perf_counter(), time.process_time()
        async with delivering(deliverer, doors):
            while True:
                await asyncio.sleep(0.1)
                async with storage.reading() as tx:
                    if (
                        await tx.next_delivery_at() is None
                        and (await tx.counts()).get("deliveries.pending", 0) == 0
                    ):
                        break
            lasted, burnt = time.perf_counter() - began, time.process_time() - cpu
        async with storage.reading() as tx:
            assert (await tx.counts())["deliveries.delivered"] == _DELIVERIES
        return {"rate": _DELIVERIES / lasted, "cpu_us": burnt / _DELIVERIES * 1e6, "rss_mb": rss_mb()}

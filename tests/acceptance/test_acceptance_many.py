"""Ten thousand orders that were charged long ago, registered by one call."""

import time
from collections import Counter
from contextlib import asynccontextmanager

import msgspec
import pytest
from acceptance_home import eventually
from acceptance_upstream import canned, paid
from aiohttp import web

from notifier.sandbox.serve import serving

COUNT = 10_000
ORDERS = [f"OLD{n:05}" for n in range(COUNT)]
REFUND = {
    "unique_request_id": "R1", "status": "PENDING", "amount": 100, "sent_to_gateway": False,
    "created": "2026-11-22T09:00:00Z",
}  # fmt: skip


@asynccontextmanager
async def counting():
    """Receive, and keep of each callback its order, type and whether it is initial."""
    told = Counter()

    async def take(request):
        event = msgspec.json.decode(await request.read())
        told[event["data"]["order_id"], event["type"], event["data"]["initial"]] += 1
        return web.Response(status=204)

    app = web.Application()
    app.router.add_post("/", take)
    async with serving(app) as url:
        yield f"{url}/", told


async def register_all(shop, **members):
    lines = b"".join(msgspec.json.encode({"order_id": order_id} | members) + b"\n" for order_id in ORDERS)
    headers = {"Content-Type": "application/x-ndjson"}
    async with shop.http.post(f"{shop.url}/v1/watches/bulk", data=lines, headers=headers) as answer:
        return Counter([msgspec.json.decode(line)["status"] async for line in answer.content])


async def looked_at(shop):
    async with shop.daemon.storage.reading() as tx:
        return (await tx.counts()).get("snapshots")


@pytest.mark.timeout(150)
@pytest.mark.parametrize(("initial", "expected"), [("tell", COUNT), ("silent", 0)])
async def test_orders_charged_long_ago_are_told_once_as_initial_or_not_at_all(home, initial, expected):
    home.settings = {
        "POLLING__MAX_INTERVAL_S": "3600",
        "ACCOUNTS__SHOP__REQUESTS_PER_S": "100000",
        "ACCOUNTS__SHOP__MAX_CONCURRENCY": "64",
        "DELIVERY__CONCURRENCY": "256",
    }
    async with canned() as upstream, counting() as (target, told):
        home.settings["ACCOUNTS__SHOP__BASE_URL"] = upstream.url
        async with home.running() as shop:
            body = {"channel": "webhook", "target": target, "events": ["*"]}
            await shop.call("POST", "/v1/subscriptions", body)
            began = time.perf_counter()
            assert await register_all(shop, initial=initial) == {201: COUNT}
            t1 = time.perf_counter()
            await eventually(lambda: looked_at(shop), until=lambda count: count == COUNT, timeout_s=100)
            t2 = time.perf_counter()
            await eventually(lambda: all_told(told), until=lambda count: count >= expected, timeout_s=100)
            t3 = time.perf_counter()
            print(f"{initial}: register {t1 - began:.1f} look {t2 - t1:.1f} told {t3 - t2:.1f}")
            assert told == {(order_id, "order.charged", True): 1 for order_id in ORDERS[:expected]}

            upstream.bodies[ORDERS[7]] = paid(ORDERS[7], refunds=[REFUND])
            await shop.hurry(ORDERS[7])
            await eventually(lambda: all_told(told), until=lambda count: count > expected)
            assert told[ORDERS[7], "refund.created", False] == 1
            assert told.total() == expected + 1


async def all_told(told):
    return told.total()

"""Very many orders that were charged long ago, registered by one call.

One thousand, because each costs the daemon some milliseconds; ACCEPTANCE_ORDERS=10000 in the environment takes more.
"""

import os
from collections import Counter
from contextlib import asynccontextmanager

import msgspec
import pytest
from acceptance_home import eventually
from acceptance_upstream import canned, paid
from aiohttp import web

from notifier.sandbox.serve import serving

COUNT = int(os.environ.get("ACCEPTANCE_ORDERS", "1000"))
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


async def register_all(daemon, **members):
    lines = b"".join(msgspec.json.encode({"order_id": order_id} | members) + b"\n" for order_id in ORDERS)
    headers = {"Content-Type": "application/x-ndjson"}
    async with daemon.http.post(f"{daemon.url}/v1/watches/bulk", data=lines, headers=headers) as answer:
        return Counter([msgspec.json.decode(line)["status"] async for line in answer.content])


async def snapshots(daemon):
    name = 'notifier_snapshots_total{source="order"}'
    return (await daemon.samples()).get(name, 0)


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("initial", "expected"), [("tell", COUNT), ("silent", 0)], ids=["tell", "silent"])
async def test_orders_charged_long_ago_are_told_once_as_initial_or_not_at_all(home, initial, expected):
    home.settings = {
        "POLLING__MAX_INTERVAL_S": "3600",
        "ACCOUNTS__SHOP__REQUESTS_PER_S": "100000",
        "ACCOUNTS__SHOP__MAX_CONCURRENCY": "64",
        "DELIVERY__CONCURRENCY": "256",
    }

    async def calls():
        return told.total()

    async with canned() as upstream, counting() as (target, told):
        home.settings["ACCOUNTS__SHOP__BASE_URL"] = upstream.url
        async with home.process() as daemon:
            body = {"channel": "webhook", "target": target, "events": ["*"]}
            await daemon.call("POST", "/v1/subscriptions", body)
            assert await register_all(daemon, initial=initial) == {201: COUNT}
            await eventually(lambda: snapshots(daemon), until=lambda count: count == COUNT, timeout_s=300)
            await eventually(calls, until=lambda count: count >= expected, timeout_s=300)
            assert told == {(order_id, "order.charged", True): 1 for order_id in ORDERS[:expected]}

            upstream.bodies[ORDERS[7]] = paid(ORDERS[7], refunds=[REFUND])
            await daemon.hurry(ORDERS[7])
            await eventually(calls, until=lambda count: count > expected)
            assert told[ORDERS[7], "refund.created", False] == 1
            await daemon.all_delivered(order_id=ORDERS[7])
            assert told.total() == expected + 1
            assert daemon.stderr == ""

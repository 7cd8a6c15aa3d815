"""The tour's shop keeps its pace and its rates, and its alert is the one that is shipped."""

import asyncio
import json
import re
import tomllib
from contextlib import asynccontextmanager
from pathlib import Path

from notifier.app.shop import SICK, Shop
from notifier.app.spike import RULE
from notifier.domain.alert.alert import Alert, AlertId
from notifier.sandbox.world import Sandbox
from notifier.web.alert_shapes import NewAlert
from support.clock import FakeClock

ROOT = Path(__file__).parents[2]


class Watcher:
    """Notes who is to be watched; takes so long over it."""

    def __init__(self, clock: FakeClock) -> None:
        self.order_ids: list[str] = []
        self.takes_s = 0.0
        self._clock = clock

    async def watch(self, order_ids):
        self.order_ids += order_ids
        if self.takes_s:
            await self._clock.sleep(self.takes_s)


@asynccontextmanager
async def trading(clock: FakeClock):
    sandbox, watcher, stop = Sandbox(clock), Watcher(clock), asyncio.Event()
    shop = Shop(sandbox, clock, watch=watcher.watch)
    task = asyncio.create_task(shop.trade(stop))
    yield shop, sandbox, watcher
    stop.set()
    await clock.advance(60)
    await task


async def test_a_shop_has_all_its_orders_watched_and_they_end_as_it_counts_them():
    clock = FakeClock()
    began = clock.now()
    async with trading(clock) as (shop, sandbox, watcher):
        await clock.advance(11 * 60 - 1)
        orders, failed = shop.counted(began, clock.now())
        looks = [sandbox.find(each) for each in watcher.order_ids]
        ended = [order.look(sandbox.age_s(order)).status for order in looks]

    assert (orders, failed) == (300, 36)
    assert ended.count("AUTHORIZATION_FAILED") == failed
    assert ended.count("CHARGED") == orders - failed


async def test_only_the_sick_gateway_fails_more():
    clock = FakeClock()
    async with trading(clock) as (shop, _, _):
        shop.rates[SICK] = 0.8
        await clock.advance(61)
        since = clock.now()
        await clock.advance(600)

        assert shop.counted(since, clock.now(), gateway=SICK) == (100, 80)
        assert shop.counted(since, clock.now(), gateway="BILLDESK") == (100, 12)


async def test_a_shop_that_was_held_up_takes_who_came_meanwhile():
    clock = FakeClock()
    async with trading(clock) as (_, _, watcher):
        watcher.takes_s = 45.0
        await clock.advance(600)
        watcher.takes_s = 0.0
        await clock.advance(60)

        assert len(watcher.order_ids) == 336


def test_the_alert_of_the_spike_is_the_one_that_is_shipped():
    text = (ROOT / "config.toml").read_text()
    table = re.search(r"^#\[alerts\.authorization-failures\]\n(?:#.+\n)+?(?=#\n)", text, re.MULTILINE)
    shipped = "\n".join(
        line.removeprefix("#")
        for line in table[0].splitlines()
        if not line.endswith("for example") or line.startswith("#outcome ")
    )

    assert _alert(tomllib.loads(shipped)) == _alert(tomllib.loads(RULE))


def _alert(document: dict) -> Alert:
    ((name, body),) = document["alerts"].items()
    read = NewAlert.model_validate_json(json.dumps(body | {"name": name}))
    return read.amended(Alert(id=AlertId(""), account="shop", name=name))

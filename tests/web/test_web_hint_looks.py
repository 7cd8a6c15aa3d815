"""A hint asks for one look: at once, joined by its repeats, and once more when it showed nothing (6.14)."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from hint_kit import basic, hooked, of_order, polling

from notifier.domain.order import Source, WatchState, order_key
from notifier.errors import StorageError
from notifier.web.asking import Asking, Wish
from support.clock import settle

SHOP = "/v1/hints/juspay/shop"


@pytest.fixture
def hinted(services):
    return replace(services, config=hooked("shop", register_unknown=True))


@pytest.fixture
async def api(serve, hinted):
    return await serve(hinted)


@pytest.fixture
async def upstream(hinted):
    async with polling(hinted) as running:
        yield running


@pytest.fixture
def hint(api):
    async def send(order_id="OW1"):
        answered = await api.post(SHOP, of_order(order_id=order_id), headers=basic(), key=None)
        assert answered.status == 200
        return answered.body["outcome"]

    return send


@pytest.fixture
async def seen(api, upstream):
    """An order that was looked at, paid, and is not due for a good while."""
    upstream.source.put("OW1", "CHARGED")
    await api.post("/v1/watches", {"order_id": "OW1"})
    await upstream.quiet()
    await upstream.pass_time(5)
    assert upstream.looks == 1
    return upstream


async def test_a_hint_is_a_look_at_once_and_one_more_two_seconds_later_when_it_showed_nothing(hint, seen):
    assert await hint() == "polled"
    await seen.quiet()
    assert seen.looks == 2
    await seen.pass_time(1.5)
    assert seen.looks == 2
    await seen.pass_time(1)
    assert seen.looks == 3
    await seen.pass_time(20)
    assert seen.looks == 3


async def test_a_hint_that_showed_something_is_one_look(hint, seen):
    seen.source.put("OW1", "AUTO_REFUNDED")
    await hint()
    await seen.quiet()
    await seen.pass_time(4)
    assert seen.looks == 2


async def test_what_the_webhook_says_is_not_what_is_told(api, hint, seen):
    seen.source.put("OW1", "AUTO_REFUNDED")
    await hint()
    await seen.quiet()
    events = (await api.get("/v1/events")).body["items"]
    assert [event["type"] for event in events] == ["order.charged", "order.auto_refunded"]
    assert (await api.get("/v1/watches/OW1")).body["status"] == "AUTO_REFUNDED"


async def test_a_hint_during_a_look_owes_exactly_one_more_however_often_it_comes(hint, seen, hinted):
    seen.source.gate = asyncio.Event()
    await hint()
    await seen.quiet()
    assert seen.looks == 2
    await hinted.clock.advance(0.1)
    for _ in range(4):
        await asyncio.gather(*(hint() for _ in range(50)))
    await seen.quiet()
    assert (seen.looks, seen.source.most_at_once) == (2, 1)
    seen.source.gate.set()
    await seen.quiet()
    assert (seen.looks, seen.source.most_at_once) == (3, 1)
    await seen.pass_time(3)
    assert seen.looks == 4
    await seen.pass_time(20)
    assert seen.looks == 4


class CountedWrites:
    def __init__(self, storage):
        self.storage, self.writes = storage, 0

    def writing(self):
        self.writes += 1
        return self.storage.writing()


async def test_ten_thousand_repeats_that_wait_together_are_one_transaction_and_one_look(seen, hinted):
    wish, storage = Wish("shop", order_key("OW1"), Source.ORDER), CountedWrites(hinted.storage)
    asking = Asking(storage, hinted.clock)
    asked = await asyncio.gather(*(asking.ask(wish) for _ in range(10_000)))
    await seen.quiet()
    assert {watch.next_poll_at for watch in asked if watch} == {hinted.clock.now()}
    assert (storage.writes, seen.looks) == (1, 2)


class SlowWrites:
    """Takes an ask and holds it until the gate opens; it is its own transaction."""

    def __init__(self):
        self.writes, self.gate = 0, asyncio.Event()

    @asynccontextmanager
    async def writing(self):
        self.writes += 1
        yield self

    async def ask(self, *_, **__):
        await self.gate.wait()


async def test_a_repeat_that_comes_once_the_first_is_being_written_is_written_itself(clock):
    storage = SlowWrites()
    asking, wish = Asking(storage, clock), Wish("shop", order_key("OW1"), Source.ORDER)
    first = asyncio.create_task(asking.ask(wish))
    await settle()
    second = asyncio.create_task(asking.ask(wish))
    await settle()
    assert storage.writes == 2
    storage.gate.set()
    assert await asyncio.gather(first, second) == [None, None]


async def test_repeats_while_nobody_polls_are_one_look(api, hint, hinted):
    await api.post("/v1/watches", {"order_id": "OW1"})
    for _ in range(20):
        await asyncio.gather(*(hint() for _ in range(20)))
    async with polling(hinted) as upstream:
        upstream.source.put("OW1", "CHARGED")
        await upstream.quiet()
        assert upstream.looks == 1


async def test_a_settled_order_is_looked_at_again(api, hint, seen):
    seen.source.put("OW1", "AUTO_REFUNDED")
    await hint()
    await seen.quiet()
    while (await api.get("/v1/watches/OW1")).body["state"] != WatchState.SETTLED:
        await seen.pass_time(14_400, step=3600)
    looks = seen.looks
    assert await hint() == "polled"
    await seen.quiet()
    assert seen.looks == looks + 1
    assert (await api.get("/v1/watches/OW1")).body["state"] == WatchState.ACTIVE


async def test_a_paused_order_is_not_looked_at_until_it_is_resumed(api, hint, seen):
    await api.patch("/v1/watches/OW1", {"state": "paused"})
    assert await hint() == "remembered"
    await seen.pass_time(5)
    assert seen.looks == 1
    await api.patch("/v1/watches/OW1", {"state": "active"})
    await seen.quiet()
    assert seen.looks == 2


async def test_an_order_that_a_hint_registered_is_looked_at_and_told(api, hint, upstream):
    upstream.source.put("OW7", "CHARGED")
    assert await hint("OW7") == "registered"
    await upstream.quiet()
    assert upstream.source.asked == ["OW7"]
    (event,) = (await api.get("/v1/events")).body["items"]
    assert (event["type"], event["data"]["initial"]) == ("order.charged", True)


async def test_a_wish_whose_order_is_gone_and_one_that_cannot_be_written_are_forgotten(hinted, failing):
    wish = Wish("shop", order_key("OW1"), Source.ORDER)
    assert await Asking(hinted.storage, hinted.clock).ask(wish) is None
    asking = Asking(failing, hinted.clock)
    for _ in range(2):
        with pytest.raises(StorageError, match="cannot open"):
            await asking.ask(wish)
    await asyncio.sleep(0)
    assert asking._waiting == {}

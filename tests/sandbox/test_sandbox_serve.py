import asyncio

import aiohttp
import pytest

from notifier.sandbox.serve import Settings, running


async def test_everything_listens_on_loopback_and_on_ports_of_its_own():
    async with running() as world:
        ports = {int(url.rsplit(":", 1)[1]) for url in (world.upstream_url, world.receiver_url)}
        assert len(ports | {world.smtp_port}) == 3
        assert world.upstream_url.startswith("http://127.0.0.1:")
        assert world.smtp_host == "127.0.0.1"


async def test_the_doors_close_when_the_block_ends():
    async with running() as world:
        pass
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(world.upstream_url + "/sandbox/orders")
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(world.smtp_host, world.smtp_port)


async def test_a_taken_port_leaves_nothing_open(clock):
    async with running(clock=clock) as world:
        port = int(world.receiver_url.rsplit(":", 1)[1])
        with pytest.raises(OSError, match="address already in use"):
            async with running(Settings(receiver_port=port), clock=clock):
                pass


async def test_the_settings_reach_the_sandbox(clock, merchant):
    settings = Settings(merchant_id="othermart", key="k", speed=60, seed=4)
    async with running(settings, clock=clock) as world:
        other = type(merchant)(merchant.session, world)
        assert (await other.get("/orders/A"))[0] == 401
        world.sandbox.create("A", script="charged")
        await clock.advance(1)
        order = world.sandbox.find("a")
        body = world.sandbox.order_body(order, world.sandbox.age_s(order))
        assert (body["merchant_id"], body["status"]) == ("othermart", "CHARGED")

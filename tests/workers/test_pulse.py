"""The sign of life to a watchdog: sent while all is well, withheld when it is not, and never naming its address."""

from contextlib import AsyncExitStack

import pytest
import structlog
from aiohttp import web
from aiohttp.test_utils import TestServer

from notifier.app.outward import watchdog, watchdog_problems
from notifier.config.load import load
from notifier.domain.delivery import Outcome, Reason, Verdict
from notifier.errors import ConfigError, StorageError
from notifier.workers.pulse import Pulse
from support.fakes import ACCEPTED


class Door:
    """Counts who knocks."""

    def __init__(self):
        self.outcome = ACCEPTED
        self.knocks = 0

    async def __call__(self):
        self.knocks += 1
        return self.outcome


@pytest.fixture
def door():
    return Door()


@pytest.fixture
def loops():
    return {"poller": True, "deliverer": True}


@pytest.fixture
def pulse(house, door, loops):
    return Pulse(
        storage=house.storage,
        clock=house.clock,
        metrics=house.metrics,
        accounts=("shop",),
        liveness=lambda: loops,
        knock=door,
        every_s=60,
    )


def count(house, outcome):
    return house.metrics.registry.get_sample_value("notifier_heartbeats_total", {"outcome": outcome}) or 0


async def test_a_working_daemon_knocks(house, pulse, door):
    await house.watch("OW1")
    await house.clock.advance(899)
    await pulse.beat()
    assert (door.knocks, count(house, "sent")) == (1, 1)


async def test_orders_due_for_hopelessly_long_silence_it(house, pulse, door):
    await house.watch("OW1")
    await house.clock.advance(901)
    await pulse.beat()
    assert (door.knocks, count(house, "withheld")) == (0, 1)


async def test_a_dead_loop_silences_it(house, pulse, door, loops):
    loops["deliverer"] = False
    await pulse.beat()
    assert (door.knocks, count(house, "withheld")) == (0, 1)


async def test_a_database_that_takes_no_writes_silences_it(house, pulse, door, monkeypatch):
    def full():
        raise StorageError("disk full")

    monkeypatch.setattr(house.storage, "writing", full)
    await pulse.beat()
    assert (door.knocks, count(house, "withheld")) == (0, 1)


async def test_a_deaf_watchdog_is_logged_and_counted(house, pulse, door):
    door.outcome = Outcome(verdict=Verdict.RETRY, reason=Reason.TIMEOUT)
    with structlog.testing.capture_logs() as lines:
        await pulse.beat()
    assert count(house, "failed") == 1
    assert [(line["event"], line["reason"]) for line in lines] == [("heartbeat.failed", "timeout")]


@pytest.fixture
async def outside():
    """A watchdog on loopback that remembers what it was sent."""
    heard = []

    async def hear(request):
        heard.append((request.method, request.path, await request.read()))
        return web.Response()

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", hear)
    async with TestServer(app) as server:
        yield server, heard


def configured(tmp_path, url, text=""):
    file = tmp_path / "config.toml"
    account = '[accounts.shop]\nmerchant_id = "m"\napi_key_env = "KEY"\n'
    file.write_text(f'{account}[operators]\nheartbeat_url_env = "WATCHDOG"\n{text}')
    return load(file, {"WATCHDOG": str(url), "KEY": "k"})


async def test_the_watchdog_is_reached_through_the_guarded_door(tmp_path, house, outside):
    server, heard = outside
    url = server.make_url("/ping/secret-uuid")
    allowed = f'[delivery]\nallowed_targets = ["127.0.0.1:{server.port}"]\n'
    async with AsyncExitStack() as stack:
        knock = watchdog(configured(tmp_path, url, allowed), house.clock, stack)
        assert (await knock()).verdict is Verdict.ACCEPTED
    assert heard == [("POST", "/ping/secret-uuid", b"")]


async def test_an_address_that_may_not_be_called_is_refused_at_the_start_without_naming_it(
    tmp_path, house, outside
):
    server, heard = outside
    config = configured(tmp_path, server.make_url("/ping/secret-uuid"))
    async with AsyncExitStack() as stack:
        with pytest.raises(ConfigError) as refused:
            watchdog(config, house.clock, stack)
    (problem,) = watchdog_problems(config)
    assert problem.path == "operators.heartbeat_url"
    assert "secret-uuid" not in str(refused.value) + problem.message
    assert heard == []


async def test_without_an_address_nobody_is_told(tmp_path, house):
    file = tmp_path / "config.toml"
    file.write_text("")
    async with AsyncExitStack() as stack:
        assert watchdog(load(file, {}), house.clock, stack) is None


async def test_its_address_stands_in_no_line_of_the_log(tmp_path, house, loops):
    url = "http://127.0.0.1:1/ping/secret-uuid"
    config = configured(tmp_path, url, '[delivery]\nallowed_targets = ["127.0.0.1"]\n')
    async with AsyncExitStack() as stack:
        pulse = Pulse(
            storage=house.storage,
            clock=house.clock,
            metrics=house.metrics,
            accounts=("shop",),
            liveness=lambda: loops,
            knock=watchdog(config, house.clock, stack),
            every_s=60,
        )
        with structlog.testing.capture_logs() as lines:
            await pulse.beat()
    assert [line["event"] for line in lines] == ["heartbeat.failed"]
    assert "secret-uuid" not in str(lines)

"""The daemon as a process: killed, told to stop, told twice, and run without an account."""

import asyncio
import re
from collections import Counter, defaultdict
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest
from acceptance_home import KEY, PATIENCE_S, client, eventually, started
from aiohttp import web

from notifier.domain.order import Phase, phase_of
from notifier.sandbox.lives.scenario import Step
from notifier.sandbox.receiver import Failure, Misconduct
from notifier.sandbox.serve import serving

ORDERS = [f"JP{n:02}" for n in range(30)]
IN_FLIGHT = 3
"""Requests that the receiver has and does not answer when the daemon is killed."""
QUICK = 10
ENDS = ("CHARGED", "AUTHORIZATION_FAILED")


def open_orders(world, *, pace_s=0.4):
    """Open orders that move every so often, one after the other, through five states."""
    ends = {}
    for n, order_id in enumerate(ORDERS):
        ends[order_id] = ENDS[n % 5 == 4]
        words = ("NEW", "PENDING_VBV", "AUTHORIZING", "AUTHORIZED", ends[order_id])
        steps = [Step(at_s=pace_s * (k + n / len(ORDERS)), status=word) for k, word in enumerate(words)]
        world.sandbox.create(order_id, steps=steps)
    return ends


async def register_all(rest):
    for order_id in ORDERS:
        await rest.register(order_id)


def callbacks(world):
    return list(world.receiver.callbacks)


async def seen(world):
    """Return how many callbacks came in on each path."""
    return Counter(each.path for each in callbacks(world))


@pytest.mark.parametrize("seen_before_the_kill", [20, 50])
async def test_a_daemon_killed_under_load_tells_everything_it_saw_once_it_runs_again(
    home, world, seen_before_the_kill
):
    home.settings = {"DELIVERY__TIMEOUT_S": "60"}
    async with home.process() as daemon:
        await daemon.subscribe()
        for order_id in ORDERS[:IN_FLIGHT]:
            only = {"path": "data.order_id", "op": "eq", "value": order_id}
            world.receiver.fail(Failure(kind=Misconduct.HANG, path=f"/hangs/{order_id}", count=None))
            await daemon.subscribe(f"/hangs/{order_id}", filter={"all": [only]})
        ends = open_orders(world)
        await register_all(daemon)
        await eventually(
            lambda: seen(world),
            until=lambda paths: paths["/callbacks"] >= seen_before_the_kill and len(paths) == 1 + IN_FLIGHT,
        )
        await daemon.kill()
        assert daemon.stderr == ""
    before_the_kill = len(callbacks(world))
    world.receiver.recover()

    async with home.process() as daemon:
        for order_id, word in ends.items():
            await daemon.told(f"order.{word.lower()}", order_id)
        deliveries = await daemon.all_delivered()
        events = await daemon.items("/v1/events")
        snapshots = {order_id: await daemon.items(f"/v1/orders/{order_id}/snapshots") for order_id in ORDERS}
        tries = [await daemon.call("GET", f"/v1/deliveries/{each['id']}") for each in deliveries]
        daemon.terminate()
        assert await daemon.ended(PATIENCE_S) == 0
        assert daemon.stderr == ""

    got = callbacks(world)
    assert len(got) > before_the_kill
    assert all(each.verified for each in got)
    assert {each.event_id for each in got} == {event["id"] for event in events}
    assert all(len(bodies) == 1 for bodies in _bodies(got).values())
    _every_state_stored_was_told(got, snapshots, ends)
    _only_attempts_in_flight_are_repeated(got, tries)
    _no_number_is_missing(got, deliveries)


def _bodies(got):
    bodies = defaultdict(set)
    for each in got:
        bodies[each.event_id].add(each.body)
    return bodies


def _every_state_stored_was_told(got, snapshots, ends):
    told = defaultdict(list)
    for each in got:
        data = each.json()["data"]
        if (
            each.event_type == f"order.{data['current'].lower()}"
            and data["current"] not in told[data["order_id"]]
        ):
            told[data["order_id"]].append(data["current"])
    for order_id, stored in snapshots.items():
        words = [each["order"]["status"] for each in stored]
        assert told[order_id] == [words[0], *(b for a, b in pairwise(words) if a != b)]
        assert words[-1] == ends[order_id]
        assert phase_of(words[-1]) is not Phase.OPEN


def _only_attempts_in_flight_are_repeated(got, deliveries):
    """Whoever was asked twice was asked by an attempt whose answer nobody lived to hear."""
    asked = Counter((each.headers["notifier-subscription"], each.event_id) for each in got)
    for each in deliveries:
        reasons = [attempt["reason"] for attempt in each["attempts"]]
        times = asked[each["subscription"], each["event_id"]]
        assert reasons == ["no_outcome"] * (len(reasons) - 1) + ["accepted"]
        assert 1 <= times <= len(reasons) == each["attempt_count"]
    hung = Counter(each.event_id for each in got if each.path.startswith("/hangs"))
    assert sum(times == 2 for times in hung.values()) == IN_FLIGHT


def _no_number_is_missing(got, deliveries):
    numbers = defaultdict(set)
    for each in got:
        numbers[each.headers["notifier-subscription"]].add(int(each.headers["notifier-sequence"]))
    owed = Counter(each["subscription"] for each in deliveries)
    assert numbers == {subscription: set(range(1, count + 1)) for subscription, count in owed.items()}


@asynccontextmanager
async def slow_receiver(gate):
    """Accept a few at once, so that it is sent many, then only when the gate is open; yields the ids asked with."""
    asked = []

    async def answer(request):
        asked.append(request.headers["webhook-id"])
        if len(asked) > QUICK:
            await gate.wait()
        return web.Response(status=204)

    app = web.Application()
    app.router.add_post("/slow", answer)
    async with serving(app) as url:
        yield f"{url}/slow", asked


async def test_sigterm_under_load_brings_home_what_is_in_flight_and_exits_0(home, world):
    gate = asyncio.Event()
    async with slow_receiver(gate) as (target, asked), home.process() as daemon:
        body = {"channel": "webhook", "target": target, "events": ["*"]}
        await daemon.call("POST", "/v1/subscriptions", body)
        open_orders(world, pace_s=0.2)
        await register_all(daemon)
        await eventually(lambda: asyncio.sleep(0, len(asked)), until=lambda count: count >= QUICK + 5)
        daemon.terminate()
        await eventually(daemon.stops_listening, until=bool)
        gate.set()
        assert await daemon.ended(5) == 0
        assert daemon.stderr == ""
        in_flight = set(asked)
        assert len(in_flight) == len(asked)

        async with home.process() as again:
            await again.all_delivered()
    assert all(asked.count(event_id) == 1 for event_id in in_flight)


async def test_sigterm_does_not_wait_beyond_its_grace_for_a_receiver_that_hangs(home, world):
    home.settings = {"SERVER__SHUTDOWN_GRACE_S": "0.5"}
    world.receiver.fail(Failure(kind=Misconduct.HANG, count=None))
    world.sandbox.create("JP1", steps=())
    async with home.process() as daemon:
        await daemon.subscribe()
        await daemon.register("JP1")
        await daemon.told("order.new")
        daemon.terminate()
        assert await daemon.ended(3) == 0
        assert "Traceback" not in daemon.stderr

    world.receiver.recover()
    async with home.process() as daemon:
        (delivery,) = await daemon.all_delivered()
        tries = (await daemon.call("GET", f"/v1/deliveries/{delivery['id']}"))["attempts"]
        assert [each["reason"] for each in tries] == ["no_outcome", "accepted"]


async def test_a_second_signal_stops_at_once(home, world):
    home.settings = {"SERVER__SHUTDOWN_GRACE_S": "60"}
    world.receiver.fail(Failure(kind=Misconduct.HANG, count=None))
    world.sandbox.create("JP1", steps=())
    async with home.process() as daemon:
        await daemon.subscribe()
        await daemon.register("JP1")
        await daemon.told("order.new")
        daemon.terminate()
        await eventually(daemon.stops_listening, until=bool)
        assert daemon.process.returncode is None
        daemon.terminate()
        assert await daemon.ended(2) == 0
        assert "Traceback" not in daemon.stderr


async def test_without_an_account_the_sandbox_runs_and_says_so(tmp_path):
    (tmp_path / "config.toml").write_text("[server]\nport = 0\n")
    async with started("run", directory=tmp_path, environ={}) as (process, errors):
        lines = []
        async with asyncio.timeout(30):
            async for raw in process.stdout:
                lines.append(raw.decode())
                if re.match(r"callback .* signature verified$", lines[-1].strip()):
                    break
        assert "SANDBOX" in "".join(lines[:2])
        url = next(line.split()[1] for line in lines if line.split()[:1] == ["REST"])
        key = (tmp_path / "notifier-sandbox.db.api-key").read_text()
        async with client(key) as http, http.get(f"{url}/v1/events") as answer:
            events = (await answer.json())["items"]
        assert events
        assert not any(event["livemode"] for event in events)
        process.terminate()
        output, _ = await asyncio.wait_for(process.communicate(), PATIENCE_S)
        assert process.returncode == 0, output
        assert "NOT VERIFIED" not in "".join(lines) + output.decode()
        assert "Traceback" not in errors.read_text()


async def test_a_named_account_without_its_key_is_wrong_use_and_never_the_sandbox(home):
    config = home.write_config()
    async with started("run", directory=home.directory, environ={"NOTIFIER_API_KEY": KEY}) as (
        process,
        errors,
    ):
        output, _ = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    assert process.returncode == 2
    assert errors.read_text().startswith("notifier: accounts.shop.api_key_env")
    assert output == b""
    assert {path.name for path in config.parent.iterdir()} == {"config.toml", "stderr"}

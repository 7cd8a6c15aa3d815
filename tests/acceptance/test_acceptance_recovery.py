"""A receiver that was down for too long gets all of it, in a running daemon and across a kill; and the audit agrees."""

import asyncio
import json
from contextlib import suppress

from acceptance_home import eventually, ran

from notifier.sandbox.receiver import Failure

LIFE = ("NEW", "PENDING_VBV", "CHARGED")


async def live(rest, world, order_id):
    """Let an order live through its states, one poll each."""
    order = world.sandbox.create(order_id, steps=())
    await rest.register(order_id)
    for version, status in enumerate(LIFE, start=1):
        if status != "NEW":
            order = world.sandbox.force(order, status=status)
        await eventually(
            lambda: rest.watched(order_id), until=lambda watch, least=version: watch["version"] >= least
        )


def at(world, path):
    return [each for each in world.receiver.callbacks if each.path == path]


async def replayed(rest, replay_id):
    return await eventually(
        lambda: rest.call("GET", f"/v1/replays/{replay_id}"),
        until=lambda shown: shown["state"] == "done" and shown["pending"] == 0,
    )


async def test_what_a_dead_receiver_missed_is_sent_again_signed_anew_with_the_same_bytes(shop, world):
    down = await shop.subscribe("/down", "order.*", schedule=[0.1])
    world.receiver.fail(Failure(status=404, path="/down", count=None))
    await live(shop, world, "JP1")
    ended = await shop.all_delivered(subscription=down)
    assert {(each["state"], each["reason"]) for each in ended} == {("failed", "exhausted")}
    first = {each.event_id: each for each in at(world, "/down")}
    world.receiver.recover()
    heard = len(at(world, "/down"))

    ask = {"since": 0, "states": ["failed"]}
    counted = await shop.call("POST", f"/v1/subscriptions/{down}/replay", ask | {"dry_run": True})
    assert (counted["id"], counted["matched"]) == (None, 3)
    begun = await shop.call("POST", f"/v1/subscriptions/{down}/replay", ask, status=202)
    shown = await replayed(shop, begun["id"])
    assert (shown["matched"], shown["made"], shown["delivered"], shown["failed"]) == (3, 3, 3, 0)

    again = at(world, "/down")[heard:]
    assert [each.event_type for each in again] == ["order.new", "order.pending_vbv", "order.charged"]
    for each in again:
        before = first[each.event_id]
        assert each.verified
        assert each.body == before.body
        assert each.headers["notifier-sequence"] == before.headers["notifier-sequence"]
        assert (each.headers["notifier-replay"], each.headers["notifier-attempt"]) == (begun["id"], "1")
        assert "notifier-replay" not in before.headers


async def test_a_subscription_from_the_past_is_told_everything_once(shop, world):
    await live(shop, world, "JP1")
    late = await shop.subscribe("/late", "order.*", since=0)
    await live(shop, world, "JP2")
    await eventually(
        lambda: shop.items("/v1/deliveries", subscription=late, state="delivered"),
        until=lambda items: len(items) == 6,
    )
    logged = await shop.items("/v1/events")
    told = at(world, "/late")
    assert sorted(each.event_id for each in told) == sorted(each["id"] for each in logged)
    assert {each.headers.get("notifier-replay", "live")[:4] for each in told} == {"rpl_", "live"}


async def test_a_table_that_begins_in_the_past_is_told_of_it_once(home, world):
    async with home.running() as shop:
        await live(shop, world, "JP1")
    home.more = (
        '[subscriptions.late]\nchannel = "webhook"\nevents = ["order.*"]\nsince = 2020-01-01T00:00:00Z\n'
        f'target = "{world.receiver_url}/table"\n'
    )
    for _ in range(2):
        async with home.running() as shop:
            await eventually(
                lambda rest=shop: rest.items("/v1/deliveries", state="delivered"),
                until=lambda items: len(items) == 3,
            )
    assert len(at(world, "/table")) == 3


async def test_a_signed_heartbeat_says_how_far_a_receiver_should_be(home, world):
    home.settings = {"DELIVERY__HEARTBEAT_S": "1"}
    async with home.running() as shop:
        await shop.subscribe("/hook", "order.*", "heartbeat")
        await live(shop, world, "JP1")
        await shop.told("order.charged", path="/hook")

        def is_after_all(got):
            return got.event_type == "heartbeat" and got.json()["data"]["backlog"]["last_sequence"] >= 3

        beat = await world.receiver.wait_for(is_after_all, 20)
    assert beat.verified
    data = beat.json()["data"]
    assert (data["subject"], data["backlog"]["owed"], data["backlog"]["unnumbered"]) == ("heartbeat", [], 0)
    numbers = {int(each.headers["notifier-sequence"]) for each in at(world, "/hook")}
    assert numbers >= set(range(1, data["backlog"]["last_sequence"] + 1))


async def test_a_kill_in_the_middle_of_a_replay_loses_and_repeats_nothing(home, world):
    async with home.process() as first:
        held = await first.subscribe("/held", "order.*")
        await first.call("POST", f"/v1/subscriptions/{held}/pause")
        async with asyncio.TaskGroup() as lives:
            for number in range(15):
                lives.create_task(live(first, world, f"JP{number}"))
        await first.call("POST", f"/v1/subscriptions/{held}/disable")
        await first.call("POST", f"/v1/subscriptions/{held}/enable", {"held": "drop"})
        begun = await first.call("POST", f"/v1/subscriptions/{held}/replay", {"since": 0}, status=202)
        assert begun["matched"] == 45
        await eventually(
            lambda: first.call("GET", f"/v1/replays/{begun['id']}"), until=lambda shown: shown["made"] > 0
        )
        await first.kill()
    async with home.process() as second:
        shown = await replayed(second, begun["id"])
        assert (shown["made"], shown["delivered"]) == (45, 45)
        deliveries = await second.items("/v1/deliveries", subscription=held, state="delivered")
        assert len({each["event_id"] for each in deliveries}) == len(deliveries) == 45
        second.terminate()
        with suppress(TimeoutError):
            await second.ended(10)
    status, output, errors = await ran(
        "db", "audit", "--json", directory=home.directory, environ=home.environ
    )
    assert (status, json.loads(output)["findings"]) == (0, []), errors

"""An upstream that misbehaves: nothing is told that did not happen, the reason stands in the watch, nothing is lost."""

import pytest
from acceptance_home import eventually
from acceptance_upstream import canned, paid

from notifier.sandbox.faults import Fault, FaultKind

ODD_ID = "JP/42 Ωé🙂 100%2F?#&=;{x}:@"

SAID = {
    FaultKind.NON_JSON: "malformed",
    FaultKind.OUTAGE: "server_error",
    FaultKind.BROKEN: "server_error",
    FaultKind.ERROR_200: "server_error",
    FaultKind.CUT: "connection",
    FaultKind.WRONG_ORDER: "other_order",
    FaultKind.NOT_FOUND: "not_found",
    FaultKind.NOT_FOUND_LEGACY: "not_found",
    FaultKind.NOT_FOUND_200: "not_found",
    FaultKind.THROTTLED: "rate_limited",
}


async def failed(shop, order_id, reason):
    """Wait until the watch shows that its last look failed, and why; return the watch."""
    return await eventually(lambda: shop.watched(order_id), until=lambda watch: watch["last_error"] == reason)


@pytest.mark.parametrize("kind", SAID)
async def test_a_bad_answer_is_no_event_and_what_it_hid_is_told_by_the_next(shop, world, kind):
    await shop.subscribe()
    order = world.sandbox.create("JP1", steps=())
    await shop.register("JP1")
    await shop.told("order.new")
    world.sandbox.faults.add(Fault(kind=kind))
    watch = await failed(shop, "JP1", SAID[kind])
    assert (watch["state"], watch["status"], watch["failures"]) == ("active", "NEW", 1)
    world.sandbox.force(order, status="CHARGED")
    assert await shop.types() == ["order.new"]

    await shop.hurry("JP1")
    await shop.told("order.charged")
    watch = await shop.watched("JP1")
    assert (watch["last_error"], watch["failures"]) == (None, 0)
    assert await shop.types() == ["order.new", "order.charged"]


async def test_one_bad_order_does_not_disturb_the_others(shop, world):
    await shop.subscribe()
    world.sandbox.create("bad", steps=())
    good = world.sandbox.create("good", steps=())
    world.sandbox.faults.add(Fault(kind=FaultKind.NON_JSON, order_id="bad", count=None))
    for order_id in ("bad", "good"):
        await shop.register(order_id)
    await failed(shop, "bad", "malformed")
    await shop.told("order.new", "good")
    world.sandbox.force(good, status="CHARGED")
    await shop.told("order.charged", "good")
    assert await shop.types() == ["order.new", "order.charged"]


async def test_an_upstream_that_keeps_failing_is_told_once_and_its_recovery_too(shop, world):
    await shop.subscribe("/ops", "source.*")
    world.sandbox.faults.add(Fault(kind=FaultKind.OUTAGE, count=None))
    for n in range(6):
        world.sandbox.create(f"JP{n}", steps=())
        await shop.register(f"JP{n}")
    failing = await shop.told("source.failing", path="/ops")
    assert failing.json()["data"]["current"] == "server_error"
    world.sandbox.faults.clear()
    await shop.hurry("JP0")
    await shop.told("source.recovered", path="/ops")
    assert shop.types_told("/ops") == ["source.failing", "source.recovered"]


async def test_an_order_that_is_not_there_yet_gets_grace_and_is_told_when_it_comes(shop, world):
    await shop.subscribe("/callbacks", "*", "watch.*")
    await shop.register("JP1")
    watch = await failed(shop, "JP1", "not_found")
    assert (watch["state"], watch["next_poll_why"]) == ("active", "not_found_grace")
    assert await shop.types() == []
    world.sandbox.create("JP1", steps=())
    await shop.hurry("JP1")
    await shop.told("order.new")
    assert await shop.types() == ["order.new"]


async def test_an_order_that_never_comes_is_told_as_not_found_when_its_grace_is_over(
    shop, world, monkeypatch
):
    monkeypatch.setattr("notifier.domain.cadence.plan._NOT_FOUND_GRACE_S", 0.0)
    await shop.subscribe("/callbacks", "watch.*")
    await shop.register("JP1")
    await shop.told("watch.not_found", "JP1")
    assert (await shop.watched("JP1"))["state"] == "not_found"

    world.sandbox.create("JP1", steps=())
    await shop.register("JP1")
    await eventually(shop.types, until=lambda types: types == ["watch.not_found", "order.new"])


async def test_an_odd_order_id_goes_whole_from_rest_through_the_upstream_to_the_callback(home):
    async with canned() as upstream:
        home.settings = {"ACCOUNTS__SHOP__BASE_URL": upstream.url}
        async with home.running() as shop:
            await shop.subscribe()
            await shop.register(ODD_ID)
            got = await shop.told("order.charged", ODD_ID)
            shown = await shop.watched(ODD_ID)
    assert shown["order_id"] == got.json()["data"]["order_id"] == ODD_ID
    assert set(upstream.paths) == {
        "/orders/JP%2F42%20%CE%A9%C3%A9%F0%9F%99%82%20100%252F%3F%23%26%3D%3B%7Bx%7D%3A%40"
    }


async def test_an_answer_beyond_the_limit_is_not_read_and_the_order_not_lost(home):
    async with canned() as upstream:
        upstream.bodies["JP1"] = paid("JP1", padding="x" * (2 << 20))
        home.settings = {"ACCOUNTS__SHOP__BASE_URL": upstream.url}
        async with home.running() as shop:
            await shop.subscribe()
            await shop.register("JP1")
            await failed(shop, "JP1", "too_large")
            assert await shop.types() == []
            upstream.bodies["JP1"] = paid("JP1", padding="x" * 1000)
            await shop.hurry("JP1")
            await shop.told("order.charged")


async def test_members_of_any_type_do_not_stop_the_order(home):
    async with canned() as upstream:
        odd = {"refunds": 7, "txn_list": {"a": [1]}, "offers": [[], None, 3], "mandate": [], "upi": "x"}
        upstream.bodies["JP1"] = paid("JP1", **odd, amount_refunded="many", txn_detail=[1])
        home.settings = {"ACCOUNTS__SHOP__BASE_URL": upstream.url}
        async with home.running() as shop:
            await shop.subscribe()
            await shop.register("JP1")
            got = await shop.told("order.charged")
            assert got.json()["data"]["order"]["amount"] == "386.00"
            await shop.good_looks("JP1", 2)
            assert await shop.types() == ["order.charged"]

import asyncio

import pytest

from support.clock import settle


async def test_an_order_needs_nothing_to_be_opened(merchant):
    status, line = await merchant.post("/sandbox/orders", json={})
    assert (status, line["status"]) == (201, "NEW")
    assert await merchant.status(line["order_id"]) == "NEW"


async def test_orders_are_listed(merchant, clock):
    await merchant.post("/sandbox/orders", json={"order_id": "A", "script": "charged"})
    await merchant.post("/sandbox/orders", json={"order_id": "B", "script": "random"})
    await clock.advance(46)
    _, listing = await merchant.get("/sandbox/orders")
    assert [line["order_id"] for line in listing["items"]] == ["A", "B"]
    assert (listing["items"][0]["status"], listing["items"][0]["age_s"]) == ("CHARGED", 46)


async def test_steps_are_the_script(merchant, clock):
    steps = [{"at_s": 1, "status": "PENDING_VBV"}, {"at_s": 2, "status": "TO_BE_CHARGED"}]
    await merchant.post("/sandbox/orders", json={"order_id": "A", "steps": steps})
    await clock.advance(1)
    assert await merchant.status("A") == "PENDING_VBV"
    await clock.advance(1)
    _, body = await merchant.get("/orders/A")
    assert (body["status"], body["status_id"]) == ("TO_BE_CHARGED", 0)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"script": "no such"}, "script"),
        ({"amount": "ten"}, ""),
        ({"amount": "1.005"}, "amount"),
        ({"steps": [{"at_s": -1}]}, ""),
        ({"scrpt": "charged"}, ""),
    ],
)
async def test_a_bad_order_is_refused_with_its_reason(merchant, body, field):
    status, problem = await merchant.post("/sandbox/orders", json=body)
    assert (status, problem["field"]) == (422, field)
    assert problem["message"]


async def test_a_status_is_forced_by_hand(merchant, clock):
    await merchant.post("/sandbox/orders", json={"order_id": "A", "script": "charged"})
    await clock.advance(20)
    status, line = await merchant.post("/sandbox/orders/a/status", json={"status": "AUTHENTICATION_FAILED"})
    assert (status, line["status"]) == (200, "AUTHENTICATION_FAILED")
    await clock.advance(1000)
    assert await merchant.status("A") == "AUTHENTICATION_FAILED"


async def test_a_mandate_is_paused_by_hand(merchant, clock):
    await merchant.post("/sandbox/orders", json={"order_id": "A", "script": "mandate"})
    await clock.advance(200)
    await merchant.post("/sandbox/orders/A/status", json={"mandate_status": "PAUSED"})
    _, body = await merchant.get("/orders/A")
    assert (body["status"], body["mandate"]["mandate_status"]) == ("CHARGED", "PAUSED")


async def test_a_refund_ends_as_it_is_told(merchant, clock):
    await merchant.post("/sandbox/orders", json={"order_id": "A", "amount": 100, "script": "charged"})
    await clock.advance(60)
    refund = {"amount": 40, "unique_request_id": "R1", "outcome": "failure"}
    status, _ = await merchant.post("/sandbox/orders/A/refunds", json=refund)
    assert status == 201
    await clock.advance(5000)
    _, body = await merchant.get("/orders/A")
    assert (body["refunds"][0]["status"], body["amount_refunded"]) == ("FAILURE", 0)


@pytest.mark.parametrize("path", ["status", "refunds"])
async def test_controls_of_an_unknown_order_are_not_found(merchant, path):
    body = {"status": "CHARGED"} if path == "status" else {"amount": 1, "unique_request_id": "R1"}
    status, problem = await merchant.post(f"/sandbox/orders/NONE/{path}", json=body)
    assert (status, problem["code"]) == (404, "not_found")


async def test_the_oldest_finished_order_makes_room(world, clock):
    sandbox = world.sandbox
    sandbox._keep = 3
    sandbox.create("long", script="authorizing")
    sandbox.create("short", script="charged")
    sandbox.create("other", script="charged")
    await clock.advance(100)
    sandbox.create("new")
    assert [order.life.order_id for order in sandbox] == ["long", "other", "new"]


async def test_when_nothing_is_finished_the_oldest_goes(world):
    world.sandbox._keep = 2
    for order_id in ("a", "b", "c"):
        world.sandbox.create(order_id, script="authorizing")
    assert [order.life.order_id for order in world.sandbox] == ["b", "c"]


async def test_the_sandbox_populates_itself_and_tells_of_each_order(world, clock):
    told = []

    async def tell(order_id):
        told.append(order_id)

    task = asyncio.create_task(world.sandbox.keep_populated(tell, every_s=4))
    await settle()
    assert len(told) == 1
    await clock.advance(60)
    task.cancel()
    assert 8 < len(told) < 32
    assert len(set(told)) == len(told)
    assert all(world.sandbox.find(order_id) for order_id in told)
    with pytest.raises(asyncio.CancelledError):
        await task

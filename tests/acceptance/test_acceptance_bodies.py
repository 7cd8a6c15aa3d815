"""Callbacks in other shapes than our own: as Juspay's webhooks, and as CloudEvents."""

from base64 import b64decode

from acceptance_home import eventually

BASIC = {"username": "juspay", "password": "s3cret-of-the-shop"}


async def callbacks(world, path):
    return [got for got in world.receiver.callbacks if got.path == path]


async def test_a_handler_of_juspays_webhooks_gets_one_callback_a_snapshot(shop, world):
    await shop.subscribe(
        "/juspay", "*", template="juspay", basic_auth=BASIC, headers={"X-Shop-Key": "header-of-the-shop"}
    )
    await shop.subscribe("/ours", "*")
    order = world.sandbox.create("JP1", amount=38_650, steps=())
    await shop.register("JP1")
    await shop.told("order.new", path="/ours")
    order = world.sandbox.force(order, status="PENDING_VBV")
    await shop.told("order.pending_vbv", path="/ours")
    world.sandbox.force(order, status="CHARGED")
    await shop.told("order.charged", path="/ours")
    await shop.all_delivered()

    got = await callbacks(world, "/juspay")
    bodies = [each.json() for each in got]
    assert [body["event_name"] for body in bodies] == ["ORDER_CREATED", "ORDER_SUCCEEDED"]
    paid = bodies[1]["content"]["order"]
    assert (paid["order_id"], paid["status"], paid["status_id"], paid["amount"]) == (
        "JP1",
        "CHARGED",
        21,
        386.5,
    )
    assert {paid["customer_email"], paid["return_url"], paid["txn_detail"]["redirect"]} == {"FILTERED"}
    assert all(each.verified for each in got)
    assert {each.headers["x-shop-key"] for each in got} == {"header-of-the-shop"}
    given = {b64decode(each.headers["authorization"].removeprefix("Basic ")).decode() for each in got}
    assert given == {"juspay:s3cret-of-the-shop"}


async def test_a_test_of_such_a_subscription_is_sent_in_its_shape(shop, world):
    made = await shop.subscribe("/juspay", "order.*", template="juspay")
    await shop.call("POST", f"/v1/subscriptions/{made}/test")
    (got,) = await eventually(lambda: callbacks(world, "/juspay"), until=lambda seen: len(seen) == 1)
    assert (got.json()["event_name"], got.json()["content"]) == ("TEST_PING", {})


async def test_a_cloud_event_says_what_the_event_says(shop, world):
    await shop.subscribe("/cloud", "order.*", template="cloudevents")
    world.sandbox.create("JP1", steps=())
    await shop.register("JP1")
    (got,) = await eventually(lambda: callbacks(world, "/cloud"), until=lambda seen: len(seen) == 1)
    event = got.json()
    assert got.verified
    assert got.headers["content-type"] == "application/cloudevents+json"
    assert (event["type"], event["subject"], event["id"]) == ("order.new", "JP1", got.headers["webhook-id"])
    assert event["data"] == (await shop.items("/v1/events"))[0]["data"]


async def test_a_template_that_was_handed_in_outlives_the_daemon(home, world):
    home.settings = {"TEMPLATES__OVER_REST": "true"}
    template = {"channel": "webhook", "parts": {"json": '{"said": {{ data.current | json }}}'}}
    async with home.running() as shop:
        await shop.call("PUT", "/v1/templates/mine", template, status=201)
        await shop.subscribe("/mine", "order.*", template="mine")
        order = world.sandbox.create("JP1", steps=())
        await shop.register("JP1")
        await eventually(lambda: callbacks(world, "/mine"), until=lambda seen: len(seen) == 1)
    world.sandbox.force(order, status="CHARGED")
    async with home.running():
        got = await eventually(lambda: callbacks(world, "/mine"), until=lambda seen: len(seen) == 2)

    assert [each.json() for each in got] == [{"said": "NEW"}, {"said": "CHARGED"}]
    assert all(each.verified for each in got)

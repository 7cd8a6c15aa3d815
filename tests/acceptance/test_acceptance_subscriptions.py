"""Who is told: pausing, resuming, deleting, and receivers that are gone."""

from acceptance_home import eventually

from notifier.sandbox.receiver import Failure, Misconduct

LIFE = ("NEW", "PENDING_VBV", "CHARGED")


async def lives(shop, world, order_id, *, until="CHARGED"):
    """Let an order live through its states, one poll each."""
    order = world.sandbox.create(order_id, steps=())
    await shop.register(order_id)
    for version, status in enumerate(LIFE[: LIFE.index(until) + 1], start=1):
        if status != "NEW":
            order = world.sandbox.force(order, status=status)
        await eventually(
            lambda: shop.watched(order_id), until=lambda watch, least=version: watch["version"] >= least
        )


async def states(shop, subscription):
    deliveries = await shop.items("/v1/deliveries", subscription=subscription)
    return [(each["event_type"], each["state"], each["reason"]) for each in deliveries[::-1]]


async def test_a_paused_subscription_holds_and_on_resuming_gets_all_in_order(shop, world):
    paused = await shop.subscribe("/paused", "order.*")
    await shop.subscribe("/other", "order.*")
    await shop.call("POST", f"/v1/subscriptions/{paused}/pause")
    await lives(shop, world, "JP1")
    await shop.told("order.charged", path="/other")
    assert shop.types_told("/paused") == []
    assert {each[1:] for each in await states(shop, paused)} == {("held", "subscription_paused")}

    await shop.call("POST", f"/v1/subscriptions/{paused}/resume")
    await shop.all_delivered()
    got = [each for each in world.receiver.callbacks if each.path == "/paused"]
    assert [each.event_type for each in got] == ["order.new", "order.pending_vbv", "order.charged"]
    assert [each.headers["notifier-sequence"] for each in got] == ["1", "2", "3"]
    assert all(each.verified and "notifier-behind" not in each.headers for each in got)


async def test_during_a_rotation_a_receiver_verifies_by_the_old_secret_and_by_the_new_one(shop, world):
    rotated = await shop.subscribe("/rotated", "order.*")
    path = f"/v1/subscriptions/{rotated}/rotate-secret"
    old = world.receiver.secrets["/rotated"]
    new = (await shop.call("POST", path, {"overlap_s": 600}))["secret"]
    await lives(shop, world, "JP1", until="NEW")
    await shop.told("order.new", path="/rotated")
    world.receiver.secrets["/rotated"] = new
    await lives(shop, world, "JP2", until="NEW")
    await shop.all_delivered()
    world.receiver.secrets["/rotated"] = old
    await shop.call("POST", path, {"overlap_s": 0})
    await lives(shop, world, "JP3", until="NEW")
    await shop.all_delivered()

    got = [each for each in world.receiver.callbacks if each.path == "/rotated"]
    assert [each.verified for each in got] == [True, True, False]
    assert [each.headers["webhook-signature"].count("v1,") for each in got] == [2, 2, 1]


async def test_a_deleted_subscription_is_owed_nothing_and_hears_nothing_more(shop, world):
    deleted = await shop.subscribe("/deleted", "order.*")
    await shop.subscribe("/other", "order.*")
    await shop.call("POST", f"/v1/subscriptions/{deleted}/pause")
    await lives(shop, world, "JP1", until="PENDING_VBV")
    await shop.call("DELETE", f"/v1/subscriptions/{deleted}")
    world.sandbox.force(world.sandbox.find("JP1"), status="CHARGED")
    await shop.told("order.charged", path="/other")
    await shop.all_delivered()
    ended = [each for each in await shop.items("/v1/deliveries") if each["subscription"] == deleted]
    assert {(each["state"], each["reason"]) for each in ended} == {("cancelled", "subscription_deleted")}
    assert len(ended) == 2
    assert shop.types_told("/deleted") == []


async def test_a_receiver_that_is_gone_disables_its_subscription_and_misses_nothing(shop, world):
    gone = await shop.subscribe("/gone", "order.*")
    await shop.subscribe("/other", "order.*")
    world.receiver.fail(Failure(status=410, path="/gone", count=None))
    await lives(shop, world, "JP1")
    await shop.told("order.charged", path="/other")
    shown = await shop.call("GET", f"/v1/subscriptions/{gone}")
    assert shown["state"] == "disabled"
    assert shop.types_told("/gone") == ["order.new"]

    world.receiver.recover()
    await shop.call("POST", f"/v1/subscriptions/{gone}/enable", {"held": "send"})
    await shop.told("order.charged", path="/gone")
    assert shop.types_told("/gone") == ["order.new", "order.pending_vbv", "order.charged"]
    assert (await states(shop, gone))[0] == ("order.new", "failed", "gone")


async def test_one_receiver_that_hangs_delays_nobody_else(home, world):
    home.settings = {"DELIVERY__TIMEOUT_S": "1"}
    async with home.running() as shop:
        await shop.subscribe("/hangs")
        await shop.subscribe("/other")
        world.receiver.fail(Failure(kind=Misconduct.HANG, path="/hangs", count=1))
        await lives(shop, world, "JP1")
        await shop.told("order.charged", path="/other")
        assert shop.types_told("/hangs") == ["order.new"]
        await shop.all_delivered()
    got = [each for each in world.receiver.callbacks if each.path == "/hangs"]
    assert [each.event_type for each in got] == [
        "order.new",
        "order.new",
        "order.pending_vbv",
        "order.charged",
    ]


async def test_operators_of_the_configuration_hear_of_a_subscription_that_nobody_else_watches(home, world):
    home.settings = {"OPERATORS__CHANNEL": "webhook", "OPERATORS__TARGET": f"{world.receiver_url}/operators"}
    async with home.running() as shop:
        gone = await shop.subscribe("/gone", "order.*")
        world.receiver.fail(Failure(status=410, path="/gone", count=None))
        await lives(shop, world, "JP1", until="NEW")
        told = await shop.told("subscription.disabled", path="/operators")
        assert (told.json()["data"]["subject_id"], told.json()["data"]["current"]) == (gone, "gone")
        (operators,) = [
            each for each in await shop.items("/v1/subscriptions") if each["managed"] == "operators"
        ]
        assert operators["events"] == ["source.*", "subscription.*"]
    home.settings = {}
    async with home.running() as shop:
        shown = await shop.call("GET", f"/v1/subscriptions/{operators['id']}")
        assert shown["state"] == "disabled"

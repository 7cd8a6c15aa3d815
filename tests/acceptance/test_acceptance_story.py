"""The plain story: an order is registered, it changes, and everybody is told once and in order."""

from standardwebhooks import Webhook

from notifier.sandbox.receiver import Failure

PEOPLE = """
[subscriptions.on-call]
channel = "slack"
target = "C0SHOP"
events = ["order.*"]
[subscriptions.people]
channel = "email"
digest_s = 0
rate_per_s = 100
target = "people@shop.example"
events = ["order.*"]
"""
LIFE = ["order.new", "order.pending_vbv", "order.charged"]


async def test_each_state_is_told_once_and_in_order_by_callback_slack_and_mail(home, world):
    home.more = PEOPLE
    async with home.running() as shop:
        await shop.subscribe()
        order = world.sandbox.create("JP1", amount=38_600, steps=())
        await shop.register("JP1", expect={"amount": "386.00", "currency": "INR"})
        await shop.told("order.new")
        order = world.sandbox.force(order, status="PENDING_VBV")
        await shop.told("order.pending_vbv")
        world.sandbox.force(order, status="CHARGED")
        await shop.told("order.charged")
        deliveries = await shop.all_delivered(order_id="JP1")
        reckoned = (await shop.watched("JP1"))["next_poll"]
        await shop.good_looks("JP1", 3)
        assert await shop.types() == LIFE

    (part,) = reckoned["parts"]
    assert part["situation"].startswith("order/order/CHARGED/")
    assert part["hazard_per_s"] > 0
    assert [got.event_type for got in world.receiver.callbacks] == LIFE
    assert [each.payload["text"].count("JP1") for each in world.receiver.slack] == [1, 1, 1]
    texts = [str(each.payload["text"]).upper() for each in world.receiver.slack]
    assert all(word in text for word, text in zip(("NEW", "PENDING", "CHARGED"), texts, strict=True))
    assert [str(mail.recipients[0]) for mail in world.mailbox.mails] == ["people@shop.example"] * 3
    parts = [mail.message.get_body(("plain",)) for mail in world.mailbox.mails]
    mails = [part.get_content().upper() for part in parts if part]
    assert all(word in text for word, text in zip(("NEW", "PENDING", "CHARGED"), mails, strict=True))
    assert {(each["state"], each["attempt_count"]) for each in deliveries} == {("delivered", 1)}
    assert len(deliveries) == 9


async def test_the_bytes_received_are_the_bytes_signed(shop, world):
    await shop.subscribe()
    world.sandbox.create("JP2", amount=38_600, steps=())
    await shop.register("JP2")
    got = await shop.told("order.new")
    secret = world.receiver.secrets["/callbacks"]
    event = Webhook(secret).verify(got.body, dict(got.headers))
    assert event["id"] == got.headers["webhook-id"]
    assert event["livemode"] is False
    assert event["data"]["order"]["amount"] == "386.00"
    assert got.headers["notifier-attempt"] == got.headers["notifier-sequence"] == "1"


async def test_a_callback_says_what_was_before_and_what_is_now(shop, world):
    await shop.subscribe()
    order = world.sandbox.create("JP3", amount=38_600, steps=())
    await shop.register("jp3")
    first = (await shop.told("order.new")).json()["data"]
    world.sandbox.force(order, status="CHARGED")
    data = (await shop.told("order.charged")).json()["data"]
    assert (first["previous"], first["current"], first["initial"]) == (None, "NEW", True)
    assert (data["previous"], data["current"], data["initial"]) == ("NEW", "CHARGED", False)
    assert (data["order_id"], data["order_version"], data["phase"]) == ("jp3", 2, "succeeded")
    assert data["not_before"] < data["observed_at"]


async def test_a_callback_refused_at_first_comes_again_with_the_same_id_and_body(shop, world):
    await shop.subscribe()
    world.receiver.fail(Failure(status=503, count=2))
    world.sandbox.create("JP4", steps=())
    await shop.register("JP4")
    await shop.all_delivered()
    tries = list(world.receiver.callbacks)
    assert [got.headers["notifier-attempt"] for got in tries] == ["1", "2", "3"]
    assert len({(got.event_id, got.body, got.headers["notifier-sequence"]) for got in tries}) == 1
    assert all(got.verified for got in tries)

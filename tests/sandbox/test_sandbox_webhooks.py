"""Webhooks, taken by a server of the test's own: it alone decides when they are taken."""

import base64
import json
from collections import Counter

import aiohttp
import pytest
from aiohttp import web

from notifier.sandbox.inbox import Inbox
from notifier.sandbox.jose import Keys
from notifier.sandbox.serve import Settings, running, serving
from notifier.sandbox.webhooks.happenings import CONTENTS
from support.clock import FakeClock, settle

USER = {"user": "juspay", "password": "s3cret"}


class Taker:
    """Keeps what comes, and answers what it is told to."""

    def __init__(self):
        self.got = Inbox()
        self.answers = []

    async def take(self, request):
        body = await request.read()
        self.got.put((request.headers.get("Authorization"), body))
        return web.Response(status=self.answers.pop(0) if self.answers else 200)

    def bodies(self):
        return [json.loads(body) for _, body in self.got]

    def names(self):
        return [body["event_name"] for body in self.bodies()]

    async def wait(self, count):
        """Wait until so many came in; what they set off has run."""
        await self.got.wait_for(lambda _: len(self.got) >= count, 5)
        await settle()


@pytest.fixture
async def taker():
    taker = Taker()
    app = web.Application()
    app.add_routes([web.post("/hook", taker.take)])
    async with serving(app) as url:
        taker.url = f"{url}/hook"
        yield taker


@pytest.fixture
def hook(merchant, taker):
    async def hook(**wishes):
        status, body = await merchant.post("/sandbox/webhooks", json={"url": taker.url, **wishes})
        assert status == 201, body

    return hook


@pytest.fixture
async def hooked(hook):
    await hook()


@pytest.fixture
def till(world, taker, clock):
    """Let time pass until so many webhooks came in."""

    async def till(count, seconds):
        await clock.advance(seconds)
        await taker.wait(count)
        return taker.names()

    return till


async def test_a_payment_is_told_step_by_step(world, hook, till):
    await hook()
    world.sandbox.create("A", script="charged")
    assert await till(1, 0) == ["ORDER_CREATED"]
    assert await till(2, 12) == ["ORDER_CREATED", "TXN_CREATED"]
    assert sorted((await till(4, 34))[2:]) == ["ORDER_SUCCEEDED", "TXN_CHARGED"]


async def test_each_comes_with_its_credentials_and_the_order_as_it_was_then(world, hook, till, taker):
    await hook(**USER)
    order = world.sandbox.create("A", script="charged")
    await till(4, 1000)
    assert {auth for auth, _ in taker.got} == {"Basic " + base64.b64encode(b"juspay:s3cret").decode()}
    told = {body["event_name"]: body for body in taker.bodies()}
    assert told["ORDER_SUCCEEDED"]["content"]["order"] == world.sandbox.order_body(order, 46)
    assert told["ORDER_CREATED"]["content"]["order"]["status"] == "NEW"
    assert told["TXN_CREATED"]["content"]["txn"]["order_id"] == "A"
    for body in told.values():
        assert body.keys() == {"id", "event_name", "date_created", "content"}
        assert body["id"].startswith("evt_V2_")
    assert told["ORDER_SUCCEEDED"]["date_created"] == "2026-03-02T06:15:46Z"
    assert len({body["id"] for body in told.values()}) == 4


async def test_nothing_that_was_before_the_webhook_is_told(world, hook, till, clock):
    world.sandbox.create("A", script="charged")
    await clock.advance(20)
    await hook()
    assert sorted(await till(2, 30)) == ["ORDER_SUCCEEDED", "TXN_CHARGED"]


@pytest.mark.parametrize(
    ("script", "names"),
    [
        (
            "refund",
            {"REFUND_INITIATED": 1, "ORDER_REFUNDED": 1, "REFUND_ARN_CAPTURED": 1, "ORDER_SUCCEEDED": 1},
        ),
        ("refund_failed", {"REFUND_INITIATED": 1, "ORDER_REFUND_FAILED": 1}),
        ("refund_reviewed", {"REFUND_MANUAL_REVIEW_NEEDED": 1, "ORDER_REFUNDED": 1}),
        ("auto_refunded", {"ORDER_FAILED": 1, "AUTO_REFUND_INITIATED": 1, "AUTO_REFUND_SUCCEEDED": 1}),
        ("auto_refund_failed", {"AUTO_REFUND_FAILED": 1}),
        (
            "mandate_revoked",
            {
                "MANDATE_CREATED": 1,
                "MANDATE_ACTIVATED": 1,
                "MANDATE_PAUSED": 1,
                "MANDATE_UNPAUSED": 1,
                "MANDATE_REVOKED": 1,
            },
        ),
        ("mandate_failed", {"MANDATE_FAILED": 1}),
        ("mandate_expired", {"MANDATE_EXPIRED": 1}),
        (
            "loan",
            {
                "LOAN_APPLICATION_INITIATED": 1,
                "OFFER_SELECTED": 1,
                "KYC_COMPLETED": 1,
                "LOAN_ACTIVE": 1,
                "ORDER_SUCCEEDED": 1,
            },
        ),
        ("retry", {"TXN_CREATED": 2, "TXN_FAILED": 1, "ORDER_SUCCEEDED": 1}),
        ("voided", {"ORDER_AUTHORIZED": 1, "ORDER_VOIDED": 1}),
    ],
)
@pytest.mark.usefixtures("hooked")
async def test_each_life_has_its_names(merchant, world, taker, script, names):
    order = world.sandbox.create("A", script=script)
    for _ in order.life.steps:
        await merchant.post("/sandbox/orders/A/next")
    await settle()
    await taker.got.wait_for(lambda _: Counter(taker.names()) >= Counter(names), 5)
    assert set(taker.names()) <= CONTENTS.keys()


async def test_what_is_not_answered_by_200_comes_again_as_the_same_bytes(world, hook, taker, clock):
    taker.answers = [500, 204, 302, 200]
    await hook()
    world.sandbox.create("A", steps=())
    for count, pause_s in ((1, 2), (2, 4), (3, 8)):
        await taker.wait(count)
        await world.webhooks.tries.wait_for(lambda each, count=count: each.number == count, 5)
        await settle()
        await clock.advance(pause_s - 0.5)
        assert len(taker.got) == count
        await clock.advance(0.5)
    await taker.wait(4)
    await clock.advance(600)
    assert len(taker.got) == 4
    assert len({body for _, body in taker.got}) == 1


async def test_nobody_there_is_tried_again_until_the_webhook_is_cleared(merchant, world, clock):
    await merchant.post("/sandbox/webhooks", json={"url": "http://127.0.0.1:9/nobody"})
    world.sandbox.create("A", steps=())
    await settle()
    await world.webhooks.tries.wait_for(lambda each: each.number == 1, 5)
    await settle()
    await clock.advance(2)
    tried = await world.webhooks.tries.wait_for(lambda each: each.number == 2, 5)
    assert (tried.status, tried.error) == (None, "ClientConnectorError")
    async with merchant.session.delete(f"{merchant.url}/sandbox/webhooks") as response:
        assert response.status == 204
    await settle()
    await clock.advance(1000)
    assert len(world.webhooks.tries) == 2


async def test_copies_come_though_the_first_was_taken(world, hook, till, taker):
    await hook(copies=3)
    world.sandbox.create("A", steps=())
    await till(3, 0)
    assert len({body for _, body in taker.got}) == 1


async def test_one_that_is_held_back_is_overtaken(world, hook, till, taker, clock):
    await hook(hold_s=30)
    world.sandbox.create("A", script="charged")
    await till(1, 12)
    assert taker.names() == ["TXN_CREATED"]
    await till(2, 20)
    assert taker.names() == ["TXN_CREATED", "ORDER_CREATED"]


async def test_members_are_masked_and_the_date_is_mangled(world, hook, till, taker):
    await hook(masked=True)
    world.sandbox.create("A", script="charged_card")
    await till(4, 100)
    order = next(body for body in taker.bodies() if body["event_name"] == "ORDER_SUCCEEDED")["content"][
        "order"
    ]
    for name in ("customer_email", "customer_phone", "customer_id", "card"):
        assert order[name] == "FILTERED"
    assert order["txn_detail"]["txn_flow_type"] == "FILTERED"
    assert order["date_created"] == "1111111T06:15:00Z"
    assert (order["status"], order["order_id"], order["amount"]) == ("CHARGED", "A", 249.5)


async def test_a_masked_mandate_keeps_what_it_is_known_by(world, hook, till, taker):
    await hook(masked=True)
    world.sandbox.create("A", script="mandate_revoked")
    await till(6, 60)
    mandate = next(
        body["content"]["mandate"] for body in taker.bodies() if body["event_name"] == "MANDATE_ACTIVATED"
    )
    for name in ("activated_at", "last_activated_at", "customer_id", "payment_info", "mandate_token"):
        assert mandate[name] == "FILTERED"
    assert (mandate["order_id"], mandate["status"]) == ("A", "ACTIVE")
    assert len(mandate["mandate_id"]) == 20


async def test_old_webhooks_have_numbers_as_text(world, hook, till, taker):
    await hook(as_text=True)
    world.sandbox.create("A", steps=())
    await till(1, 0)
    order = taker.bodies()[0]["content"]["order"]
    assert (order["status_id"], order["amount"], order["refunded"]) == ("10", "249.5", "false")


async def test_a_loan_has_another_id_and_an_odd_date(world, hook, till, taker):
    await hook()
    order = world.sandbox.create("A", script="loan_skipping")
    await till(7, 4000)
    loan = next(body for body in taker.bodies() if body["event_name"] == "LOAN_ACTIVE")
    assert loan["id"].startswith("LSP")
    assert loan["date_created"].startswith("2026-03-02 07:15:00.000000")
    assert len(loan["date_created"]) == len("2026-03-10 10:03:29.048023988 UTC")
    assert loan["content"]["order"] == world.sandbox.loan_body(order, 3600)


async def test_a_pre_debit_note_is_sent_by_hand_and_names_only_its_mandate(
    merchant, hook, taker, clock, world
):
    world.sandbox.create("A", script="mandate")
    await clock.advance(100)
    await hook()
    note = {"order_id": "a", "event_name": "NOTIFICATION_FAILED"}
    async with merchant.session.post(f"{merchant.url}/sandbox/webhooks/send", json=note) as response:
        assert response.status == 202
    await taker.wait(1)
    (body,) = taker.bodies()
    content = body["content"]["notification"]
    assert "order_id" not in content
    _, shown = await merchant.get("/orders/A")
    assert content["mandate"] == {"mandate_id": shown["mandate"]["mandate_id"]}
    assert (content["status"], content["date_created"]) == ("FAILURE", "1772432200")


@pytest.mark.parametrize(
    ("order_id", "event_name", "code"),
    [("A", "MANDATE_REVOKED", 422), ("A", "LOAN_ACTIVE", 422), ("A", "TXN_CREATED", 422), ("B", "X", 404)],
)
@pytest.mark.usefixtures("hooked")
async def test_what_an_order_does_not_have_is_not_told(merchant, world, order_id, event_name, code):
    world.sandbox.create("A", steps=())
    wish = {"order_id": order_id, "event_name": event_name}
    assert (await merchant.post("/sandbox/webhooks/send", json=wish))[0] == code


async def test_a_name_nobody_knows_can_be_sent(merchant, world, hook, taker):
    world.sandbox.create("A", steps=())
    await hook()
    wish = {"order_id": "A", "event_name": "ORDER_FROBBED"}
    async with merchant.session.post(f"{merchant.url}/sandbox/webhooks/send", json=wish) as response:
        assert response.status == 202
    await taker.got.wait_for(lambda _: "ORDER_FROBBED" in taker.names(), 5)


async def test_an_order_may_name_its_own_receiver(merchant, world, taker):
    form = {"order_id": "A", "amount": "1", "metadata.webhook_url": taker.url}
    await merchant.post("/orders", data=form)
    await taker.wait(1)
    assert taker.names() == ["ORDER_CREATED"]


async def test_webhooks_are_listed_without_their_password(merchant, hook):
    await hook(**USER)
    _, listing = await merchant.get("/sandbox/webhooks")
    assert [(each["user"], each["password"]) for each in listing["items"]] == [("juspay", "***")]
    assert listing["tries"] == []


@pytest.mark.parametrize(
    "wish", [{"url": "ftp://a"}, {}, {"url": "http://a", "copies": 0}, {"url": "http://a", "jwt": True}]
)
async def test_a_webhook_that_cannot_be_is_refused(merchant, wish):
    assert (await merchant.post("/sandbox/webhooks", json=wish))[0] == 422


async def test_a_jwt_body_opens_to_the_plain_one(merchant, taker):
    from joserfc import jwe, jws

    keys = Keys.fresh()
    async with running(Settings(keys=keys), clock=FakeClock()) as world, aiohttp.ClientSession() as session:
        wish = {"url": taker.url, "jwt": True}
        async with session.post(f"{world.upstream_url}/sandbox/webhooks", json=wish) as response:
            assert response.status == 201
        world.sandbox.create("A", steps=())
        await taker.wait(1)
    (envelope,) = taker.bodies()
    assert envelope.keys() == {"JWT"}
    opened = jwe.decrypt_compact(envelope["JWT"], keys.merchant, algorithms=["RSA-OAEP-256", "A256GCM"])
    signed = jws.deserialize_compact(opened.plaintext, keys.juspay, algorithms=["RS256"])
    body = json.loads(signed.payload)
    assert (body["event_name"], body["content"]["order"]["order_id"]) == ("ORDER_CREATED", "A")

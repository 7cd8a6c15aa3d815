import asyncio
import json

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient
from standardwebhooks import Webhook

from notifier.clock import SystemClock
from notifier.sandbox.receiver import Failure, Misconduct
from notifier.sandbox.serve import running

SECRET = "whsec_c2FuZGJveC1zZWNyZXQtb2YtMjQtYnl0ZXM="
OTHER = "whsec_YW5vdGhlci1zZWNyZXQtb2YtMjQtYnl0ZXM="
EVENT = json.dumps({"id": "evt_1", "type": "order.charged"}).encode()


def signed(clock, *secrets, body=EVENT, at=None):
    at = at or clock.now()
    signatures = " ".join(Webhook(secret).sign("evt_1", at, body.decode()) for secret in secrets)
    return {
        "webhook-id": "evt_1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": signatures,
        "Content-Type": "application/json",
    }


@pytest.fixture
async def post(world):
    async with aiohttp.ClientSession() as session:

        async def post(path="/hook", body=EVENT, headers=None, **kwargs):
            url = world.receiver_url + path
            async with session.post(
                url, data=body, headers=headers, allow_redirects=False, **kwargs
            ) as response:
                return response.status, await response.text(), response.headers

        yield post


async def test_a_signed_callback_is_kept_as_verified(world, clock, post):
    world.receiver.secret = SECRET
    status, _, _ = await post("/hook/a?x=1", headers=signed(clock, SECRET))
    (got,) = world.receiver.callbacks
    assert status == 204
    assert (got.verified, got.event_id, got.event_type, got.path) == (
        True,
        "evt_1",
        "order.charged",
        "/hook/a",
    )
    assert (got.body, got.received_at, got.json()["id"]) == (EVENT, clock.now(), "evt_1")


@pytest.mark.parametrize("secrets", [(OTHER, SECRET), (SECRET, OTHER)])
async def test_one_good_signature_of_several_is_enough(world, clock, post, secrets):
    world.receiver.secret = SECRET
    await post(headers=signed(clock, *secrets))
    assert [got.verified for got in world.receiver.callbacks] == [True]


async def test_a_path_may_have_a_secret_of_its_own(world, clock, post):
    world.receiver.secret = SECRET
    world.receiver.secrets["/own"] = OTHER
    await post("/own", headers=signed(clock, OTHER))
    await post("/own", headers=signed(clock, SECRET))
    assert [got.verified for got in world.receiver.callbacks] == [True, False]


async def test_what_is_not_signed_right_is_kept_but_not_verified(world, clock, post):
    from datetime import timedelta

    world.receiver.secret = SECRET
    good = signed(clock, SECRET)
    await post(headers=signed(clock, OTHER))
    await post(headers=good, body=EVENT + b" ")
    await post(headers={"webhook-id": "evt_1"})
    await post(headers=good | {"webhook-id": "evt_2"})
    await post(headers=good | {"webhook-timestamp": "soon"})
    await post(headers=signed(clock, SECRET, at=clock.now() - timedelta(minutes=6)))
    assert [got.verified for got in world.receiver.callbacks] == [False] * 6


async def test_without_a_secret_nothing_is_verified(world, clock, post):
    await post(headers=signed(clock, SECRET))
    assert [got.verified for got in world.receiver.callbacks] == [False]


async def test_a_receiver_fails_as_often_as_told(world, post):
    world.receiver.fail(Failure(status=503, count=2, headers={"Retry-After": "9"}))
    answers = [await post() for _ in range(3)]
    assert [status for status, _, _ in answers] == [503, 503, 204]
    assert answers[0][2]["Retry-After"] == "9"
    assert len(world.receiver.callbacks) == 3


async def test_a_failure_may_hold_for_one_path_until_recovery(world, post):
    world.receiver.fail(Failure(status=410, count=None, path="/gone"))
    assert [(await post(path))[0] for path in ("/gone", "/hook", "/gone")] == [410, 204, 410]
    world.receiver.recover()
    assert (await post("/gone"))[0] == 204


async def test_a_receiver_redirects(world, post):
    world.receiver.fail(Failure(kind=Misconduct.REDIRECT))
    status, _, headers = await post()
    assert (status, headers["Location"]) == (302, "/elsewhere")


async def test_a_receiver_hangs_until_it_is_closed(world, post):
    world.receiver.fail(Failure(kind=Misconduct.HANG))
    with pytest.raises(TimeoutError):
        await post(timeout=aiohttp.ClientTimeout(total=0.1))
    assert len(world.receiver.callbacks) == 1


async def test_a_receiver_drips_and_never_ends(world, clock, post):
    world.receiver.fail(Failure(kind=Misconduct.DRIP))
    asked = asyncio.create_task(post())
    await world.receiver.wait_for(lambda got: True, 5)
    await clock.advance(2)
    assert not asked.done()
    world.receiver._closing.set()
    await clock.advance(1)
    status, text, _ = await asked
    assert status == 200
    assert set(text) == {"."}


async def test_one_waits_for_a_callback(world, clock, post):
    waiting = asyncio.create_task(world.receiver.wait_for(lambda got: got.path == "/second", 5))
    await post("/first")
    assert not waiting.done()
    await post("/second")
    assert (await waiting).path == "/second"


async def test_waiting_in_vain_ends(world):
    with pytest.raises(TimeoutError):
        await world.receiver.wait_for(lambda got: True, 0.01)


async def test_only_the_latest_callbacks_are_kept(clock):
    from notifier.sandbox.inbox import Inbox

    inbox = Inbox(keep=2)
    for n in range(3):
        inbox.put(n)
    assert (list(inbox), len(inbox)) == ([1, 2], 2)


async def test_a_slack_webhook_answers_ok(world):
    async with aiohttp.ClientSession() as session:
        client = AsyncWebhookClient(f"{world.receiver_url}/slack/services/T0/B0/X", session=session)
        answer = await client.send(text="paid")
    (message,) = world.receiver.slack
    assert (answer.status_code, answer.body) == (200, "ok")
    assert (message.payload["text"], message.path, message.token) == ("paid", "/slack/services/T0/B0/X", None)
    assert len(world.receiver.callbacks) == 0


async def test_a_slack_webhook_refuses_what_is_no_json(world, post):
    status, text, _ = await post("/slack/services/T0/B0/X", body=b"{")
    assert (status, text) == (400, "invalid_payload")


async def test_a_slack_message_is_posted_with_the_right_token(world):
    async with aiohttp.ClientSession() as session:
        client = AsyncWebClient("xoxb-sandbox", base_url=f"{world.receiver_url}/slack/api/", session=session)
        answers = [await client.chat_postMessage(channel="C1", text=text) for text in ("one", "two")]
    assert [message.payload["text"] for message in world.receiver.slack] == ["one", "two"]
    assert answers[0]["ok"]
    assert answers[0]["ts"] != answers[1]["ts"]


async def test_a_slack_message_can_be_edited_under_its_time_stamp(world):
    async with aiohttp.ClientSession() as session:
        client = AsyncWebClient("xoxb-sandbox", base_url=f"{world.receiver_url}/slack/api/", session=session)
        posted = await client.chat_postMessage(channel="C1", text="open")
        edited = await client.chat_update(channel="C1", ts=posted["ts"], text="over")
    assert edited["ts"] == posted["ts"]
    assert [message.path for message in world.receiver.slack] == [
        "/slack/api/chat.postMessage",
        "/slack/api/chat.update",
    ]


async def test_a_slack_message_with_a_wrong_token_is_refused(world):
    async with aiohttp.ClientSession() as session:
        client = AsyncWebClient("xoxb-wrong", base_url=f"{world.receiver_url}/slack/api/", session=session)
        with pytest.raises(SlackApiError) as refusal:
            await client.chat_postMessage(channel="C1", text="paid")
    assert refusal.value.response["error"] == "invalid_auth"
    assert len(world.receiver.slack) == 0


async def test_slack_fails_on_request_too(world, post):
    world.receiver.fail(Failure(status=429, headers={"Retry-After": "3"}))
    status, _, headers = await post("/slack/services/T0/B0/X", body=b'{"text": "paid"}')
    assert (status, headers["Retry-After"]) == (429, "3")


async def test_the_reference_verifier_agrees_about_a_callback():
    clock = SystemClock()
    async with running(clock=clock) as world, aiohttp.ClientSession() as session:
        world.receiver.secret = SECRET
        async with session.post(world.receiver_url, data=EVENT, headers=signed(clock, SECRET)):
            (got,) = world.receiver.callbacks
    assert got.verified
    assert Webhook(SECRET).verify(got.body, dict(got.headers)) == got.json()

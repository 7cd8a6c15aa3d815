"""Callbacks: what is sent, what an answer means, and signatures that others can verify."""

import hmac
from base64 import b64decode, b64encode
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from aiohttp import web
from channel_builders import SECRET, a_document, a_parcel, a_webhook
from channel_sinks import answers
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from notifier.channels.webhook.signature import check_secret, new_secret, sign, timestamp, verify
from notifier.clock import SystemClock
from notifier.config.secret import Secret
from notifier.domain.delivery import Reason, Verdict
from notifier.errors import InvalidValue, TemplateError
from notifier.templating import Templates
from support.clock import START

OTHER = "whsec_" + "A" * 40


async def send(http_sink, **given):
    channel = a_webhook()
    outcome = await channel.send(a_parcel(http_sink.url, channel.render(a_document(), None), **given))
    await channel.close()
    return outcome


async def test_the_bytes_sent_are_the_bytes_signed(http_sink):
    await send(http_sink)
    [got] = http_sink.got
    assert verify([SECRET], got.headers, got.body, START) is None
    assert msgspec.json.decode(got.body) == a_document()
    assert got.body == msgspec.json.encode(msgspec.json.decode(got.body))


async def test_the_library_of_standard_webhooks_verifies_what_is_sent_now(http_sink):
    await send(http_sink, now=SystemClock().now())
    [got] = http_sink.got
    assert Webhook(SECRET).verify(got.body, got.headers)["type"] == "order.charged"


async def test_each_callback_carries_the_headers_of_the_contract(http_sink):
    await send(http_sink, attempt=3, sequence=41, behind=("evt_a", "evt_b"), replay_id="rpl_1")
    headers = http_sink.got[0].headers
    assert headers["content-type"] == "application/json"
    assert headers["webhook-id"] == "evt_0123456789abcdef0123456789abcdef"
    assert headers["webhook-timestamp"] == str(int(START.timestamp()))
    told = {
        name: headers[f"notifier-{name}"]
        for name in ("attempt", "subscription", "sequence", "behind", "replay")
    }
    assert told == {
        "attempt": "3",
        "subscription": "sub_1",
        "sequence": "41",
        "behind": "evt_a evt_b",
        "replay": "rpl_1",
    }


async def test_a_first_attempt_says_nothing_of_replays_or_others(http_sink):
    await send(http_sink)
    assert not {"notifier-behind", "notifier-replay", "authorization"} & set(http_sink.got[0].headers)


async def test_a_long_list_of_earlier_events_does_not_outgrow_a_header_line(http_sink):
    outcome = await send(http_sink, behind=tuple(f"evt_{n:032}" for n in range(1000)))
    assert outcome.verdict is Verdict.ACCEPTED
    assert len(http_sink.got[0].headers["notifier-behind"]) < 4096


async def test_added_headers_are_sent_but_never_in_place_of_ours(http_sink):
    headers = {
        "X-Shop": "north",
        "Webhook-Id": "forged",
        "CONTENT-TYPE": "text/plain",
        "authorization": "Bearer t",
    }
    address = {"secrets": (Secret(SECRET),), "headers": headers, "basic_auth": Secret("jo:päss")}
    await send(http_sink, address=address)
    got = http_sink.got[0].headers
    assert (got["x-shop"], got["content-type"]) == ("north", "application/json")
    assert got["webhook-id"].startswith("evt_")
    assert b64decode(got["authorization"].removeprefix("Basic ")).decode() == "jo:päss"


@pytest.mark.parametrize(
    ("status", "verdict", "reason"),
    [
        (200, Verdict.ACCEPTED, Reason.ACCEPTED),
        (204, Verdict.ACCEPTED, Reason.ACCEPTED),
        (302, Verdict.RETRY, Reason.REDIRECT),
        (304, Verdict.RETRY, Reason.REDIRECT),
        (400, Verdict.RETRY, Reason.HTTP_STATUS),
        (401, Verdict.RETRY, Reason.UNAUTHORIZED),
        (403, Verdict.RETRY, Reason.UNAUTHORIZED),
        (404, Verdict.RETRY, Reason.HTTP_STATUS),
        (410, Verdict.GONE, Reason.GONE),
        (429, Verdict.RETRY, Reason.RATE_LIMITED),
        (500, Verdict.RETRY, Reason.HTTP_STATUS),
        (503, Verdict.RETRY, Reason.HTTP_STATUS),
    ],
)
async def test_a_status_means_what_the_contract_says(http_sink, status, verdict, reason):
    http_sink.answer = answers(status, "")
    outcome = await send(http_sink)
    assert (outcome.verdict, outcome.reason, outcome.http_status) == (verdict, reason, status)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("120", 120.0),
        ("0", 0.0),
        ("Mon, 02 Mar 2026 06:16:00 GMT", 60.0),
        ("Mon, 02 Mar 2026 06:14:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("1e999", None),
        ("9" * 400, None),
        ("Mon, 99 Foo 2026", None),
    ],
)
async def test_retry_after_is_read_in_both_forms(http_sink, text, expected):
    http_sink.answer = answers(503, "", Retry_After=text)
    assert (await send(http_sink)).retry_after_s == expected


def test_a_template_that_makes_no_json_is_an_error_that_names_it(tmp_path):
    (tmp_path / "webhook").mkdir()
    (tmp_path / "webhook" / "broken.json.j2").write_text('{"id": {{ event.id }}}')
    channel = a_webhook()
    channel._templates = Templates(tmp_path)
    with pytest.raises(TemplateError, match=r"webhook/broken\.json\.j2 .* order\.charged"):
        channel.render(a_document(), "broken")


def test_a_new_secret_is_32_random_bytes_that_check():
    one, other = new_secret(), new_secret()
    assert one != other
    assert len(b64decode(one.removeprefix("whsec_"))) == 32
    check_secret(one)


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_AAAA", "whsec_!!!!", "A" * 40, "whsec_" + "A" * 400])
def test_a_weak_or_broken_secret_is_refused_without_showing_it(text):
    with pytest.raises(InvalidValue) as refused:
        check_secret(text)
    assert refused.value.problem.path == "secret"
    assert len(text) < 8 or text not in str(refused.value)


bodies = st.text(st.characters(exclude_categories=["Cs"])).map(str.encode)
instants = st.integers(10**9, 4 * 10**12 // 1000).map(lambda s: datetime.fromtimestamp(s, UTC))


def signed(secrets, body, at, event_id="evt_1"):
    signature = sign(secrets, event_id=event_id, at=at, body=body)
    return {"webhook-id": event_id, "webhook-timestamp": timestamp(at), "webhook-signature": signature}


@given(bodies, instants)
def test_what_is_signed_verifies_with_every_live_secret(body, at):
    headers = signed([OTHER, SECRET], body, at)
    assert [verify([each], headers, body, at) for each in (SECRET, OTHER)] == [None, None]


@given(bodies.filter(bool), st.data())
def test_one_flipped_bit_fails(body, data):
    bit = data.draw(st.integers(0, len(body) * 8 - 1))
    flipped = bytearray(body)
    flipped[bit // 8] ^= 1 << bit % 8
    assert verify([SECRET], signed([SECRET], body, START), bytes(flipped), START) is not None


@given(st.binary(min_size=1, max_size=200), bodies)
def test_a_signature_is_the_hmac_of_id_time_and_body(key, body):
    secret = f"whsec_{b64encode(key).decode()}"
    expected = hmac.digest(key, f"evt_1.{timestamp(START)}.".encode() + body, "sha256")
    for _ in range(2):  # what was kept of the key serves again
        assert sign([secret], event_id="evt_1", at=START, body=body) == f"v1,{b64encode(expected).decode()}"


def test_any_zone_signs_the_same_instant():
    kolkata = START.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert signed([SECRET], b"{}", kolkata) == signed([SECRET], b"{}", START)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"webhook-id": ""}, "webhook-id is missing"),
        ({"webhook-timestamp": "yesterday"}, "not a number"),
        ({"webhook-timestamp": "9" * 5000}, "not a number"),
        ({"webhook-signature": "v1a,AAAA junk"}, "no signature of scheme v1, only of v1a"),
        ({"webhook-signature": "junk"}, "nothing that looks like one"),
        ({"webhook-signature": "v1,"}, "no signature matches"),
        ({"webhook-signature": "v1,ä"}, "no signature matches"),
        ({"webhook-id": "evt_2"}, "no signature matches"),
        ({"webhook-timestamp": "1"}, "no signature matches"),
    ],
)
def test_verify_says_why_it_fails(change, reason):
    assert reason in str(verify([SECRET], signed([SECRET], b"{}", START) | change, b"{}", START))


@pytest.mark.parametrize(("age_s", "reason"), [(301, "301 s old"), (-301, "301 s ahead"), (299, "None")])
def test_verify_tells_an_old_callback_from_a_forged_one(age_s, reason):
    now = START + timedelta(seconds=age_s)
    assert reason in str(verify([SECRET], signed([SECRET], b"{}", START), b"{}", now))


def test_verify_finds_a_valid_signature_in_the_last_place_after_junk():
    headers = signed([SECRET], b"{}", START)
    headers["webhook-signature"] = "junk v1,xx v1a,yy " + headers["webhook-signature"]
    assert verify([SECRET], headers, b"{}", START) is None


def test_verify_takes_any_of_several_secrets():
    headers = signed([OTHER], b"{}", START)
    assert verify([SECRET, OTHER], headers, b"{}", START) is None
    assert "no signature matches" in str(verify([SECRET, SECRET], headers, b"{}", START))


def test_verify_tells_a_rewritten_body_from_a_wrong_secret():
    body = msgspec.json.encode(a_document())
    headers = signed([SECRET], body, START)
    rewritten = msgspec.json.format(body, indent=2)
    assert "parsed and written anew" in str(verify([SECRET], headers, rewritten, START))
    assert "no signature matches" in str(verify([OTHER], headers, rewritten, START))


def test_verify_tells_a_body_that_is_not_whole():
    headers = signed([SECRET], b'{"a":1}', START) | {"Content-Length": "7"}
    assert "has 3 bytes, but content-length says 7" in str(verify([SECRET], headers, b'{"a', START))


@pytest.mark.parametrize("body", [b"\xff", b"[" * 100_000, b'{"a":"\\ud800"}', b"1e999"])
def test_verify_never_raises_for_what_was_received(body):
    assert "no signature matches" in str(verify([SECRET], signed([SECRET], b"{}", START), body, START))


@pytest.mark.parametrize(("secret", "body"), [("whsec_é", b"{}"), ("whsec_", b"{}"), (SECRET, b"\xff")])
def test_verify_never_raises(secret, body):
    assert verify([secret], signed([SECRET], b"{}", START), body, START) is not None


@pytest.mark.parametrize(
    "echo",
    ["no such token: hush-hush", "PHP_AUTH_PW => pass-phrase", "." * 4085 + "token hush-hush"],
    ids=["the last word", "a password", "cut short"],
)
async def test_a_receiver_that_quotes_a_part_of_what_was_confided_is_not_quoted(http_sink, echo):
    async def answer(_request):
        return web.Response(status=401, text=echo)

    http_sink.answer = answer
    address = {
        "headers": {"X-Api-Key": "Token hush-hush"},
        "basic_auth": Secret("shop:pass-phrase"),
    }
    outcome = await send(http_sink, address=address)
    assert b"***" in outcome.answer
    assert not any(word in outcome.answer for word in (b"hush", b"pass-"))

import json
from datetime import timedelta
from pathlib import Path

import pytest

from notifier.channels.webhook.signature import new_secret, sign, timestamp
from notifier.clock import SystemClock

BODY = b'{"id":"evt_1","type":"order.charged","name":"\xc3\xa9"}'
SECRET = new_secret()


def headers(*, secret: str = SECRET, age_s: float = 0, body: bytes = BODY) -> dict[str, str]:
    at = SystemClock().now() - timedelta(seconds=age_s)
    return {
        "Content-Type": "application/json",
        "Webhook-Id": "evt_1",
        "webhook-timestamp": timestamp(at),
        "webhook-signature": sign([secret], event_id="evt_1", at=at, body=body),
    }


def raw(
    given: dict[str, str], body: bytes = BODY, *, end: str = "\r\n", first: str = "", mark: str = ""
) -> str:
    head = "".join(f"{mark}{name}: {value}{end}" for name, value in given.items())
    Path("callback").write_bytes((first + head + end).encode() + body)
    return "callback"


@pytest.mark.parametrize("end", ["\r\n", "\n"])
@pytest.mark.parametrize("first", ["", "POST /hooks?a=b:c HTTP/1.1\r\n"])
async def test_a_good_callback_is_valid(cli, end, first):
    ran = await cli("verify", "--secret", SECRET, raw(headers(), end=end, first=first))
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.startswith("valid")


async def test_headers_as_curl_prints_them_are_read(cli):
    assert (await cli("verify", "--secret", SECRET, raw(headers(), end="\n", mark="> "))).status == 0


async def test_a_line_break_that_an_editor_added_does_no_harm(cli):
    assert (await cli("verify", "--secret", SECRET, raw(headers(), BODY + b"\n"))).status == 0


async def test_the_body_is_as_long_as_its_header_says(cli):
    given = headers() | {"Content-Length": str(len(BODY))}
    assert (await cli("verify", "--secret", SECRET, raw(given, BODY + b"\n\n-- next --\n"))).status == 0


@pytest.mark.parametrize("form", ["object", "pairs", "lists"])
async def test_json_of_headers_and_body_is_read(cli, form, tmp_path):
    given = headers()
    forms = {
        "object": given,
        "pairs": list(given.items()),
        "lists": {name: [value] for name, value in given.items()},
    }
    (tmp_path / "callback").write_text(json.dumps({"headers": forms[form], "body": BODY.decode()}))
    ran = await cli("verify", "--secret", SECRET, "callback", "--json")
    assert (ran.status, ran.json) == (0, {"valid": True, "reason": None})


@pytest.mark.parametrize(
    ("given", "body", "told"),
    [
        (headers(), BODY.replace(b"charged", b"refunded"), "no signature matches"),
        (headers(secret=new_secret()), BODY, "no signature matches"),
        (headers(age_s=3600), BODY, "the signature is right, but 3"),
        (headers(age_s=-3600), BODY, "ahead of this clock"),
        ({"webhook-id": "evt_1"}, BODY, "webhook-timestamp is missing"),
        (headers() | {"webhook-signature": "v1a,AAAA v2,BBBB"}, BODY, "only of v1a, v2"),
        (headers() | {"Content-Length": str(len(BODY))}, BODY[:-3], f"content-length says {len(BODY)}"),
        (headers(), BODY.replace(b",", b", "), "parsed and written anew"),
    ],
    ids=[
        "tampered",
        "another secret",
        "old",
        "ahead",
        "headers missing",
        "unknown schemes",
        "cut",
        "rewritten",
    ],
)
async def test_a_bad_callback_fails_and_says_why(cli, given, body, told):
    ran = await cli("verify", "--secret", SECRET, raw(given, body))
    assert ran.status == 1
    assert told in " ".join(ran.out.split())


async def test_during_a_rotation_either_secret_verifies_among_others_signatures(cli):
    other = new_secret()
    both = headers()["webhook-signature"] + " " + headers(secret=other)["webhook-signature"]
    given = headers() | {"webhook-signature": f"v1a,AAAA junk {both}"}
    for secrets in ([SECRET], [other], [new_secret(), other]):
        named = [token for each in secrets for token in ("--secret", each)]
        assert (await cli("verify", *named, raw(given))).status == 0
    ran = await cli("verify", "--secret", new_secret(), "--secret", new_secret(), raw(given))
    assert ran.status == 1
    assert "no signature matches" in " ".join(ran.out.split())


async def test_a_secret_that_is_none_is_told(cli):
    ran = await cli("verify", "--secret", "whsec_???", raw(headers()))
    assert ran.status == 1
    assert "secret" in ran.out


@pytest.mark.parametrize(
    "text", ["", "only text", '{"headers": {}}', '{"headers": {}, "body": {"parsed": 1}}']
)
async def test_a_file_that_is_no_callback_is_wrong_use(cli, text, tmp_path):
    (tmp_path / "callback").write_text(text)
    ran = await cli("verify", "--secret", SECRET, "callback")
    assert (ran.status, ran.out) == (2, "")
    assert "parsed" in text or all(
        form in ran.err for form in ("headers as lines", '{"headers": {…}, "body"')
    )


async def test_a_missing_file_is_wrong_use(cli):
    assert (await cli("verify", "--secret", SECRET, "nowhere")).status == 2

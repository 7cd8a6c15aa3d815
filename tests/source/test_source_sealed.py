"""An account with encrypted answers, against a loopback upstream that seals with its own hands."""

from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from source_kit import account, raw, serving

from notifier.domain.order import OrderId
from notifier.errors import ConfigError
from notifier.source.contract import Failure, FailureReason
from notifier.source.http import order_status_source
from notifier.source.wire import OrderAnswer
from support.clock import FakeClock
from support.envelope import answer, asked, body, encrypted, inner, signed
from support.keys import key, written, written_folders

R = FailureReason
UPI = OrderId("TEA2002")


@asynccontextmanager
async def source_of(handler, **settings):
    async with serving(handler) as (base_url, seen):
        source = order_status_source("tea", account(base_url, **settings), clock=FakeClock())
        try:
            yield source, seen
        finally:
            await source.close()


async def fetched(said: bytes, *, status: int = 200, order_id: OrderId = UPI, **settings):
    async def handler(_):
        return web.Response(body=said, status=status, headers={"x-request-id": "req-7"})

    async with source_of(handler, **settings) as (source, _):
        return await source.fetch(order_id)


@pytest.fixture
def sealing(tmp_path) -> dict[str, str]:
    return {"encryption": "jwe", **written(tmp_path)}


async def test_an_encrypted_account_asks_and_reads_sealed(sealing):
    claims = []

    async def handler(request):
        claims.append(asked(await request.read())[0])
        return web.Response(body=answer(raw("upi")))

    async with source_of(handler, **sealing, routing_id="cust-9") as (source, seen):
        found = await source.fetch(UPI)
    assert isinstance(found, OrderAnswer)
    assert found.snapshot().order.status == "CHARGED"
    (request,) = seen
    assert (request.method, request.raw_path) == ("POST", "/v4/order-status")
    assert claims == [{"order_id": "TEA2002"}]
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["x-merchantid"] == "teahouse"
    assert request.headers["x-routing-id"] == "cust-9"
    assert request.headers["version"] == "2023-06-30"
    assert request.headers["Authorization"].startswith("Basic ")


async def test_the_snapshot_is_that_of_the_plain_call(sealing):
    plain, opened = await fetched(raw("upi")), await fetched(answer(raw("upi")), **sealing)
    assert isinstance(plain, OrderAnswer)
    assert isinstance(opened, OrderAnswer)
    assert opened.digest == plain.digest
    assert opened.snapshot() == plain.snapshot()


@pytest.mark.parametrize("form", ["A", "B", "bare"])
async def test_a_plain_call_answered_with_an_envelope_is_opened_with_the_accounts_keys(tmp_path, form):
    said = body(encrypted(inner(signed(raw("upi")), "B")), form)
    found = await fetched(said, **written(tmp_path))
    assert isinstance(found, OrderAnswer)


async def test_an_envelope_without_keys_is_a_failure_that_says_so():
    assert await fetched(answer(raw("upi"))) == Failure(
        reason=R.UNKNOWN_KEY,
        http_status=200,
        request_id="req-7",
        detail="encrypted, and no jwe keys are configured",
    )


async def test_keys_do_not_make_a_plain_account_refuse_plain_answers(tmp_path):
    assert isinstance(await fetched(raw("upi"), **written(tmp_path)), OrderAnswer)


async def test_an_encrypted_account_is_not_served_plainly(sealing):
    failure = await fetched(raw("upi"), **sealing)
    assert isinstance(failure, Failure)
    assert (failure.reason, failure.request_id) == (R.UNSEALED, "req-7")


@pytest.mark.parametrize(
    ("status", "said", "reason"),
    [
        (401, b'{"status":"error","error_code":"access_denied"}', R.REFUSED),
        (404, b'{"status":"error","error_code":"order_not_found"}', R.NOT_FOUND),
        (200, b'{"status":"NOT_FOUND","status_id":40}', R.NOT_FOUND),
        (429, b"", R.RATE_LIMITED),
        (503, b"<html>", R.SERVER_ERROR),
        (302, b"", R.REDIRECT),
        (200, b"<html>", R.MALFORMED),
    ],
)
async def test_errors_come_plain(sealing, status, said, reason):
    failure = await fetched(said, status=status, **sealing)
    assert isinstance(failure, Failure)
    assert failure.reason is reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"hello", R.MALFORMED),
        (b"", R.MALFORMED),
        (b'{"order_id":"TEA2002"', R.MALFORMED),
        (b'{"JWT":"a.b.c.d.e"}', R.MALFORMED),
        (b'{"status":"NOT_FOUND","status_id":40}', R.NOT_FOUND),
    ],
)
async def test_what_was_inside_is_read_as_strictly_as_a_plain_answer(sealing, text, reason):
    failure = await fetched(answer(text), **sealing)
    assert isinstance(failure, Failure)
    assert failure.reason is reason


async def test_the_sealed_answer_of_another_order_is_not_taken(sealing):
    failure = await fetched(answer(raw("new")), **sealing)
    assert isinstance(failure, Failure)
    assert failure.reason is R.OTHER_ORDER


async def test_after_a_bad_envelope_the_next_answer_is_read(sealing):
    answers = [b'{"JWT":"a.b.c.d.e"}', answer(raw("upi"))]

    async def handler(_):
        return web.Response(body=answers.pop(0))

    async with source_of(handler, **sealing) as (source, _):
        assert isinstance(await source.fetch(UPI), Failure)
        assert isinstance(await source.fetch(UPI), OrderAnswer)


async def test_while_keys_are_changed_answers_of_either_kid_are_read(tmp_path):
    folders = written_folders(tmp_path, "new", old=("ours", "theirs"), new=("ours-2", "theirs-2"))
    settings = {"encryption": "jwe", **folders}
    old = body(encrypted(inner(signed(raw("upi"), kid="old")), kid="old"))
    new = body(encrypted(inner(signed(raw("upi"), key("theirs-2"), kid="new")), key("ours-2"), kid="new"))
    assert isinstance(await fetched(old, **settings), OrderAnswer)
    assert isinstance(await fetched(new, **settings), OrderAnswer)


async def test_an_answer_altered_on_the_way_is_told_as_such(sealing):
    failure = await fetched(answer(raw("upi"))[:-4] + b'A"}', **sealing)
    assert isinstance(failure, Failure)
    assert failure.reason is R.TAMPERED


async def test_a_source_is_not_opened_on_bad_keys(tmp_path):
    settings = written(tmp_path)
    (tmp_path / "public.pem").write_text("hello")
    with pytest.raises(ConfigError, match=r"accounts\.tea\.jwe_public_key_file: file .*public\.pem holds no"):
        order_status_source("tea", account(**settings), clock=FakeClock())

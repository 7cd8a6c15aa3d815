"""One request against real servers on loopback, kind ones and hostile ones."""

import asyncio
import gzip
import zlib
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import aiohttp
import pytest
from aiohttp import web
from aioresponses import CallbackResult, aioresponses
from source_kit import KEY, READER, Handler, account, raw, serving, speaking

from notifier.domain.order import OrderId
from notifier.source.contract import Failure, FailureReason
from notifier.source.door import Limits
from notifier.source.http import order_status_source
from notifier.source.wire import OrderAnswer
from support.clock import START, FakeClock

R = FailureReason
UPI = OrderId("TEA2002")
QUICK = Limits(connect_s=0.5, total_s=0.25)
SMALL = Limits(body_bytes=10_000)


@asynccontextmanager
async def source_at(
    base_url: str, *, clock: FakeClock | None = None, limits: Limits | None = None, **settings
):
    source = order_status_source(
        "tea", account(base_url, **settings), clock=clock or FakeClock(), limits=limits or Limits()
    )
    try:
        yield source
    finally:
        await source.close()


async def fetched(handler: Handler, *, order_id: OrderId = UPI, **settings) -> OrderAnswer | Failure:
    async with serving(handler) as (base_url, _), source_at(base_url, **settings) as source:
        return await source.fetch(order_id)


async def spoken(*pieces: bytes, limits: Limits | None = None) -> OrderAnswer | Failure:
    async def talk(writer):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()

    async with speaking(talk) as base_url, source_at(base_url, limits=limits) as source:
        return await source.fetch(UPI)


def saying(body: bytes = raw("upi"), *, status: int = 200, **headers: str) -> Handler:
    async def handler(_):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(body=body, status=status, headers=named)

    return handler


async def test_a_good_answer_is_read():
    answer = await fetched(saying())
    assert isinstance(answer, OrderAnswer)
    assert answer.snapshot().order.status == "CHARGED"
    assert answer.snapshot().reader == READER


async def test_what_an_account_keeps_is_read_and_is_part_of_its_eyes():
    answer = await fetched(saying(), keep=["udf2", "udf1", "udf1"])
    assert isinstance(answer, OrderAnswer)
    assert answer.snapshot().reader == replace(READER, options="udf1,udf2")
    assert answer.snapshot().order.kept == {"udf1": "table 4, Meera"}


async def test_the_request_is_the_documented_one():
    async with serving(saying()) as (base_url, seen), source_at(base_url, version="2024-05-01") as source:
        await source.fetch(UPI)
        assert source.reader.version == "2024-05-01"
    (request,) = seen
    assert (request.method, request.raw_path) == ("GET", "/orders/TEA2002")
    told = {name: request.headers[name] for name in request.headers if name != "Host"}
    assert told == {
        "Authorization": aiohttp.encode_basic_auth(KEY, ""),
        "x-merchantid": "teahouse",
        "version": "2024-05-01",
        "x-routing-id": "TEA2002",
        "Content-Type": "application/x-www-form-urlencoded",
        "Accept": "application/json",
        "Accept-Encoding": "gzip, deflate",
        "User-Agent": "notifier",
    }


@pytest.mark.parametrize(
    ("order_id", "path"),
    [
        ("a/b", "/orders/a%2Fb"),
        ("a%2Fb", "/orders/a%252Fb"),
        ("../admin", "/orders/..%2Fadmin"),
        ("x?y=1#z", "/orders/x%3Fy%3D1%23z"),
        ("tea +&;", "/orders/tea%20%2B%26%3B"),
        ("चाय", "/orders/%E0%A4%9A%E0%A4%BE%E0%A4%AF"),
        ("plain-1_2.3~", "/orders/plain-1_2.3~"),
    ],
)
async def test_an_order_id_arrives_percent_encoded_exactly_once(order_id, path):
    async with serving(saying()) as (base_url, seen), source_at(base_url) as source:
        await source.fetch(OrderId(order_id))
    assert seen[0].raw_path == path
    assert seen[0].match_info["tail"] == f"orders/{order_id}"


@pytest.mark.parametrize(
    ("setting", "own", "sent"),
    [
        ("customer_id", None, "TEA2002"),
        ("customer_id", "cst_77", "cst_77"),
        ("order_id", None, "TEA2002"),
        ("order_id", "cst_77", "cst_77"),
        ("till 7", None, "till 7"),
        ("till 7", "cst_77", "cst_77"),
        ("customer_id", "a\r\nX-Evil: 1", "a%0D%0AX-Evil: 1"),
        ("customer_id", "चा", "%E0%A4%9A%E0%A4%BE"),
        ("customer_id", "50%/a b", "50%/a b"),
    ],
)
async def test_the_routing_id(setting, own, sent):
    seen = {}

    def note(_, **request):
        seen.update(request["headers"])
        return CallbackResult(body=raw("upi"))

    with aioresponses() as upstream:
        upstream.get("http://upstream.test/orders/TEA2002", callback=note)
        async with source_at("http://upstream.test", routing_id=setting) as source:
            await source.fetch(UPI, routing_id=own)
    assert seen["x-routing-id"] == sent


@pytest.mark.parametrize("status", [301, 302, 303, 304, 307, 308])
async def test_a_redirect_is_a_failure_and_is_not_followed(status):
    async with serving(saying()) as (elsewhere, seen):
        failure = await fetched(saying(b"", status=status, Location=f"{elsewhere}/orders/TEA2002"))
    assert failure == Failure(reason=R.REDIRECT, http_status=status)
    assert seen == []


@pytest.mark.parametrize(
    ("status", "reason"),
    [(204, R.MALFORMED), (400, R.BAD_REQUEST), (401, R.REFUSED), (403, R.REFUSED), (404, R.NOT_FOUND),
     (408, R.SERVER_ERROR), (410, R.BAD_REQUEST), (425, R.SERVER_ERROR), (429, R.RATE_LIMITED), (500, R.SERVER_ERROR),
     (502, R.SERVER_ERROR), (503, R.SERVER_ERROR)],
)  # fmt: skip
async def test_an_http_status_is_told_as_a_reason(status, reason):
    failure = await fetched(saying(b"<html>meera@tea.example</html>", status=status))
    assert failure == Failure(reason=reason, http_status=status)


async def test_an_error_is_told_by_its_code_and_the_id_for_the_support():
    body_only = await fetched(saying(raw("error_denied"), status=401))
    assert body_only == Failure(
        reason=R.REFUSED,
        http_status=401,
        request_id="0d6a8f1e-aaaa-4bbb-8ccc-1234567890ab",
        detail="access_denied",
    )
    with_header = await fetched(saying(raw("error_denied"), status=401, x_request_id="hdr-1"))
    assert isinstance(with_header, Failure)
    assert with_header.request_id == "hdr-1"


@pytest.mark.parametrize(
    ("name", "reason"),
    [("error_denied", R.REFUSED), ("error_not_found_word", R.NOT_FOUND), ("new", R.OTHER_ORDER)],
)
async def test_a_200_that_is_not_the_order_is_a_failure_with_its_request_id(name, reason):
    failure = await fetched(saying(raw(name), x_request_id="hdr-2"))
    assert isinstance(failure, Failure)
    assert (failure.reason, failure.http_status, failure.request_id) == (reason, 200, "hdr-2")


@pytest.mark.parametrize(
    ("header", "wait_s"),
    [
        ("0", 0),
        (" 17 ", 17),
        ("99999999999999999999", 86_400),
        (f"{START + timedelta(seconds=90):%a, %d %b %Y %H:%M:%S GMT}", 90),
        (f"{START - timedelta(seconds=90):%a, %d %b %Y %H:%M:%S GMT}", 0),
        (f"{START + timedelta(seconds=5):%a, %d %b %Y %H:%M:%S -0000}", 5),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("", None),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_is_read_as_seconds_and_as_a_date(status, header, wait_s):
    failure = await fetched(saying(b"", status=status, Retry_After=header))
    assert isinstance(failure, Failure)
    assert failure.retry_after_s == wait_s


async def test_retry_after_means_nothing_where_waiting_helps_nothing():
    failure = await fetched(saying(b"", status=401, Retry_After="5"))
    assert isinstance(failure, Failure)
    assert failure.retry_after_s is None


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_compressed_answer_is_read(encoding):
    packed = {"gzip": gzip.compress, "deflate": zlib.compress}[encoding](raw("upi"))
    assert isinstance(await fetched(saying(packed, Content_Encoding=encoding)), OrderAnswer)


async def test_a_body_of_exactly_the_limit_is_read_and_one_byte_more_is_not():
    body = raw("upi").ljust(SMALL.body_bytes)
    assert isinstance(await fetched(saying(body), limits=SMALL), OrderAnswer)
    failure = await fetched(saying(body + b" "), limits=SMALL)
    assert failure == Failure(reason=R.TOO_LARGE, http_status=200)


async def test_an_endless_body_is_cut_off():
    hung_up = asyncio.Event()

    async def endless(request):
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b" " * 65_536)
        finally:
            hung_up.set()

    assert await fetched(endless) == Failure(reason=R.TOO_LARGE, http_status=200)
    await hung_up.wait()


async def test_a_bomb_is_cut_off():
    bomb = gzip.compress(b" " * 50_000_000)
    failure = await fetched(saying(bomb, Content_Encoding="gzip"))
    assert failure == Failure(reason=R.TOO_LARGE, http_status=200)


async def test_a_large_error_page_is_told_by_its_status():
    failure = await fetched(saying(b"x" * 20_000, status=502), limits=SMALL)
    assert failure == Failure(reason=R.SERVER_ERROR, http_status=502)


async def test_a_body_in_many_pieces_is_read():
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    body = raw("upi")
    pieces = [
        b"%x\r\n%s\r\n" % (len(part), part) for part in (body[i : i + 50] for i in range(0, len(body), 50))
    ]
    assert isinstance(await spoken(head, *pieces, b"0\r\n\r\n"), OrderAnswer)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n" + raw("upi"),
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"ord',
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 8\r\n\r\nnot gzip",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"",
    ],
    ids=["length", "chunk", "encoding", "head", "nothing"],
)  # fmt: skip
async def test_a_cut_answer_is_a_lost_connection(answer):
    failure = await spoken(answer)
    assert isinstance(failure, Failure)
    assert failure.reason is R.CONNECTION


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
    ],
    ids=["ssh", "status", "long", "length"],
)  # fmt: skip
async def test_what_is_not_http_is_malformed(answer):
    failure = await spoken(answer)
    assert isinstance(failure, Failure)
    assert failure.reason is R.MALFORMED


async def test_a_server_that_never_answers_is_a_timeout():
    async def hang(_):
        await asyncio.Event().wait()
        return web.Response()

    assert await fetched(hang, limits=QUICK) == Failure(reason=R.TIMEOUT)


async def test_a_server_that_drips_is_a_timeout():
    async def drip(writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with speaking(drip) as base_url, source_at(base_url, limits=QUICK) as source:
        assert await source.fetch(UPI) == Failure(reason=R.TIMEOUT)


async def test_nobody_at_the_port_is_a_lost_connection():
    async with speaking(lambda _: asyncio.sleep(0)) as base_url:
        pass
    async with source_at(base_url) as source:
        failure = await source.fetch(UPI)
    assert failure == Failure(reason=R.CONNECTION, detail="ClientConnectorError")


async def test_a_broken_handshake_is_a_matter_of_tls():
    async with serving(saying()) as (base_url, _), source_at(base_url.replace("http", "https")) as source:
        failure = await source.fetch(UPI)
    assert isinstance(failure, Failure)
    assert failure.reason is R.TLS


async def test_one_connection_serves_answers_and_errors_alike():
    async with (
        serving(saying(raw("error_inside"), status=500)) as (base_url, seen),
        source_at(base_url) as source,
    ):
        for _ in range(5):
            await source.fetch(UPI)
    assert len({request.transport for request in seen}) == 1


async def test_cookies_are_neither_kept_nor_sent():
    async with serving(saying(Set_Cookie="session=1")) as (base_url, seen), source_at(base_url) as source:
        await source.fetch(UPI)
        await source.fetch(UPI)
    assert "Cookie" not in seen[1].headers


async def test_a_cancelled_request_is_cancelled():
    asked = asyncio.Event()

    async def hang(_):
        asked.set()
        await asyncio.Event().wait()
        return web.Response()

    async with serving(hang) as (base_url, _), source_at(base_url) as source:
        task = asyncio.create_task(source.fetch(UPI), name="fetch")
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_source_shows_its_account_and_no_key():
    async with source_at("http://127.0.0.1:1") as source:
        assert repr(source) == "OrderStatusSource('tea')"

"""Bodies of the upstream, servers on loopback, and the few things that every test of the source needs."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from aiohttp import web

from notifier.config.accounts import Account
from notifier.domain.change import SCHEMA
from notifier.domain.order import OrderId
from notifier.domain.snapshot import Reader, Snapshot
from notifier.source.contract import Failure
from notifier.source.wire import OrderAnswer, read

BODIES = Path(__file__).parent / "bodies"
MERCHANT = "teahouse"
KEY = "k3y-of-the-teahouse"
READER = Reader(schema=SCHEMA, version="2023-06-30")
ORDERS = ("new", "upi", "refunds", "offers", "mandate", "parts", "chargeback", "texts")

Json = dict[str, Any]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def body_of(name: str) -> Json:
    return json.loads(raw(name))


def raw(name: str) -> bytes:
    return (BODIES / f"{name}.json").read_bytes()


def packed(body: Any) -> bytes:
    return json.dumps(body).encode()


def answer_to(body: Any, order_id: str | None = None, *, keep: str = "") -> OrderAnswer | Failure:
    """Read a body as the answer about the order that it names itself; `keep` names personal members."""
    asked = OrderId(order_id or body["order_id"])
    reader = replace(READER, options=keep)
    return read(packed(body), order_id=asked, merchant_id=MERCHANT, reader=reader)


def good(body: Json, *, keep: str = "") -> OrderAnswer:
    answer = answer_to(body, keep=keep)
    assert isinstance(answer, OrderAnswer), answer
    return answer


def snapshot_of(body: Json, *, keep: str = "") -> Snapshot:
    return good(body, keep=keep).snapshot()


def paths(value: Any, *, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the way to every member, those that hold others included."""
    inner = list(
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else []
    )
    return [way for key, child in inner for way in [(*at, key), *paths(child, at=(*at, key))]]


def put(body: Json, way: tuple[Any, ...], value: Any) -> Json:
    """Return a copy of the body with another value at the end of the way."""
    copy = json.loads(json.dumps(body))
    holder = copy
    for key in way[:-1]:
        holder = holder[key]
    holder[way[-1]] = value
    return copy


def account(base_url: str = "http://127.0.0.1:1", **settings: Any) -> Account:
    given = {"base_url": base_url, "merchant_id": MERCHANT, "api_key_env": "KEY"} | settings
    return Account.model_validate(given, context={"KEY": KEY})


@asynccontextmanager
async def serving(handler: Handler):
    """Serve every path with one handler; the requests it saw lie in the list."""
    seen: list[web.Request] = []

    async def noted(request):
        seen.append(request)
        return await handler(request)

    application = web.Application()
    application.router.add_route("*", "/{tail:.*}", noted)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.01)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", seen
    finally:
        await runner.cleanup()


@asynccontextmanager
async def speaking(talk: Callable[[asyncio.StreamWriter], Awaitable[None]]):
    """Serve bytes by hand: `talk` begins after the head of a request was read."""

    async def serve(reader, writer):
        try:
            await reader.readuntil(b"\r\n\r\n")
            await talk(writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

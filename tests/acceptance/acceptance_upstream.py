"""An upstream that answers what a test tells it to, byte for byte, and keeps the paths as they were asked."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import msgspec
from aiohttp import BasicAuth, web

from notifier.sandbox.serve import serving

_PREFIX = "/orders/"


def paid(order_id: str, **members: Any) -> bytes:
    """Return the body of an order that was charged long ago."""
    body = {
        "merchant_id": "sandboxmart", "order_id": order_id, "status": "CHARGED", "status_id": 21,
        "amount": 386, "currency": "INR", "effective_amount": 386, "amount_refunded": 0, "refunded": False,
        "date_created": "2026-01-05T09:30:00Z", "last_updated": "2026-01-05T09:31:00Z",
        "txn_id": f"sandboxmart-{order_id}-1", "payment_method_type": "CARD", "payment_method": "VISA",
    }  # fmt: skip
    return msgspec.json.encode(body | members)


@dataclass
class Canned:
    """What is answered; `bodies` by order id, or by the path of another call, else the order as paid."""

    url: str = ""
    bodies: dict[str, bytes] = field(default_factory=dict)
    paths: list[str] = field(default_factory=list)
    keys: dict[str, str] = field(default_factory=dict)
    """The key that each path was asked with last."""

    async def answer(self, request: web.Request) -> web.Response:
        path = request.raw_path
        self.paths.append(path)
        self.keys[path] = BasicAuth.decode(request.headers["Authorization"]).login
        order_id = unquote(path.removeprefix(_PREFIX))
        return web.Response(body=self.bodies.get(order_id) or paid(order_id), content_type="application/json")


@asynccontextmanager
async def canned() -> AsyncIterator[Canned]:
    upstream = Canned()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", upstream.answer)
    async with serving(app) as upstream.url:
        yield upstream

"""The make-believe Juspay over HTTP: every call a merchant makes, answered from the sandbox's memory."""

from collections.abc import Awaitable, Callable
from uuid import uuid4

from aiohttp import web

from notifier.sandbox.calls.credit import Credit
from notifier.sandbox.calls.encrypted import Encrypted, Opened
from notifier.sandbox.calls.guard import Handler, guarded
from notifier.sandbox.calls.mandates import Mandates
from notifier.sandbox.calls.orders import Orders
from notifier.sandbox.control.api import control_routes
from notifier.sandbox.control.page import Page
from notifier.sandbox.control.paying import Paying
from notifier.sandbox.webhooks.sender import Sender
from notifier.sandbox.world import Sandbox


def application(sandbox: Sandbox, sender: Sender) -> web.Application:
    """Return the upstream, with its controls under `/sandbox/`; `sender` runs by itself."""
    orders, credit = Orders(sandbox), Credit(sandbox)
    mandates, encrypted = Mandates(sandbox), Encrypted(sandbox, orders)

    def keyed(handler: Handler) -> Handler:
        return guarded(handler, sandbox, key=sandbox.key)

    def legacy(handler: Handler) -> Handler:
        return guarded(handler, sandbox, key=sandbox.key, header=False)

    def signed(handler: Opened) -> Handler:
        return guarded(encrypted.sealed(handler), sandbox, key=None)

    app = web.Application()
    app.add_routes(
        [
            web.get("/orders/{order_id}", keyed(orders.status)),
            web.post("/orders", keyed(orders.create)),
            web.post("/session", keyed(orders.session)),
            web.post("/orders/{order_id}/refunds", keyed(orders.refund)),
            web.post("/mandates/{mandate_id}", keyed(mandates.command)),
            web.get("/order/status", legacy(orders.legacy_status)),
            web.post("/order/status", legacy(orders.legacy_status)),
            web.get("/credit/order/{order_id}", guarded(credit.status, sandbox, key=sandbox.credit_key)),
            web.post("/v4/order-status", signed(encrypted.status)),
            web.post("/v4/session", signed(encrypted.session)),
            web.post("/v4/orders/{order_id}/refunds", signed(encrypted.refund)),
            *control_routes(sandbox, sender),
            *Page(sandbox, sender).routes(),
            *Paying(sandbox).routes(),
        ]
    )
    app.on_response_prepare.append(_mark(sandbox))
    return app


def _mark(sandbox: Sandbox) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    async def mark(_request: web.Request, response: web.StreamResponse) -> None:
        response.headers["x-request-id"] = response.headers["x-response-id"] = str(uuid4())
        response.headers["x-jp-merchant-id"] = sandbox.merchant_id

    return mark

"""The encrypted calls: a sealed question, and an answer sealed the same way; errors come plain."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from notifier.sandbox.calls import answers
from notifier.sandbox.calls.members import flat, json_object
from notifier.sandbox.calls.orders import Orders, answered
from notifier.sandbox.calls.reading import Reading
from notifier.sandbox.faults import Call
from notifier.sandbox.frame import Json
from notifier.sandbox.world import Order, Sandbox

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Seal = Callable[[Json], Json]
Opened = Callable[[web.Request, dict[str, str], Seal], Awaitable[web.StreamResponse]]


class Encrypted:
    """`/v4`: the order status, and what Juspay's libraries seal of their own accord, sessions and refunds."""

    def __init__(self, sandbox: Sandbox, orders: Orders) -> None:
        self._sandbox = sandbox
        self._orders = orders

    def sealed(self, handler: Opened) -> Handler:
        """Return the handler within its envelope: it is given the members and the way to seal its answer."""

        async def opened(request: web.Request) -> web.StreamResponse:
            keys = self._sandbox.keys
            if keys is None:
                return answers.not_enabled()
            claims, form = keys.opened(json_object(await request.read()))
            return await handler(request, flat(claims), lambda body: keys.sealed(body, form))

        return opened

    async def status(self, request: web.Request, asked: dict[str, str], seal: Seal) -> web.StreamResponse:
        """Answer `POST /v4/order-status`."""
        order_id = asked.get("order_id")
        if not order_id:
            return answers.missing("order_id")
        is_full = asked.get("options.add_full_gateway_response") == "true"

        def body(order: Order, age_s: float) -> Json:
            return self._sandbox.order_body(order, age_s, full_gateway_response=is_full)

        reading = Reading(self._sandbox, Call.ENCRYPTED, body)
        return await reading.answer(request, order_id, self._sandbox.find(order_id), seal)

    async def session(self, _request: web.Request, asked: dict[str, str], seal: Seal) -> web.StreamResponse:
        """Answer `POST /v4/session`."""
        return _answered(self._orders.opened(asked), seal)

    async def refund(self, request: web.Request, asked: dict[str, str], seal: Seal) -> web.StreamResponse:
        """Answer `POST /v4/orders/{order_id}/refunds`."""
        return _answered(self._orders.refunded(request.match_info["order_id"], asked), seal)


def _answered(answer: Json | web.Response, seal: Seal) -> web.Response:
    return answered(answer if isinstance(answer, web.Response) else seal(answer))

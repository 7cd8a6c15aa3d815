"""The encrypted order status: a sealed question, and an answer sealed the same way; errors come plain."""

from aiohttp import web

from notifier.sandbox.calls import answers
from notifier.sandbox.calls.members import json_object
from notifier.sandbox.calls.reading import Reading
from notifier.sandbox.faults import Call
from notifier.sandbox.frame import Json
from notifier.sandbox.world import Order, Sandbox


class Encrypted:
    """`/v4/order-status`."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def status(self, request: web.Request) -> web.StreamResponse:
        """Answer `POST /v4/order-status`."""
        keys = self._sandbox.keys
        if keys is None:
            return answers.not_enabled()
        claims, form = keys.opened(json_object(await request.read()))
        order_id = claims.get("order_id")
        if not isinstance(order_id, str) or not order_id:
            return answers.missing("order_id")
        is_full = str(claims.get("options.add_full_gateway_response")).lower() == "true"

        def body(order: Order, age_s: float) -> Json:
            return self._sandbox.order_body(order, age_s, full_gateway_response=is_full)

        reading = Reading(self._sandbox, Call.ENCRYPTED, body)
        return await reading.answer(
            request, order_id, self._sandbox.find(order_id), lambda plain: keys.sealed(plain, form)
        )

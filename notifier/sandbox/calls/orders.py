"""The calls about orders: create one, open a session for it, ask for its status, refund it."""

from aiohttp import web

from notifier.sandbox.bodies.order import juspay_id
from notifier.sandbox.calls import answers
from notifier.sandbox.calls.members import members
from notifier.sandbox.calls.reading import Reading
from notifier.sandbox.faults import Call
from notifier.sandbox.frame import Json, hundredths
from notifier.sandbox.lives.scenario import tag
from notifier.sandbox.world import Order, Sandbox

_OPTION = "options.add_full_gateway_response"
_TOKEN_S = 900.0


class Orders:
    """`/orders`, `/session` and the legacy `/order/status`."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def status(self, request: web.Request) -> web.StreamResponse:
        """Answer `GET /orders/{order_id}`."""
        order_id = request.match_info["order_id"]
        return await self.told(request, order_id, is_full=request.query.get(_OPTION) == "true")

    async def legacy_status(self, request: web.Request) -> web.StreamResponse:
        """Answer `GET` or `POST /order/status`, which names the order among its members."""
        asked = await members(request)
        if not asked.get("order_id"):
            return answers.short("Please send order_id")
        return await self.told(request, asked["order_id"], is_full=asked.get(_OPTION) == "true")

    async def told(self, request: web.Request, order_id: str, *, is_full: bool) -> web.StreamResponse:
        """Answer the status of an order, with the raw answer of the gateway if that was asked for."""

        def body(order: Order, age_s: float) -> Json:
            return self._sandbox.order_body(order, age_s, full_gateway_response=is_full)

        reading = Reading(self._sandbox, Call.ORDER, body)
        return await reading.answer(request, order_id, self._sandbox.find(order_id))

    async def create(self, request: web.Request) -> web.StreamResponse:
        """Answer `POST /orders` with the new order, and a token for the customer's browser."""
        opened = await self._opened(request)
        return opened if isinstance(opened, web.Response) else web.json_response(self._created(opened))

    async def session(self, request: web.Request) -> web.StreamResponse:
        """Answer `POST /session`: the order and where the customer pays for it."""
        opened = await self._opened(request)
        if isinstance(opened, web.Response):
            return opened
        created = self._created(opened)
        expiry = opened.frame.stamp(_TOKEN_S)
        names = ("status", "id", "order_id", "merchant_id", "amount", "currency", "juspay")
        links = created["payment_links"] | {"expiry": expiry, "deep_link": created["payment_links"]["mobile"]}
        return web.json_response(
            {name: created[name] for name in names} | {"payment_links": links, "order_expiry": expiry}
        )

    async def refund(self, request: web.Request) -> web.StreamResponse:
        """Answer `POST /orders/{order_id}/refunds` with the whole order."""
        order_id = request.match_info["order_id"]
        order = self._sandbox.find(order_id)
        if order is None:
            return answers.unknown(self._sandbox.manners.unknown_order, order_id)
        asked = await members(request)
        if absent := [name for name in ("unique_request_id", "amount") if not asked.get(name)]:
            return answers.missing(*absent)
        order = self._sandbox.ask_refund(
            order, unique_request_id=asked["unique_request_id"], amount=hundredths(asked["amount"])
        )
        return web.json_response(self._shown(order))

    async def _opened(self, request: web.Request) -> Order | web.Response:
        asked = await members(request)
        if absent := [name for name in ("order_id", "amount") if not asked.get(name)]:
            return answers.missing(*absent)
        return self._sandbox.create(
            asked["order_id"],
            amount=hundredths(asked["amount"]),
            currency=asked.get("currency", "INR"),
            registers_mandate=asked.get("options.create_mandate") in {"REQUIRED", "OPTIONAL"},
            given=asked,
        )

    def _created(self, order: Order) -> Json:
        token = {
            "client_auth_token": f"tkn_{tag(f'client {juspay_id(order.life)}')[:32]}",
            "client_auth_token_expiry": order.frame.stamp(_TOKEN_S),
        }
        return self._shown(order) | {"juspay": token}

    def _shown(self, order: Order) -> Json:
        return self._sandbox.order_body(order, self._sandbox.age_s(order))

"""The calls about orders: create one, open a session for it, ask for its status, refund it."""

from collections.abc import Mapping

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
        opened = self._opened(await members(request))
        return opened if isinstance(opened, web.Response) else web.json_response(self._created(opened))

    async def session(self, request: web.Request) -> web.StreamResponse:
        """Answer `POST /session`: the order and where the customer pays for it."""
        return answered(self.opened(await members(request)))

    async def refund(self, request: web.Request) -> web.StreamResponse:
        """Answer `POST /orders/{order_id}/refunds` with the whole order."""
        return answered(self.refunded(request.match_info["order_id"], await members(request)))

    def opened(self, asked: Mapping[str, str]) -> Json | web.Response:
        """Open a session and return its answer, or a refusal; raises InvalidValue for a bad amount."""
        order = self._opened(asked)
        if isinstance(order, web.Response):
            return order
        created = self._created(order)
        expiry = order.frame.stamp(_TOKEN_S)
        names = ("status", "id", "order_id", "merchant_id", "amount", "currency", "juspay")
        links = created["payment_links"] | {"expiry": expiry, "deep_link": created["payment_links"]["mobile"]}
        return {name: created[name] for name in names} | {"payment_links": links, "order_expiry": expiry}

    def refunded(self, order_id: str, asked: Mapping[str, str]) -> Json | web.Response:
        """Begin a refund and return the order, or a refusal; raises InvalidValue when there is nothing to refund."""
        order = self._sandbox.find(order_id)
        if order is None:
            return answers.unknown(self._sandbox.manners.unknown_order, order_id)
        if absent := [name for name in ("unique_request_id", "amount") if not asked.get(name)]:
            return answers.missing(*absent)
        order = self._sandbox.ask_refund(
            order, unique_request_id=asked["unique_request_id"], amount=hundredths(asked["amount"])
        )
        return self._shown(order)

    def _opened(self, asked: Mapping[str, str]) -> Order | web.Response:
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


def answered(answer: Json | web.Response) -> web.Response:
    """Return a refusal as it is, and a body as JSON."""
    return answer if isinstance(answer, web.Response) else web.json_response(answer)

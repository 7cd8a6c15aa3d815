"""The sandbox's own calls under `/sandbox/`: open an order, move it, refund it, make the upstream misbehave."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Annotated, TypeVar

import msgspec
from aiohttp import web

from notifier.errors import InvalidValue
from notifier.sandbox.faults import Fault
from notifier.sandbox.frame import Json, hundredths, number
from notifier.sandbox.lives.moves import Move, Part, moves
from notifier.sandbox.lives.scenario import Method, RefundOutcome, Step
from notifier.sandbox.manners import Manners
from notifier.sandbox.world import Order, Sandbox

T = TypeVar("T")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _Body(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    pass


class NewStep(_Body):
    """What the order looks like from an age on, in seconds of its life."""

    at_s: Annotated[float, msgspec.Meta(ge=0)]
    status: str | None = None
    mandate_status: str | None = None

    def as_step(self) -> Step:
        return Step(at_s=self.at_s, status=self.status, mandate_status=self.mandate_status)


class NewOrder(_Body):
    """An order to open; everything may be left to the sandbox."""

    order_id: str | None = None
    amount: Decimal | None = None
    currency: str = "INR"
    method: Method | None = None
    script: str | None = None
    steps: list[NewStep] | None = None
    registers_mandate: bool = False
    given: dict[str, str] = msgspec.field(default_factory=dict)


class NewRefund(_Body):
    """A refund to begin now, and where it shall end."""

    unique_request_id: str
    amount: Decimal
    outcome: RefundOutcome = RefundOutcome.SUCCESS


class NewStatus(_Body):
    """What to set by hand, now."""

    status: str | None = None
    mandate_status: str | None = None


class NewMove(_Body):
    """What shall happen now; `id` is that of the refund, or the number of the application."""

    part: Part
    to: str
    id: str = ""

    def as_move(self) -> Move:
        return Move(part=self.part, id=self.id, to=self.to)


def control_routes(sandbox: Sandbox) -> list[web.RouteDef]:
    """Return the controls; they need no key, the sandbox binds loopback."""
    controls = _Controls(sandbox)
    return [
        web.get("/sandbox/orders", _telling(controls.list_orders)),
        web.post("/sandbox/orders", _telling(controls.open_order)),
        web.post("/sandbox/orders/{order_id}/refunds", _telling(controls.refund)),
        web.post("/sandbox/orders/{order_id}/status", _telling(controls.set_status)),
        web.get("/sandbox/orders/{order_id}", _telling(controls.show)),
        web.post("/sandbox/orders/{order_id}/moves", _telling(controls.move)),
        web.post("/sandbox/orders/{order_id}/next", _telling(controls.hurry)),
        web.get("/sandbox/manners", _telling(controls.show_manners)),
        web.post("/sandbox/manners", _telling(controls.set_manners)),
        web.get("/sandbox/faults", _telling(controls.list_faults)),
        web.post("/sandbox/faults", _telling(controls.add_fault)),
        web.delete("/sandbox/faults", _telling(controls.clear_faults)),
    ]


class _Controls:
    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def list_orders(self, _request: web.Request) -> web.Response:
        return web.json_response({"items": [self._line(order) for order in self._sandbox]})

    async def open_order(self, request: web.Request) -> web.Response:
        wanted = await _read(request, NewOrder)
        order = self._sandbox.create(
            wanted.order_id,
            amount=None if wanted.amount is None else hundredths(wanted.amount),
            currency=wanted.currency,
            method=wanted.method,
            script=wanted.script,
            steps=None if wanted.steps is None else [step.as_step() for step in wanted.steps],
            registers_mandate=wanted.registers_mandate,
            given=wanted.given,
        )
        return web.json_response(self._line(order), status=201)

    async def refund(self, request: web.Request) -> web.Response:
        wanted = await _read(request, NewRefund)
        order = self._sandbox.ask_refund(
            self._found(request),
            unique_request_id=wanted.unique_request_id,
            amount=hundredths(wanted.amount),
            outcome=wanted.outcome,
        )
        return web.json_response(self._line(order), status=201)

    async def set_status(self, request: web.Request) -> web.Response:
        wanted = await _read(request, NewStatus)
        order = self._sandbox.force(
            self._found(request), status=wanted.status, mandate_status=wanted.mandate_status
        )
        return web.json_response(self._line(order))

    async def show(self, request: web.Request) -> web.Response:
        return web.json_response(self._whole(self._found(request)))

    async def move(self, request: web.Request) -> web.Response:
        order = self._sandbox.move(self._found(request), (await _read(request, NewMove)).as_move())
        return web.json_response(self._whole(order))

    async def hurry(self, request: web.Request) -> web.Response:
        return web.json_response(self._whole(self._sandbox.hurry(self._found(request))))

    async def show_manners(self, _request: web.Request) -> web.Response:
        return web.json_response(msgspec.to_builtins(self._sandbox.manners))

    async def set_manners(self, request: web.Request) -> web.Response:
        self._sandbox.manners = await _read(request, Manners)
        return await self.show_manners(request)

    async def list_faults(self, _request: web.Request) -> web.Response:
        return web.json_response({"items": msgspec.to_builtins(list(self._sandbox.faults))})

    async def add_fault(self, request: web.Request) -> web.Response:
        fault = await _read(request, Fault)
        self._sandbox.faults.add(fault)
        return web.json_response(msgspec.to_builtins(fault), status=201)

    async def clear_faults(self, _request: web.Request) -> web.Response:
        self._sandbox.faults.clear()
        return web.Response(status=204)

    def _found(self, request: web.Request) -> Order:
        order_id = request.match_info["order_id"]
        order = self._sandbox.find(order_id)
        if order is None:
            raise InvalidValue("order_id", f"no order {order_id!r} in this sandbox", code="not_found")
        return order

    def _whole(self, order: Order) -> Json:
        possible = moves(order.life, self._sandbox.age_s(order))
        return self._line(order) | {
            "moves": [{"part": each.part, "id": each.id, "to": each.to} for each in possible]
        }

    def _line(self, order: Order) -> Json:
        age_s = self._sandbox.age_s(order)
        return {
            "order_id": order.life.order_id,
            "amount": number(order.life.amount),
            "currency": order.life.currency,
            "method": order.life.method,
            "status": order.look(age_s).status,
            "age_s": round(age_s, 3),
            "ends_s": order.life.ends_s,
        }


async def _read(request: web.Request, shape: type[T]) -> T:
    try:
        return msgspec.json.decode(await request.read() or b"{}", type=shape)
    except msgspec.DecodeError as error:
        raise InvalidValue("", str(error)) from None


def _telling(handler: Handler) -> Handler:
    async def telling(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except InvalidValue as error:
            problem = error.problem
            status = 404 if problem.code == "not_found" else 422
            body = {"field": problem.path, "code": problem.code, "message": problem.message}
            return web.json_response(body, status=status)

    return telling

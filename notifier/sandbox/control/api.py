"""The sandbox's own calls under `/sandbox/`: open an order, move it, refund it, make the upstream misbehave."""

from dataclasses import asdict

import msgspec
from aiohttp import web

from notifier.errors import InvalidValue
from notifier.sandbox.control.shapes import NewLetter, NewMove, NewOrder, NewRefund, NewStatus, read, telling
from notifier.sandbox.faults import Fault
from notifier.sandbox.frame import Json, hundredths, number
from notifier.sandbox.lives.moves import moves
from notifier.sandbox.manners import Manners
from notifier.sandbox.webhooks.hook import Hook
from notifier.sandbox.webhooks.sender import Sender
from notifier.sandbox.world import Order, Sandbox


def control_routes(sandbox: Sandbox, sender: Sender) -> list[web.RouteDef]:
    """Return the controls; they need no key, the sandbox binds loopback."""
    controls = _Controls(sandbox, sender)
    return [
        web.get("/sandbox/orders", telling(controls.list_orders)),
        web.post("/sandbox/orders", telling(controls.open_order)),
        web.post("/sandbox/orders/{order_id}/refunds", telling(controls.refund)),
        web.post("/sandbox/orders/{order_id}/status", telling(controls.set_status)),
        web.get("/sandbox/orders/{order_id}", telling(controls.show)),
        web.post("/sandbox/orders/{order_id}/moves", telling(controls.move)),
        web.post("/sandbox/orders/{order_id}/next", telling(controls.hurry)),
        web.get("/sandbox/manners", telling(controls.show_manners)),
        web.post("/sandbox/manners", telling(controls.set_manners)),
        web.get("/sandbox/faults", telling(controls.list_faults)),
        web.post("/sandbox/faults", telling(controls.add_fault)),
        web.delete("/sandbox/faults", telling(controls.clear_faults)),
        web.get("/sandbox/webhooks", telling(controls.list_webhooks)),
        web.post("/sandbox/webhooks", telling(controls.add_webhook)),
        web.delete("/sandbox/webhooks", telling(controls.clear_webhooks)),
        web.post("/sandbox/webhooks/send", telling(controls.send_webhook)),
    ]


class _Controls:
    def __init__(self, sandbox: Sandbox, sender: Sender) -> None:
        self._sandbox = sandbox
        self._sender = sender

    async def list_orders(self, _request: web.Request) -> web.Response:
        return web.json_response({"items": [self._line(order) for order in self._sandbox]})

    async def open_order(self, request: web.Request) -> web.Response:
        wanted = await read(request, NewOrder)
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
        wanted = await read(request, NewRefund)
        order = self._sandbox.ask_refund(
            self._found(request),
            unique_request_id=wanted.unique_request_id,
            amount=hundredths(wanted.amount),
            outcome=wanted.outcome,
        )
        return web.json_response(self._line(order), status=201)

    async def set_status(self, request: web.Request) -> web.Response:
        wanted = await read(request, NewStatus)
        order = self._sandbox.force(
            self._found(request), status=wanted.status, mandate_status=wanted.mandate_status
        )
        return web.json_response(self._line(order))

    async def show(self, request: web.Request) -> web.Response:
        return web.json_response(self._whole(self._found(request)))

    async def move(self, request: web.Request) -> web.Response:
        order = self._sandbox.move(self._found(request), (await read(request, NewMove)).as_move())
        return web.json_response(self._whole(order))

    async def hurry(self, request: web.Request) -> web.Response:
        return web.json_response(self._whole(self._sandbox.hurry(self._found(request))))

    async def show_manners(self, _request: web.Request) -> web.Response:
        return web.json_response(msgspec.to_builtins(self._sandbox.manners))

    async def set_manners(self, request: web.Request) -> web.Response:
        self._sandbox.manners = await read(request, Manners)
        return await self.show_manners(request)

    async def list_faults(self, _request: web.Request) -> web.Response:
        return web.json_response({"items": msgspec.to_builtins(list(self._sandbox.faults))})

    async def add_fault(self, request: web.Request) -> web.Response:
        fault = await read(request, Fault)
        self._sandbox.faults.add(fault)
        return web.json_response(msgspec.to_builtins(fault), status=201)

    async def clear_faults(self, _request: web.Request) -> web.Response:
        self._sandbox.faults.clear()
        return web.Response(status=204)

    async def list_webhooks(self, _request: web.Request) -> web.Response:
        hooks = [msgspec.to_builtins(hook) | {"password": "***"} for hook in self._sender]
        tries = [asdict(each) for each in self._sender.tries]
        return web.json_response({"items": hooks, "tries": tries})

    async def add_webhook(self, request: web.Request) -> web.Response:
        hook = await read(request, Hook)
        self._sender.add(hook)
        return web.json_response(msgspec.to_builtins(hook) | {"password": "***"}, status=201)

    async def clear_webhooks(self, _request: web.Request) -> web.Response:
        self._sender.clear()
        return web.Response(status=204)

    async def send_webhook(self, request: web.Request) -> web.Response:
        wanted = await read(request, NewLetter)
        self._sender.send(self._named(wanted.order_id), wanted.event_name)
        return web.Response(status=202)

    def _found(self, request: web.Request) -> Order:
        return self._named(request.match_info["order_id"])

    def _named(self, order_id: str) -> Order:
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

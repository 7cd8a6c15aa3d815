"""The make-believe Juspay over HTTP: the calls a merchant makes, answered from the sandbox's memory."""

import base64
import hmac
import json
from collections.abc import Awaitable, Callable
from uuid import uuid4

from aiohttp import web

from notifier.errors import InvalidValue
from notifier.sandbox.calls import answers
from notifier.sandbox.control.api import control_routes
from notifier.sandbox.faults import FaultKind, answer_instead, distort
from notifier.sandbox.frame import Json
from notifier.sandbox.world import Order, Sandbox, hundredths

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def application(sandbox: Sandbox) -> web.Application:
    """Return the upstream with its controls under `/sandbox/`; Juspay's calls need the sandbox's key."""
    juspay = _Juspay(sandbox)
    app = web.Application()
    app.add_routes(
        [
            web.get("/orders/{order_id}", _guarded(juspay.order_status, sandbox, key=sandbox.key)),
            web.post("/orders", _guarded(juspay.create_order, sandbox, key=sandbox.key)),
            web.post("/orders/{order_id}/refunds", _guarded(juspay.refund, sandbox, key=sandbox.key)),
            *control_routes(sandbox),
        ]
    )
    app.on_response_prepare.append(_mark(sandbox))
    return app


class _Juspay:
    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def order_status(self, request: web.Request) -> web.StreamResponse:
        order_id = request.match_info["order_id"]
        struck = self._sandbox.faults.strike(order_id)
        for fault in struck:
            if (instead := answer_instead(fault, order_id)) is not None:
                return instead
            if fault.kind is FaultKind.SLOW:
                await self._sandbox.clock.sleep(fault.delay_s)
        order = self._sandbox.find(order_id)
        if order is None:
            return answers.not_found()
        kinds = [fault.kind for fault in struck]
        body = self._sandbox.body(
            order,
            full_gateway_response=request.query.get("options.add_full_gateway_response") == "true",
            stale=FaultKind.STALE in kinds,
        )
        for kind in kinds:
            body = distort(kind, body, self._sandbox.dice)
        return await _cut(request, body) if FaultKind.CUT in kinds else web.json_response(body)

    async def create_order(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        if absent := [name for name in ("order_id", "amount") if not form.get(name)]:
            return answers.missing(*absent)
        order = self._sandbox.create(
            str(form["order_id"]),
            amount=hundredths(str(form["amount"])),
            currency=str(form.get("currency", "INR")),
        )
        return self._shown(order)

    async def refund(self, request: web.Request) -> web.StreamResponse:
        order = self._sandbox.find(request.match_info["order_id"])
        if order is None:
            return answers.not_found()
        form = await request.post()
        if absent := [name for name in ("unique_request_id", "amount") if not form.get(name)]:
            return answers.missing(*absent)
        order = self._sandbox.ask_refund(
            order,
            unique_request_id=str(form["unique_request_id"]),
            amount=hundredths(str(form["amount"])),
        )
        return self._shown(order)

    def _shown(self, order: Order) -> web.Response:
        return web.json_response(self._sandbox.body(order))


def _guarded(handler: Handler, sandbox: Sandbox, *, key: str) -> Handler:
    async def guarded(request: web.Request) -> web.StreamResponse:
        if not hmac.compare_digest(_key_of(request).encode(), key.encode()):
            return answers.unauthorized()
        merchant_id = request.headers.get("x-merchantid")
        if merchant_id is None:
            return answers.missing("x-merchantid")
        if merchant_id != sandbox.merchant_id:
            return answers.unauthorized()
        try:
            return await handler(request)
        except InvalidValue as error:
            problem = error.problem
            return answers.invalid(problem.message, field=problem.path, code=problem.code)

    return guarded


def _key_of(request: web.Request) -> str:
    """Return the user of Basic authorization; official clients differ in whether a colon follows it."""
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(encoded, validate=True).decode().removesuffix(":")
    except ValueError:
        return ""


def _mark(sandbox: Sandbox) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    async def mark(_request: web.Request, response: web.StreamResponse) -> None:
        response.headers["x-request-id"] = response.headers["x-response-id"] = str(uuid4())
        response.headers["x-jp-merchant-id"] = sandbox.merchant_id

    return mark


async def _cut(request: web.Request, body: Json) -> web.StreamResponse:
    whole = json.dumps(body).encode()
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    response.content_length = len(whole)
    await response.prepare(request)
    await response.write(whole[: len(whole) // 2])
    if request.transport is not None:
        request.transport.close()
    return response

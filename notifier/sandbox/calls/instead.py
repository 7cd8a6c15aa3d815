"""Faults on the way: answers in place of the body that was asked for, and bodies that arrive badly."""

import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial

from aiohttp import web

from notifier.clock import Clock
from notifier.sandbox.calls import answers
from notifier.sandbox.faults import Fault, FaultKind
from notifier.sandbox.frame import Json


def answer_instead(fault: Fault, order_id: str) -> web.Response | None:
    """Return what is answered in place of the order; None when the fault is of another group."""
    match fault.kind:
        case FaultKind.THROTTLED:
            return answers.throttled(fault.retry_after)
        case FaultKind.NOT_FOUND_LEGACY:
            return answers.not_found_legacy(order_id, status=404)
        case FaultKind.NOT_FOUND_200:
            return answers.not_found_legacy(order_id, status=200)
        case FaultKind.ERROR_200:
            return web.json_response({"status": "error", "status_id": -1, "error_code": "internal_error"})
        case FaultKind.NON_JSON:
            return web.Response(text="Internal routing error", content_type="application/json")
        case kind:
            plain = _PLAIN.get(kind)
            return None if plain is None else plain()


_PLAIN: Mapping[FaultKind, Callable[[], web.Response]] = {
    FaultKind.BROKEN: answers.broken,
    FaultKind.OUTAGE: answers.outage,
    FaultKind.UNAUTHORIZED: answers.unauthorized,
    FaultKind.FORBIDDEN: answers.forbidden,
    FaultKind.NOT_FOUND: answers.not_found,
}


async def send(request: web.Request, body: Json, struck: list[Fault], clock: Clock) -> web.StreamResponse:
    """Answer the body: whole, cut in the middle, or with a long pause there."""
    for fault in struck:
        if fault.kind is FaultKind.CUT:
            return await _halves(request, body)
        if fault.kind is FaultKind.SLOW_BODY:
            return await _halves(request, body, pause=partial(clock.sleep, fault.delay_s))
    return web.json_response(body)


async def _halves(
    request: web.Request, body: Json, pause: Callable[[], Awaitable[None]] | None = None
) -> web.StreamResponse:
    whole = json.dumps(body).encode()
    half = len(whole) // 2
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    response.content_length = len(whole)
    await response.prepare(request)
    await response.write(whole[:half])
    if pause is not None:
        await pause()
        with suppress(ConnectionResetError):  # whoever has hung up meanwhile was meant to
            await response.write(whole[half:])
    elif request.transport is not None:
        request.transport.close()
    return response

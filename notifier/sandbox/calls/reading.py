"""What all reading calls share: faults strike, the body is made, distorted and sent."""

from collections.abc import Callable

from aiohttp import web

from notifier.sandbox.bodies.distorted import distort
from notifier.sandbox.calls import answers
from notifier.sandbox.calls.instead import answer_instead, send
from notifier.sandbox.faults import Call, FaultKind
from notifier.sandbox.frame import Json
from notifier.sandbox.world import Order, Sandbox

Body = Callable[[Order, float], Json]


class Reading:
    """Answers one kind of question; `body` makes the answer of an order and its age."""

    def __init__(self, sandbox: Sandbox, call: Call, body: Body) -> None:
        self._sandbox = sandbox
        self._call = call
        self._body = body

    async def answer(
        self,
        request: web.Request,
        order_id: str,
        order: Order | None,
        seal: Callable[[Json], Json] = lambda body: body,
    ) -> web.StreamResponse:
        """Answer for the order, None when there is none; `seal` wraps what is no error."""
        sandbox = self._sandbox
        struck = sandbox.faults.strike(order_id, self._call)
        for fault in struck:
            if (instead := answer_instead(fault, order_id)) is not None:
                return instead
            if fault.kind is FaultKind.SLOW:
                await sandbox.clock.sleep(fault.delay_s)
        if order is None:
            return answers.unknown(sandbox.manners.unknown_order, order_id)
        age_s = sandbox.age_s(order)
        if any(fault.kind is FaultKind.STALE for fault in struck):
            age_s = order.life.before(age_s)
        body = self._body(order, age_s)
        for fault in struck:
            body = distort(fault.kind, body, sandbox.dice)
        return await send(request, seal(body), struck, sandbox.clock)

"""The credit call: what became of the applications for a loan. It has a key of its own."""

from aiohttp import web

from notifier.sandbox.calls.reading import Reading
from notifier.sandbox.faults import Call
from notifier.sandbox.lives.scenario import Method
from notifier.sandbox.world import Sandbox


class Credit:
    """`/credit/order`."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._reading = Reading(sandbox, Call.CREDIT, sandbox.loan_body)

    async def status(self, request: web.Request) -> web.StreamResponse:
        """Answer `GET /credit/order/{order_id}`; an order without a loan is unknown here."""
        order_id = request.match_info["order_id"]
        order = self._sandbox.find(order_id)
        has_loan = order is not None and order.life.method is Method.LOAN
        return await self._reading.answer(request, order_id, order if has_loan else None)

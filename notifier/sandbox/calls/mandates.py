"""The mandate's own call: its status, and what a merchant may do to it."""

from aiohttp import web

from notifier.errors import InvalidValue
from notifier.sandbox.calls import answers
from notifier.sandbox.calls.members import members
from notifier.sandbox.calls.reading import Reading
from notifier.sandbox.faults import Call
from notifier.sandbox.world import Order, Sandbox

# Only check_status stands in a sample; the words of the others are assumed.
_COMMANDS = {
    "pause": ({"ACTIVE"}, "PAUSED"),
    "resume": ({"PAUSED"}, "ACTIVE"),
    "revoke": ({"CREATED", "ACTIVE", "PAUSED"}, "REVOKED"),
}


class Mandates:
    """`/mandates`."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._reading = Reading(sandbox, Call.MANDATE, sandbox.mandate_body)

    async def command(self, request: web.Request) -> web.StreamResponse:
        """Answer `POST /mandates/{mandate_id}` with the mandate as it is after the command."""
        mandate_id = request.match_info["mandate_id"]
        order = self._sandbox.find_mandate(mandate_id)
        command = (await members(request)).get("command", "")
        if command == "check_status":
            return await self._reading.answer(request, order.life.order_id if order else mandate_id, order)
        if command not in _COMMANDS:
            return answers.short("Invalid command")
        if order is None:
            return answers.unknown(self._sandbox.manners.unknown_order, mandate_id)
        return web.json_response(self._changed(order, command))

    def _changed(self, order: Order, command: str) -> dict[str, object]:
        allowed, status = _COMMANDS[command]
        present = self._sandbox.mandate_body(order, self._sandbox.age_s(order))["status"]
        if present not in allowed:
            raise InvalidValue("command", f"a mandate that is {present} takes no {command}")
        order = self._sandbox.force(order, mandate_status=status)
        return self._sandbox.mandate_body(order, self._sandbox.age_s(order))

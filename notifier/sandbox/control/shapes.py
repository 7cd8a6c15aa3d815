"""What the controls are told, and how they refuse it."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Annotated, TypeVar

import msgspec
from aiohttp import web

from notifier.errors import InvalidValue
from notifier.sandbox.lives.moves import Move, Part
from notifier.sandbox.lives.scenario import Method, RefundOutcome, Step

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


class NewLetter(_Body):
    """A webhook to send now, of the order as it is."""

    order_id: str
    event_name: str


async def read(request: web.Request, shape: type[T]) -> T:
    try:
        return msgspec.json.decode(await request.read() or b"{}", type=shape)
    except msgspec.DecodeError as error:
        raise InvalidValue("", str(error)) from None


def telling(handler: Handler) -> Handler:
    async def answered(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except InvalidValue as error:
            problem = error.problem
            status = 404 if problem.code == "not_found" else 422
            body = {"field": problem.path, "code": problem.code, "message": problem.message}
            return web.json_response(body, status=status)

    return answered

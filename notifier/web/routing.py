"""One declaration a route, and what a handler is handed: a call whose query and body are already values."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec
from aiohttp import web
from pydantic import ValidationError

from notifier.domain.order import OrderId, OrderKey, order_key, parse_order_id
from notifier.errors import InvalidValue
from notifier.web.problems import from_validation
from notifier.web.services import SERVICES, Services
from notifier.web.shapes import AccountQuery, Query, Scoped

JSON_TYPES = frozenset({"application/json"})
NDJSON_TYPES = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl"})
ANY_TYPE: frozenset[str] = frozenset()
"""The handler reads the body itself, whatever it calls itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a call comes to. `once` is laid over the body now and never kept: secrets stand there."""

    status: int = 200
    body: Mapping[str, Any] | None = None
    once: Mapping[str, Any] = field(default_factory=dict)


Handler = Callable[["Call"], Awaitable[Answer | web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Route:
    """One route. The first part of its path in braces is an id."""

    method: str
    path: str
    handler: Handler
    query: type[Query] = Query
    body: type[Scoped] | None = None
    success: tuple[int, ...] = (200,)
    takes: frozenset[str] = JSON_TYPES
    is_keyless: bool = False
    is_page: bool = False
    """For browsers, which ask people for the key: it is taken as a password, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request, parsed."""

    request: web.Request
    services: Services
    route: Route
    query: Any
    """A value of the route's `query`."""
    body: Any
    """A value of the route's `body`; None for a route without one."""
    raw: bytes

    @property
    def account(self) -> str:
        """The account the call speaks of.

        Raises: InvalidValue naming `account`.
        """
        parts = (self.query, self.body)
        given = [part.account for part in parts if isinstance(part, AccountQuery | Scoped)]
        return chosen_account(self.services.accounts, *given)

    @property
    def id(self) -> str:
        """The id in the path, percent-decoded exactly once; routers decode `%2F` before or never."""
        place = next(at for at, part in enumerate(self.route.path.split("/")) if part.startswith("{"))
        segment = self.request.rel_url.raw_path.split("/")[place]
        try:
            return unquote_to_bytes(segment).decode()
        except UnicodeDecodeError:
            raise InvalidValue("id", "is not percent-encoded UTF-8", "encoding") from None

    @property
    def order_id(self) -> OrderId:
        """The order's id in the path.

        Raises: InvalidValue.
        """
        return parse_order_id(self.id)

    @property
    def order_key(self) -> OrderKey:
        """The key of the order in the path.

        Raises: InvalidValue.
        """
        return order_key(self.order_id)


def chosen_account(accounts: Mapping[str, bool], *given: str | None) -> str:
    """Return the account named, or the only one there is (interface 3).

    Raises: InvalidValue naming `account`.
    """
    named = {name for name in given if name is not None}
    if len(named) > 1:
        raise InvalidValue("account", "query and body name different accounts", "account_mismatch")
    if not named and len(accounts) == 1:
        return next(iter(accounts))
    if not named:
        raise InvalidValue(
            "account", f"is needed, there are several: {', '.join(accounts)}", "account_required"
        )
    (name,) = named
    if name not in accounts:
        raise InvalidValue(
            "account", f"is not configured; there are: {', '.join(accounts)}", "account_unknown"
        )
    return name


def endpoint(route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Return the route's handler as the server calls it."""

    async def handle(request: web.Request) -> web.StreamResponse:
        if request.can_read_body and route.takes and request.content_type not in route.takes:
            raise web.HTTPUnsupportedMediaType(text=f"send {' or '.join(sorted(route.takes))}")
        query = _parse_query(route.query, request)
        raw = await request.read() if route.takes is JSON_TYPES else b""
        call = Call(
            request=request,
            services=request.app[SERVICES],
            route=route,
            query=query,
            body=_parse_body(route.body, raw),
            raw=raw,
        )
        return to_response(await route.handler(call))

    return handle


def to_response(answer: Answer | web.StreamResponse) -> web.StreamResponse:
    """Return the answer on the wire."""
    if isinstance(answer, web.StreamResponse):
        return answer
    if answer.body is None:
        return web.Response(status=answer.status)
    body = msgspec.json.encode({**answer.body, **answer.once})
    return web.Response(status=answer.status, body=body, content_type="application/json")


def _parse_query(shape: type[Query], request: web.Request) -> Query:
    for name in request.query:
        if len(request.query.getall(name)) > 1:
            raise InvalidValue(name, "is given more than once", "repeated")
    try:
        return shape.model_validate(dict(request.query))
    except ValidationError as error:
        raise from_validation(error) from None


def _parse_body(shape: type[Scoped] | None, raw: bytes) -> Scoped | None:
    if shape is None:
        if raw:
            raise InvalidValue("", "this call takes no body", "unknown")
        return None
    try:
        return shape.model_validate_json(raw or b"{}")
    except ValidationError as error:
        raise from_validation(error) from None

"""What happens around every call: an id, a line in the log, the key, and one form of refusal."""

import hmac
import traceback
from base64 import b64decode
from collections.abc import Awaitable, Callable
from hashlib import sha256
from math import ceil

from aiohttp import web

from notifier.errors import Conflict, InvalidValue, NotFound, StorageError
from notifier.logs import get_logger
from notifier.web.problems import BadMembers, BadSyntax, OverBudget, answer
from notifier.web.services import SERVICES

Next = Callable[[web.Request], Awaitable[web.StreamResponse]]

KEYLESS = web.AppKey("keyless", frozenset[str])
"""Paths that need no key."""
OPEN_TO_LOCALS = web.AppKey("open_to_locals", frozenset[str])
"""Paths that need no key when this machine is asked by its own name: no proxy's guest, no page of another site."""
PAGES = web.AppKey("pages", frozenset[str])
"""Paths for browsers: they take the key as a password, too."""
_LOCAL_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})
_ID = web.RequestKey("id", str)
_BEGUN = web.RequestKey("begun", bool)
_log = get_logger(__name__)


@web.middleware
async def watched(request: web.Request, handler: Next) -> web.StreamResponse:
    """Give the request an id, count it and log it; neither path nor query is logged, only the route."""
    services = request.app[SERVICES]
    request[_ID] = f"req_{services.new_id()}"
    began = services.clock.monotonic()
    response = await handler(request)
    route = _route_of(request)
    services.metrics.requests_total.labels(route=route, status=str(response.status)).inc()
    _log.debug(
        "request.answered",
        method=request.method,
        route=route,
        status=response.status,
        duration_ms=round((services.clock.monotonic() - began) * 1000),
        request_id=request[_ID],
    )
    return response


async def mark(request: web.Request, response: web.StreamResponse) -> None:
    """Put the headers on that every answer has."""
    request[_BEGUN] = True
    response.headers["Request-Id"] = request.get(_ID, "")
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"


@web.middleware
async def refusing(request: web.Request, handler: Next) -> web.StreamResponse:
    """Turn whatever was raised into a problem document."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        return _of_http(request, error)
    except ConnectionError:
        raise
    except Exception as error:  # noqa: BLE001 - the shell of every call
        if request.get(_BEGUN):
            _log_failure(request, error)
            raise ConnectionError("the answer broke off") from None
        return _of_error(request, error)


@web.middleware
async def guarded(request: web.Request, handler: Next) -> web.StreamResponse:
    """Let a request pass that carries a key, or needs none."""
    if not _is_open(request) and not await _has_key(request):
        is_page = _is_page(request)
        return answer(
            401,
            "send a known key as `Authorization: Bearer <key>`" + (", or as the password" if is_page else ""),
            code="unauthorized",
            request_id=request[_ID],
            headers={"WWW-Authenticate": 'Basic realm="notifier", charset="UTF-8"' if is_page else "Bearer"},
        )
    return await handler(request)


def _is_open(request: web.Request) -> bool:
    if request.path in request.app[OPEN_TO_LOCALS]:
        is_forwarded = any(name in request.headers for name in ("Forwarded", "X-Forwarded-For", "Via"))
        return request.host.rpartition(":")[0] in _LOCAL_NAMES and not is_forwarded
    return request.path in request.app[KEYLESS] or _route_of(request) in request.app[KEYLESS]


async def _has_key(request: web.Request) -> bool:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "basic" and _is_page(request):
        key = _password(key)
    elif scheme.lower() != "bearer":
        return False
    if not key.strip():
        return False
    services = request.app[SERVICES]
    digest = sha256(key.strip().encode("utf-8", "surrogateescape")).digest()
    configured = services.operator_key
    if configured is not None:
        expected = sha256(configured.reveal().encode("utf-8", "surrogateescape")).digest()
        if hmac.compare_digest(digest, expected):
            return True
    async with services.storage.reading() as tx:
        return await tx.api_key(digest) is not None


def _is_page(request: web.Request) -> bool:
    return _route_of(request) in request.app[PAGES]


def _password(credentials: str) -> str:
    """Return the password of Basic credentials, whoever the user says to be; none of what is no such thing."""
    try:
        return b64decode(credentials.strip(), validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


def _of_http(request: web.Request, error: web.HTTPException) -> web.Response:
    details = {
        404: "there is no such path",
        405: f"this path takes {error.headers.get('Allow', 'another method')}",
        413: "the body is too large",
    }
    detail = details.get(error.status, error.text or error.reason)
    headers = {name: error.headers[name] for name in ("Allow", "WWW-Authenticate") if name in error.headers}
    code = error.reason.lower().replace(" ", "_")
    return answer(error.status, detail, code=code, request_id=request[_ID], headers=headers)


def _of_error(request: web.Request, error: Exception) -> web.Response:
    request_id = request[_ID]
    match error:
        case BadSyntax():
            return answer(400, str(error), code="bad_json", request_id=request_id)
        case BadMembers() | InvalidValue():
            problems = error.problems if isinstance(error, BadMembers) else (error.problem,)
            code = problems[0].code if len(problems) == 1 else "invalid"
            return answer(422, str(error), code=code, request_id=request_id, problems=problems)
        case NotFound():
            return answer(404, str(error), code="not_found", request_id=request_id)
        case Conflict():
            return answer(409, str(error), code="conflict", request_id=request_id)
        case OverBudget():
            headers = {"Retry-After": str(ceil(error.wait_s))}
            return answer(429, str(error), code="over_budget", request_id=request_id, headers=headers)
        case StorageError():
            _log.warning("storage.failed", error=str(error), request_id=request_id)
            detail = "the database is out of reach; try again"
            headers = {"Retry-After": "1"}
            return answer(503, detail, code="storage", request_id=request_id, headers=headers)
        case _:
            _log_failure(request, error)
            detail = f"a defect of ours; the log has more under {request_id}"
            return answer(500, detail, code="internal", request_id=request_id)


def _log_failure(request: web.Request, error: Exception) -> None:
    """Log where it broke, not what the error says: messages of libraries quote what they choked on."""
    _log.error(
        "request.failed",
        route=_route_of(request),
        error=type(error).__name__,
        where="".join(traceback.format_tb(error.__traceback__)),
        request_id=request[_ID],
    )


def _route_of(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource else "unmatched"

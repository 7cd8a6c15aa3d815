"""The refusals that are known of Juspay, as status and body; where nothing is known, the likeliest shape."""

from uuid import UUID

from aiohttp import web

from notifier.errors import Problem
from notifier.sandbox.frame import Json
from notifier.sandbox.manners import UnknownOrder

_REQUEST_ID = str(UUID(int=0x5AADB0))


def _info(code: str, developer: str, user: str) -> Json:
    return {
        "category": "USER_ERROR",
        "request_id": _REQUEST_ID,
        "developer_message": developer,
        "user_message": user,
        "code": code,
    }


def missing(*fields: str) -> web.Response:
    """Refuse a call that lacks mandatory members or headers."""
    text = "Mandatory fields are missing"
    body = {
        "status": "Bad Request",
        "error_code": text,
        "error_message": text,
        "error_info": {
            "developer_message": "Invalid input data",
            "user_message": "Invalid input data",
            "code": "INVALID_INPUT",
            "fields": [{"field_name": field, "reason": text} for field in fields],
        },
    }
    return web.json_response(body, status=400)


def invalid(message: str, *, field: str, code: str) -> web.Response:
    """Refuse the value of a member."""
    body = {
        "status": "ERROR",
        "status_id": -1,
        "error_code": code,
        "error_message": message,
        "error_info": {
            "category": "UNKNOWN",
            "request_id": _REQUEST_ID,
            "developer_message": message,
            "user_message": "INVALID_REQUEST",
            "code": "UNKNOWN_ERROR",
            "fields": [{"field_name": field, "reason": "Invalid Value"}],
        },
    }
    return web.json_response(body, status=400)


def short(message: str) -> web.Response:
    """Refuse in the short shape, which has no `error_info`."""
    body = {"status": "Invalid Request", "error_code": "bad_request", "error_message": message}
    return web.json_response(body, status=400)


def refused(problem: Problem) -> web.Response:
    """Refuse for a reason of the sandbox's own."""
    if problem.code == "bad_request":
        return short(problem.message)
    return invalid(problem.message, field=problem.path, code=problem.code)


def not_enabled() -> web.Response:
    """Refuse what Juspay would have to switch on for the account first."""
    text = "Encryption is not enabled for this merchant"
    info = _info("FEATURE_NOT_ENABLED", text, "Feature not enabled.") | {"category": "CONFIG_ERROR"}
    body = {"status": "error", "error_code": "bad_request", "error_message": text, "error_info": info}
    return web.json_response(body, status=400)


def unauthorized() -> web.Response:
    """Refuse the key; this shape has no `error_message`."""
    info = _info("UNAUTHORIZED", "Invalid API Key. Please pass a valid and active api key.", "Unauthorized.")
    return web.json_response(
        {"status": "error", "error_code": "access_denied", "error_info": info}, status=401
    )


def forbidden() -> web.Response:
    """Refuse the caller's address."""
    body = {
        "status": "error",
        "error_code": "access_denied",
        "error_message": "Forbidden",
        "error_info": _info("BAD_ORIGIN", "Request origin is not whitelisted.", "Forbidden."),
    }
    return web.json_response(body, status=403)


def not_found() -> web.Response:
    """Answer that there is no such order."""
    body = {
        "status": "error",
        "error_code": "order_not_found",
        "error_message": "Order not found",
        "error_info": _info(
            "RESOURCE_NOT_FOUND", "Order with the given order_id does not exist.", "Order not found."
        ),
    }
    return web.json_response(body, status=404)


def not_found_legacy(order_id: str, *, status: int) -> web.Response:
    """Answer it the old way: an order-like body, in some deployments even under 200."""
    return web.json_response({"status": "NOT_FOUND", "status_id": 40, "order_id": order_id}, status=status)


def unknown(manner: UnknownOrder, order_id: str) -> web.Response:
    """Answer that there is no such order, in the manner chosen."""
    match manner:
        case UnknownOrder.JSON:
            return not_found()
        case UnknownOrder.LEGACY:
            return not_found_legacy(order_id, status=404)
        case UnknownOrder.LEGACY_200:
            return not_found_legacy(order_id, status=200)
        case UnknownOrder.BAD_REQUEST:
            return invalid("Order not found", field="order_id", code="INVALID_REQUEST")


def throttled(retry_after: int | None) -> web.Response:
    """Ask for fewer requests."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    body = {"status": "error", "error_code": "too_many_requests", "error_message": "Too many requests"}
    return web.json_response(body, status=429, headers=headers)


def broken() -> web.Response:
    """Fail inside."""
    body = {"status": "error", "error_code": "internal_error", "error_message": "Internal server Error"}
    return web.json_response(body, status=500)


def outage() -> web.Response:
    """Answer as the proxy in front does while everything behind it is down."""
    page = "<html><head><title>503 Service Temporarily Unavailable</title></head><body></body></html>"
    return web.Response(text=page, content_type="text/html", status=503)

"""What an upstream's answer means when it holds no order."""

import re
from typing import Any, TypeVar

import msgspec

from notifier.source.contract import Failure, FailureReason
from notifier.source.scalars import integer, text

_OK = 200
_NOT_FOUND_ID = 40

_BY_WORD = {
    **dict.fromkeys(("order_not_found", "resource_not_found", "not_found"), FailureReason.NOT_FOUND),
    **dict.fromkeys(
        ("access_denied", "unauthorized", "unauthenticated", "bad_origin", "forbidden"), FailureReason.REFUSED
    ),
    **dict.fromkeys(
        ("bad_request", "bad request", "invalid request", "invalid_request", "invalid_request_error",
         "invalid_input", "missing_mandatory_parameter", "mandatory fields are missing"),
        FailureReason.BAD_REQUEST),
    **dict.fromkeys(("too_many_requests", "too many requests"), FailureReason.RATE_LIMITED),
    **dict.fromkeys(("internal_error", "unknown_error"), FailureReason.SERVER_ERROR),
}  # fmt: skip
_BY_HTTP_STATUS = {
    400: FailureReason.BAD_REQUEST,
    401: FailureReason.REFUSED,
    403: FailureReason.REFUSED,
    404: FailureReason.NOT_FOUND,
    408: FailureReason.SERVER_ERROR,
    425: FailureReason.SERVER_ERROR,
    429: FailureReason.RATE_LIMITED,
}
_BY_HUNDREDS = {2: FailureReason.MALFORMED, 3: FailureReason.REDIRECT, 4: FailureReason.BAD_REQUEST}
_SAFE_DETAIL = re.compile(r"[A-Za-z0-9_. -]{1,64}")
_SAFE_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")

UNREADABLE = (msgspec.MsgspecError, ValueError, ArithmeticError, RecursionError)
"""What the decoder raises over bytes that are not the JSON that was hoped for."""

_T = TypeVar("_T")
_Odd = list[Any] | str | int | float | bool | None


class _Info(msgspec.Struct, gc=False):
    code: Any = None
    request_id: Any = None


class _Body(msgspec.Struct, gc=False):
    status: Any = None
    status_id: Any = None
    error_code: Any = None
    code: Any = None
    error_info: _Info | _Odd = None


_BODY = msgspec.json.Decoder(_Body)
_INFO = msgspec.json.Decoder(_Info)


def refusal(http_status: int, body: bytes) -> Failure:
    """Read an answer that is not an order.

    For 200 and 400 a known word of the body decides (some deployments answer 400 for an unknown order, and a 200
    may carry an error); every other status speaks for itself. `detail` is the error's code if it looks like one.
    """
    said = _decoded(_BODY, body) or _Body()
    info = said.error_info
    if isinstance(info, str):  # some clients of the upstream expect it as JSON text
        info = _decoded(_INFO, info.encode(errors="replace"))
    if not isinstance(info, _Info):
        info = _Info()
    words = [word for word in map(text, (said.error_code, info.code, said.code, said.status)) if word]
    return Failure(
        reason=_reason(http_status, words, said),
        http_status=http_status,
        request_id=safe_request_id(text(info.request_id)),
        detail=next(filter(_SAFE_DETAIL.fullmatch, words), ""),
    )


def is_refusal(status: str) -> bool:
    """Say whether a status word speaks of the call and not of an order."""
    return status.lower() in _BY_WORD or status.lower() == "error"


def safe_request_id(given: str | None) -> str | None:
    """Return an id of the upstream's support when it looks like one."""
    return given if given and _SAFE_ID.fullmatch(given) else None


def _reason(http_status: int, words: list[str], said: _Body) -> FailureReason:
    if http_status in {200, 400}:
        known = [_BY_WORD[word.lower()] for word in words if word.lower() in _BY_WORD]
        if FailureReason.NOT_FOUND in known or integer(said.status_id) == _NOT_FOUND_ID:
            return FailureReason.NOT_FOUND
        if known:
            return known[0]
        if http_status == _OK:
            is_error = (
                "error" in map(str.lower, words) or text(said.error_code) or integer(said.status_id) == -1
            )
            return FailureReason.SERVER_ERROR if is_error else FailureReason.MALFORMED
    by_class = _BY_HUNDREDS.get(http_status // 100, FailureReason.SERVER_ERROR)
    return _BY_HTTP_STATUS.get(http_status, by_class)


def _decoded(decoder: "msgspec.json.Decoder[_T]", body: bytes) -> _T | None:
    try:
        return decoder.decode(body)
    except UNREADABLE:
        return None

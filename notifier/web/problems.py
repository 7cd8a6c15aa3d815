"""Every refusal in one form: RFC 9457 problem+json, with the members that were wrong."""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from math import ceil

import msgspec
from aiohttp import web
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from notifier.errors import InvalidValue, NotifierError, Problem

_CODES = {"missing": "missing", "extra_forbidden": "unknown"}
_WORDS = {"Field required": "is missing", "Extra inputs are not permitted": "is not a known member"}


class BadMembers(NotifierError):
    """Members of a query or a body are refused; carries every problem found."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(map(str, self.problems)))


class BadSyntax(NotifierError):
    """The body is not JSON at all."""


class OverBudget(NotifierError):
    """More looks are asked for than the account's budget leaves to people; `wait_s` seconds until the next."""

    def __init__(self, account: str, wait_s: float) -> None:
        self.wait_s = wait_s
        super().__init__(
            f"account {account!r} has no request left for this now; it is looked at by itself when that pays,"
            f" or ask again in {ceil(wait_s)} s"
        )


def from_validation(error: ValidationError) -> BadSyntax | BadMembers:
    """Return the refusal; nothing of what was sent stands in it but the names of members."""
    first = error.errors(include_url=False, include_input=False)[0]
    return BadSyntax(first["msg"]) if first["type"] == "json_invalid" else BadMembers(bad_members(error))


def bad_members(error: ValidationError) -> list[Problem]:
    """Return what is wrong with each member, with its dotted path."""
    details = error.errors(include_url=False, include_input=False)
    deeper = {detail["loc"][:-1] for detail in details}
    # A list whose one item is bad is told as too short, too: that says nothing.
    return [
        _problem(detail) for detail in details if detail["type"] != "too_short" or detail["loc"] not in deeper
    ]


def _problem(detail: ErrorDetails) -> Problem:
    place = [str(part) for part in detail["loc"] if part != "[key]"]
    message, code = detail["msg"], _CODES.get(detail["type"], "invalid")
    cause = detail.get("ctx", {}).get("error")
    if isinstance(cause, InvalidValue):
        message, code = cause.problem.message, cause.problem.code
        named = [part for part in place if not part.isdigit()]
        if cause.problem.path not in named[-1:]:
            place.append(cause.problem.path)
    elif cause is not None:
        message = str(cause)
    return Problem(".".join(place), _WORDS.get(message, message), code)


def error_list(problems: Sequence[Problem]) -> list[dict[str, str]]:
    """Return problems as they stand in an answer."""
    return [{"field": each.path, "code": each.code, "message": each.message} for each in problems]


def answer(
    status: int,
    detail: str,
    *,
    code: str,
    request_id: str,
    problems: Sequence[Problem] = (),
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """Return the problem document; `code` is the stable word for programs."""
    document = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": request_id,
    }
    if problems:
        document["errors"] = error_list(problems)
    return web.Response(
        status=status,
        body=msgspec.json.encode(document),
        content_type="application/problem+json",
        headers=headers,
    )

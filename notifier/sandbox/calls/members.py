"""What a call brings, in the query, as a form or as JSON: always text by name, as forms have it."""

import json
from typing import Any

from aiohttp import web

from notifier.errors import InvalidValue


async def members(request: web.Request) -> dict[str, str]:
    """Return the members of the query and the body; those of nested objects by dotted names.

    Raises InvalidValue when the body calls itself JSON and is none.
    """
    found = dict(request.query)
    if request.content_type == "application/json":
        return found | flat(json_object(await request.read()))
    return found | {name: str(value) for name, value in (await request.post()).items()}


def json_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object, its numbers as they were written; raises InvalidValue when it is none."""
    try:
        value = json.loads(body or b"{}", parse_float=str, parse_int=str)
    except (ValueError, RecursionError):
        raise InvalidValue("", "the body is not JSON", code="bad_request") from None
    if not isinstance(value, dict):
        raise InvalidValue("", "the body is no JSON object", code="bad_request")
    return value


def flat(value: Any, path: str = "") -> dict[str, str]:
    """Return the members of an object as text, those of nested ones by dotted names; lists and nulls are left out."""
    match value:
        case dict():
            found: dict[str, str] = {}
            for name, member in value.items():
                found |= flat(member, f"{path}.{name}" if path else name)
            return found
        case None | list():
            return {}
        case bool():
            return {path: str(value).lower()}
        case _:
            return {path: str(value)}

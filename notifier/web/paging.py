"""Keyset pages: an opaque cursor says after which item the next page begins, so nothing is lost or told twice."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from notifier.errors import InvalidValue

_MAX_NUMBER = 2**63 - 1
_MAX_LENGTH = 200
_T = TypeVar("_T")


def to_cursor(kind: str, position: int | str) -> str:
    """Return the cursor of a position in one kind of list."""
    return urlsafe_b64encode(f"{kind}:{position}".encode()).decode().rstrip("=")


def text_of(kind: str, cursor: str | None) -> str:
    """Return the position that a cursor holds; empty for the first page.

    Raises: InvalidValue naming `cursor` when it is not one of this kind of list.
    """
    if cursor is None:
        return ""
    try:
        padded = cursor[:_MAX_LENGTH].encode("ascii") + b"=" * (-len(cursor) % 4)
        found, _, position = urlsafe_b64decode(padded).decode().partition(":")
    except (binascii.Error, UnicodeError):
        found, position = "", ""
    if found != kind or to_cursor(kind, position) != cursor:
        raise InvalidValue("cursor", "is none of this list; pass `next_cursor` as it came", "cursor")
    return position


def number_of(kind: str, cursor: str | None) -> int:
    """Return the number that a cursor holds; 0 for the first page.

    Raises: InvalidValue naming `cursor`.
    """
    position = text_of(kind, cursor)
    if not position:
        return 0
    if not (position.isascii() and position.isdigit() and int(position) <= _MAX_NUMBER):
        raise InvalidValue("cursor", "is none of this list; pass `next_cursor` as it came", "cursor")
    return int(position)


def page(
    kind: str,
    rows: Sequence[_T],
    limit: int,
    *,
    position: Callable[[_T], int | str],
    show: Callable[[_T], Any],
) -> dict[str, Any]:
    """Return a page from rows of which one more than `limit` was asked for."""
    shown = rows[:limit]
    more = len(rows) > limit
    return {
        "items": [show(row) for row in shown],
        "next_cursor": to_cursor(kind, position(shown[-1])) if more else None,
    }

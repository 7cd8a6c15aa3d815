"""The upstream's own webhook, read for nothing but whom it speaks of; what it says of them is never looked at.

The body may be masked, stale or forged, so it is a reason to ask and not an answer (docs/hints.md).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any

import msgspec

from notifier.domain.order import OrderId, Source, parse_order_id
from notifier.errors import InvalidValue
from notifier.source.contract import Failure
from notifier.source.refusal import UNREADABLE
from notifier.source.scalars import text

Opener = Callable[[bytes], bytes | Failure | None]
"""Opens the upstream's envelope: what was in it, why it cannot be opened, or None when the body is none."""

_MOST_PARTS = 8
_LONGEST_MANDATE_ID = 128
_NULL = msgspec.Raw(b"null")
_OF_MANDATES = ("mandate", "notification")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """Somebody should look: at this order, or at the orders of this mandate, at `source` best."""

    order_id: OrderId | None
    mandate_id: str | None
    source: Source


class Unread(StrEnum):
    """Why a body is no hint; the list is closed and stands in logs."""

    UNREADABLE = "unreadable"
    NO_ORDER = "no_order"
    BAD_ID = "bad_id"


class _Event(msgspec.Struct):
    content: dict[str, msgspec.Raw]
    id: Any = None
    event_name: Any = None


class _Part(msgspec.Struct):
    """Any object of a body's content; ids are documented for some, and assumed to be named alike in the others."""

    order_id: Any = None
    mandate_id: Any = None
    order: msgspec.Raw = _NULL
    txn: msgspec.Raw = _NULL
    mandate: msgspec.Raw = _NULL


_EVENT = msgspec.json.Decoder(_Event)
_PART = msgspec.json.Decoder(_Part)


def read_hint(body: bytes) -> Hint | Unread:
    """Read a body as the upstream sends it in plain.

    Ids that are masked (`"FILTERED"`) or say nothing are none; a number counts as its digits.
    """
    try:
        event = _EVENT.decode(body)
    except UNREADABLE:
        return Unread.UNREADABLE
    parts = {name: _part(raw) for name, raw in islice(event.content.items(), _MOST_PARTS)}
    order_id = next((each for part in parts.values() for each in _order_ids(part)), None)
    mandate_id = next((each for name in _OF_MANDATES for each in _mandate_ids(parts.get(name))), None)
    if order_id is None and mandate_id is None:
        return Unread.NO_ORDER
    try:
        parsed = None if order_id is None else parse_order_id(order_id)
    except InvalidValue:
        if mandate_id is None:
            return Unread.BAD_ID
        parsed = None
    return Hint(order_id=parsed, mandate_id=mandate_id, source=_source(event, parts))


def _source(event: _Event, parts: dict[str, _Part]) -> Source:
    """Return who knows most of it: loans' events have an id of their own form, and one documented name."""
    if _begins(event.id, "LSP") or _begins(event.event_name, "LOAN_"):
        return Source.HYPERCREDIT
    is_of_mandate = _begins(event.event_name, "MANDATE_") or any(name in parts for name in _OF_MANDATES)
    return Source.MANDATE if is_of_mandate else Source.ORDER


def _begins(value: Any, start: str) -> bool:
    return isinstance(value, str) and value.startswith(start)


def _part(raw: msgspec.Raw) -> _Part:
    try:
        return _PART.decode(raw)
    except UNREADABLE:
        return _Part()


def _order_ids(part: _Part) -> Iterator[str]:
    for each in (part, _part(part.order), _part(part.txn), _part(part.mandate)):
        found = _word(each.order_id)
        if found is not None:
            yield found


def _mandate_ids(part: _Part | None) -> Iterator[str]:
    for each in (part, _part(part.mandate)) if part else ():
        found = _word(each.mandate_id)
        if found is not None and found.isascii() and len(found) <= _LONGEST_MANDATE_ID:
            yield found


def _word(value: Any) -> str | None:
    """Return an id to the letter, unlike `text`, which may shorten what is only shown."""
    if type(value) is int:
        return str(value)
    return value if type(value) is str and text(value) is not None else None

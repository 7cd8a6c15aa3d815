"""What an order is called, what its status words mean, and the states of our promise to watch it."""

import re
import unicodedata
from enum import StrEnum
from typing import NewType

from notifier.errors import InvalidValue

OrderId = NewType("OrderId", str)
OrderKey = NewType("OrderKey", str)

_MAX_LENGTH = 128
_ASCII_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


class Source(StrEnum):
    """One upstream system that answers for an order; snapshots are compared only within one."""

    ORDER = "order"
    HYPERCREDIT = "hypercredit"
    MANDATE = "mandate"

    __hash__ = str.__hash__  # An enumeration's own takes longer than all that is looked up by it.


class WatchState(StrEnum):
    """States of a watch; `removed` is the tombstone that keeps versions from restarting."""

    ACTIVE = "active"
    PAUSED = "paused"
    SETTLED = "settled"
    NOT_FOUND = "not_found"
    ABANDONED = "abandoned"
    REMOVED = "removed"


class Phase(StrEnum):
    """Our coarse reading of the upstream's status word."""

    OPEN = "open"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REFUNDED = "refunded"
    UNKNOWN = "unknown"


_PHASES = {
    **dict.fromkeys(
        ("NEW", "CREATED", "STARTED", "PENDING_VBV", "PENDING_AUTHENTICATION", "VBV_SUCCESSFUL", "AUTHORIZING",
         "AUTHORIZED", "PARTIAL_CHARGED", "TO_BE_CHARGED", "CAPTURE_INITIATED", "VOID_INITIATED", "VOID_FAILED"),
        Phase.OPEN),
    **dict.fromkeys(("CHARGED", "SUCCESS", "COD_INITIATED"), Phase.SUCCEEDED),
    **dict.fromkeys(
        ("AUTHENTICATION_FAILED", "AUTHORIZATION_FAILED", "JUSPAY_DECLINED", "DECLINED", "CAPTURE_FAILED", "VOIDED",
         "AUTO_VOIDED", "MERCHANT_VOIDED"),
        Phase.FAILED),
    "AUTO_REFUNDED": Phase.REFUNDED,
}  # fmt: skip


def parse_order_id(text: str) -> OrderId:
    """Accept a merchant's order id as it was written.

    Longer and odder ids than the upstream's rule (alphanumeric, under 21) occur in its own samples, so only what
    cannot travel is refused.

    Raises: InvalidValue naming `order_id`.
    """
    if not 1 <= len(text) <= _MAX_LENGTH:
        raise InvalidValue("order_id", f"has {len(text)} characters; give 1 to {_MAX_LENGTH}", "length")
    if text in {".", ".."}:
        raise InvalidValue("order_id", "'.' and '..' cannot stand in a path", "reserved")
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in text):
        raise InvalidValue("order_id", "has a control character", "control_character")
    return OrderId(text)


def order_key(order_id: str) -> OrderKey:
    """Fold ASCII case: the upstream does not tell `OW1` from `ow1`, so neither may we."""
    return OrderKey(order_id.translate(_ASCII_LOWER))


def phase_of(status: str) -> Phase:
    """Return the phase of a status word; a word never seen is unknown, never success and never failure."""
    return _PHASES.get(status, Phase.UNKNOWN)


def known_statuses() -> tuple[str, ...]:
    """Return every status word that has a phase, for tables in documents and tests."""
    return tuple(_PHASES)


def slug(word: str) -> str:
    """Return the word as a part of an event type: lower case, each run of other characters one `_`."""
    return re.sub(r"[^a-z0-9]+", "_", word.translate(_ASCII_LOWER))

"""Switches that make the upstream misbehave; what each does is in `calls.instead` and `bodies.distorted`."""

from collections.abc import Iterator
from enum import StrEnum

import msgspec


class FaultKind(StrEnum):
    """The first group answers instead, the second spoils the sending, the third changes the body."""

    THROTTLED = "429"
    BROKEN = "500"
    OUTAGE = "503_html"
    NON_JSON = "non_json"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    NOT_FOUND_LEGACY = "not_found_legacy"
    NOT_FOUND_200 = "not_found_200"
    ERROR_200 = "error_200"

    CUT = "cut"
    SLOW = "slow"
    SLOW_BODY = "slow_body"

    STALE = "stale"
    CHURN = "churn"
    SHUFFLE = "shuffle"
    STRINGS = "strings"
    FLOATS = "floats"
    FILTERED = "filtered"
    NULL_WORDS = "null_words"
    UNKNOWN_STATUS = "unknown_status"
    WRONG_STATUS_ID = "wrong_status_id"
    WRONG_ORDER = "wrong_order"


class Call(StrEnum):
    """The reading calls, which faults can strike."""

    ORDER = "order"
    CREDIT = "credit"
    MANDATE = "mandate"
    ENCRYPTED = "encrypted"


class Fault(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One switch: for how many answers (null: until cleared), for which order and which call (null: any).

    `retry_after` and `delay_s` are seconds of the clock, whatever the speed.
    """

    kind: FaultKind
    count: int | None = 1
    order_id: str | None = None
    call: Call | None = None
    retry_after: int | None = None
    delay_s: float = 30


class Faults:
    """The switches that are on."""

    def __init__(self) -> None:
        self._on: list[Fault] = []

    def __iter__(self) -> Iterator[Fault]:
        return iter(self._on)

    def add(self, fault: Fault) -> None:
        """Switch on; several faults may strike one answer, in the order in which they were added."""
        self._on.append(fault)

    def clear(self) -> None:
        """Switch all of them off."""
        self._on.clear()

    def strike(self, order_id: str, call: Call) -> list[Fault]:
        """Return the faults that this answer suffers, and count it."""
        struck = [
            fault
            for fault in self._on
            if (fault.order_id is None or fault.order_id.lower() == order_id.lower())
            and fault.call in {None, call}
        ]
        for fault in struck:
            if fault.count is not None:
                fault.count -= 1
        self._on = [fault for fault in self._on if fault.count is None or fault.count > 0]
        return struck

"""Switches that make the upstream misbehave: answers in place of the order, and distortions of its body."""

import random
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import Any

import msgspec
from aiohttp import web

from notifier.sandbox.calls import answers
from notifier.sandbox.frame import Json


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

    STALE = "stale"
    CHURN = "churn"
    SHUFFLE = "shuffle"
    STRINGS = "strings"
    FLOATS = "floats"
    FILTERED = "filtered"
    UNKNOWN_STATUS = "unknown_status"
    WRONG_ORDER = "wrong_order"


class Fault(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One switch: for how many answers (null: until cleared), for which order (null: any)."""

    kind: FaultKind
    count: int | None = 1
    order_id: str | None = None
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

    def strike(self, order_id: str) -> list[Fault]:
        """Return the faults that this answer suffers, and count it."""
        struck = [
            fault
            for fault in self._on
            if fault.order_id is None or fault.order_id.lower() == order_id.lower()
        ]
        for fault in struck:
            if fault.count is not None:
                fault.count -= 1
        self._on = [fault for fault in self._on if fault.count is None or fault.count > 0]
        return struck


def answer_instead(fault: Fault, order_id: str) -> web.Response | None:
    """Return what is answered in place of the order; None when the fault is of another group."""
    match fault.kind:
        case FaultKind.THROTTLED:
            return answers.throttled(fault.retry_after)
        case FaultKind.NOT_FOUND_LEGACY:
            return answers.not_found_legacy(order_id, status=404)
        case FaultKind.NOT_FOUND_200:
            return answers.not_found_legacy(order_id, status=200)
        case FaultKind.ERROR_200:
            return web.json_response({"status": "error", "status_id": -1, "error_code": "internal_error"})
        case FaultKind.NON_JSON:
            return web.Response(text="Internal routing error", content_type="application/json")
        case kind:
            plain = _PLAIN.get(kind)
            return None if plain is None else plain()


_PLAIN: Mapping[FaultKind, Callable[[], web.Response]] = {
    FaultKind.BROKEN: answers.broken,
    FaultKind.OUTAGE: answers.outage,
    FaultKind.UNAUTHORIZED: answers.unauthorized,
    FaultKind.FORBIDDEN: answers.forbidden,
    FaultKind.NOT_FOUND: answers.not_found,
}


def distort(kind: FaultKind, body: Json, dice: random.Random) -> Json:
    """Return the body as the fault leaves it."""
    match kind:
        case FaultKind.CHURN:
            return _churned(body, dice)
        case FaultKind.SHUFFLE:
            return dict(dice.sample(list(body.items()), len(body)))
        case FaultKind.STRINGS:
            return {name: _as_text(value) for name, value in body.items()}
        case FaultKind.FLOATS:
            return {name: _as_float(name, value) for name, value in body.items()}
        case FaultKind.FILTERED:
            return body | dict.fromkeys(_MASKED & body.keys(), "FILTERED")
        case FaultKind.UNKNOWN_STATUS:
            return body | {"status": "SETTLEMENT_HOLD", "status_id": 99}
        case FaultKind.WRONG_ORDER:
            return body | {"order_id": f"{body['order_id']}X"}
        case _:
            return body


_MASKED = frozenset(
    {
        "card",
        "upi",
        "offers",
        "effective_amount",
        "maximum_eligible_refund_amount",
        "customer_email",
        "customer_phone",
        "payer_vpa",
    }
)


def _churned(body: Json, dice: random.Random) -> Json:
    page = f"https://pay{dice.randrange(100)}.example.com/merchant/pay/{dice.randrange(10**9)}"
    churned = body | {"payment_links": {"web": page}}
    if "metadata" in body:
        churned["metadata"] = body["metadata"] | {"merchant_payload": f'{{"n":{dice.randrange(10**9)}}}'}
    if "payment_gateway_response" in body:
        noise = {"gateway_response": {"trace": dice.randrange(10**9)}}
        churned["payment_gateway_response"] = body["payment_gateway_response"] | noise
    return churned


def _as_text(value: Any) -> Any:
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return str(value)
        case dict():
            return {name: _as_text(member) for name, member in value.items()}
        case list():
            return [_as_text(member) for member in value]
        case _:
            return value


def _as_float(name: str, value: Any) -> Any:
    match value:
        case int() if "amount" in name and not isinstance(value, bool):
            return float(value)
        case dict():
            return {inner: _as_float(inner, member) for inner, member in value.items()}
        case list():
            return [_as_float(name, member) for member in value]
        case _:
            return value

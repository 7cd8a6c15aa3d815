"""Faults of the body: what the upstream is known to do to members, and what it might do."""

import random
from collections.abc import Callable, Mapping
from typing import Any

from notifier.sandbox.faults import FaultKind
from notifier.sandbox.frame import Json

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
        "activated_at",
        "last_activated_at",
        "payment_info",
        "mandate_token",
        "mandate_debit_token",
    }
)
FILTERED = "FILTERED"
_NOTHING = ("null", "NA", "")
_UNKNOWN = "SETTLEMENT_HOLD"


def _churned(body: Json, dice: random.Random) -> Json:
    page = f"https://pay{dice.randrange(100)}.example.com/merchant/pay/{dice.randrange(10**9)}"
    churned = body | {"payment_links": {"web": page}}
    if "metadata" in body:
        churned["metadata"] = body["metadata"] | {"merchant_payload": f'{{"n":{dice.randrange(10**9)}}}'}
    if "payment_gateway_response" in body:
        noise = {"gateway_response": {"trace": dice.randrange(10**9)}}
        churned["payment_gateway_response"] = body["payment_gateway_response"] | noise
    return churned


def _shuffled(value: Any, dice: random.Random) -> Any:
    match value:
        case dict():
            names = dice.sample(list(value), len(value))
            return {name: _shuffled(value[name], dice) for name in names}
        case list():
            return [_shuffled(member, dice) for member in value]
        case _:
            return value


def _with_unknown_words(body: Json) -> Json:
    changed = body | {"status": _UNKNOWN}
    if "order_status" in body:  # of a loan: there `status` is the result of the call
        rows = [row | {"status": _UNKNOWN, "sub_status": "Underwriting Paused"} for row in body["txn_list"]]
        return body | {"order_status": _UNKNOWN, "txn_list": rows}
    return changed | {"status_id": 99} if "status_id" in body else changed


def _each(body: Json, change: Callable[[str, Any], Any]) -> Json:
    """Return the body with every scalar changed; rows of a list go by the name of their list."""

    def changed(name: str, value: Any) -> Any:
        match value:
            case dict():
                return {inner: changed(inner, member) for inner, member in value.items()}
            case list():
                return [changed(name, member) for member in value]
            case _:
                return change(name, value)

    return {name: changed(name, value) for name, value in body.items()}


def _text(_name: str, value: Any) -> Any:
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return str(value)
        case _:
            return value


def _float(name: str, value: Any) -> Any:
    return float(value) if "amount" in name and type(value) is int else value


_DISTORTIONS: Mapping[FaultKind, Callable[[Json, random.Random], Json]] = {
    FaultKind.CHURN: _churned,
    FaultKind.SHUFFLE: lambda body, dice: dict(_shuffled(body, dice)),
    FaultKind.STRINGS: lambda body, _: as_text(body),
    FaultKind.FLOATS: lambda body, _: _each(body, _float),
    FaultKind.FILTERED: lambda body, _: body | dict.fromkeys(_MASKED & body.keys(), FILTERED),
    FaultKind.NULL_WORDS: lambda body, dice: _each(
        body, lambda _, value: dice.choice(_NOTHING) if value is None else value
    ),
    FaultKind.UNKNOWN_STATUS: lambda body, _: _with_unknown_words(body),
    FaultKind.WRONG_STATUS_ID: lambda body, _: body | {"status_id": 27},
    FaultKind.WRONG_ORDER: lambda body, _: body | {"order_id": f"{body['order_id']}X"},
}


def distort(kind: FaultKind, body: Json, dice: random.Random) -> Json:
    """Return the body as the fault leaves it; faults of other kinds leave it as it is."""
    distortion = _DISTORTIONS.get(kind)
    return body if distortion is None else distortion(body, dice)


def as_text(body: Json) -> Json:
    """Return the body with its numbers and booleans as text."""
    return _each(body, _text)

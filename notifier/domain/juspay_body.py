"""An event in the shape of the upstream's own webhook, with its JSON types; docs/juspay-bodies.md has the tables."""

from collections.abc import Mapping

from notifier.domain.juspay_members import (
    APPLICATION,
    APPLICATION_ANSWER,
    APPLICATION_DETAIL,
    ATTEMPT,
    DETAIL,
    FILTERED,
    GATEWAY_ANSWER,
    LOAN,
    MANDATE,
    MANDATE_BLOCK,
    ORDER,
    PART,
    PART_ANSWER,
    PART_DETAIL,
    Body,
    Members,
    nanoseconds,
    seconds,
    shaped,
)
from notifier.domain.juspay_names import name_of
from notifier.domain.snapshot import Subject

STATUS_IDS: Mapping[str, int] = {
    "CREATED": 1, "NEW": 10, "STARTED": 20, "CHARGED": 21, "JUSPAY_DECLINED": 22, "PENDING_VBV": 23,
    "VBV_SUCCESSFUL": 24, "AUTHORIZED": 25, "AUTHENTICATION_FAILED": 26, "AUTHORIZATION_FAILED": 27,
    "AUTHORIZING": 28, "COD_INITIATED": 29, "VOIDED": 31, "VOID_INITIATED": 32, "CAPTURE_INITIATED": 33,
    "CAPTURE_FAILED": 34, "VOID_FAILED": 35, "AUTO_REFUNDED": 36, "PARTIAL_CHARGED": 37,
}  # fmt: skip
"""The documented numbers of status words; every other word has none."""

_INSTRUMENTS = {"CARD": ("card",), "UPI": ("upi", "payer_vpa")}
"""By payment method, the members that say who paid; of them next to nothing is kept."""
_OF_PAYMENT = ("payment_method_type", "payment_method", "auth_type", "payment_gateway_response")


def juspay_body(document: Members) -> Body:
    """Return the webhook that the upstream would have sent of an event, from the event's document.

    An event that has no name there, such as a test, is called by its own type in capitals.
    """
    kind, data = document["type"], document["data"]
    mark, at = document["id"].removeprefix("evt_"), document["timestamp"]
    is_of_loan = data["subject"] == Subject.LOAN
    return {
        "id": f"LSP{mark}" if is_of_loan else f"evt_V2_{mark}",
        "event_name": name_of(kind, data["phase"]) or kind.upper().replace(".", "_"),
        "date_created": nanoseconds(at) if is_of_loan else seconds(at),
        "content": {} if data["order"] is None else _content(kind, data, data["order"]),
    }


def _content(kind: str, data: Members, order: Members) -> Body:
    match data["subject"]:
        case Subject.MANDATE if "mandate" in order:
            return {"mandate": _mandate(order)}
        case Subject.LOAN if "loan" in order:
            return {"order": _loan(order, order["loan"])}
        case Subject.TXN:
            rows = (row for row in order.get("txn_list", ()) if row["txn_id"] == data["subject_id"])
            part = _part(order, next(rows, {"txn_id": data["subject_id"]}))
            return {"txn": part.pop("txn_detail") | part}
        case _ if kind == "order.retried":
            whole = _order(order)
            kept = {name: whole[name] for name in _OF_PAYMENT if name in whole}
            return {"txn": whole.get("txn_detail", {}) | kept}
    return {"order": _order(order)}


def _order(order: Members) -> Body:
    body = shaped(ORDER, {**order, "status_id": STATUS_IDS.get(order.get("status", ""))})
    if "txn_id" in order or "txn_detail" in order:
        body |= _attempt(order)
    if "txn_list" in order:
        body["txn_list"] = [_part(order, row) for row in order["txn_list"]]
    if "mandate" in order:
        body["mandate"] = shaped(MANDATE_BLOCK, order["mandate"]) | _response(order["mandate"])
    return body


def _attempt(order: Members) -> Body:
    lent = {name: order.get(name) for name in ("txn_id", "order_id", "txn_uuid", "gateway_id", "currency")}
    body = shaped(ATTEMPT, order)
    body |= dict.fromkeys(_INSTRUMENTS.get(order.get("payment_method_type", ""), ()), FILTERED)
    body["txn_detail"] = shaped(DETAIL, {**order.get("txn_detail", {}), **lent})
    answer = order.get("payment_gateway_response")
    if answer:
        body["payment_gateway_response"] = shaped(GATEWAY_ANSWER, {**answer, "txn_id": order.get("txn_id")})
    return body


def _part(order: Members, row: Members) -> Body:
    lent = {"order_id": order["order_id"], "currency": order.get("currency"), "txn_amount": row.get("amount")}
    part = shaped(PART, row) | {"txn_detail": shaped(PART_DETAIL, {**row, **lent})}
    has_answer = "rrn" in row or "epg_txn_id" in row
    return part | ({"payment_gateway_response": shaped(PART_ANSWER, row)} if has_answer else {})


def _mandate(order: Members) -> Body:
    block = order["mandate"]
    lent = {name: order.get(name) for name in ("order_id", "currency", "customer_id")}
    return shaped(MANDATE, {**block, **lent, "status": block.get("mandate_status")}) | _response(block)


def _response(mandate: Members) -> Body:
    code = mandate.get("response_code")
    return {"pg_response": {"response_code": code, "response_message": FILTERED}} if code else {}


def _loan(order: Members, loan: Members) -> Body:
    rows = [
        shaped(APPLICATION, row)
        | {
            "txn_detail": shaped(
                APPLICATION_DETAIL,
                {**row, "txn_amount": row.get("amount"), "currency": loan.get("currency")},
            ),
            "payment_gateway_response": shaped(APPLICATION_ANSWER, row),
        }
        for row in loan.get("txn_list", ())
    ]
    return shaped(LOAN, {**loan, "order_id": order["order_id"]}) | {"txn_list": rows}

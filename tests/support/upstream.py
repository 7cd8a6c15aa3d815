"""Answers of the upstream, built from a few values: an order of a kettle shop, whole with everybody's data in it.

Which members stand where follows the upstream's published samples; every value is ours.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

Body = dict[str, Any]

MERCHANT = "kettleshop"
ORDER_ID = "KT501"
BEGUN = datetime(2026, 5, 4, 9, tzinfo=UTC)
STATUS_IDS = {
    "NEW": 10, "CHARGED": 21, "JUSPAY_DECLINED": 22, "PENDING_VBV": 23, "AUTHENTICATION_FAILED": 26,
    "AUTHORIZATION_FAILED": 27, "AUTHORIZING": 28, "AUTO_REFUNDED": 36, "PARTIAL_CHARGED": 37,
}  # fmt: skip
_DONE = {"CHARGED", "AUTO_REFUNDED"}
_REASONS = {
    "AUTHENTICATION_FAILED": ("USER_DROPPED", "U19", "Customer left the page"),
    "AUTHORIZATION_FAILED": ("BUSINESS_ERROR", "51", "Not enough money"),
    "JUSPAY_DECLINED": ("TECHNICAL_ERROR", "JP_802", "Card is not taken"),
}
_METHODS = {"card": ("CARD", "VISA", "THREE_DS"), "upi": ("UPI", "UPI", ""), "nb": ("NB", "NB_SBI", "")}
_FLOWS = {"card": "CARD_TRANSACTION", "upi": "INTENT", "nb": "REDIRECT_DEBIT"}


def stamp(minute: float) -> str:
    return f"{BEGUN + timedelta(minutes=minute):%Y-%m-%dT%H:%M:%SZ}"


def answer(
    status: str,
    *,
    minute: float = 0,
    amount: float = 1500,
    effective: float | None = None,
    attempt: int | None = 1,
    by: str = "card",
    **members: Any,
) -> Body:
    """Return the order `minute`s after it was begun; without an attempt nobody has tried to pay."""
    refunds = [row for row in members.get("refunds", []) if row["status"] != "FAILURE"]
    given_back = round(sum(row["amount"] for row in refunds), 2)
    effective = amount if effective is None else effective
    body: Body = {
        "customer_email": "nila@mail.example",
        "customer_phone": "9800000007",
        "customer_id": "cst_nila",
        "status_id": STATUS_IDS.get(status, 0),
        "status": status,
        "id": "ordeh_kt501",
        "merchant_id": MERCHANT,
        "amount": amount,
        "currency": "INR",
        "order_id": ORDER_ID,
        "date_created": stamp(0),
        "last_updated": stamp(minute),
        "return_url": "https://kettle.example/back?session=nila",
        "product_id": "",
        "payment_links": dict.fromkeys(("iframe", "web", "mobile"), "https://pay.example/ordeh_kt501"),
        **{f"udf{n}": "" for n in range(1, 11)},
        "refunded": given_back == effective,
        "amount_refunded": given_back,
        "effective_amount": effective,
        "offers": [],
    }
    if attempt is None:
        return body | {"order_expiry": stamp(15)} | members
    if status in _DONE:
        body["maximum_eligible_refund_amount"] = round(effective - given_back, 2)
    paid = {"amount": amount, "effective": effective}
    return body | _attempt(status, attempt, by, minute, **paid) | members


def _attempt(status: str, attempt: int, by: str, minute: float, *, amount: float, effective: float) -> Body:
    kind, method, auth_type = _METHODS[by]
    category, code, said = _REASONS.get(status, (None, "", ""))
    body: Body = {
        "txn_id": f"{MERCHANT}-{ORDER_ID}-{attempt}",
        "txn_uuid": f"mozkt{attempt}",
        "payment_method_type": kind,
        "payment_method": method,
        "auth_type": auth_type,
        "gateway_id": 23,
        "gateway_reference_id": "kettle-sub",
        "resp_code": category and "BANK_DECLINED",
        "resp_message": said or None,
        "resp_category": category,
        "bank_error_code": code,
        "bank_error_message": said,
        "txn_detail": {
            "txn_id": f"{MERCHANT}-{ORDER_ID}-{attempt}",
            "order_id": ORDER_ID,
            "status": status,
            "error_code": code or None,
            "error_message": said,
            "net_amount": amount,
            "surcharge_amount": None,
            "tax_amount": None,
            "txn_amount": effective,
            "offer_deduction_amount": amount - effective or None,
            "gateway_id": 23,
            "gateway": "RAZORPAY",
            "currency": "INR",
            "express_checkout": False,
            "redirect": True,
            "created": stamp(minute),
            "txn_flow_type": _FLOWS[by],
            "metadata": {"payment_channel": "WEB"},
        },
        "metadata": {"payment_page_client_id": MERCHANT},
    }
    if by == "card":
        body["card"] = _CARD
    if by == "upi" and status in _DONE:
        body |= {
            "payer_vpa": "nila@okkettle",
            "payer_app_name": "phonepe",
            "upi": {"payer_vpa": "nila@okkettle"},
        }
    if status in _DONE:
        body["payment_gateway_response"] = {
            "resp_code": "captured",
            "resp_message": "Payment captured",
            "rrn": "612400000501",
            "epg_txn_id": "pay_kt501",
            "auth_id_code": "null",
            "txn_id": f"{MERCHANT}-{ORDER_ID}-{attempt}",
            "created": stamp(minute),
            "network_error_code": None,
        }
    return body


_CARD = {
    "name_on_card": "NILA PRASAD",
    "last_four_digits": "4242",
    "card_isin": "424242",
    "card_reference": "c4rdref",
    "card_fingerprint": "f1ngerprint",
    "expiry_year": "2031",
    "expiry_month": "04",
    "card_issuer": "Kettle Bank",
    "card_type": "CREDIT",
    "card_brand": "VISA",
    "tokens": [],
}


def refund(n: int, amount: float, status: str = "PENDING", *, sent: bool = True, **members: Any) -> Body:
    """Return refund number n; `sent` says whether the gateway has it."""
    row: Body = {
        "id": None,
        "amount": amount,
        "unique_request_id": f"RF-{n}",
        "ref": None,
        "created": stamp(60 * n),
        "status": status,
        "error_message": "",
        "sent_to_gateway": sent,
        "initiated_by": "Nila Prasad",
        "refund_source": "RAZORPAY",
        "refund_type": "STANDARD",
        "error_code": None,
    }
    if status == "SUCCESS":
        # Success text in an error's place is the upstream's habit.
        row |= {"id": f"RF-{n}", "ref": f"rfnd_{n}", "error_message": "processed", "error_code": "processed"}
        row |= {"pg_processed_at": stamp(60 * n + 20), "reversal_type": "SETTLED"}
    if status == "FAILURE":
        row |= {
            "error_message": "Refused",
            "error_code": "BAD_REQUEST_ERROR",
            "pg_declined_at": stamp(60 * n + 20),
        }
    return row | members


def offer(status: str, **members: Any) -> Body:
    """Return an offer that takes ten percent off."""
    rule = {"value": 10, "calculation_rule": "PERCENTAGE", "max_amount": 150}
    return {
        "offer_id": "0ffe12aa-0001-4000-8000-00000000c0de",
        "offer_code": "KETTLE10",
        "status": status,
        "benefits": [{"type": "DISCOUNT", "amount": 150, "calculation_info": rule}],
        "metadata": "{not json",
    } | members


def mandate(status: str, *, bank: bool = True, **members: Any) -> Body:
    """Return the mandate that the order registered, of a bank account unless told otherwise."""
    block: Body = {
        "mandate_id": "mdtKt501",
        "mandate_token": "t0kenOfTheMandate",
        "mandate_status": status,
        "mandate_type": "EMANDATE",
        "start_date": str(int(BEGUN.timestamp())),
        "end_date": str(int((BEGUN + timedelta(days=365)).timestamp())),
        "revokable_by_customer": True,
        "block_fund": False,
        "max_amount": 2500,
        "amount_rule": "VARIABLE",
        "frequency": "MONTHLY",
        "rule_type": "BEFORE",
        "rule_value": 5,
    }
    if bank:
        block["bank_details"] = {
            "beneficiary_name": "NILA PRASAD",
            "account_number": "00990099009900",
            "bank_name": "Kettle Bank",
            "ifsc": "KETL0000001",
        }
    if status == "FAILURE":
        block["pg_response"] = {"response_code": "FAILURE_MANDATE", "response_message": "Refused by the bank"}
    return block | members


def part(n: int, amount: float, status: str = "CHARGED", *, by: str = "upi") -> Body:
    """Return one part of an order paid in parts."""
    row = _attempt(status, n, by, n, amount=amount, effective=amount)
    return {"status": status, "refunded": False, "effective_amount": amount, "offers": []} | row


def chargeback(status: str, **members: Any) -> Body:
    return {
        "id": "cbk_1",
        "amount": 1500,
        "chargeback_status": status,
        "reason": "Nila does not know us",
        "date_created": stamp(9000),
    } | members


def whole(**members: Any) -> Body:
    """Return an order with every member that is ever decoded, and with everything personal that may stand beside."""
    body = answer(
        "CHARGED",
        minute=3,
        by="upi",
        conflicted=False,
        order_expiry=stamp(15),
        refunds=[
            refund(1, 1500, "SUCCESS", arn="7433", bank_processed_at=stamp(90), pg_declined_at=stamp(80),
                   expected_refund_credit_time=stamp(9000)),
            refund(2, 100, expected_refund_credit_time=stamp(9000)),
        ],
        offers=[offer("AVAILED", error_code="JP706")],
        mandate=mandate("ACTIVE", pg_response={"response_code": "00", "response_message": "Nila agreed"}),
        txn_list=[part(1, 800), part(2, 700)],
        chargebacks=[chargeback("RECEIVED", chargebackStatus="RECEIVED", dateCreated=stamp(9000),
                                date_resolved=stamp(9900), dateResolved=stamp(9900))],
        risk={"provider": "guard", "status": "SUCCESS", "flagged": False, "recommended_action": "ACCEPT",
              "message": "Nila is known"},
        card=_CARD,
        resp_code="SUCCESS",
        resp_category="GENERIC_ERROR",
        bank_error_code="0",
    )  # fmt: skip
    body["txn_detail"] |= {
        "surcharge_amount": 1,
        "tax_amount": 2,
        "offer_deduction_amount": 3,
        "error_code": "00",
        "txn_object_type": "EMANDATE_REGISTER",
    }
    body["payment_gateway_response"] |= {
        "auth_id_code": "475926",
        "network_error_code": "U30",
        "discount_amount": "5",
        "offer": "KETTLE",
        "offer_type": "CASHBACK",
        "offer_availed": "true",
    }
    for row in body["txn_list"]:
        row |= {
            "resp_code": "SUCCESS",
            "resp_category": "GENERIC_ERROR",
            "bank_error_code": "0",
            "auth_type": "OTP",
        }
    return body | members


def planted(body: Body, mark: str) -> Body:
    """Return the body with a mark in every place where something personal, or secret, can stand."""
    person = {"name": mark, "phone": mark, "tokens": [mark, {"vpa": f"{mark}@okkettle"}]}
    texts = ("customer_email", "customer_phone", "customer_id", "customer_phone_country_code", "return_url",
             "product_id", "resp_message", "bank_error_message", "bank_pg", "source_object_id")  # fmt: skip
    body = body | dict.fromkeys((*texts, *(f"udf{n}" for n in range(1, 11))), mark)
    body |= dict.fromkeys(
        ("metadata", "additional_info", "juspay", "notification", "links", "loyalty_info"), person
    )
    body |= {
        "card": dict.fromkeys([*_CARD, "payment_account_reference", "token"], mark),
        "payer_vpa": f"{mark}@okkettle",
        "upi": {"payer_vpa": f"{mark}@okkettle", "payer_app": mark, "payer_name": mark},
        "payment_links": dict.fromkeys(("iframe", "web", "mobile"), f"https://pay.example/{mark}"),
        "basket": [person],
        "risk_checks": [person],
        "split_settlement_response": {"split_details": [person]},
        mark: mark,
    }
    body["risk"] = body.get("risk", {}) | {"message": mark, "provider": mark}
    body["mandate"] = body.get("mandate", {}) | {
        "mandate_token": mark,
        "mandate_debit_token": mark,
        "bank_details": dict.fromkeys(("beneficiary_name", "account_number", "bank_name", "ifsc"), mark),
        "pg_response": {"response_code": "00", "response_message": mark},
    }
    _plant_in_attempt(body, mark, person)
    for row in body.get("txn_list", []):
        row |= {"card": {"name_on_card": mark}, "upi": {"payer_vpa": f"{mark}@okkettle"}, "payer_vpa": mark}
        _plant_in_attempt(row, mark, person)
    for row in body.get("refunds", []):
        row |= {
            "initiated_by": mark,
            "error_message": mark,
            "metadata": person,
            "previous_attempts": [person],
        }
    for row in body.get("offers", []):
        row |= {"error_message": mark, "metadata": f'{{"name": "{mark}"}}', "product_discounts": [person]}
    for row in body.get("chargebacks", []):
        row |= {"reason": mark, "txn": person, "metadata": person, "objectReferenceId": mark}
    return body


def _plant_in_attempt(body: Body, mark: str, person: Body) -> None:
    for block in ("txn_detail", "payment_gateway_response"):
        body[block] = body.get(block, {}) | {
            "error_message": mark,
            "resp_message": mark,
            "response_message": mark,
            "network_error_message": mark,
            "gateway_response": person,
            "metadata": person,
            "umrn": mark,
            "source_object_id": mark,
        }
    # An object where a text belongs is no value, whatever is in it.
    body |= {"resp_code": person, "payer_app_name": [mark]}


def planted_error(mark: str, **members: Any) -> Body:
    """Return an error about somebody."""
    info = {"code": "INVALID_INPUT", "developer_message": mark, "user_message": f"{mark} may not", "href": mark,
            "fields": [{"field_name": mark, "reason": mark}]}  # fmt: skip
    body = {
        "status": "error",
        "error_code": f"no such person: {mark}",
        "error_message": mark,
        "error_info": info,
    }
    return body | members

"""Answers of the upstream's other calls about the same order: its loan applications, and its mandate by itself.

`seen` reads an answer of any call.
"""

import json
from datetime import timedelta
from typing import Any

from notifier.domain.order import OrderId
from notifier.domain.snapshot import Snapshot
from notifier.source import hypercredit, wire
from notifier.source import mandate as mandate_call
from notifier.source.contract import Failure
from support.builders import READER
from support.upstream import BEGUN, MERCHANT, ORDER_ID, Body, mandate, stamp


def application(stage: str | None, n: int = 1, *, minute: float = 10, **members: Any) -> Body:
    """Return loan application number n, as HyperCredit has it; lenders' own messages name people."""
    status = {"Loan Active": "CHARGED", "Loan Rejected": "AUTHORIZATION_FAILED"}.get(
        stage or "", "PENDING_VBV"
    )
    nothing = ("refunded", "refunds", "amount_refunded", "emi_bank", "emi_tenure", "resp_code", "resp_message",
               "bank_error_code", "bank_error_message", "payment_links")  # fmt: skip
    return {
        "txn_id": f"LSPkt{n}",
        "txn_uuid": f"mozlsp{n}",
        "txn_intent_id": f"LSPintent{n}",
        "txn_type": "LOANPAYMENT",
        "status": status,
        "sub_status": stage,
        "payment_method": "KETTLE_LSP",
        "payment_method_type": "KETTLE_LSP",
        "gateway_id": 1,
        "gateway_reference_id": "kettle-lsp",
        "txn_intent_amount": "1500.0",
        **dict.fromkeys(nothing),
        "payment_gateway_response": {
            "epg_txn_id": f"LAI{n}",
            "txn_id": f"LSPkt{n}",
            "created": _blank(minute),
            "rrn": None,
            "resp_code": None,
            "resp_message": json.dumps({"Borrower": {"Name": "Nila Prasad", "Phone": "9800000007"}}),
        },
        "txn_detail": {
            "order_id": "another",
            "txn_id": "another-1",
            "txn_uuid": "mozanother",
            "status": status,
            "txn_amount": "1500.0",
            "currency": "INR",
            "created": _blank(minute),
            "gateway": "LSP",
            "gateway_id": 1,
            **dict.fromkeys(("error_code", "error_message", "settlement", "utr")),
        },
    } | members


def _blank(minute: float) -> str:
    """Return an instant as HyperCredit spells it inside."""
    return f"{BEGUN + timedelta(minutes=minute):%Y-%m-%d %H:%M:%S.%f} UTC"


def credit(*applications: Body, status: str = "PENDING_VBV", **members: Any) -> Body:
    """Return the order as HyperCredit has it, which never says when it was last updated."""
    return {
        "order_id": ORDER_ID,
        "merchant_id": MERCHANT,
        "id": "LSPkt501",
        "status": "SUCCESS",
        "status_id": 3,
        "order_status": status,
        "amount": 1500,
        "currency": "INR",
        "date_created": f"{BEGUN:%Y-%m-%dT%H:%M:%S.%fZ}",
        "gateway_reference_id": "kettle-lsp",
        "customer_id": "LSPnila",
        "customer_email": "nila@mail.example",
        "customer_phone": "9800000007",
        "payment_links": dict.fromkeys(("iframe", "web", "mobile")),
        **dict.fromkeys(("payout_links", "error", "error_code", "error_message", "user_message")),
        "txn_list": list(applications),
    } | members


def check_status(status: str, *, minute: float = 0, **members: Any) -> Body:
    """Return the mandate as the dedicated call has it."""
    block = mandate(status, bank=False)
    return {
        **{name: value for name, value in block.items() if name not in {"mandate_status", "rule_type", "rule_value"}},
        "status": status,
        "order_id": ORDER_ID,
        "customer_id": "cst_nila",
        "currency": "INR",
        "activated_at": stamp(3),
        "last_activated_at": stamp(3),
        "last_updated": stamp(minute),
        "mandate_debit_token": "t0kenOfTheDebit",
        "payment_info": {"payment_method_type": "UPI", "payment_method": "COLLECT",
                         "upi": {"payer_vpa": "nila@okkettle"}},
    } | members  # fmt: skip


def whole_credit() -> Body:
    """Return a loan status with every member that is ever decoded; the second application lacks its first name."""
    nameless = application("Loan Rejected", 2)
    return credit(
        application("Offer Selected"), {name: nameless[name] for name in nameless if name != "txn_id"}
    )


def whole_mandate() -> Body:
    """Return the mandate call's answer with every member that is ever decoded."""
    return check_status(
        "ACTIVE",
        merchant_id=MERCHANT,
        mandate_status="ACTIVE",
        rule_type="BEFORE",
        rule_value=5,
        pg_response={"response_code": "00", "response_message": "Nila agreed"},
        response_message="Nila paused it",
        pause_start_date=stamp(60),
        pause_end_date=stamp(90),
    )


def seen(body: Body) -> Snapshot | None:
    """Return what the reader of the body's call makes of it, nothing of a failure."""
    raw = json.dumps(body).encode()
    whose: dict[str, Any] = {"merchant_id": MERCHANT, "reader": READER}
    read: wire.OrderAnswer | hypercredit.CreditAnswer | mandate_call.MandateAnswer | Failure
    if "order_status" in body:
        read = hypercredit.read(raw, order_id=OrderId(ORDER_ID), **whose)
    elif "mandate_id" in body:
        read = mandate_call.read(raw, mandate_id="mdtKt501", **whose)
    else:
        read = wire.read(raw, order_id=OrderId(ORDER_ID), **whose)
    return None if isinstance(read, Failure) else read.snapshot()

"""The answer of `GET /credit/order/{order_id}`: one row of `txn_list` for each application for a loan."""

import json

from notifier.sandbox.bodies.customer import customer
from notifier.sandbox.frame import Frame, Json, number
from notifier.sandbox.lives import loans
from notifier.sandbox.lives.scenario import Application, Life, tag

_EVENTS = {  # the lender's own words, as one public sample has them
    loans.ACTIVE: ("pushed_disbursal", "Pushed for disbursal"),
    loans.GRANTED: ("approved", "Approved"),
    loans.REJECTED: ("rejected", "Rejected"),
    loans.KYC_REJECTED: ("kyc_rejected", "KYC rejected"),
}
# Only one answer is public: SUCCESS with 3, at the last stage. The other reading is that both follow the loan.
_RESULT = ("SUCCESS", 3)
_FOLLOWING = {
    "CHARGED": ("SUCCESS", 3),
    "PENDING_VBV": ("PENDING", 2),
    "NEW": ("PENDING", 2),
    "AUTHORIZATION_FAILED": ("FAILURE", 4),
}


def loan_answer(
    life: Life, age_s: float, frame: Frame, *, status_follows: bool = False, ids_differ: bool = False
) -> Json:
    """Return the 200 body of the credit call for this life at this age.

    `ids_differ` gives `txn_detail` ids of its own, as the one public sample has it.
    """
    look = life.look(age_s)
    mark = tag(f"credit {life.order_id.lower()}")
    status, status_id = _FOLLOWING.get(look.status, ("PENDING", 2)) if status_follows else _RESULT
    person = customer(life)
    rows = [_row(life, row, frame) for row in look.applications]
    if ids_differ:
        for row in rows:
            row["txn_detail"] |= {"order_id": f"someother_{mark[:3]}", "txn_id": f"sbx{mark[3:9]}"}
    return {
        "order_id": life.order_id,
        "status": status,
        "amount": number(life.amount),
        "txn_list": rows,
        "error_code": None,
        "error": None,
        "customer_id": f"LSP{mark[:32]}",
        "payment_links": {"iframe": None, "web": None, "mobile": None},
        "error_message": None,
        "customer_email": person["customer_email"],
        "currency": life.currency,
        "customer_phone": person["customer_phone"],
        "payout_links": None,
        "user_message": None,
        "order_status": look.status,
        "id": f"LSP{mark[32:]}",
        "merchant_id": frame.merchant_id,
        "date_created": frame.at(0).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "gateway_reference_id": "sandboxlsp",
        "status_id": status_id,
    }


def _row(life: Life, row: Application, frame: Frame) -> Json:
    mark = tag(f"credit {life.order_id.lower()}#{row.number}")
    status = loans.application_status(row.stage)
    created = frame.at(row.begun_s).strftime("%Y-%m-%d %H:%M:%S.%f UTC")
    amount = str(float(number(life.amount)))
    txn_id, txn_uuid = f"LSP{mark[:32]}", f"moz{mark[32:48]}"
    return {
        "status": status,
        "refunded": None,
        "payment_method": row.lender,
        "gateway_id": 1,
        "refunds": None,
        "payment_method_type": row.lender,
        "txn_uuid": txn_uuid,
        "txn_intent_id": f"LSP{mark[40:63]}",
        "payment_links": None,
        "payment_gateway_response": {
            "created": created,
            "rrn": None,
            "epg_txn_id": f"LAI{int(mark[:6], 16) % 10**6:06d}",
            "txn_id": txn_id,
            "resp_message": _lender_message(life, row, frame),
            "resp_code": None,
        },
        "txn_detail": {
            "order_id": life.order_id,
            "status": status,
            "error_code": None,
            "gateway_id": 1,
            "settlement": None,
            "txn_uuid": txn_uuid,
            "gateway": "LSP",
            "created": created,
            "txn_amount": amount,
            "error_message": None,
            "currency": life.currency,
            "txn_id": txn_id,
            "utr": None,
        },
        "amount_refunded": None,
        "sub_status": row.stage,
        "txn_intent_amount": amount,
        "bank_error_message": None,
        "txn_type": "LOANPAYMENT",
        "txn_id": txn_id,
        "emi_bank": None,
        "resp_message": None,
        "emi_tenure": None,
        "bank_error_code": None,
        "gateway_reference_id": "sandboxlsp",
        "resp_code": None,
    }


def _lender_message(life: Life, row: Application, frame: Frame) -> str | None:
    """Return what the lender sent, as text: it holds personal data, and nobody should read it."""
    if row.stage == loans.NO_OFFERS:
        return None
    event, word = _EVENTS.get(row.stage, (row.stage.lower().replace(" ", "_"), row.stage))
    person = customer(life)
    borrower = {
        "Name": "Sandbox Customer",
        "Phone": person["customer_phone"],
        "Email": person["customer_email"],
    }
    message = {
        "Event": f"application.status.{event}",
        "Entities": ["Application", "Loan", "Borrowers"],
        "Payload": {
            "Application": {"Status": word, "ApplicationId": _uuid(life, row), "Notes": ""},
            "Loan": {
                "ROI": 4,
                "Tenor": 12,
                "EMIAmount": number(life.amount * 1022 // 12000),
                "LoanAmount": number(life.amount),
            },
            "Borrowers": [borrower],
        },
        "CreatedOn": frame.at(row.changed_s).strftime("%d-%m-%Y %I:%M %p"),
    }
    return json.dumps(message, separators=(",", ":"))


def _uuid(life: Life, row: Application) -> str:
    mark = tag(f"application {life.order_id.lower()}#{row.number}")
    return f"{mark[:8]}-{mark[8:12]}-4{mark[13:16]}-8{mark[17:20]}-{mark[20:32]}"

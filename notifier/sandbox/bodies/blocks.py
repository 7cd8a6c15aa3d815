"""The blocks of a body with a life of their own: refunds, offers, the mandate."""

from notifier.domain.instant import to_ms
from notifier.sandbox.frame import Frame, Json, number
from notifier.sandbox.lives.scenario import FAILED, PAID, Life, Look, Method, Refund, tag

_CREDIT_S = 7 * 86400.0
_MANDATE_S = 5 * 365 * 86400


def refund_row(row: Refund, gateway: str, frame: Frame) -> Json:
    """Return one row of `refunds`; what it lacks tells how far the refund has come."""
    body: Json = {
        "id": row.unique_request_id if row.sent_to_gateway else None,
        "amount": number(row.amount),
        "unique_request_id": row.unique_request_id,
        "ref": None,
        "created": frame.stamp(row.asked_s),
        "status": row.status,
        "error_message": "",
        "sent_to_gateway": row.sent_to_gateway,
        "initiated_by": row.initiated_by,
        "refund_source": gateway,
        "refund_type": row.refund_type,
        "error_code": None,
    }
    changed = frame.stamp(row.changed_s)
    match row.status:
        case "SUCCESS":
            speed = "instant" if row.refund_type == "INSTANT" else "normal"
            body |= {
                "ref": f"rfnd_{tag(row.unique_request_id)[:14]}",
                "last_updated": changed,
                "error_message": "processed",  # success text in an error's place is the upstream's habit
                "error_code": "processed",
                "pg_processed_at": changed,
                "metadata": {"speed_requested": speed, "speed_processed": speed},
                "reversal_type": "SETTLED",
            }
        case "FAILURE":
            body |= {
                "error_message": "Refund failed at gateway",
                "error_code": "BAD_REQUEST_ERROR",
                "pg_declined_at": changed,
            }
        case "MANUAL_REVIEW":
            body |= {
                "id": None,
                "ref": f"{int(tag(row.unique_request_id)[:16], 16) % 10**20:020d}",
                "error_message": "Refund is pending at the gateway and waits for a person.",
            }
        case _:
            body["expected_refund_credit_time"] = frame.stamp(row.asked_s + _CREDIT_S)
    if row.has_arn:
        body["arn"] = f"{int(tag(row.unique_request_id)[:20], 16) % 10**23:023d}"
    return body


def offer_rows(life: Life, look: Look) -> list[Json]:
    """Return `offers`: one discount when the life has one, following the payment and its refunds."""
    if not life.discount:
        return []
    percent = life.discount * 100 // life.amount
    offer: Json = {
        "offer_id": "5d0c7b1e-3f52-4f0e-9a57-2f6f6d2b9c10",
        "offer_code": f"SANDBOX{percent}",
        "status": _offer_status(life, look),
        "benefits": [
            {
                "type": "DISCOUNT",
                "calculation_info": {"value": percent, "calculation_rule": "PERCENTAGE"},
                "amount": number(life.discount),
            }
        ],
    }
    if offer["status"] == "FAILED":
        offer |= {
            "error_code": "JP706",
            "error_message": "Offer Application failed due to transaction failure",
        }
    return [offer]


def _offer_status(life: Life, look: Look) -> str:
    if look.status in FAILED:
        return "FAILED"
    if look.status not in PAID:
        return "INITIATED"
    if look.refunded:
        return "REFUNDED" if look.refunded == life.effective else "PARTIALLY_REFUNDED"
    return "AVAILED"


def mandate_block(life: Life, look: Look, frame: Frame) -> Json:
    """Return the `mandate` of a registering order; dates are epoch seconds as text."""
    mark = tag(f"mandate of {life.order_id.lower()}")
    start_s = to_ms(frame.created_at) // 1000
    mandate: Json = {
        "mandate_id": mark[:20],
        "mandate_token": mark[20:52],
        "mandate_status": _mandate_status(look),
        "mandate_type": "EMANDATE",
        "start_date": str(start_s),
        "end_date": str(start_s + _MANDATE_S),
        "revokable_by_customer": True,
        "block_fund": False,
        "max_amount": 1000,
        "amount_rule": "VARIABLE",
        "frequency": "MONTHLY",
        "rule_type": "AFTER",
        "rule_value": 5,
    }
    if mandate["mandate_status"] == "FAILURE":
        mandate["pg_response"] = {
            "response_code": "FAILURE_MANDATE",
            "response_message": "Txn status is not charged.",
        }
    elif life.method is Method.NB:
        mandate["bank_details"] = {
            "beneficiary_name": "Sandbox Customer",
            "account_number": "50100000000001",
            "bank_name": "State Bank of India",
            "ifsc": "SBIN0000053",
        }
    return mandate


def _mandate_status(look: Look) -> str:
    if look.mandate_status is not None:
        return look.mandate_status
    if look.status in FAILED:
        return "FAILURE"
    return "ACTIVE" if look.status in PAID else "CREATED"

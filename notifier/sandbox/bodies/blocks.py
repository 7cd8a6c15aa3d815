"""The blocks of a body with a life of their own: refunds and offers."""

import json

from notifier.sandbox.frame import Frame, Json, number
from notifier.sandbox.lives.following import offer_status
from notifier.sandbox.lives.scenario import Life, Look, Refund, tag

_CREDIT_S = 7 * 86400.0


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
        "status": offer_status(life, look),
        "benefits": [
            {
                "type": "DISCOUNT",
                "calculation_info": {
                    "value": percent,
                    "calculation_rule": "PERCENTAGE",
                    "max_amount": number(life.discount),
                },
                "amount": number(life.discount),
            }
        ],
        "metadata": {"minimum_order_amount": "200.00"},
    }
    if offer["status"] == "FAILED":
        offer |= {
            "metadata": json.dumps(offer["metadata"]),  # text of JSON in some answers, an object in others
            "error_code": "JP706",
            "error_message": "Offer Application failed due to transaction failure",
        }
    return [offer]

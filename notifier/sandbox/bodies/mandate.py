"""A mandate twice: the block of the order that registered it, and the answer of the mandate's own call."""

from notifier.domain.instant import to_ms
from notifier.sandbox.bodies.rails import RAILS, payer
from notifier.sandbox.frame import Frame, Json
from notifier.sandbox.lives.following import mandate_course, mandate_id, mandate_status, registered_status
from notifier.sandbox.lives.scenario import Life, Look, Method, tag

_MANDATE_S = 5 * 365 * 86400.0
_PAUSE_S = 30 * 86400.0


def mandate_block(life: Life, look: Look, frame: Frame, *, follows: bool = True) -> Json:
    """Return the `mandate` of a registering order; dates are epoch seconds as text.

    Whether it follows what happens to the mandate after the registration is proven nowhere.
    """
    mandate: Json = {
        "mandate_id": mandate_id(life),
        "mandate_token": _token(life),
        "mandate_status": mandate_status(life, look) if follows else registered_status(look),
    } | _terms(life, frame)
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


def mandate_answer(life: Life, age_s: float, frame: Frame, *, customer_id: str) -> Json:
    """Return the answer of `POST /mandates/{mandate_id}`: here the status is called `status`."""
    course = mandate_course(life, age_s)
    changed_s, status = course[-1]
    answer: Json = {
        "order_id": life.order_id,
        "status": status,
        "last_updated": frame.stamp(changed_s),
        "mandate_debit_token": f"tkn_{tag(mandate_id(life))[:32]}",
        "customer_id": customer_id,
        "mandate_id": mandate_id(life),
        "currency": life.currency,
        "mandate_token": _token(life),
        "payment_info": _payment_info(life),
    } | _terms(life, frame)
    del answer["rule_type"], answer["rule_value"]
    if activations := [at_s for at_s, word in course if word == "ACTIVE"]:
        answer |= {
            "activated_at": frame.stamp(activations[0]),
            "last_activated_at": frame.stamp(activations[-1]),
        }
    if status == "PAUSED":
        answer |= {
            "pause_start_date": _epoch(frame, changed_s),
            "pause_end_date": str(int(_epoch(frame, changed_s)) + int(_PAUSE_S)),
            "response_message": "Mandate paused",
        }
    return answer


def _terms(life: Life, frame: Frame) -> Json:
    expired_s = next((step.at_s for step in life.steps if step.mandate_status == "EXPIRED"), None)
    ends = int(_epoch(frame, 0)) + int(_MANDATE_S) if expired_s is None else _epoch(frame, expired_s)
    return {
        "mandate_type": "MANDATE" if life.method is Method.CARD else "EMANDATE",
        "start_date": _epoch(frame, 0),
        "end_date": str(ends),
        "revokable_by_customer": True,
        "block_fund": False,
        "max_amount": 1000,
        "amount_rule": "VARIABLE",
        "frequency": "MONTHLY",
        "rule_type": "AFTER",
        "rule_value": 5,
    }


def _payment_info(life: Life) -> Json:
    rail = RAILS[life.method]
    if rail.type == "UPI":
        return {
            "payment_method": rail.flow,
            "payment_method_type": "UPI",
            "upi": {"payer_vpa": payer(life)},
        }
    return {"payment_method": rail.method, "payment_method_type": rail.type}


def _token(life: Life) -> str:
    return tag(f"mandate of {life.order_id.lower()}")[20:52]


def _epoch(frame: Frame, age_s: float) -> str:
    return str(to_ms(frame.at(age_s)) // 1000)

"""The order status as Juspay words it: one life at one age, as one JSON object."""

from collections.abc import Mapping

from notifier.domain.instant import to_ms
from notifier.sandbox.bodies.blocks import offer_rows, refund_row
from notifier.sandbox.bodies.customer import GIVEN, customer
from notifier.sandbox.bodies.mandate import mandate_block
from notifier.sandbox.bodies.rails import RAILS, instrument, payment_method, reason
from notifier.sandbox.frame import Frame, Json, number
from notifier.sandbox.lives.scenario import FAILED, ON_THE_PAGE, PAID, UNTRIED, Life, Look, Method, tag

STATUS_IDS: Mapping[str, int] = {
    "CREATED": 1,
    "NEW": 10,
    "STARTED": 20,
    "CHARGED": 21,
    "JUSPAY_DECLINED": 22,
    "PENDING_VBV": 23,
    "VBV_SUCCESSFUL": 24,
    "AUTHORIZED": 25,
    "AUTHENTICATION_FAILED": 26,
    "AUTHORIZATION_FAILED": 27,
    "AUTHORIZING": 28,
    "COD_INITIATED": 29,
    "VOIDED": 31,
    "VOID_INITIATED": 32,
    "CAPTURE_INITIATED": 33,
    "CAPTURE_FAILED": 34,
    "VOID_FAILED": 35,
    "AUTO_REFUNDED": 36,
    "PARTIAL_CHARGED": 37,
}
UNKNOWN_STATUS_ID = 0
_EXPIRY_S = 900.0


def order_body(
    life: Life,
    age_s: float,
    frame: Frame,
    *,
    full_gateway_response: bool = False,
    mandate_follows: bool = True,
) -> Json:
    """Return the 200 body of `GET /orders/{order_id}` for this life at this age.

    `mandate_follows` is whether its mandate shows what happened after the registration.
    """
    look = life.look(age_s)
    body = _head(life, look, frame)
    if look.status in UNTRIED:
        return body | _totals(life, look) | {"order_expiry": frame.stamp(_EXPIRY_S), "offers": []}
    body |= _payment(life, look, frame) | _totals(life, look)
    if look.refunds:
        body["refunds"] = [refund_row(row, RAILS[life.method].gateway, frame) for row in look.refunds]
    body |= _attempt(life, look, frame)
    if look.status not in ON_THE_PAGE:
        answer = _gateway_answer(life, look, frame)
        if full_gateway_response:
            answer["gateway_response"] = _raw_answer(life, look, frame)
        body["payment_gateway_response"] = answer
    body |= _gateway(life, look, frame) | {"offers": offer_rows(life, look)}
    if life.registers_mandate:
        body["mandate"] = mandate_block(life, look, frame, follows=mandate_follows)
    return body


def _head(life: Life, look: Look, frame: Frame) -> Json:
    head: Json = {
        **customer(life),
        "status_id": STATUS_IDS.get(look.status, UNKNOWN_STATUS_ID),
        "status": look.status,
        "id": juspay_id(life),
        "merchant_id": frame.merchant_id,
        "amount": number(life.amount),
        "currency": life.currency,
        "order_id": life.order_id,
        "date_created": frame.stamp(0),
        "last_updated": frame.stamp(look.changed_s),
        "return_url": "https://shop.example.com/pay/return",
        "product_id": "",
        "payment_links": payment_links(life, frame),
    } | {f"udf{n}": "" for n in range(1, 11)}
    return head | {name: life.given[name] for name in GIVEN if name in life.given}


def juspay_id(life: Life) -> str:
    """Return Juspay's own id of the order."""
    return f"ordeh_{tag(life.order_id.lower())[:32]}"


def payment_links(life: Life, frame: Frame) -> Json:
    """Return where the customer pays; on a running sandbox somebody answers there."""
    page = f"{frame.pages}/orders/{juspay_id(life)}/payment-page"
    return {"iframe": page, "web": page, "mobile": page}


def _totals(life: Life, look: Look) -> Json:
    totals: Json = {
        "refunded": look.refunded == life.effective > 0,
        "amount_refunded": number(look.refunded),
        "effective_amount": number(life.effective),
    }
    if look.status == "CHARGED":
        totals["maximum_eligible_refund_amount"] = number(life.effective - look.refunded)
    return totals


def _txn_id(life: Life, look: Look, frame: Frame) -> str:
    return f"{frame.merchant_id}-{life.order_id}-{look.attempt}"


def _txn_uuid(life: Life, look: Look) -> str:
    return f"moz{tag(f'{life.order_id.lower()}#{look.attempt}')[:16].upper()}"


def _payment(life: Life, look: Look, frame: Frame) -> Json:
    rail = RAILS[life.method]
    return {
        "txn_id": _txn_id(life, look, frame),
        "payment_method_type": rail.type,
        "auth_type": rail.auth_type,
        "payment_method": payment_method(life, look),
    } | instrument(life, look)


def _attempt(life: Life, look: Look, frame: Frame) -> Json:
    why = reason(life, look)
    return {
        "resp_code": why.code,
        "resp_message": why.message,
        "bank_error_code": why.bank_code,
        "bank_error_message": why.bank_message,
        "resp_category": why.category,
        "txn_uuid": _txn_uuid(life, look),
        "txn_detail": _txn_detail(life, look, frame),
    }


def _txn_detail(life: Life, look: Look, frame: Frame) -> Json:
    rail = RAILS[life.method]
    why = reason(life, look)
    detail: Json = {
        "txn_id": _txn_id(life, look, frame),
        "order_id": life.order_id,
        "status": look.status,
        "error_code": why.bank_code or None,
        "net_amount": number(life.amount),
        "surcharge_amount": None,
        "tax_amount": None,
        "txn_amount": number(life.effective),
        "offer_deduction_amount": number(life.discount) if life.discount else None,
        "gateway_id": rail.gateway_id,
        "currency": life.currency,
        "express_checkout": rail.express_checkout,
        "redirect": rail.redirect,
        "txn_uuid": _txn_uuid(life, look),
        "gateway": rail.gateway,
        "error_message": why.bank_message,
        "created": frame.stamp(look.attempt_s),
        "txn_flow_type": rail.flow,
        "metadata": {"payment_channel": "WEB", "microapp": "hyperpay"},
    }
    if look.status in PAID:
        detail["last_updated"] = frame.stamp(look.changed_s)
    if why.code is not None:
        detail |= {"response_code": why.code, "response_message": why.message}
    if life.registers_mandate:
        detail |= {
            "txn_object_type": "EMANDATE_REGISTER",
            "source_object": "MANDATE",
            "source_object_id": str(int(tag(life.order_id)[:5], 16)),
        }
    return detail


def _gateway_answer(life: Life, look: Look, frame: Frame) -> Json:
    mark = tag(_txn_uuid(life, look))
    answer: Json = {
        "resp_code": None,
        "rrn": None,
        "created": frame.stamp(look.changed_s),
        "epg_txn_id": None,
        "resp_message": None,
        "auth_id_code": None,
        "txn_id": _txn_id(life, look, frame),
        "network_error_message": None,
        "network_error_code": None,
    }
    if look.status in PAID:
        return answer | {
            "resp_code": "captured",
            "rrn": f"{int(mark[:12], 16) % 10**12:012d}",
            "epg_txn_id": f"pay_{mark[:14]}",
            "resp_message": "Payment captured",
            "auth_id_code": f"{int(mark[12:20], 16) % 10**6:06d}" if life.method is Method.CARD else "",
        }
    if look.status in FAILED:
        why = reason(life, look)
        return answer | {
            "resp_code": why.bank_code,
            "rrn": "",
            "resp_message": why.bank_message,
            "auth_id_code": "",
        }
    return answer


def _raw_answer(life: Life, look: Look, frame: Frame) -> Json:
    if look.status not in PAID:
        return {}
    return {
        "id": f"pay_{tag(_txn_uuid(life, look))[:14]}",
        "entity": "payment",
        "amount": life.effective,
        "currency": life.currency,
        "status": "captured",
        "method": RAILS[life.method].type.lower(),
        "captured": True,
        "fee": str(life.effective // 50),
        "error_code": None,
        "error_description": None,
        "created_at": to_ms(frame.at(look.changed_s)) // 1000,
    }


def _gateway(life: Life, look: Look, frame: Frame) -> Json:
    rail = RAILS[life.method]
    metadata: Json = {"payment_page_client_id": frame.merchant_id}
    sub_account = "sandboxmid" if life.method is Method.CARD and look.status in PAID else None
    if sub_account is None:
        metadata["payment_links"] = payment_links(life, frame)
    else:
        metadata[f"{rail.gateway}:gateway_reference_id"] = sub_account
    return {"gateway_id": rail.gateway_id, "metadata": metadata, "gateway_reference_id": sub_account}

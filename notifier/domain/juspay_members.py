"""Which members each block of the upstream's webhooks has, and how they come about from an event's document.

A member that is always there upstream is "FILTERED" where it is unknown or never decoded, as in its own masked
webhooks; one that is only sometimes there is left out. Source of presence and types: juspay 2.1 to 2.10.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from notifier.domain.instant import to_ms

Body = dict[str, Any]
Members = Mapping[str, Any]
Rule = Callable[[Any], Any]
Rules = Mapping[str, Rule]

FILTERED: Final = "FILTERED"
_ABSENT: Final = object()


def shaped(rules: Rules, members: Members) -> Body:
    """Return what the rules make of members, which stand under the upstream's names."""
    made = ((name, rule(members.get(name))) for name, rule in rules.items())
    return {name: value for name, value in made if value is not _ABSENT}


def seconds(text: str) -> str:
    """Return an instant as orders have it: `2026-03-02T06:15:00Z`."""
    return f"{text[:19]}Z"


def blank(text: str) -> str:
    """Return an instant as loans have it inside: `2026-03-02 06:15:00.123000 UTC`."""
    return f"{text[:10]} {text[11:23]}000 UTC"


def nanoseconds(text: str) -> str:
    """Return an instant as the envelope of loans has it: `2026-03-02 06:15:00.123000000 UTC`."""
    return f"{text[:10]} {text[11:23]}000000 UTC"


def _microseconds(text: str) -> str:
    return f"{text[:23]}000Z"


def _epoch(text: str) -> str:
    return str(to_ms(datetime.fromisoformat(text)) // 1000)


def _number(text: str) -> int | Decimal:
    """Return decimal text as the number that JSON is to have, with no digit more than it needs."""
    exact = Decimal(text)
    return int(exact) if exact == exact.to_integral_value() else exact.normalize()


def _point(text: str) -> str:
    """Return decimal text as loans have it: `80000.0`."""
    whole, _, rest = text.partition(".")
    return f"{whole}.{rest.rstrip('0') or '0'}"


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _same(value: Any) -> Any:
    return value


def _always(convert: Rule = _same, *, unknown: Any = FILTERED) -> Rule:
    return lambda value: unknown if value is None else convert(value)


def _maybe(convert: Rule = _same) -> Rule:
    return _always(convert, unknown=_ABSENT)


def _or_null(convert: Rule = _same) -> Rule:
    return _always(convert, unknown=None)


def _dropped(_: Any) -> str:
    return FILTERED


def _each(rules: Rules) -> Rule:
    return lambda rows: [shaped(rules, row) for row in rows]


def _benefit(row: Members) -> Body:
    return shaped(_BENEFIT, row) | {"calculation_info": shaped(_CALCULATION, row)}


def _chargeback(row: Members) -> Body:
    return shaped(_CHARGEBACK, {**row, "chargeback_status": row.get("status")})


_BENEFIT: Rules = {"type": _always(), "amount": _always(_number)}
_CALCULATION: Rules = {"value": _maybe(_number), "calculation_rule": _maybe(), "max_amount": _maybe(_number)}
_OFFER: Rules = {
    "offer_id": _always(),
    "offer_code": _always(),
    "status": _always(),
    "error_code": _maybe(),
    "benefits": _maybe(lambda rows: [_benefit(row) for row in rows]),
}
_REFUND: Rules = {
    "unique_request_id": _always(),
    "id": _or_null(),
    "ref": _or_null(),
    "amount": _always(_number),
    "status": _always(),
    "sent_to_gateway": _always(),
    "created": _always(seconds),
    "error_message": _dropped,
    "error_code": _or_null(),
    "initiated_by": _dropped,
    "refund_source": _always(),
    "refund_type": _always(),
    "arn": _maybe(),
    "expected_refund_credit_time": _maybe(seconds),
    "pg_processed_at": _maybe(seconds),
    "pg_declined_at": _maybe(seconds),
    "bank_processed_at": _maybe(seconds),
    "reversal_type": _maybe(),
}
_CHARGEBACK: Rules = {
    "id": _always(),
    "chargeback_status": _always(),
    "amount": _maybe(_number),
    "date_created": _maybe(seconds),
    "date_resolved": _maybe(seconds),
}

ORDER: Rules = {
    "order_id": _always(),
    "status": _always(),
    "status_id": _always(),
    "id": _always(),
    "merchant_id": _dropped,
    "amount": _always(_number),
    "currency": _always(),
    "effective_amount": _always(_number),
    "amount_refunded": _always(_number),
    "maximum_eligible_refund_amount": _maybe(_number),
    "refunded": _always(),
    "conflicted": _maybe(),
    "date_created": _always(seconds),
    "order_expiry": _maybe(seconds),
    "customer_id": _always(),
    "customer_email": _dropped,
    "customer_phone": _dropped,
    "product_id": _always(),
    "return_url": _dropped,
    "payment_links": _dropped,
    **{f"udf{n}": _always() for n in range(1, 11)},
    "refunds": _maybe(_each(_REFUND)),
    "offers": _always(_each(_OFFER), unknown=[]),
    "chargebacks": _maybe(lambda rows: [_chargeback(row) for row in rows]),
    "risk": _maybe(dict),
}
"""What an order has from its beginning."""

ATTEMPT: Rules = {
    "txn_id": _always(),
    "txn_uuid": _always(),
    "payment_method_type": _always(),
    "payment_method": _always(),
    "auth_type": _always(),
    "gateway_id": _always(),
    "gateway_reference_id": _or_null(),
    "resp_code": _or_null(),
    "resp_message": _dropped,
    "resp_category": _or_null(),
    "bank_error_code": _always(unknown=""),
    "bank_error_message": _dropped,
    "payer_app_name": _maybe(),
    "metadata": _dropped,
}
"""What it has besides once somebody tried to pay."""

DETAIL: Rules = {
    "txn_id": _always(),
    "order_id": _always(),
    "txn_uuid": _always(),
    "status": _always(),
    "error_code": _or_null(),
    "error_message": _dropped,
    "net_amount": _dropped,
    "txn_amount": _always(_number),
    "surcharge_amount": _or_null(_number),
    "tax_amount": _or_null(_number),
    "offer_deduction_amount": _or_null(_number),
    "currency": _always(),
    "gateway": _always(),
    "gateway_id": _always(),
    "express_checkout": _dropped,
    "redirect": _dropped,
    "created": _always(seconds),
    "txn_flow_type": _always(),
    "txn_object_type": _maybe(),
    "metadata": _dropped,
}
GATEWAY_ANSWER: Rules = {
    "resp_code": _or_null(),
    "resp_message": _dropped,
    "rrn": _or_null(),
    "epg_txn_id": _or_null(),
    "auth_id_code": _or_null(),
    "txn_id": _always(),
    "created": _dropped,
    "network_error_code": _maybe(),
    "offer_type": _maybe(),
    "offer_availed": _maybe(_word),
    "discount_amount": _maybe(_number),
}

PART: Rules = {
    "txn_id": _always(),
    "txn_uuid": _always(),
    "status": _always(),
    "payment_method_type": _always(),
    "payment_method": _always(),
    "auth_type": _always(),
    "resp_code": _or_null(),
    "resp_category": _or_null(),
    "bank_error_code": _always(unknown=""),
    "payer_app_name": _maybe(),
}
"""A row of `txn_list`; its blocks are apart."""
PART_DETAIL: Rules = {
    "txn_id": _always(),
    "order_id": _always(),
    "txn_uuid": _always(),
    "status": _always(),
    "txn_amount": _always(_number),
    "currency": _always(),
    "gateway": _always(),
}
PART_ANSWER: Rules = {"rrn": _or_null(), "epg_txn_id": _or_null(), "txn_id": _always()}

_TERMS: Rules = {
    "mandate_id": _always(),
    "mandate_token": _dropped,
    "mandate_type": _always(),
    "max_amount": _always(_number),
    "amount_rule": _always(),
    "frequency": _always(),
    "start_date": _always(_epoch),
    "end_date": _always(_epoch),
    "revokable_by_customer": _always(),
    "block_fund": _always(),
    "rule_type": _maybe(),
    "rule_value": _maybe(_number),
}
MANDATE_BLOCK: Rules = {"mandate_status": _always(), **_TERMS}
"""A mandate inside an order."""
MANDATE: Rules = {
    "status": _always(),
    "order_id": _always(),
    "currency": _always(),
    "customer_id": _always(),
    "activated_at": _dropped,
    "last_activated_at": _dropped,
    "last_updated": _dropped,
    "payment_info": _dropped,
    **_TERMS,
}
"""A mandate by itself."""

LOAN: Rules = {
    "order_id": _always(),
    "status": _dropped,
    "status_id": _dropped,
    "order_status": _always(),
    "id": _dropped,
    "merchant_id": _dropped,
    "amount": _always(_number),
    "currency": _always(),
    "date_created": _always(_microseconds),
    "gateway_reference_id": _dropped,
    "customer_id": _dropped,
    "customer_email": _dropped,
    "customer_phone": _dropped,
    "payment_links": _dropped,
}
APPLICATION: Rules = {
    "txn_id": _always(),
    "txn_uuid": _dropped,
    "status": _always(),
    "sub_status": _always(),
    "txn_intent_amount": _always(_point),
    "payment_method_type": _always(),
    "payment_method": _always(),
    "gateway_reference_id": _or_null(),
}
APPLICATION_DETAIL: Rules = {
    "status": _always(),
    "txn_amount": _always(_point),
    "currency": _always(),
    "created": _always(blank),
}
APPLICATION_ANSWER: Rules = {"epg_txn_id": _or_null(), "txn_id": _always(), "resp_message": _dropped}

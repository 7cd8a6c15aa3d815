"""The members of an order status that are decoded, under the names that the upstream gives them; no other is.

Every member is typed so widely that no JSON value of it fails to decode. What each becomes: docs/upstream.md.
"""

from collections.abc import Sequence
from typing import Any, cast

import msgspec

from notifier.source.strict import Odd, Wire


class TxnDetail(Wire):
    status: Any = None
    error_code: Any = None
    surcharge_amount: Any = None
    tax_amount: Any = None
    txn_amount: Any = None
    offer_deduction_amount: Any = None
    gateway: Any = None
    created: Any = None
    txn_flow_type: Any = None
    txn_object_type: Any = None


class GatewayResponse(Wire):
    resp_code: Any = None
    rrn: Any = None
    epg_txn_id: Any = None
    auth_id_code: Any = None
    network_error_code: Any = None
    offer_type: Any = None
    offer_availed: Any = None
    discount_amount: Any = None


class Risk(Wire):
    status: Any = None
    flagged: Any = None
    recommended_action: Any = None


class PartDetail(Wire):
    gateway: Any = None
    txn_amount: Any = None


class PartResponse(Wire):
    rrn: Any = None
    epg_txn_id: Any = None


class Part(Wire):
    txn_id: Any = None
    txn_uuid: Any = None
    status: Any = None
    payment_method_type: Any = None
    payment_method: Any = None
    auth_type: Any = None
    resp_code: Any = None
    resp_category: Any = None
    bank_error_code: Any = None
    payer_app_name: Any = None
    txn_detail: PartDetail | Odd = None
    payment_gateway_response: PartResponse | Odd = None


class Upi(Wire):
    payer_vpa: Any = None


class Refund(Wire):
    unique_request_id: Any = None
    id: Any = None
    status: Any = None
    amount: Any = None
    sent_to_gateway: Any = None
    created: Any = None
    ref: Any = None
    arn: Any = None
    refund_type: Any = None
    refund_source: Any = None
    error_code: Any = None
    expected_refund_credit_time: Any = None
    pg_processed_at: Any = None
    pg_declined_at: Any = None
    bank_processed_at: Any = None
    reversal_type: Any = None


class Calculation(Wire):
    value: Any = None
    calculation_rule: Any = None
    max_amount: Any = None


class Benefit(Wire):
    type: Any = None
    amount: Any = None
    calculation_info: Calculation | Odd = None


class Offer(Wire):
    offer_id: Any = None
    offer_code: Any = None
    status: Any = None
    error_code: Any = None
    benefits: list[Benefit | Odd] | dict[str, Any] | str | int | float | bool | None = None


class MandateResponse(Wire):
    response_code: Any = None


class Mandate(Wire):
    """As an order status has it; the dedicated call says the same with a `status` of its own."""

    mandate_id: Any = None
    mandate_status: Any = None
    mandate_type: Any = None
    max_amount: Any = None
    amount_rule: Any = None
    frequency: Any = None
    start_date: Any = None
    end_date: Any = None
    revokable_by_customer: Any = None
    block_fund: Any = None
    rule_type: Any = None
    rule_value: Any = None
    pg_response: MandateResponse | Odd = None


class Chargeback(Wire):
    """Assumed names: no body with chargebacks is public, and the published schema spells them in camel case."""

    id: Any = None
    chargeback_status: Any = None
    camel_status: Any = msgspec.field(name="chargebackStatus", default=None)
    amount: Any = None
    date_created: Any = None
    camel_created: Any = msgspec.field(name="dateCreated", default=None)
    date_resolved: Any = None
    camel_resolved: Any = msgspec.field(name="dateResolved", default=None)


class Order(Wire):
    """In the order in which the upstream writes them, which the decoder looks for first."""

    status: Any = None
    id: Any = None
    merchant_id: Any = None
    amount: Any = None
    currency: Any = None
    order_id: Any = None
    date_created: Any = None
    last_updated: Any = None
    order_expiry: Any = None
    txn_id: Any = None
    payment_method_type: Any = None
    auth_type: Any = None
    payment_method: Any = None
    payer_vpa: Any = None
    payer_app_name: Any = None
    upi: Upi | Odd = None
    refunded: Any = None
    amount_refunded: Any = None
    effective_amount: Any = None
    maximum_eligible_refund_amount: Any = None
    refunds: list[Refund | Odd] | dict[str, Any] | str | int | float | bool | None = None
    conflicted: Any = None
    resp_code: Any = None
    bank_error_code: Any = None
    resp_category: Any = None
    txn_uuid: Any = None
    txn_detail: TxnDetail | Odd = None
    payment_gateway_response: GatewayResponse | Odd = None
    gateway_id: Any = None
    gateway_reference_id: Any = None
    offers: list[Offer | Odd] | dict[str, Any] | str | int | float | bool | None = None
    risk: Risk | Odd = None
    mandate: Mandate | Odd = None
    txn_list: list[Part | Odd] | dict[str, Any] | str | int | float | bool | None = None
    chargebacks: list[Chargeback | Odd] | dict[str, Any] | str | int | float | bool | None = None


def order_keeping(names: Sequence[str]) -> type[Order]:
    """Return `Order` with the personal members besides that an account keeps."""
    kind = msgspec.defstruct(
        "KeepingOrder", [(name, Any, None) for name in names], bases=(Order,), omit_defaults=True, gc=False
    )
    return cast("type[Order]", kind)

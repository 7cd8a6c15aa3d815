"""From settled members to the rows of a snapshot: their names, their ids, their types."""

import re
from typing import Any

from notifier.domain.order import Source, order_key
from notifier.domain.snapshot import (
    Benefit,
    Chargeback,
    Mandate,
    Offer,
    Order,
    Reader,
    Refund,
    Snapshot,
    Txn,
    in_told_order,
)
from notifier.source import members
from notifier.source.scalars import instant, money, text

_ATTEMPT = re.compile(r"[0-9]{1,4}")


def snapshot(order: members.Order, last_updated: Any, reader: Reader) -> Snapshot:
    """Build the snapshot of settled members: amounts in minor units, lists by id, truths and numbers as such."""
    code: str | None = order.currency
    return Snapshot(
        source=Source.ORDER,
        reader=reader,
        order=_order_row(order, code, reader.kept),
        txns=tuple(_txn_row(*row, code) for row in _rows(order.txn_list)),
        refunds=in_told_order(tuple(_refund_row(*row, code) for row in _rows(order.refunds))),
        offers=tuple(_offer_row(*row, code) for row in _rows(order.offers)),
        mandate=mandate_row(order.mandate, code),
        chargebacks=tuple(_chargeback_row(*row, code) for row in _rows(order.chargebacks)),
        last_updated=instant(last_updated),
    )


def part_id(row: members.Part) -> str | None:
    return text(row.txn_id)


def refund_id(row: members.Refund) -> str | None:
    return text(row.unique_request_id)


def offer_id(row: members.Offer) -> str | None:
    # The code stands in for a missing id only: under a masked id it would make a second row of one offer.
    return text(row.offer_code if row.offer_id is None else row.offer_id)


def benefit_id(row: members.Benefit) -> str | None:
    return text(row.type)


def chargeback_id(row: members.Chargeback) -> str | None:
    return text(row.id)


def _rows(given: Any) -> list[tuple[str, Any]]:
    return sorted(given.items()) if isinstance(given, dict) else []


def _order_row(order: members.Order, code: str | None, kept: tuple[str, ...]) -> Order:
    txn_id = text(order.txn_id)
    given = order.txn_detail
    detail = given if isinstance(given, members.TxnDetail) else members.TxnDetail()
    answer = order.payment_gateway_response
    response = answer if isinstance(answer, members.GatewayResponse) else members.GatewayResponse()
    risk = order.risk if isinstance(order.risk, members.Risk) else members.Risk()
    return Order(
        status=text(order.status) or "",
        upstream_id=text(order.id),
        amount=money(order.amount, code),
        currency=code,
        effective_amount=money(order.effective_amount, code),
        amount_refunded=money(order.amount_refunded, code),
        maximum_eligible_refund_amount=money(order.maximum_eligible_refund_amount, code),
        refunded=order.refunded,
        conflicted=order.conflicted,
        date_created=instant(order.date_created),
        order_expiry=instant(order.order_expiry),
        kept=_kept(order, kept),
        txn_id=txn_id,
        attempt=_attempt(txn_id, text(order.order_id)),
        txn_uuid=text(order.txn_uuid),
        payment_method_type=text(order.payment_method_type),
        payment_method=text(order.payment_method),
        auth_type=text(order.auth_type),
        gateway_id=order.gateway_id,
        gateway_reference_id=text(order.gateway_reference_id),
        resp_code=text(order.resp_code),
        resp_category=text(order.resp_category),
        bank_error_code=text(order.bank_error_code),
        payer_app_name=text(order.payer_app_name),
        payer_handle=order.payer_vpa,
        txn_status=text(detail.status),
        txn_error_code=text(detail.error_code),
        txn_amount=money(detail.txn_amount, code),
        surcharge_amount=money(detail.surcharge_amount, code),
        tax_amount=money(detail.tax_amount, code),
        offer_deduction_amount=money(detail.offer_deduction_amount, code),
        gateway=text(detail.gateway),
        txn_created=instant(detail.created),
        txn_flow_type=text(detail.txn_flow_type),
        txn_object_type=text(detail.txn_object_type),
        pg_resp_code=text(response.resp_code),
        rrn=text(response.rrn),
        epg_txn_id=text(response.epg_txn_id),
        auth_id_code=text(response.auth_id_code),
        network_error_code=text(response.network_error_code),
        pg_offer_type=text(response.offer_type),
        pg_offer_availed=response.offer_availed,
        pg_discount_amount=money(response.discount_amount, code),
        risk_status=text(risk.status),
        risk_flagged=risk.flagged,
        risk_recommended_action=text(risk.recommended_action),
    )


def _kept(order: members.Order, names: tuple[str, ...]) -> dict[str, str] | None:
    given = {name: getattr(order, name) for name in names}
    return {name: value for name, value in given.items() if value is not None} or None


def _attempt(txn_id: str | None, order_id: str | None) -> int | None:
    """Return N of `merchant-order-N`; other forms, the older ones, hold no number, whatever they end in."""
    head, _, number = (txn_id or "").rpartition("-")
    numbered = order_key(head).endswith("-" + order_key(order_id or "")) and _ATTEMPT.fullmatch(number)
    return int(number) if numbered else None


def _txn_row(row_id: str, row: members.Part, code: str | None) -> Txn:
    given, answer = row.txn_detail, row.payment_gateway_response
    detail = given if isinstance(given, members.PartDetail) else members.PartDetail()
    response = answer if isinstance(answer, members.PartResponse) else members.PartResponse()
    return Txn(
        id=row_id,
        status=text(row.status),
        amount=money(detail.txn_amount, code),
        txn_uuid=text(row.txn_uuid),
        payment_method_type=text(row.payment_method_type),
        payment_method=text(row.payment_method),
        auth_type=text(row.auth_type),
        gateway=text(detail.gateway),
        resp_code=text(row.resp_code),
        resp_category=text(row.resp_category),
        bank_error_code=text(row.bank_error_code),
        payer_app_name=text(row.payer_app_name),
        rrn=text(response.rrn),
        epg_txn_id=text(response.epg_txn_id),
    )


def _refund_row(row_id: str, row: members.Refund, code: str | None) -> Refund:
    return Refund(
        id=row_id,
        status=text(row.status),
        amount=money(row.amount, code),
        sent_to_gateway=row.sent_to_gateway,
        created=instant(row.created),
        gateway_refund_id=text(row.id),
        ref=text(row.ref),
        arn=text(row.arn),
        refund_type=text(row.refund_type),
        refund_source=text(row.refund_source),
        error_code=text(row.error_code),
        expected_refund_credit_time=instant(row.expected_refund_credit_time),
        pg_processed_at=instant(row.pg_processed_at),
        pg_declined_at=instant(row.pg_declined_at),
        bank_processed_at=instant(row.bank_processed_at),
        reversal_type=text(row.reversal_type),
    )


def _offer_row(row_id: str, row: members.Offer, code: str | None) -> Offer:
    return Offer(
        id=row_id,
        offer_code=text(row.offer_code),
        status=text(row.status),
        error_code=text(row.error_code),
        benefits=tuple(_benefit_row(*each, code) for each in _rows(row.benefits)),
    )


def _benefit_row(row_id: str, row: members.Benefit, code: str | None) -> Benefit:
    given = row.calculation_info
    calculation = given if isinstance(given, members.Calculation) else members.Calculation()
    return Benefit(
        id=row_id,
        amount=money(row.amount, code),
        calculation_rule=text(calculation.calculation_rule),
        value=calculation.value,
        max_amount=money(calculation.max_amount, code),
    )


def mandate_row(row: Any, code: str | None) -> Mandate | None:
    """Return the row of a settled mandate; nothing without its id."""
    mandate_id = text(row.mandate_id) if isinstance(row, members.Mandate) else None
    if mandate_id is None:
        return None
    answer = row.pg_response
    response = answer if isinstance(answer, members.MandateResponse) else members.MandateResponse()
    return Mandate(
        id=mandate_id,
        status=text(row.mandate_status),
        mandate_type=text(row.mandate_type),
        max_amount=money(row.max_amount, code),
        amount_rule=text(row.amount_rule),
        frequency=text(row.frequency),
        start_date=instant(row.start_date),
        end_date=instant(row.end_date),
        revokable_by_customer=row.revokable_by_customer,
        block_fund=row.block_fund,
        rule_type=text(row.rule_type),
        rule_value=row.rule_value,
        response_code=text(response.response_code),
    )


def _chargeback_row(row_id: str, row: members.Chargeback, code: str | None) -> Chargeback:
    return Chargeback(
        id=row_id,
        status=text(row.chargeback_status) or text(row.camel_status),
        amount=money(row.amount, code),
        date_created=instant(row.date_created) or instant(row.camel_created),
        date_resolved=instant(row.date_resolved) or instant(row.camel_resolved),
    )

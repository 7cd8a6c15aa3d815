"""From the bytes of an order status to a snapshot: only the members that a snapshot declares are ever decoded.

One odd member is unknown, and the order is kept. Rules and names: docs/upstream.md.
"""

from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from notifier.domain.order import OrderId, order_key
from notifier.domain.snapshot import Reader, Snapshot
from notifier.errors import InvalidValue
from notifier.source import members, rows
from notifier.source.contract import Failure, FailureReason
from notifier.source.refusal import UNREADABLE, is_refusal, refusal
from notifier.source.scalars import (
    currency,
    decimal,
    fitting_minor_units,
    handle,
    integer,
    minor_units,
    text,
    truth,
)
from notifier.source.strict import Wire, decoded, digest_of

_W = TypeVar("_W", bound=Wire)
_DECODER = msgspec.json.Decoder(members.Order, float_hook=Decimal)


@lru_cache(maxsize=64)
def _keeping(names: tuple[str, ...]) -> "msgspec.json.Decoder[members.Order]":
    return msgspec.json.Decoder(members.order_keeping(names), float_hook=Decimal)


class OrderAnswer(msgspec.Struct, frozen=True, gc=False):
    """A good answer: decoded, checked, its amounts in minor units, its rows by id, its payer without a name.

    `digest` has sixteen bytes over every declared member but `last_updated`; amounts spelled differently are equal.
    """

    digest: bytes
    _order: members.Order
    _last_updated: Any
    _reader: Reader

    def __repr__(self) -> str:
        return f"OrderAnswer(digest={self.digest!r})"  # what was paid, and by whom, belongs in no log

    def snapshot(self) -> Snapshot:
        """Build the snapshot."""
        return rows.snapshot(self._order, self._last_updated, self._reader)


def read(body: bytes, *, order_id: OrderId, merchant_id: str, reader: Reader) -> OrderAnswer | Failure:
    """Read the body of a 200 about `order_id` of `merchant_id`.

    Returns: a failure unless it is strict JSON that holds this order with a status. An `amount` or
    `effective_amount` that its currency cannot express makes the whole answer malformed, since decisions about
    money hang on them; any other such amount is unknown.
    """
    kept = reader.kept
    try:
        order = decoded(_keeping(kept) if kept else _DECODER, body)
        echoed = order_id if order.order_id == order_id else text(order.order_id)
        status = text(order.status)
        if echoed is None or status is None or is_refusal(status):
            return refusal(200, body)
        merchant = merchant_id if order.merchant_id == merchant_id else text(order.merchant_id)
        is_other = echoed != order_id and order_key(echoed) != order_key(order_id)
        if is_other or merchant not in {None, merchant_id}:
            return Failure(reason=FailureReason.OTHER_ORDER, http_status=200)
        last_updated, order.last_updated = order.last_updated, None
        _settle(order)
        for name in kept:
            setattr(order, name, text(getattr(order, name)))
        digest = digest_of(order)
    except InvalidValue:
        return Failure(
            reason=FailureReason.MALFORMED, http_status=200, detail="amount does not fit its currency"
        )
    except UNREADABLE:
        return Failure(reason=FailureReason.MALFORMED, http_status=200, detail="not the JSON of an order")
    return OrderAnswer(digest, order, last_updated, reader)


def _settle(order: members.Order) -> None:
    """Bring what the digest must not tell apart into one form, and drop what must not be kept.

    A row without its id cannot be compared with anything and is left out; of two with one id the last counts.
    """
    # A masked currency makes every amount unknown: 100 of nothing is neither rupees nor yen.
    code = order.currency = currency(order.currency)
    order.amount = minor_units(order.amount, code)
    order.effective_amount = minor_units(order.effective_amount, code)
    order.amount_refunded = fitting_minor_units(order.amount_refunded, code)
    order.maximum_eligible_refund_amount = fitting_minor_units(order.maximum_eligible_refund_amount, code)
    order.gateway_id = integer(order.gateway_id)
    order.refunded = truth(order.refunded)
    order.conflicted = truth(order.conflicted)
    if order.payer_vpa is not None or order.upi is not None:
        inner = order.upi.payer_vpa if isinstance(order.upi, members.Upi) else None
        order.payer_vpa, order.upi = handle(inner) or handle(order.payer_vpa), None
    _settle_attempt(order, code)
    if order.risk is not None and isinstance(order.risk, members.Risk):
        order.risk.flagged = truth(order.risk.flagged)
    if order.mandate is not None and isinstance(order.mandate, members.Mandate):
        settle_mandate(order.mandate, code)
    order.txn_list = _by_id(order.txn_list, members.Part, rows.part_id, code) if order.txn_list else None
    order.refunds = _by_id(order.refunds, members.Refund, rows.refund_id, code) if order.refunds else None
    order.offers = _by_id(order.offers, members.Offer, rows.offer_id, code) if order.offers else None
    if order.chargebacks is not None:
        order.chargebacks = _by_id(order.chargebacks, members.Chargeback, rows.chargeback_id, code)


def _settle_attempt(order: members.Order, code: str | None) -> None:
    detail, response = order.txn_detail, order.payment_gateway_response
    if isinstance(detail, members.TxnDetail):
        detail.txn_amount = fitting_minor_units(detail.txn_amount, code)
        detail.surcharge_amount = fitting_minor_units(detail.surcharge_amount, code)
        detail.tax_amount = fitting_minor_units(detail.tax_amount, code)
        detail.offer_deduction_amount = fitting_minor_units(detail.offer_deduction_amount, code)
    if isinstance(response, members.GatewayResponse):
        response.offer_availed = truth(response.offer_availed)
        response.discount_amount = fitting_minor_units(response.discount_amount, code)


def settle_mandate(mandate: members.Mandate, code: str | None) -> None:
    """Bring a mandate's members into one form, its amount into minor units."""
    mandate.max_amount = fitting_minor_units(mandate.max_amount, code)
    mandate.revokable_by_customer = truth(mandate.revokable_by_customer)
    mandate.block_fund = truth(mandate.block_fund)
    mandate.rule_value = decimal(mandate.rule_value)


def _by_id(
    given: Any, kind: type[_W], id_of: Callable[[_W], str | None], code: str | None
) -> dict[str, _W] | None:
    if type(given) is not list or not given:
        return None
    found = {row_id: row for row in given if isinstance(row, kind) and (row_id := id_of(row)) is not None}
    for row in found.values():
        _settle_row(row, code)
    return found


def _settle_row(row: Wire, code: str | None) -> None:
    match row:
        case members.Refund():
            row.amount = fitting_minor_units(row.amount, code)
            row.sent_to_gateway = truth(row.sent_to_gateway)
        case members.Chargeback():
            row.amount = fitting_minor_units(row.amount, code)
        case members.Part(txn_detail=members.PartDetail() as detail):
            detail.txn_amount = fitting_minor_units(detail.txn_amount, code)
        case members.Offer():
            row.benefits = _by_id(row.benefits, members.Benefit, rows.benefit_id, code)
        case members.Benefit():
            row.amount = fitting_minor_units(row.amount, code)
            if isinstance(row.calculation_info, members.Calculation):
                row.calculation_info.value = decimal(row.calculation_info.value)
                row.calculation_info.max_amount = fitting_minor_units(row.calculation_info.max_amount, code)
        case _:
            pass

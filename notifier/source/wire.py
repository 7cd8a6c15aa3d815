"""From the bytes of an order status to a snapshot: only the members that a snapshot declares are ever decoded.

Every member is typed so widely that no JSON value of it fails to decode: one odd member is unknown, and the order
is kept. Rules and names: docs/upstream.md.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import blake2b
from typing import Any, TypeVar

import msgspec

from notifier.domain.order import OrderId, Source, order_key
from notifier.domain.snapshot import (
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
from notifier.errors import InvalidValue
from notifier.source.contract import Failure, FailureReason
from notifier.source.refusal import UNREADABLE, is_refusal, refusal
from notifier.source.scalars import (
    currency,
    fitting_minor_units,
    handle,
    instant,
    integer,
    minor_units,
    money,
    text,
    truth,
)

_DIGEST_BYTES = 16
_ATTEMPT = re.compile(r"[0-9]{1,4}")

_Odd = list[Any] | str | int | float | bool | None
"""What may stand where an object was expected; together with the object it is every JSON value."""


class _Wire(msgspec.Struct, omit_defaults=True, gc=False):
    """Members as the upstream names them. No cycles can arise, so the collector need not look."""


class _TxnDetail(_Wire):
    gateway: Any = None
    txn_flow_type: Any = None


class _PartDetail(_Wire):
    gateway: Any = None
    txn_amount: Any = None


class _Part(_Wire):
    txn_id: Any = None
    status: Any = None
    payment_method_type: Any = None
    payment_method: Any = None
    txn_detail: _PartDetail | _Odd = None


class _Upi(_Wire):
    payer_vpa: Any = None


class _Refund(_Wire):
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


class _Offer(_Wire):
    offer_id: Any = None
    offer_code: Any = None
    status: Any = None


class _Mandate(_Wire):
    mandate_id: Any = None
    mandate_status: Any = None
    mandate_type: Any = None
    max_amount: Any = None
    amount_rule: Any = None
    frequency: Any = None
    start_date: Any = None
    end_date: Any = None


class _Chargeback(_Wire):
    """Assumed names: no body with chargebacks is public, and the published schema spells them in camel case."""

    id: Any = None
    chargeback_status: Any = None
    camel_status: Any = msgspec.field(name="chargebackStatus", default=None)
    amount: Any = None


class _Order(_Wire):
    order_id: Any = None
    merchant_id: Any = None
    status: Any = None
    amount: Any = None
    currency: Any = None
    effective_amount: Any = None
    amount_refunded: Any = None
    maximum_eligible_refund_amount: Any = None
    refunded: Any = None
    date_created: Any = None
    last_updated: Any = None
    order_expiry: Any = None
    txn_id: Any = None
    payment_method_type: Any = None
    payment_method: Any = None
    auth_type: Any = None
    gateway_id: Any = None
    resp_code: Any = None
    resp_category: Any = None
    bank_error_code: Any = None
    payer_app_name: Any = None
    payer_vpa: Any = None
    txn_detail: _TxnDetail | _Odd = None
    upi: _Upi | _Odd = None
    mandate: _Mandate | _Odd = None
    txn_list: list[_Part | _Odd] | dict[str, Any] | str | int | float | bool | None = None
    refunds: list[_Refund | _Odd] | dict[str, Any] | str | int | float | bool | None = None
    offers: list[_Offer | _Odd] | dict[str, Any] | str | int | float | bool | None = None
    chargebacks: list[_Chargeback | _Odd] | dict[str, Any] | str | int | float | bool | None = None


_DECODER = msgspec.json.Decoder(_Order, float_hook=Decimal)
_ENCODER = msgspec.json.Encoder(order="deterministic")
_W = TypeVar("_W", bound=_Wire)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderAnswer:
    """A good answer: decoded, checked, its amounts in minor units, its rows by id, its payer without a name.

    `digest` has sixteen bytes over every declared member but `last_updated`; amounts spelled differently are equal.
    """

    digest: bytes
    _order: _Order = field(repr=False)
    _last_updated: Any = field(repr=False)
    _reader: Reader

    def snapshot(self) -> Snapshot:
        """Build the snapshot."""
        order = self._order
        code = currency(order.currency)
        return Snapshot(
            source=Source.ORDER,
            reader=self._reader,
            order=_order_row(order, code),
            txns=tuple(_txn_row(*row, code) for row in _rows(order.txn_list)),
            refunds=in_told_order(tuple(_refund_row(*row, code) for row in _rows(order.refunds))),
            offers=tuple(_offer_row(*row) for row in _rows(order.offers)),
            mandate=_mandate_row(order.mandate, code),
            chargebacks=tuple(_chargeback_row(*row, code) for row in _rows(order.chargebacks)),
            last_updated=instant(self._last_updated),
        )


def read(body: bytes, *, order_id: OrderId, merchant_id: str, reader: Reader) -> OrderAnswer | Failure:
    """Read the body of a 200 about `order_id` of `merchant_id`.

    Returns: a failure unless it is strict JSON that holds this order with a status. An `amount` or
    `effective_amount` that its currency cannot express makes the whole answer malformed, since decisions about
    money hang on them; any other such amount is unknown.
    """
    try:
        if not body.isascii():
            body.decode()  # the decoder does not look into the text of members that it skips
        order = _DECODER.decode(body)
        echoed = order_id if order.order_id == order_id else text(order.order_id)
        status = text(order.status)
        if echoed is None or status is None or is_refusal(status):
            return refusal(200, body)
        merchant = text(order.merchant_id)
        is_other = echoed != order_id and order_key(echoed) != order_key(order_id)
        if is_other or merchant not in {None, merchant_id}:
            return Failure(reason=FailureReason.OTHER_ORDER, http_status=200)
        last_updated, order.last_updated = order.last_updated, None
        _settle(order)
        digest = blake2b(_ENCODER.encode(order), digest_size=_DIGEST_BYTES).digest()
    except InvalidValue:
        return Failure(
            reason=FailureReason.MALFORMED, http_status=200, detail="amount does not fit its currency"
        )
    except UNREADABLE:
        return Failure(reason=FailureReason.MALFORMED, http_status=200, detail="not the JSON of an order")
    return OrderAnswer(digest=digest, _order=order, _last_updated=last_updated, _reader=reader)


def _settle(order: _Order) -> None:
    """Bring what the digest must not tell apart into one form, and drop what must not be kept.

    A row without its id cannot be compared with anything and is left out; of two with one id the last counts.
    """
    # A masked currency makes every amount unknown: 100 of nothing is neither rupees nor yen.
    code = currency(order.currency)
    order.amount = minor_units(order.amount, code)
    order.effective_amount = minor_units(order.effective_amount, code)
    order.amount_refunded = fitting_minor_units(order.amount_refunded, code)
    order.maximum_eligible_refund_amount = fitting_minor_units(order.maximum_eligible_refund_amount, code)
    order.gateway_id = integer(order.gateway_id)
    order.refunded = truth(order.refunded)
    inner = order.upi.payer_vpa if isinstance(order.upi, _Upi) else None
    order.payer_vpa, order.upi = handle(inner) or handle(order.payer_vpa), None
    order.txn_list = _by_id(order.txn_list, _Part, _part_id, code)
    order.refunds = _by_id(order.refunds, _Refund, _refund_id, code)
    order.offers = _by_id(order.offers, _Offer, _offer_id, code)
    order.chargebacks = _by_id(order.chargebacks, _Chargeback, _chargeback_id, code)
    if isinstance(order.mandate, _Mandate):
        order.mandate.max_amount = fitting_minor_units(order.mandate.max_amount, code)


def _by_id(
    given: Any, kind: type[_W], id_of: Callable[[_W], str | None], code: str | None
) -> dict[str, _W] | None:
    if type(given) is not list or not given:
        return None
    rows = {row_id: row for row in given if isinstance(row, kind) and (row_id := id_of(row)) is not None}
    for row in rows.values():
        if isinstance(row, _Refund | _Chargeback):
            row.amount = fitting_minor_units(row.amount, code)
        elif isinstance(row, _Part) and isinstance(row.txn_detail, _PartDetail):
            row.txn_detail.txn_amount = fitting_minor_units(row.txn_detail.txn_amount, code)
    return rows


def _part_id(row: _Part) -> str | None:
    return text(row.txn_id)


def _refund_id(row: _Refund) -> str | None:
    return text(row.unique_request_id)


def _offer_id(row: _Offer) -> str | None:
    # The code stands in for a missing id only: under a masked id it would make a second row of one offer.
    return text(row.offer_code if row.offer_id is None else row.offer_id)


def _chargeback_id(row: _Chargeback) -> str | None:
    return text(row.id)


def _rows(given: Any) -> list[tuple[str, Any]]:
    return sorted(given.items()) if isinstance(given, dict) else []


def _order_row(order: _Order, code: str | None) -> Order:
    txn_id = text(order.txn_id)
    detail = order.txn_detail if isinstance(order.txn_detail, _TxnDetail) else _TxnDetail()
    return Order(
        status=text(order.status) or "",
        amount=money(order.amount, code),
        currency=code,
        effective_amount=money(order.effective_amount, code),
        amount_refunded=money(order.amount_refunded, code),
        maximum_eligible_refund_amount=money(order.maximum_eligible_refund_amount, code),
        refunded=order.refunded,
        date_created=instant(order.date_created),
        order_expiry=instant(order.order_expiry),
        txn_id=txn_id,
        attempt=_attempt(txn_id, text(order.order_id)),
        payment_method_type=text(order.payment_method_type),
        payment_method=text(order.payment_method),
        auth_type=text(order.auth_type),
        txn_flow_type=text(detail.txn_flow_type),
        gateway=text(detail.gateway),
        gateway_id=order.gateway_id,
        resp_code=text(order.resp_code),
        resp_category=text(order.resp_category),
        bank_error_code=text(order.bank_error_code),
        payer_app_name=text(order.payer_app_name),
        payer_handle=order.payer_vpa,
    )


def _attempt(txn_id: str | None, order_id: str | None) -> int | None:
    """Return N of `merchant-order-N`; other forms, the older ones, hold no number, whatever they end in."""
    head, _, number = (txn_id or "").rpartition("-")
    numbered = order_key(head).endswith("-" + order_key(order_id or "")) and _ATTEMPT.fullmatch(number)
    return int(number) if numbered else None


def _txn_row(row_id: str, row: _Part, code: str | None) -> Txn:
    detail = row.txn_detail if isinstance(row.txn_detail, _PartDetail) else _PartDetail()
    return Txn(
        id=row_id,
        status=text(row.status),
        amount=money(detail.txn_amount, code),
        payment_method_type=text(row.payment_method_type),
        payment_method=text(row.payment_method),
        gateway=text(detail.gateway),
    )


def _refund_row(row_id: str, row: _Refund, code: str | None) -> Refund:
    return Refund(
        id=row_id,
        status=text(row.status),
        amount=money(row.amount, code),
        sent_to_gateway=truth(row.sent_to_gateway),
        created=instant(row.created),
        gateway_refund_id=text(row.id),
        ref=text(row.ref),
        arn=text(row.arn),
        refund_type=text(row.refund_type),
        refund_source=text(row.refund_source),
        error_code=text(row.error_code),
        expected_refund_credit_time=instant(row.expected_refund_credit_time),
    )


def _offer_row(row_id: str, row: _Offer) -> Offer:
    return Offer(id=row_id, offer_code=text(row.offer_code), status=text(row.status))


def _mandate_row(row: Any, code: str | None) -> Mandate | None:
    mandate_id = text(row.mandate_id) if isinstance(row, _Mandate) else None
    if mandate_id is None:
        return None
    return Mandate(
        id=mandate_id,
        status=text(row.mandate_status),
        mandate_type=text(row.mandate_type),
        max_amount=money(row.max_amount, code),
        amount_rule=text(row.amount_rule),
        frequency=text(row.frequency),
        start_date=instant(row.start_date),
        end_date=instant(row.end_date),
    )


def _chargeback_row(row_id: str, row: _Chargeback, code: str | None) -> Chargeback:
    status = text(row.chargeback_status) or text(row.camel_status)
    return Chargeback(id=row_id, status=status, amount=money(row.amount, code))

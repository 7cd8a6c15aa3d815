"""The loan status of one account: `GET /credit/order/{order_id}` at HyperCredit, on a host and with a key of its own.

Only what a snapshot declares is decoded: a lender's own message and the customer never are. `status` and `status_id`
seem to speak of the call, not of the loan, so no more than a word of error is read of them. The ids inside
`txn_detail` differ from the outer ones in the published sample and are not looked at. Rules: docs/upstream.md.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import msgspec
from yarl import URL

from notifier.clock import Clock
from notifier.config.accounts import Account, Credit
from notifier.domain.change import SCHEMA
from notifier.domain.order import OrderId, Source, order_key
from notifier.domain.snapshot import Credit as CreditRow
from notifier.domain.snapshot import Loan, Reader, Snapshot
from notifier.source.contract import Failure, FailureReason
from notifier.source.door import LIMITS, Door, Limits, escaped, headers_of
from notifier.source.refusal import UNREADABLE, is_refusal, refusal
from notifier.source.scalars import currency, fitting_minor_units, instant, money, text
from notifier.source.strict import Odd, Wire, decoded, digest_of


class _Detail(Wire):
    txn_amount: Any = None
    created: Any = None


class _Gateway(Wire):
    epg_txn_id: Any = None


class _Application(Wire):
    txn_id: Any = None
    status: Any = None
    sub_status: Any = None
    payment_method_type: Any = None
    payment_method: Any = None
    gateway_reference_id: Any = None
    txn_intent_amount: Any = None
    txn_detail: _Detail | Odd = None
    payment_gateway_response: _Gateway | Odd = None


class _CreditOrder(Wire):
    order_id: Any = None
    merchant_id: Any = None
    status: Any = None
    order_status: Any = None
    amount: Any = None
    currency: Any = None
    date_created: Any = None
    txn_list: list[_Application | Odd] | _Application | str | int | float | bool | None = None
    """The pages call it an object, the published sample has a list."""


_DECODER = msgspec.json.Decoder(_CreditOrder, float_hook=Decimal)


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditAnswer:
    """A good answer: decoded, checked, its amounts in minor units, its applications by id."""

    digest: bytes
    _order: _CreditOrder = field(repr=False)
    _applications: dict[str, _Application] = field(repr=False)
    _reader: Reader

    def snapshot(self) -> Snapshot:
        """Build the snapshot."""
        order = self._order
        code = currency(order.currency)
        return Snapshot(
            source=Source.HYPERCREDIT,
            reader=self._reader,
            credit=CreditRow(
                order_status=text(order.order_status),
                amount=money(order.amount, code),
                currency=code,
                date_created=instant(order.date_created),
            ),
            loans=tuple(_loan_row(*row, code) for row in sorted(self._applications.items())),
        )


def read(body: bytes, *, order_id: OrderId, merchant_id: str, reader: Reader) -> CreditAnswer | Failure:
    """Read the body of a 200 about `order_id` of `merchant_id`; a failure unless it is strict JSON about this order."""
    try:
        order = decoded(_DECODER, body)
        echoed = text(order.order_id)
        applications = _applications_of(order)
        is_loan = text(order.order_status) is not None or applications
        if echoed is None or not is_loan or is_refusal(text(order.status) or ""):
            return refusal(200, body)
        if order_key(echoed) != order_key(order_id) or text(order.merchant_id) not in {None, merchant_id}:
            return Failure(reason=FailureReason.OTHER_ORDER, http_status=200)
        _settle(order, applications)
        digest = digest_of((order, applications))
    except UNREADABLE:
        return Failure(
            reason=FailureReason.MALFORMED, http_status=200, detail="not the JSON of a loan status"
        )
    return CreditAnswer(digest=digest, _order=order, _applications=applications, _reader=reader)


def _applications_of(order: _CreditOrder) -> dict[str, _Application]:
    """Return the applications by id; of two with one id the last counts, one without it cannot be compared."""
    given = order.txn_list if isinstance(order.txn_list, list) else [order.txn_list]
    return {row_id: row for row in given if isinstance(row, _Application) and (row_id := text(row.txn_id))}


def _settle(order: _CreditOrder, applications: dict[str, _Application]) -> None:
    """Bring what the digest must not tell apart into one form, drop what only served to check the answer."""
    code = currency(order.currency)
    order.order_id = order.merchant_id = order.status = order.txn_list = None
    order.amount = fitting_minor_units(order.amount, code)
    for row in applications.values():
        row.txn_intent_amount = fitting_minor_units(row.txn_intent_amount, code)
        if isinstance(row.txn_detail, _Detail):
            row.txn_detail.txn_amount = fitting_minor_units(row.txn_detail.txn_amount, code)


def _loan_row(row_id: str, row: _Application, code: str | None) -> Loan:
    detail = row.txn_detail if isinstance(row.txn_detail, _Detail) else _Detail()
    gateway = row.payment_gateway_response
    return Loan(
        id=row_id,
        status=text(row.status),
        sub_status=text(row.sub_status),
        amount=money(detail.txn_amount, code),
        intent_amount=money(row.txn_intent_amount, code),
        created=instant(detail.created),
        payment_method_type=text(row.payment_method_type),
        payment_method=text(row.payment_method),
        application_id=text(gateway.epg_txn_id) if isinstance(gateway, _Gateway) else None,
        gateway_reference_id=text(row.gateway_reference_id),
    )


class HyperCreditSource:
    """HyperCredit of one account."""

    def __init__(
        self, account_name: str, account: Account, credit: Credit, *, clock: Clock, limits: Limits
    ) -> None:
        self._account_name = account_name
        self._merchant_id = account.merchant_id
        self._orders = URL(f"{credit.base_url}/credit/order")
        self._reader = Reader(schema=SCHEMA, version=account.version)
        # Both spellings: the pages of HyperCredit have the one, integrators found the other to be read.
        headers = headers_of(account, credit.api_key) | {"x-merchant-id": account.merchant_id}
        self._door = Door(headers, clock=clock, limits=limits)

    def __repr__(self) -> str:
        return f"HyperCreditSource({self._account_name!r})"

    @property
    def reader(self) -> Reader:
        return self._reader

    async def fetch(
        self,
        order_id: OrderId,
        *,
        routing_id: str | None = None,  # noqa: ARG002 - HyperCredit knows neither this
        mandate_id: str | None = None,  # noqa: ARG002 - nor this
    ) -> CreditAnswer | Failure:
        """Ask once, by the order alone."""
        return await self._door.ask(
            "GET",
            self._orders.joinpath(escaped(order_id), encoded=True),
            read=lambda body: read(
                body, order_id=order_id, merchant_id=self._merchant_id, reader=self._reader
            ),
        )

    async def close(self) -> None:
        """Give back connections."""
        await self._door.close()


def hypercredit_source(
    account_name: str, account: Account, credit: Credit, *, clock: Clock, limits: Limits = LIMITS
) -> HyperCreditSource:
    """Open HyperCredit of one account; needs a running event loop."""
    return HyperCreditSource(account_name, account, credit, clock=clock, limits=limits)

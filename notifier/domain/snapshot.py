"""What one source said of an order at one look: rows with declared members, unknown ones None.

Only what a receiver may see is declared here; nothing else is ever decoded. A member that is None is unknown
(absent, masked, or not a value), and unknown is never a change.
"""

from dataclasses import dataclass, fields, replace
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from notifier.domain.money import Money
from notifier.domain.order import Phase, Source, phase_of


class Subject(StrEnum):
    """What an event speaks of."""

    ORDER = "order"
    TXN = "txn"
    REFUND = "refund"
    OFFER = "offer"
    MANDATE = "mandate"
    LOAN = "loan"
    CHARGEBACK = "chargeback"
    WATCH = "watch"
    SOURCE = "source"
    INCIDENT = "incident"
    SUBSCRIPTION = "subscription"
    DELIVERY = "delivery"
    HEARTBEAT = "heartbeat"
    TEST = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """The order itself; the members from `txn_id` on speak of the attempt that `attempt` numbers."""

    status: str
    upstream_id: str | None = None
    amount: Money | None = None
    currency: str | None = None
    effective_amount: Money | None = None
    amount_refunded: Money | None = None
    maximum_eligible_refund_amount: Money | None = None
    refunded: bool | None = None
    conflicted: bool | None = None
    date_created: datetime | None = None
    order_expiry: datetime | None = None
    kept: dict[str, str] | None = None
    """The personal members that the account asked to keep, by the upstream's names."""
    txn_id: str | None = None
    attempt: int | None = None
    txn_uuid: str | None = None
    payment_method_type: str | None = None
    payment_method: str | None = None
    auth_type: str | None = None
    gateway_id: int | None = None
    gateway_reference_id: str | None = None
    resp_code: str | None = None
    resp_category: str | None = None
    bank_error_code: str | None = None
    payer_app_name: str | None = None
    payer_handle: str | None = None
    txn_status: str | None = None
    txn_error_code: str | None = None
    txn_amount: Money | None = None
    surcharge_amount: Money | None = None
    tax_amount: Money | None = None
    offer_deduction_amount: Money | None = None
    gateway: str | None = None
    txn_created: datetime | None = None
    txn_flow_type: str | None = None
    txn_object_type: str | None = None
    pg_resp_code: str | None = None
    rrn: str | None = None
    epg_txn_id: str | None = None
    auth_id_code: str | None = None
    network_error_code: str | None = None
    pg_offer_type: str | None = None
    pg_offer_availed: bool | None = None
    pg_discount_amount: Money | None = None
    risk_status: str | None = None
    risk_flagged: bool | None = None
    risk_recommended_action: str | None = None

    @property
    def id(self) -> None:
        """The order is its snapshot's only one and needs no id."""

    @property
    def phase(self) -> Phase:
        return phase_of(self.status)


_NAMES = tuple(field.name for field in fields(Order))
_OF_ATTEMPT = frozenset(_NAMES[_NAMES.index("txn_id") :])


@dataclass(frozen=True, slots=True, kw_only=True)
class Txn:
    """One part of an order paid in parts (`txn_list`)."""

    id: str
    status: str | None = None
    amount: Money | None = None
    txn_uuid: str | None = None
    payment_method_type: str | None = None
    payment_method: str | None = None
    auth_type: str | None = None
    gateway: str | None = None
    resp_code: str | None = None
    resp_category: str | None = None
    bank_error_code: str | None = None
    payer_app_name: str | None = None
    rrn: str | None = None
    epg_txn_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """One refund; `id` is the `unique_request_id`, the only name that stays (juspay: `id` may be null for ever)."""

    id: str
    status: str | None = None
    amount: Money | None = None
    sent_to_gateway: bool | None = None
    created: datetime | None = None
    gateway_refund_id: str | None = None
    ref: str | None = None
    arn: str | None = None
    refund_type: str | None = None
    refund_source: str | None = None
    error_code: str | None = None
    expected_refund_credit_time: datetime | None = None
    pg_processed_at: datetime | None = None
    pg_declined_at: datetime | None = None
    bank_processed_at: datetime | None = None
    reversal_type: str | None = None

    @property
    def is_open(self) -> bool:
        return self.status not in {"SUCCESS", "FAILURE"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Benefit:
    """What an offer gives; `id` is its type, `value` the percentage or the number that its rule speaks of."""

    id: str
    amount: Money | None = None
    calculation_rule: str | None = None
    value: str | None = None
    max_amount: Money | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One offer; `id` is the `offer_id`, or the code where that was missing when it was first seen."""

    id: str
    offer_code: str | None = None
    status: str | None = None
    error_code: str | None = None
    benefits: tuple[Benefit, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mandate:
    """The mandate that this order registered."""

    id: str
    status: str | None = None
    mandate_type: str | None = None
    max_amount: Money | None = None
    amount_rule: str | None = None
    frequency: str | None = None
    start_date: datetime | None = None
    end_date: datetime | None = None
    revokable_by_customer: bool | None = None
    block_fund: bool | None = None
    rule_type: str | None = None
    rule_value: str | None = None
    response_code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chargeback:
    """One chargeback. No sample of it is public: its names on the wire are assumed."""

    id: str
    status: str | None = None
    amount: Money | None = None
    date_created: datetime | None = None
    date_resolved: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Credit:
    """The order as HyperCredit has it; it tells nothing by itself, since `order.*` is the order status' alone (6.2)."""

    order_status: str | None = None
    amount: Money | None = None
    currency: str | None = None
    date_created: datetime | None = None

    @property
    def id(self) -> None:
        """There is one to a snapshot."""

    @property
    def status(self) -> None:
        """No word of its own is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loan:
    """One loan application; `id` is its `txn_id`. `sub_status` is its stage in the lender's mapped words."""

    id: str
    status: str | None = None
    sub_status: str | None = None
    amount: Money | None = None
    intent_amount: Money | None = None
    created: datetime | None = None
    payment_method_type: str | None = None
    payment_method: str | None = None
    application_id: str | None = None
    gateway_reference_id: str | None = None


Row = Order | Txn | Refund | Offer | Mandate | Chargeback | Credit | Loan
_R = TypeVar("_R", Txn, Refund, Offer, Benefit, Mandate, Chargeback, Credit, Loan)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """With which eyes an answer was read: our schema number, the pinned version date, the account's options."""

    schema: int
    version: str
    options: str = ""
    """The personal members that the account keeps, sorted, with commas between."""

    @property
    def kept(self) -> tuple[str, ...]:
        return tuple(self.options.split(",")) if self.options else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything one source said; rows of one subject have distinct ids, in the order 6.4 tells them.

    Source `order` alone has an `order`; `hypercredit` has a credit and loans, `mandate` its mandate.
    """

    source: Source
    reader: Reader
    order: Order | None = None
    txns: tuple[Txn, ...] = ()
    refunds: tuple[Refund, ...] = ()
    offers: tuple[Offer, ...] = ()
    mandate: Mandate | None = None
    chargebacks: tuple[Chargeback, ...] = ()
    credit: Credit | None = None
    loans: tuple[Loan, ...] = ()
    last_updated: datetime | None = None
    """Evidence of age only: it moves without meaning, so it is never compared as a member."""
    observed_at: datetime | None = None
    """When it was first seen; given when it becomes a version, and never compared."""
    beside: "tuple[Snapshot, ...]" = ()
    """What the other sources had last said by then, so that a version shows the whole order; never compared."""

    def of(self, source: Source) -> "Snapshot | None":
        """Return what a source had said as of this version."""
        return next((each for each in (self, *self.beside) if each.source is source), None)

    def rows(self) -> tuple[tuple[Subject, Row], ...]:
        """Return every row with its subject, in the order in which events are told (interface 6.4)."""
        orders = () if self.order is None else (self.order,)
        mandates = () if self.mandate is None else (self.mandate,)
        credits_ = () if self.credit is None else (self.credit,)
        return (
            *((Subject.ORDER, row) for row in orders),
            *((Subject.TXN, row) for row in self.txns),
            *((Subject.REFUND, row) for row in self.refunds),
            *((Subject.OFFER, row) for row in self.offers),
            *((Subject.MANDATE, row) for row in mandates),
            *((Subject.LOAN, row) for row in credits_),
            *((Subject.LOAN, row) for row in self.loans),
            *((Subject.CHARGEBACK, row) for row in self.chargebacks),
        )


def in_told_order(refunds: tuple[Refund, ...]) -> tuple[Refund, ...]:
    """Sort refunds by (created, id); one without an instant comes last."""
    return tuple(sorted(refunds, key=lambda row: (row.created is None, row.created or 0, row.id)))


def merge(before: Snapshot | None, answer: Snapshot) -> Snapshot:
    """Return what is known after the answer: unknown members keep their last value, absent rows stay.

    A new attempt does not inherit the members of the one before it.
    """
    if before is None:
        return answer
    return replace(
        answer,
        order=_merge_order(before.order, answer.order, answer.reader.kept),
        txns=_merge_rows(before.txns, answer.txns),
        refunds=in_told_order(_merge_rows(before.refunds, answer.refunds)),
        offers=_merge_offers(before.offers, answer.offers),
        mandate=_merge_one(before.mandate, answer.mandate),
        chargebacks=_merge_rows(before.chargebacks, answer.chargebacks),
        credit=_merge_one(before.credit, answer.credit),
        loans=_merge_rows(before.loans, answer.loans),
        last_updated=answer.last_updated or before.last_updated,
    )


def _merge_order(before: Order | None, after: Order | None, names: tuple[str, ...]) -> Order | None:
    if before is None or after is None:
        return after or before
    dropped = _OF_ATTEMPT if is_other_attempt(before, after) else frozenset[str]()
    kept = {
        field.name: getattr(before, field.name)
        for field in fields(Order)
        if getattr(after, field.name) is None and field.name not in dropped
    }
    return replace(after, **kept | {"kept": _merge_kept(before, after, names)})


def _merge_kept(before: Order, after: Order, names: tuple[str, ...]) -> dict[str, str] | None:
    """Forget what the account does not keep any more."""
    known = (before.kept or {}) | (after.kept or {})
    return {name: known[name] for name in names if name in known} or None


def is_other_attempt(before: Order, after: Order) -> bool:
    """Return whether the two speak of different attempts; older forms of `txn_id` hold no number (juspay 6.4)."""
    if before.attempt is not None and after.attempt is not None:
        return before.attempt != after.attempt
    return before.txn_id is not None and after.txn_id is not None and before.txn_id != after.txn_id


def _merge_one(before: _R | None, after: _R | None) -> _R | None:
    if before is None or after is None:
        return after or before
    return _merge_rows((before,), (after,))[-1]


def _merge_offers(before: tuple[Offer, ...], after: tuple[Offer, ...]) -> tuple[Offer, ...]:
    benefits = {offer.id: offer.benefits for offer in before}
    merged = _merge_rows(before, _under_known_ids(before, after))
    return tuple(
        replace(offer, benefits=_merge_rows(benefits.get(offer.id, ()), offer.benefits)) for offer in merged
    )


def _under_known_ids(before: tuple[Offer, ...], after: tuple[Offer, ...]) -> tuple[Offer, ...]:
    """Let an offer keep the id that it was first told under, when its code stood in for it on one side only."""
    given = {offer.id for offer in after}
    unseen = {offer.id: offer.offer_code for offer in before if offer.id not in given}
    known = {offer.id for offer in before}
    found = []
    for offer in after:
        code = offer.offer_code
        same = (
            row_id for row_id, its_code in unseen.items() if code == its_code and code in {row_id, offer.id}
        )
        known_id = None if code is None or offer.id in known else next(same, None)
        unseen.pop(known_id or "", None)
        found.append(replace(offer, id=known_id or offer.id))
    return tuple(found)


def _merge_rows(before: tuple[_R, ...], after: tuple[_R, ...]) -> tuple[_R, ...]:
    rows = {row.id: row for row in before}
    for row in after:
        rows[row.id] = _merge_row(rows[row.id], row) if row.id in rows else row
    return tuple(rows.values())


def _merge_row(before: _R, after: _R) -> _R:
    kept = {
        field.name: getattr(before, field.name)
        for field in fields(after)
        if getattr(after, field.name) is None
    }
    return replace(after, **kept)

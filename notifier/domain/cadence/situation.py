"""What there is to wait for: the live parts of what a source said, each in a situation that its like are learned by."""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from notifier.domain.order import Phase, Source, phase_of
from notifier.domain.snapshot import Loan, Order, Refund, Snapshot
from notifier.domain.standing import loan_phase, loan_slug, mandate_phase, standing


class Kind(StrEnum):
    """What a part of a snapshot is."""

    ORDER = "order"
    REFUND = "refund"
    MANDATE = "mandate"
    CREDIT = "credit"
    LOAN = "loan"

    __hash__ = str.__hash__  # An enumeration's own takes longer than all that is looked up by it.


class Situation(NamedTuple):
    """Where a part stands, from the general to the particular: dropping from the right gives its parents.

    `method` is the payment method with its flow (`UPI_INTENT`), empty while the upstream does not show it.
    """

    source: Source
    kind: Kind
    word: str
    method: str
    account: str

    @property
    def phase(self) -> Phase:
        """How far a part with this word is; a refund that is not done is open."""
        match self.kind:
            case Kind.ORDER:
                return phase_of(self.word)
            case Kind.REFUND:
                return Phase.OPEN
            case Kind.MANDATE:
                return mandate_phase(self.word)
            case Kind.CREDIT:
                return Phase(self.word)
            case Kind.LOAN:
                return loan_phase(self.word)


class Part(NamedTuple):
    """A live part. Units: `since_s` on the caller's axis (the epoch in the daemon).

    A plain tuple, as one or more are made for every look.
    """

    situation: Situation
    id: str
    """The row that it is; empty where there is one to a snapshot."""
    mark: str
    """What else must stay for nothing to have changed."""
    since_s: float
    """When it came into its situation, as well as we know; first what the upstream says of it, if anything."""

    def is_still(self, other: "Part | None") -> bool:
        """Whether nothing changed; to learn the payment method is no change."""
        return (
            other is not None
            and (other.situation.word, other.mark) == (self.situation.word, self.mark)
            and other.situation.kind is self.situation.kind
        )

    def since(self, since_s: float) -> "Part":
        return self._replace(since_s=since_s)


def parts_of(snapshot: Snapshot, *, account: str, seen_at: datetime) -> tuple[Part, ...]:
    """Return the live parts of what one source said, each dated by the upstream's word or else by when it was seen."""
    order = snapshot.order
    method = method_of(order)
    parts = []
    if order is not None:
        mark = f"{order.attempt or order.txn_id or ''}/{len(snapshot.refunds)}/{len(snapshot.chargebacks)}"
        parts.append((Kind.ORDER, order.status, method, "", mark, _began_at(order, snapshot)))
    for refund in snapshot.refunds:
        if refund.is_open:
            stage = refund_stage(refund)
            began_at = refund.created if stage == "PENDING_QUEUED" else None
            parts.append((Kind.REFUND, stage, method, refund.id, "", began_at))
    if snapshot.mandate is not None and mandate_phase(snapshot.mandate.status or "") is not Phase.FAILED:
        mandate = snapshot.mandate
        parts.append((Kind.MANDATE, mandate.status or "", mandate.mandate_type or "", mandate.id, "", None))
    if snapshot.source is Source.HYPERCREDIT:
        parts.append((Kind.CREDIT, standing(snapshot), "", "", str(len(snapshot.loans)), None))
    parts += [
        (Kind.LOAN, loan_slug(loan.sub_status or ""), loan.payment_method or "", loan.id, "", None)
        for loan in snapshot.loans
        if _is_open(loan)
    ]
    return tuple(
        Part(
            situation=Situation(snapshot.source, kind, word, by, account),
            id=row_id,
            mark=mark,
            since_s=min(began_at or seen_at, seen_at).timestamp(),
        )
        for kind, word, by, row_id, mark, began_at in parts
    )


def refund_stage(refund: Refund) -> str:
    """Return the status of an open refund; a pending one waits in a queue before it is handed on (juspay 3.3)."""
    if refund.status != "PENDING":
        return refund.status or ""
    return "PENDING_QUEUED" if refund.sent_to_gateway is False else "PENDING_SENT"


def method_of(order: Order | None) -> str:
    """Return the payment method with its flow; a card has one flow only."""
    if order is None or not order.payment_method_type:
        return ""
    flow = order.txn_flow_type
    is_plain = not flow or flow.startswith(order.payment_method_type)
    return order.payment_method_type if is_plain else f"{order.payment_method_type}_{flow}"


def _is_open(loan: Loan) -> bool:
    return loan_phase(loan_slug(loan.sub_status or "")) in {Phase.OPEN, Phase.UNKNOWN}


def _began_at(order: Order, snapshot: Snapshot) -> datetime | None:
    """Return when the order came into its status by the upstream's own dates, where one of them says so."""
    if order.status in {"NEW", "CREATED"}:
        return order.date_created
    if order.phase is Phase.OPEN:
        return order.txn_created if order.status in {"PENDING_VBV", "PENDING_AUTHENTICATION"} else None
    return snapshot.last_updated

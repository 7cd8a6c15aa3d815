"""The outward form of orders and events: the upstream's own member names, money as decimal text (interface 4)."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from notifier.domain.alert.report import incident_document
from notifier.domain.alert.sample import sample_report
from notifier.domain.event import Backlog, Event, EventId
from notifier.domain.instant import iso
from notifier.domain.money import Money
from notifier.domain.order import OrderId, Phase, Source
from notifier.domain.snapshot import (
    Benefit,
    Chargeback,
    Credit,
    Loan,
    Mandate,
    Offer,
    Order,
    Reader,
    Refund,
    Snapshot,
    Subject,
    Txn,
)
from notifier.domain.standing import LOAN_STAGES, loan_slug, order_phase

Document = dict[str, Any]

SCHEMA = 1


def event_document(event: Event, sequence: int, order: Document | None) -> Document:
    """Return the event as receivers, REST and templates see it; `order` is the snapshot it speaks of."""
    document: Document = {
        "id": event.id,
        "type": event.type,
        "timestamp": iso(event.observed_at),
        "schema": SCHEMA,
        "livemode": event.livemode,
        "data": {
            "account": event.account,
            "order_id": event.order_id,
            "sequence": sequence,
            "order_version": event.order_version,
            "position": event.position,
            "positions": event.positions,
            "source": event.source,
            "subject": event.subject,
            "subject_id": event.subject_id,
            "field": event.field,
            "previous": event.previous,
            "current": event.current,
            "phase": event.phase,
            "observed_at": iso(event.observed_at),
            "not_before": iso(event.not_before) if event.not_before else None,
            "initial": event.initial,
            "order": order,
        },
    }
    if event.backlog is not None:
        document["data"]["backlog"] = {
            "last_sequence": event.backlog.last_sequence,
            "owed": list(event.backlog.owed),
            "owed_count": event.backlog.owed_count,
            "unnumbered": event.backlog.unnumbered,
        }
    if event.incident is not None:
        document["data"]["incident"] = incident_document(event.incident)
    return document


def order_document(order_id: OrderId, snapshot: Snapshot) -> Document:
    """Return the order as all its sources show it as of a version, in the upstream's own member names.

    Unknown members are left out. The dedicated call's mandate goes before the one in the order status (6.2).
    """
    of_order, of_credit = snapshot.of(Source.ORDER), snapshot.of(Source.HYPERCREDIT)
    of_mandate = snapshot.of(Source.MANDATE) or of_order
    members = _order_members(of_order.order, of_order) if of_order and of_order.order else {}
    loan = of_credit and _observed(of_credit, _credit_members(of_credit))
    mandate = of_mandate and of_mandate.mandate and _observed(of_mandate, _row(of_mandate.mandate))
    return {"order_id": order_id, **members, **_known({"loan": loan, "mandate": mandate})}


def _observed(snapshot: Snapshot, members: Document) -> Document:
    return _known({"observed_at": _plain(snapshot.observed_at)}) | members


def _credit_members(snapshot: Snapshot) -> Document:
    credit = _row(snapshot.credit) if snapshot.credit else {}
    return credit | {"txn_list": [_row(row) for row in snapshot.loans]}


def _order_members(order: Order, snapshot: Snapshot) -> Document:
    document: Document = {
        "id": order.upstream_id,
        **{name: _plain(getattr(order, name)) for name in SHOWN_AS_IS},
        **(order.kept or {}),
        **{block: _block(order, names) for block, names in BLOCKS.items()},
        "txn_list": [_row(row) for row in snapshot.txns] or None,
        "refunds": [_row(row) for row in snapshot.refunds] or None,
        "offers": [_row(row) for row in snapshot.offers] or None,
        "chargebacks": [_row(row) for row in snapshot.chargebacks] or None,
    }
    return _known(document)


BLOCKS = {
    "txn_detail": {
        "status": "txn_status",
        "error_code": "txn_error_code",
        "txn_amount": "txn_amount",
        "surcharge_amount": "surcharge_amount",
        "tax_amount": "tax_amount",
        "offer_deduction_amount": "offer_deduction_amount",
        "gateway": "gateway",
        "created": "txn_created",
        "txn_flow_type": "txn_flow_type",
        "txn_object_type": "txn_object_type",
    },
    "payment_gateway_response": {
        "resp_code": "pg_resp_code",
        "rrn": "rrn",
        "epg_txn_id": "epg_txn_id",
        "auth_id_code": "auth_id_code",
        "network_error_code": "network_error_code",
        "offer_type": "pg_offer_type",
        "offer_availed": "pg_offer_availed",
        "discount_amount": "pg_discount_amount",
    },
    "risk": {
        "status": "risk_status",
        "flagged": "risk_flagged",
        "recommended_action": "risk_recommended_action",
    },
}
"""Members of the order that the upstream keeps in blocks: its name there, and ours."""
_ELSEWHERE = {"kept", "upstream_id", *(name for names in BLOCKS.values() for name in names.values())}
SHOWN_AS_IS = [name for name in Order.__slots__ if name not in _ELSEWHERE]
"""Members of the order that stand under their own names."""


def _block(order: Order, names: Mapping[str, str]) -> Document | None:
    return _known({shown: _plain(getattr(order, name)) for shown, name in names.items()}) or None


def _known(members: Mapping[str, Any]) -> Document:
    return {name: value for name, value in members.items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, Money):
        return str(value)
    if isinstance(value, tuple):
        return [_row(each) for each in value] or None
    return iso(value) if isinstance(value, datetime) else value


WIRE_NAMES: dict[type[object], dict[str, str]] = {
    Txn: {"id": "txn_id"},
    Refund: {"id": "unique_request_id", "gateway_refund_id": "id"},
    Offer: {"id": "offer_id"},
    Mandate: {"id": "mandate_id", "status": "mandate_status"},
    Benefit: {"id": "type"},
    Chargeback: {},
    Credit: {},
    Loan: {"id": "txn_id", "intent_amount": "txn_intent_amount", "application_id": "epg_txn_id"},
}
"""Where the upstream calls a member otherwise than we do."""


def _row(row: Txn | Refund | Offer | Benefit | Mandate | Chargeback | Credit | Loan) -> Document:
    names = WIRE_NAMES[type(row)]
    return _known({names.get(name, name): _plain(getattr(row, name)) for name in row.__slots__})


_SYSTEM = {
    Subject.SOURCE,
    Subject.INCIDENT,
    Subject.SUBSCRIPTION,
    Subject.DELIVERY,
    Subject.HEARTBEAT,
    Subject.TEST,
}
_SEEN_AT = datetime(2026, 11, 22, 10, 15, 30, 123_000, tzinfo=UTC)
_SAMPLE_BACKLOG = Backlog(last_sequence=1041, owed=(1038, 1041), owed_count=2, unnumbered=1)
_ORDER_ID = OrderId("JP1636474794")
_TXN_ID = f"sandboxmart-{_ORDER_ID}"
_ARN = "74332746012345678901234"

# What stands before a status word; nothing where a row is new.
_BEFORE = {
    "order.pending_vbv": "NEW",
    "order.charged": "PENDING_VBV",
    "order.authorization_failed": "PENDING_VBV",
    "order.auto_refunded": "CHARGED",
    "txn.charged": "PENDING_VBV",
    "refund.pending": "MANUAL_REVIEW",
    "refund.success": "PENDING",
    "refund.failure": "PENDING",
    "refund.manual_review": "PENDING",
    "mandate.active": "CREATED",
    "mandate.paused": "ACTIVE",
    "mandate.revoked": "ACTIVE",
    "mandate.failure": "CREATED",
    "mandate.expired": "ACTIVE",
    "offer.availed": "INITIATED",
    "offer.refunded": "AVAILED",
    "offer.partially_refunded": "AVAILED",
    "offer.failed": "INITIATED",
    "loan.offer_selected": "Offer Received",
    "loan.kyc_verified": "Offer Selected",
    "loan.loan_active": "Loan Granted",
    "loan.loan_rejected": "KYC Verified",
}
_STAGES = {f"loan.{loan_slug(stage)}": stage for stage in LOAN_STAGES}

DERIVED_STEPS: dict[str, tuple[str, str | None, str, str | None]] = {
    "order.retried": ("txn_id", f"{_TXN_ID}-1", f"{_TXN_ID}-2", "PENDING_VBV"),
    "order.late_success": ("status", "AUTHORIZATION_FAILED", "CHARGED", "CHARGED"),
    "order.amount_mismatch": ("amount", "500.00", "386.00", "CHARGED"),
    "order.refunded": ("amount_refunded", None, "386.00", "CHARGED"),
    "order.stuck": ("status", None, "PENDING_VBV", "PENDING_VBV"),
    "refund.created": ("status", None, "PENDING", "PENDING"),
    "refund.sent": ("sent_to_gateway", "false", "true", "PENDING"),
    "refund.arn_available": ("arn", None, _ARN, "SUCCESS"),
    "refund.overdue": ("status", "PENDING", "PENDING", "PENDING"),
    "mandate.resumed": ("status", "PAUSED", "ACTIVE", "ACTIVE"),
    "watch.settled": ("state", None, "settled", "CHARGED"),
    "watch.not_found": ("state", None, "not_found", None),
    "watch.abandoned": ("state", None, "abandoned", "PENDING_VBV"),
    "source.failing": ("state", "ok", "timeout", None),
    "source.refused": ("state", "ok", "refused", None),
    "source.recovered": ("state", "failing", "after 312 s", None),
    "subscription.misrendered": ("template", None, "mine", None),
    "incident.opened": ("state", None, "open", None),
    "incident.acknowledged": ("state", "open", "acknowledged", None),
    "incident.updated": ("state", "open", "open", None),
    "incident.resolved": ("state", "acknowledged", "resolved", None),
}
"""The types whose word is no status: member, before, after, and the status of the subject meanwhile."""


def sample_event_document(event_type: str) -> Document:
    """Return a document of a type as it could really come, for checking and previewing templates."""
    subject = Subject(event_type.partition(".")[0])
    member, previous, current, status = _sample_step(event_type, subject)
    snapshot = _sample_snapshot(event_type, status) if status else None
    is_of_order = subject not in _SYSTEM
    event = Event(
        id=EventId("evt_0123456789abcdef0123456789abcdef"),
        type=event_type,
        account="sandbox",
        livemode=False,
        subject=subject,
        subject_id=_sample_subject_id(subject),
        observed_at=_SEEN_AT,
        order_id=_ORDER_ID if is_of_order else None,
        order_version=3 if snapshot else 0,
        source=snapshot.source
        if snapshot
        else Source.ORDER
        if is_of_order or subject is Subject.SOURCE
        else None,
        field=member,
        previous=previous,
        current=current,
        phase=order_phase(snapshot) if snapshot else Phase.UNKNOWN if is_of_order else None,
        not_before=_SEEN_AT - timedelta(seconds=2) if snapshot else None,
        backlog=_SAMPLE_BACKLOG if subject is Subject.HEARTBEAT else None,
        incident=sample_report(event_type, _SEEN_AT) if subject is Subject.INCIDENT else None,
    )
    return event_document(event, 1042, order_document(_ORDER_ID, snapshot) if snapshot else None)


def _sample_step(event_type: str, subject: Subject) -> tuple[str | None, str | None, str | None, str | None]:
    if event_type in DERIVED_STEPS:
        return DERIVED_STEPS[event_type]
    if subject in _SYSTEM:
        return None, None, None, None
    if event_type in _STAGES:
        stage = _STAGES[event_type]
        return "sub_status", _BEFORE.get(event_type), stage, stage
    status = event_type.rpartition(".")[2].upper()
    return "status", _BEFORE.get(event_type), status, status


def _sample_subject_id(subject: Subject) -> str | None:
    if subject is Subject.SOURCE:
        return Source.ORDER
    if subject is Subject.INCIDENT:
        return "inc_0123456789abcdef"
    is_nameless = subject in {Subject.ORDER, Subject.WATCH}
    return None if is_nameless else f"{subject}-sample"


def _sample_snapshot(event_type: str, status: str) -> Snapshot:
    """Return a paid order with one row of the subject in its status, or the order itself in that status."""
    subject = Subject(event_type.partition(".")[0])
    amount, part, name = Money(38_600, "INR"), Money(18_600, "INR"), f"{subject}-sample"
    attempt = 2 if event_type == "order.retried" else 1
    refund = Refund(id=name, status=status, amount=part, arn=_ARN if status == "SUCCESS" else None)
    if event_type == "order.refunded":
        refund = Refund(id="refund-sample", status="SUCCESS", amount=amount)
    order = Order(
        status=status if subject in {Subject.ORDER, Subject.WATCH} else "CHARGED",
        amount=amount,
        currency="INR",
        effective_amount=amount,
        txn_id=f"{_TXN_ID}-{attempt}",
        attempt=attempt,
        payment_method_type="UPI",
        payment_method="UPI",
        gateway="RAZORPAY",
    )
    paid = Snapshot(
        source=Source.ORDER,
        reader=Reader(schema=SCHEMA, version="2023-06-30"),
        observed_at=_SEEN_AT,
        order=order,
        txns=(Txn(id=name, status=status, amount=part, gateway="PAYU"),) if subject is Subject.TXN else (),
        refunds=(refund,) if subject is Subject.REFUND or event_type == "order.refunded" else (),
        offers=(Offer(id=name, offer_code="FIRST", status=status),) if subject is Subject.OFFER else (),
        mandate=_sample_mandate(name, status) if subject is Subject.MANDATE else None,
        chargebacks=(Chargeback(id=name, status=status),) if subject is Subject.CHARGEBACK else (),
    )
    return _sample_credit(paid, name, status) if subject is Subject.LOAN else paid


def _sample_mandate(name: str, status: str) -> Mandate:
    return Mandate(id=name, status=status, max_amount=Money(100_000, "INR"), frequency="MONTHLY")


def _sample_credit(paid: Snapshot, name: str, stage: str) -> Snapshot:
    worth = Money(8_000_000, "INR")
    loan = Loan(
        id=name, sub_status=stage, amount=worth, payment_method="TECHFINO_LSP", application_id="LAI417365"
    )
    credit = Credit(order_status="PENDING_VBV", amount=worth, currency="INR")
    return Snapshot(
        source=Source.HYPERCREDIT,
        reader=paid.reader,
        observed_at=_SEEN_AT,
        credit=credit,
        loans=(loan,),
        beside=(paid,),
    )


SAMPLE_TYPES = (
    "order.new", "order.pending_vbv", "order.charged", "order.authorization_failed", "order.auto_refunded",
    "order.retried", "order.late_success", "order.amount_mismatch", "order.refunded", "order.stuck",
    "txn.charged", "refund.created", "refund.sent", "refund.pending", "refund.success", "refund.failure",
    "refund.manual_review", "refund.arn_available", "refund.overdue", "mandate.created", "mandate.active",
    "mandate.paused", "mandate.resumed", "mandate.revoked", "mandate.failure", "mandate.expired",
    "offer.initiated", "offer.availed", "offer.refunded", "offer.partially_refunded", "offer.failed",
    "chargeback.received", *_STAGES, "watch.settled", "watch.not_found", "watch.abandoned",
    "source.failing", "source.recovered", "source.refused", "incident.opened", "incident.acknowledged",
    "incident.updated", "incident.resolved", "subscription.failing", "subscription.recovered",
    "subscription.disabled", "subscription.misrendered", "delivery.exhausted", "heartbeat", "test.ping",
)  # fmt: skip
"""Every type that templates must be able to say."""

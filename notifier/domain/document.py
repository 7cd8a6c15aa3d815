"""The outward form of orders and events: the upstream's own member names, money as decimal text (interface 4)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from notifier.domain.event import Event
from notifier.domain.instant import iso
from notifier.domain.money import Money
from notifier.domain.order import OrderId, Phase
from notifier.domain.snapshot import Chargeback, Mandate, Offer, Order, Refund, Snapshot, Subject, Txn

Document = dict[str, Any]

SCHEMA = 1


def event_document(event: Event, sequence: int, order: Document | None) -> Document:
    """Return the event as receivers, REST and templates see it; `order` is the snapshot it speaks of."""
    return {
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


def order_document(order_id: OrderId, snapshot: Snapshot) -> Document:
    """Return the snapshot in the upstream's own member names; unknown members are left out."""
    order = snapshot.order
    document: Document = {
        "order_id": order_id,
        "status": order.status,
        "amount": _plain(order.amount),
        "currency": order.currency,
        "effective_amount": _plain(order.effective_amount),
        "amount_refunded": _plain(order.amount_refunded),
        "maximum_eligible_refund_amount": _plain(order.maximum_eligible_refund_amount),
        "refunded": order.refunded,
        "date_created": _plain(order.date_created),
        "order_expiry": _plain(order.order_expiry),
        "txn_id": order.txn_id,
        "attempt": order.attempt,
        "payment_method_type": order.payment_method_type,
        "payment_method": order.payment_method,
        "auth_type": order.auth_type,
        "gateway_id": order.gateway_id,
        "resp_code": order.resp_code,
        "resp_category": order.resp_category,
        "bank_error_code": order.bank_error_code,
        "payer_app_name": order.payer_app_name,
        "payer_handle": order.payer_handle,
        "txn_detail": _known({"gateway": order.gateway, "txn_flow_type": order.txn_flow_type}) or None,
        "txn_list": [_row(row) for row in snapshot.txns] or None,
        "refunds": [_row(row) for row in snapshot.refunds] or None,
        "offers": [_row(row) for row in snapshot.offers] or None,
        "mandate": _row(snapshot.mandate) if snapshot.mandate else None,
        "chargebacks": [_row(row) for row in snapshot.chargebacks] or None,
    }
    return _known(document)


def _known(members: Mapping[str, Any]) -> Document:
    return {name: value for name, value in members.items() if value is not None}


def _plain(value: Money | datetime | str | float | bool | None) -> Any:
    if isinstance(value, Money):
        return str(value)
    return iso(value) if isinstance(value, datetime) else value


# Where the upstream calls a member otherwise than we do.
_WIRE_NAMES: dict[type[object], dict[str, str]] = {
    Txn: {"id": "txn_id"},
    Refund: {"id": "unique_request_id", "gateway_refund_id": "id"},
    Offer: {"id": "offer_id"},
    Mandate: {"id": "mandate_id", "status": "mandate_status"},
    Chargeback: {},
}


def _row(row: Txn | Refund | Offer | Mandate | Chargeback) -> Document:
    names = _WIRE_NAMES[type(row)]
    return _known({names.get(name, name): _plain(getattr(row, name)) for name in row.__slots__})


def sample_event_document(event_type: str) -> Document:
    """Return a plausible document of a type, for checking and previewing templates."""
    subject = Subject(event_type.partition(".")[0])
    is_of_order = subject in set(Subject) - {
        Subject.SOURCE, Subject.INCIDENT, Subject.SUBSCRIPTION, Subject.DELIVERY, Subject.HEARTBEAT, Subject.TEST
    }  # fmt: skip
    order = Order(
        status="CHARGED",
        amount=Money(38_600, "INR"),
        currency="INR",
        effective_amount=Money(38_600, "INR"),
        txn_id="sandboxmart-JP1636474794-1",
        attempt=1,
        payment_method_type="UPI",
        payment_method="UPI",
        gateway="RAZORPAY",
        resp_code="TXN_SUCCESS",
    )
    subject_id = None if subject in {Subject.ORDER, Subject.WATCH} else f"{subject}-sample"
    return {
        "id": "evt_0123456789abcdef0123456789abcdef",
        "type": event_type,
        "timestamp": "2026-11-22T10:15:30.123Z",
        "schema": SCHEMA,
        "livemode": False,
        "data": {
            "account": "sandbox",
            "order_id": "JP1636474794" if is_of_order else None,
            "sequence": 1042,
            "order_version": 3 if is_of_order else 0,
            "position": 1,
            "positions": 1,
            "source": "order" if is_of_order else None,
            "subject": subject,
            "subject_id": subject_id,
            "field": "status",
            "previous": "PENDING_VBV",
            "current": event_type.rpartition(".")[2].upper(),
            "phase": Phase.SUCCEEDED if is_of_order else None,
            "observed_at": "2026-11-22T10:15:30.123Z",
            "not_before": "2026-11-22T10:15:28.001Z",
            "initial": False,
            "order": _sample_order(order) if is_of_order else None,
        },
    }


def _sample_order(order: Order) -> Document:
    return {"order_id": "JP1636474794"} | _known(
        {
            name: _plain(getattr(order, name))
            for name in order.__slots__
            if name not in {"gateway", "txn_flow_type"}
        }
    )


SAMPLE_TYPES = (
    "order.new", "order.pending_vbv", "order.charged", "order.authorization_failed", "order.auto_refunded",
    "order.retried", "order.late_success", "order.amount_mismatch", "order.refunded", "order.stuck",
    "txn.charged", "refund.created", "refund.sent", "refund.pending", "refund.success", "refund.failure",
    "refund.manual_review", "refund.arn_available", "refund.overdue", "mandate.created", "mandate.active",
    "mandate.paused", "mandate.resumed", "mandate.revoked", "mandate.failure", "mandate.expired",
    "offer.initiated", "offer.availed", "offer.refunded", "offer.partially_refunded", "offer.failed",
    "chargeback.received", "loan.loan_active", "watch.settled", "watch.not_found", "watch.abandoned",
    "source.failing", "source.recovered", "source.refused", "incident.opened", "incident.acknowledged",
    "incident.updated", "incident.resolved", "subscription.failing", "subscription.recovered",
    "subscription.disabled", "delivery.exhausted", "heartbeat", "test.ping",
)  # fmt: skip
"""Every type that templates must be able to say."""

"""What the upstream calls our types of events in its own webhooks, and the one that it would send of a version.

Names: the upstream's list of webhook events; which of them are assumed stands in docs/juspay-bodies.md.
"""

from collections.abc import Mapping, Sequence

from notifier.domain.alert.telling import is_mere_edit, may_be_edited
from notifier.domain.event import Event
from notifier.domain.order import Phase
from notifier.domain.subscription import Subscription

TEMPLATE = "juspay"
"""The template of channel `webhook` whose subscriptions are owed one event a version."""
_CHANNEL = "webhook"

NAMES: Mapping[str, str] = {
    "order.charged": "ORDER_SUCCEEDED",
    "order.success": "ORDER_SUCCEEDED",
    "order.late_success": "ORDER_SUCCEEDED",
    "order.cod_initiated": "ORDER_COD_INITIATED",
    "order.partial_charged": "ORDER_PARTIAL_CHARGED",
    "order.authorized": "ORDER_AUTHORIZED",
    "order.to_be_charged": "ORDER_TO_BE_CHARGED",
    "order.authentication_failed": "ORDER_FAILED",
    "order.authorization_failed": "ORDER_FAILED",
    "order.juspay_declined": "ORDER_FAILED",
    "order.declined": "ORDER_FAILED",
    "order.capture_failed": "ORDER_CAPTURE_FAILED",
    "order.voided": "ORDER_VOIDED",
    "order.auto_voided": "ORDER_VOIDED",
    "order.merchant_voided": "ORDER_VOIDED",
    "order.void_failed": "ORDER_VOID_FAILED",
    "refund.success": "ORDER_REFUNDED",
    "order.refunded": "ORDER_REFUNDED",
    "refund.failure": "ORDER_REFUND_FAILED",
    "refund.manual_review": "REFUND_MANUAL_REVIEW_NEEDED",
    "order.auto_refunded": "AUTO_REFUND_INITIATED",
    "chargeback.resolved_in_merchant_favour": "CHARGEBACK_RESOLVED_IN_MERCHANT_FAVOUR",
    "chargeback.resolved_in_customer_favour": "CHARGEBACK_RESOLVED_IN_CUSTOMER_FAVOUR",
    "chargeback.canceled": "CHARGEBACK_CANCELED",
    "chargeback.already_refunded": "CHARGEBACK_ALREADY_REFUNDED",
    "chargeback.expired": "CHARGEBACK_EXPIRED",
    "chargeback.evidence_required": "CHARGEBACK_EVIDENCE_REQUIRED",
    "chargeback.under_review": "CHARGEBACK_UNDER_REVIEW",
    "chargeback.received": "CHARGEBACK_RECEIVED",
    "mandate.revoked": "MANDATE_REVOKED",
    "mandate.expired": "MANDATE_EXPIRED",
    "mandate.failure": "MANDATE_FAILED",
    "mandate.paused": "MANDATE_PAUSED",
    "mandate.resumed": "MANDATE_UNPAUSED",
    "mandate.active": "MANDATE_ACTIVATED",
    "mandate.created": "MANDATE_CREATED",
    "loan.loan_active": "LOAN_ACTIVE",
    "loan.kyc_verified": "KYC_COMPLETED",
    "loan.offer_selected": "OFFER_SELECTED",
    "loan.loan_application_initiated": "LOAN_APPLICATION_INITIATED",
    "txn.charged": "TXN_CHARGED",
    "txn.authentication_failed": "TXN_FAILED",
    "txn.authorization_failed": "TXN_FAILED",
    "txn.juspay_declined": "TXN_FAILED",
    "refund.arn_available": "REFUND_ARN_CAPTURED",
    "refund.created": "REFUND_INITIATED",
    "refund.pending": "REFUND_INITIATED",
    "order.retried": "TXN_CREATED",
    "order.new": "ORDER_CREATED",
    "order.created": "ORDER_CREATED",
}
"""By type, the weightiest first: of several events of a version the one that stands highest is sent."""

_OF_AUTO_REFUNDS = {
    "REFUND_INITIATED": "AUTO_REFUND_INITIATED",
    "ORDER_REFUNDED": "AUTO_REFUND_SUCCEEDED",
    "ORDER_REFUND_FAILED": "AUTO_REFUND_FAILED",
}
_WEIGHT = {kind: -place for place, kind in enumerate(NAMES)}


def name_of(event_type: str, phase: str | None) -> str | None:
    """Return the upstream's name of an event, None where it has none.

    `phase` is the order's: refunds of an order that was refunded by itself have names of their own.
    """
    name = NAMES.get(event_type)
    return _OF_AUTO_REFUNDS.get(name, name) if name and phase == Phase.REFUNDED else name


def owed_of(listener: Subscription, wanted: Sequence[Event]) -> Sequence[Event]:
    """Return which of the events of one version, all of them wanted, a subscription is owed.

    That is each of them; with the template `juspay` the weightiest that has a name, if any; mere figures of an
    incident only where they can be edited into what was said before.
    """
    if not may_be_edited(listener):
        return [event for event in wanted if not is_mere_edit(event)]
    if (listener.channel, listener.template) != (_CHANNEL, TEMPLATE):
        return wanted
    named = [event for event in wanted if event.type in NAMES]
    return [max(named, key=lambda event: _WEIGHT[event.type])] if named else ()

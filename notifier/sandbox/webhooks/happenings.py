"""Which webhooks a change of an order calls for."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from notifier.sandbox.lives import loans
from notifier.sandbox.lives.following import mandate_status
from notifier.sandbox.lives.scenario import FAILED, Life, Look


class Content(StrEnum):
    """What a webhook tells about; LOAN is an order as the credit call shows it."""

    ORDER = "order"
    TXN = "txn"
    MANDATE = "mandate"
    NOTE = "notification"
    LOAN = "loan"


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One webhook's name, what it is about, and the age at which it happened."""

    event_name: str
    content: Content
    at_s: float


_ORDER: Mapping[str, str] = {
    "CHARGED": "ORDER_SUCCEEDED",
    **dict.fromkeys(FAILED, "ORDER_FAILED"),
    "AUTHORIZED": "ORDER_AUTHORIZED",
    "PARTIAL_CHARGED": "ORDER_PARTIAL_CHARGED",
    "VOIDED": "ORDER_VOIDED",
    "VOID_FAILED": "ORDER_VOID_FAILED",
    "CAPTURE_FAILED": "ORDER_CAPTURE_FAILED",
    "COD_INITIATED": "ORDER_COD_INITIATED",
    "TO_BE_CHARGED": "ORDER_TO_BE_CHARGED",
}
_REFUND: Mapping[str, str] = {
    "PENDING": "REFUND_INITIATED",
    "SUCCESS": "ORDER_REFUNDED",
    "FAILURE": "ORDER_REFUND_FAILED",
    "MANUAL_REVIEW": "REFUND_MANUAL_REVIEW_NEEDED",
}
_AUTO_REFUND: Mapping[str, str] = {
    "PENDING": "AUTO_REFUND_INITIATED",
    "SUCCESS": "AUTO_REFUND_SUCCEEDED",
    "FAILURE": "AUTO_REFUND_FAILED",
}
_MANDATE: Mapping[str, str] = {
    "CREATED": "MANDATE_CREATED",
    "ACTIVE": "MANDATE_ACTIVATED",
    "PAUSED": "MANDATE_PAUSED",
    "REVOKED": "MANDATE_REVOKED",
    "FAILURE": "MANDATE_FAILED",
    "EXPIRED": "MANDATE_EXPIRED",
}
# LOAN_ACTIVE is certain; the others are the names of the prose, written like it.
_LOAN: Mapping[str, str] = {
    loans.RECEIVED: "LOAN_APPLICATION_INITIATED",
    loans.SELECTED: "OFFER_SELECTED",
    loans.VERIFIED: "KYC_COMPLETED",
    loans.ACTIVE: "LOAN_ACTIVE",
}
_NOTES = ("NOTIFICATION_SUCCEEDED", "NOTIFICATION_FAILED")
CONTENTS: Mapping[str, Content] = {
    **dict.fromkeys(("ORDER_CREATED", "ORDER_UPDATED", "REFUND_ARN_CAPTURED"), Content.ORDER),
    **dict.fromkeys((*_ORDER.values(), *_REFUND.values(), *_AUTO_REFUND.values()), Content.ORDER),
    **dict.fromkeys(("TXN_CREATED", "TXN_CHARGED", "TXN_FAILED"), Content.TXN),
    **dict.fromkeys((*_MANDATE.values(), "MANDATE_UNPAUSED"), Content.MANDATE),
    **dict.fromkeys(_NOTES, Content.NOTE),
    **dict.fromkeys(_LOAN.values(), Content.LOAN),
}


def happenings(life: Life, before: Look, after: Look, at_s: float) -> list[Happening]:
    """Return what there is to tell of a change, in the order in which it is sent."""
    names = [
        *_payment(before, after),
        *_refunds(before, after),
        *_mandate(mandate_status(life, before), mandate_status(life, after)),
        *_loan(before, after),
    ]
    return [Happening(event_name=name, content=CONTENTS[name], at_s=at_s) for name in names]


def _payment(before: Look, after: Look) -> Iterator[str]:
    if after.attempt > before.attempt:
        yield "TXN_CREATED"
    if after.status == before.status:
        return
    if after.status == "CHARGED":
        yield "TXN_CHARGED"
    if after.status in FAILED:
        yield "TXN_FAILED"
    if after.status in _ORDER:
        yield _ORDER[after.status]


def _refunds(before: Look, after: Look) -> Iterator[str]:
    known = {row.unique_request_id: row for row in before.refunds}
    for row in after.refunds:
        was = known.get(row.unique_request_id)
        names = _AUTO_REFUND if row.initiated_by == "AUTO_REFUNDED" else _REFUND
        if (was is None or was.status != row.status) and row.status in names:
            yield names[row.status]
        if row.has_arn and not (was and was.has_arn):
            yield "REFUND_ARN_CAPTURED"


def _mandate(before: str | None, after: str | None) -> Iterator[str]:
    if after is None or after == before:
        return
    yield "MANDATE_UNPAUSED" if (before, after) == ("PAUSED", "ACTIVE") else _MANDATE[after]


def _loan(before: Look, after: Look) -> Iterator[str]:
    known = {row.number: row.stage for row in before.applications}
    for row in after.applications:
        if known.get(row.number) != row.stage and row.stage in _LOAN:
            yield _LOAN[row.stage]

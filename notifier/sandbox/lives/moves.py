"""What can happen next to an order, and making it happen by hand."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from notifier.errors import InvalidValue
from notifier.sandbox.lives import loans
from notifier.sandbox.lives.following import mandate_status
from notifier.sandbox.lives.refunds import refunded
from notifier.sandbox.lives.scenario import (
    Application,
    Life,
    Look,
    Method,
    Refund,
    RefundOutcome,
    Step,
)


class Part(StrEnum):
    """What of an order can move by itself."""

    ORDER = "order"
    REFUND = "refund"
    MANDATE = "mandate"
    LOAN = "loan"


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One thing that can happen: which part, which of several (a refund's or an application's id), to which word."""

    part: Part
    to: str
    id: str = ""


SENT, ARN = (
    "SENT",
    "ARN",
)  # no statuses: the refund stays what it is, but leaves the queue, or gets its reference
ALL, HALF = "ALL", "HALF"  # of what is left, as a new refund
_FAILURES = ("AUTHENTICATION_FAILED", "AUTHORIZATION_FAILED", "JUSPAY_DECLINED")
_ORDER: Mapping[str, tuple[str, ...]] = {
    "NEW": ("PENDING_VBV",),
    "CREATED": ("PENDING_VBV",),
    "STARTED": ("PENDING_VBV", *_FAILURES),
    "PENDING_VBV": ("CHARGED", "AUTHORIZING", "AUTHORIZED", *_FAILURES),
    "AUTHORIZING": ("CHARGED", "AUTHORIZATION_FAILED"),
    "AUTHORIZED": ("CAPTURE_INITIATED", "VOID_INITIATED"),
    "CAPTURE_INITIATED": ("CHARGED", "CAPTURE_FAILED"),
    "VOID_INITIATED": ("VOIDED", "VOID_FAILED"),
    "CHARGED": ("AUTO_REFUNDED",),
    **dict.fromkeys(_FAILURES, ("PENDING_VBV", "CHARGED")),
}
_REFUND: Mapping[str, tuple[str, ...]] = {
    "PENDING": ("SUCCESS", "FAILURE", "MANUAL_REVIEW"),
    "MANUAL_REVIEW": ("SUCCESS", "FAILURE"),
}
_MANDATE: Mapping[str, tuple[str, ...]] = {
    "ACTIVE": ("PAUSED", "REVOKED", "EXPIRED"),
    "PAUSED": ("ACTIVE", "REVOKED", "EXPIRED"),
}


def moves(life: Life, age_s: float) -> list[Move]:
    """Return everything that can happen to the order at that age."""
    look = life.look(age_s)
    found = []
    if life.method is not Method.LOAN:
        found += [Move(part=Part.ORDER, to=word) for word in _ORDER.get(look.status, ())]
    if look.status == "CHARGED" and look.refunded < life.effective:
        found += [Move(part=Part.REFUND, to=share) for share in (ALL, HALF)]
    for row in look.refunds:
        found += [Move(part=Part.REFUND, id=row.unique_request_id, to=word) for word in _refund_words(row)]
    found += [Move(part=Part.MANDATE, to=word) for word in _MANDATE.get(mandate_status(life, look) or "", ())]
    return found + _loan_moves(life, look)


def moved(life: Life, age_s: float, move: Move) -> Life:
    """Return the life in which that happens now; what its script meant for that part later is off.

    Raises InvalidValue when it cannot happen at that age.
    """
    possible = moves(life, age_s)
    if move not in possible:
        words = ", ".join(" ".join(filter(None, (each.part, each.id, each.to))) for each in possible)
        raise InvalidValue("to", f"that cannot happen now; what can: {words or 'nothing'}")
    look = life.look(age_s)
    match move.part:
        case Part.ORDER:
            return _order_moved(life, age_s, move.to)
        case Part.REFUND if not move.id:
            asked_percent = 100 if move.to == ALL else 50
            return refunded(life, asked_s=age_s, outcome=RefundOutcome.PENDING, percent=asked_percent)
        case Part.REFUND:
            row = next(row for row in look.refunds if row.unique_request_id == move.id)
            return _without_later(life, age_s, move).then(
                Step(at_s=age_s, refund=_after(row, move.to, age_s))
            )
        case Part.MANDATE:
            return _without_later(life, age_s, move).then(Step(at_s=age_s, mandate_status=move.to))
        case Part.LOAN:
            return _loan_moved(_without_later(life, age_s, move), look, age_s, move)


def _order_moved(life: Life, age_s: float, word: str) -> Life:
    forced = life.forced(age_s, word)
    return refunded(forced, asked_s=age_s) if word == "AUTO_REFUNDED" else forced


def _refund_words(row: Refund) -> tuple[str, ...]:
    if row.status == "SUCCESS":
        return () if row.has_arn else (ARN,)
    if row.status == "PENDING" and not row.sent_to_gateway:
        return (SENT,)
    return _REFUND.get(row.status, ())


def _after(row: Refund, word: str, age_s: float) -> Refund:
    if word == SENT:
        return replace(row, sent_to_gateway=True, changed_s=age_s)
    if word == ARN:
        return replace(row, has_arn=True)
    return replace(row, status=word, changed_s=age_s)


def _loan_moves(life: Life, look: Look) -> list[Move]:
    if life.method is not Method.LOAN or look.status == "CHARGED":
        return []
    found = []
    for row in look.applications:
        if row.stage not in loans.REFUSED:
            ahead = [stage for stage in (*loans.STAGES[1:], *loans.REFUSED[:2]) if stage != row.stage]
            found += [Move(part=Part.LOAN, id=str(row.number), to=stage) for stage in ahead]
    number = len(look.applications) + 1
    if number <= len(loans.LENDERS):
        first = (loans.RECEIVED, loans.NO_OFFERS)
        found += [Move(part=Part.LOAN, id=str(number), to=stage) for stage in first]
    return found


def _loan_moved(life: Life, look: Look, age_s: float, move: Move) -> Life:
    number = int(move.id)
    rows = {row.number: row for row in look.applications}
    row = rows.get(number) or Application(
        number=number, lender=loans.LENDERS[number - 1], stage=move.to, begun_s=age_s, changed_s=age_s
    )
    rows[number] = replace(row, stage=move.to, changed_s=age_s)
    status = loans.order_status([each.stage for each in rows.values()])
    step = Step(at_s=age_s, status=None if status == look.status else status, application=rows[number])
    return life.then(step)


def _without_later(life: Life, age_s: float, move: Move) -> Life:
    def is_kept(step: Step) -> bool:
        if step.at_s <= age_s:
            return True
        match move.part:
            case Part.REFUND:
                return step.refund is None or step.refund.unique_request_id != move.id
            case Part.MANDATE:
                return step.mandate_status is None
            case Part.LOAN:
                return step.application is None
            case Part.ORDER:
                return step.status is None

    return replace(life, steps=tuple(step for step in life.steps if is_kept(step)))

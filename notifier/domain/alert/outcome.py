"""How one order's attempt ended, as alerts count it; an order counts once, however often it was tried."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from notifier.domain.alert.report import Place
from notifier.domain.money import Money
from notifier.domain.order import OrderKey, Phase, phase_of
from notifier.domain.snapshot import Loan, Order, Refund, Snapshot
from notifier.domain.standing import LOAN_STAGES, loan_slug

PAID_AFTER_ALL = timedelta(minutes=30)
"""For how long a failure is provisional: the same order may still be paid."""

PLACED = ("gateway", "payment_method_type", "payment_method", "bank")
"""Dimensions that orders of every end have, so that a rate can be told of them."""
TOLD = ("resp_code", "resp_category")
"""Dimensions that say how an order failed: they narrow what counts as failed, and have no rate of their own."""


STUCK = "stuck"
"""The word of an order that hangs where others end; ours, and no status. Only rules that name it look at it."""


class Family(StrEnum):
    """What ended."""

    ORDER = "order"
    REFUND = "refund"
    MANDATE = "mandate"
    LOAN = "loan"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One end of one attempt. `dimensions` are in the order of PLACED, then TOLD; unknown ones are left out."""

    account: str
    order_key: OrderKey
    family: Family
    subject_id: str | None
    """Of a refund, mandate or loan; None of the order itself."""
    ended_at: datetime
    """By the upstream's clock where that is believable, else when it was first seen; never when we happened to ask."""
    word: str
    is_failed: bool
    dimensions: Place
    amount: Money | None = None


@dataclass(frozen=True, slots=True)
class _End:
    family: Family
    subject_id: str | None
    word: str
    is_failed: bool
    amount: Money | None
    ended_at: datetime | None = None


_WELL = frozenset({"AUTHORIZED", "PARTIAL_CHARGED"})
"""Words of open orders whose attempt itself ended well."""
_FAILED = frozenset(
    {"AUTHENTICATION_FAILED", "AUTHORIZATION_FAILED", "JUSPAY_DECLINED", "DECLINED", "CAPTURE_FAILED"}
)
_REFUNDS = {"SUCCESS": False, "FAILURE": True}
_MANDATES = {"ACTIVE": False, "FAILURE": True}
_LOANS = {
    loan_slug(word): phase is Phase.FAILED
    for word, phase in LOAN_STAGES.items()
    if phase in {Phase.SUCCEEDED, Phase.FAILED}
}
_NETBANKING = "NB_"


def outcomes_of(
    before: Snapshot | None,
    after: Snapshot,
    *,
    account: str,
    order_key: OrderKey,
    observed_at: datetime,
    not_before: datetime | None = None,
) -> tuple[Outcome, ...]:
    """Return what ended between two snapshots of one source; a first look counts nothing, it may be old news.

    `after` is the merged snapshot, `not_before` the last look that did not show it.
    """
    if before is None:
        return ()
    known = {(end.family, end.subject_id, end.word) for end in _ends(before)}
    if _attempt(before) != _attempt(after):
        known = {each for each in known if each[0] is not Family.ORDER}
    changed_at = _believable(after.last_updated, not_before, observed_at) or observed_at
    dimensions = dimensions_of(after.order)
    return tuple(
        Outcome(
            account=account,
            order_key=order_key,
            family=end.family,
            subject_id=end.subject_id,
            ended_at=_believable(end.ended_at, not_before, observed_at) or changed_at,
            word=end.word,
            is_failed=end.is_failed,
            dimensions=dimensions,
            amount=end.amount,
        )
        for end in _ends(after)
        if (end.family, end.subject_id, end.word) not in known
    )


def stuck_outcome(
    snapshot: Snapshot, *, account: str, order_key: OrderKey, stuck_at: datetime
) -> Outcome | None:
    """Return that an order's payment hangs since an instant; None where no payment ever began."""
    order = snapshot.order
    if order is None or order.txn_id is None:
        return None
    return Outcome(
        account=account,
        order_key=order_key,
        family=Family.ORDER,
        subject_id=None,
        ended_at=stuck_at,
        word=STUCK,
        is_failed=True,
        dimensions=dimensions_of(order),
        amount=order.amount,
    )


def counted(history: Sequence[Outcome], is_failure: Callable[[Outcome], bool]) -> Outcome | None:
    """Return the one outcome, of all that one subject of one order had, that counts.

    `history` is in the order of ended_at. The first failure counts and later ones do not, so ten tries are one
    order; paid within 30 minutes it is well. Whoever counts takes out the one that counted before and puts in this.
    """
    held: Outcome | None = None
    for outcome in history:
        if held is None:
            held = outcome
        elif is_failure(held):
            is_late = outcome.ended_at - held.ended_at > PAID_AFTER_ALL
            held = held if outcome.is_failed or is_late else outcome
        elif is_failure(outcome) and phase_of(held.word) is not Phase.SUCCEEDED:
            held = outcome
    return held


def dimensions_of(order: Order | None) -> Place:
    """Return where an order's present attempt went and how it answered, as far as that is known."""
    if order is None:
        return ()
    values = {
        "gateway": order.gateway,
        "payment_method_type": order.payment_method_type,
        "payment_method": order.payment_method,
        "bank": _bank(order),
        "resp_code": order.resp_code,
        "resp_category": order.resp_category,
    }
    return tuple((name, text) for name, text in values.items() if text)


def _bank(order: Order) -> str | None:
    """Return the bank as far as an order names one: in the method of netbanking, in the handle of UPI."""
    method = order.payment_method or ""
    if method.startswith(_NETBANKING):
        return method.removeprefix(_NETBANKING)
    return order.payer_handle


def _ends(snapshot: Snapshot) -> Iterator[_End]:
    order = snapshot.order
    if order is not None and order.status in _FAILED:
        yield _End(Family.ORDER, None, order.status, True, order.amount)
    elif order is not None and (order.phase is Phase.SUCCEEDED or order.status in _WELL):
        yield _End(Family.ORDER, None, order.status, False, order.amount)
    yield from _ends_of_refunds(snapshot.refunds)
    mandate = snapshot.mandate
    if mandate is not None and mandate.status in _MANDATES:
        is_failed = _MANDATES[mandate.status]
        yield _End(Family.MANDATE, mandate.id, mandate.status, is_failed, mandate.max_amount)
    yield from _ends_of_loans(snapshot.loans)


def _ends_of_refunds(refunds: Iterable[Refund]) -> Iterator[_End]:
    for refund in refunds:
        if refund.status in _REFUNDS:
            at = refund.pg_processed_at or refund.pg_declined_at
            yield _End(Family.REFUND, refund.id, refund.status, _REFUNDS[refund.status], refund.amount, at)


def _ends_of_loans(loans: Iterable[Loan]) -> Iterator[_End]:
    for loan in loans:
        word = loan_slug(loan.sub_status or "")
        if word in _LOANS:
            yield _End(Family.LOAN, loan.id, word, _LOANS[word], loan.amount)


def _attempt(snapshot: Snapshot) -> tuple[int | None, str | None]:
    return (snapshot.order.attempt, snapshot.order.txn_id) if snapshot.order else (None, None)


def _believable(at: datetime | None, not_before: datetime | None, observed_at: datetime) -> datetime | None:
    """Return an instant of the upstream's if it lies between our two looks."""
    if at is None or at > observed_at or not_before is None or at < not_before:
        return None
    return at

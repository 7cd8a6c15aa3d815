"""Lives drawn by dice, in the shares and times of Indian online payments."""

import math
import random
from collections.abc import Mapping
from typing import TypeVar

from notifier.sandbox.lives import loans
from notifier.sandbox.lives.refunds import refunded
from notifier.sandbox.lives.scenario import FAILED, Life, Method, RefundOutcome, Step, course

T = TypeVar("T")

_SHARES: Mapping[Method, float] = {
    Method.UPI_INTENT: 0.42,
    Method.CARD: 0.23,
    Method.NB: 0.13,
    Method.UPI_COLLECT: 0.12,
    Method.WALLET: 0.10,
}
_TRY_S: Mapping[Method, float] = {  # median until the customer picks a way to pay
    Method.UPI_INTENT: 12,
    Method.CARD: 35,
    Method.NB: 25,
    Method.UPI_COLLECT: 20,
    Method.WALLET: 15,
}
_PAY_S: Mapping[Method, float] = {  # median from there to the answer
    Method.UPI_INTENT: 22,
    Method.CARD: 60,
    Method.NB: 95,
    Method.UPI_COLLECT: 45,
    Method.WALLET: 18,
}
_ENDS: Mapping[str, float] = {  # how one attempt ends
    "CHARGED": 0.78,
    "AUTHORIZING": 0.04,
    "AUTHENTICATION_FAILED": 0.06,
    "TIMED_OUT": 0.06,
    "AUTHORIZATION_FAILED": 0.04,
    "JUSPAY_DECLINED": 0.01,
    "STUCK": 0.01,
}
_REFUND_OUTCOMES: Mapping[RefundOutcome, float] = {
    RefundOutcome.SUCCESS: 0.82,
    RefundOutcome.INSTANT: 0.08,
    RefundOutcome.FAILURE: 0.06,
    RefundOutcome.MANUAL_REVIEW: 0.02,
    RefundOutcome.REVIEW_SUCCESS: 0.02,
}
_LOAN_REFUSALS: Mapping[str, float] = {loans.NO_OFFERS: 0.3, loans.KYC_REJECTED: 0.2, loans.REJECTED: 0.5}
_STAGE_S: Mapping[str, float] = {  # median from the stage before
    loans.RECEIVED: 90,
    loans.SELECTED: 240,
    loans.VERIFIED: 900,
    loans.MANDATED: 600,
    loans.PAID_DOWN: 300,
    loans.SINGED: 600,
    loans.GRANTED: 7200,
    loans.ACTIVE: 43200,
}
_ABANDONED = 0.08
_RETRIES = 0.55
_LATE = 0.05
_RETURNED = 0.5  # of the late ones, by shops with the auto-refund on
_DISCOUNTED = 0.08
_MANDATES = 0.04
_REFUNDS = 0.06
_LOANS = 0.02
_LOANS_REFUSED = 0.35
_STAGE_SKIPPED = 0.25
_SPELT_RIGHT = 0.3
_TRIES_ANOTHER_LENDER = 0.6
_MANDATE_PAUSED = 0.2
_MANDATE_REVOKED = 0.2
_MONTH_S = 30 * 86400.0
_ATTEMPTS = 3
_TIMEOUT_S = 300.0
_BANK_S = 900.0


def random_life(order_id: str, dice: random.Random) -> Life:
    """Draw a life as shops see them: about four of five are paid, most within two minutes."""
    if dice.random() < _LOANS:
        return random_loan(order_id, dice)
    method = _pick(_SHARES, dice)
    amount = dice.choice((dice.randrange(4900, 50000, 50), dice.randrange(10000, 600000, 10000)))
    life = Life(
        order_id=order_id,
        amount=amount,
        method=method,
        discount=amount // 10 if dice.random() < _DISCOUNTED else 0,
        registers_mandate=method in (Method.UPI_COLLECT, Method.NB) and dice.random() < _MANDATES,
        steps=course(*_payment(method, dice)),
    )
    if life.look(life.ends_s).status == "AUTO_REFUNDED":
        return refunded(life, asked_s=life.ends_s)
    if life.registers_mandate and life.look(life.ends_s).status == "CHARGED":
        return life.then(*_mandate(life.ends_s, dice))
    if life.look(life.ends_s).status == "CHARGED" and dice.random() < _REFUNDS:
        asked_s = life.ends_s + dice.uniform(60, 7200)
        return refunded(life, asked_s=asked_s, outcome=_pick(_REFUND_OUTCOMES, dice))
    return life


def random_loan(order_id: str, dice: random.Random) -> Life:
    """Draw a loan: stages skipped and swapped as lenders do, refusals, and another lender after one."""
    lenders = dice.sample(loans.LENDERS, 2)
    first = _application(0, dice)
    applications = [(lenders[0], first)]
    if first[-1][1] in loans.REFUSED and dice.random() < _TRIES_ANOTHER_LENDER:
        applications.append((lenders[1], _application(first[-1][0], dice)))
    return Life(
        order_id=order_id,
        amount=dice.randrange(10_000_00, 200_000_00, 500_00),
        method=Method.LOAN,
        steps=loans.loan_steps(*applications),
    )


def _application(from_s: float, dice: random.Random) -> list[tuple[float, str]]:
    stages = [loans.RECEIVED, loans.SELECTED]
    between = [stage for stage in loans.STAGES[2:-1] if dice.random() > _STAGE_SKIPPED]
    if dice.random() < _STAGE_SKIPPED:
        dice.shuffle(between)
    stages += [*between, loans.ACTIVE]
    if dice.random() < _LOANS_REFUSED:
        refusal = _pick(_LOAN_REFUSALS, dice)
        stages = [refusal] if refusal == loans.NO_OFFERS else [*stages[: dice.randint(2, 4)], refusal]
    course: list[tuple[float, str]] = []
    for stage in stages:
        from_s += _around(_STAGE_S.get(stage, 1200), dice)
        is_spelt_right = stage == loans.SINGED and dice.random() < _SPELT_RIGHT
        course.append((from_s, loans.SIGNED if is_spelt_right else stage))
    return course


def _mandate(from_s: float, dice: random.Random) -> list[Step]:
    changes: list[str] = []
    if dice.random() < _MANDATE_PAUSED:
        changes += ["PAUSED", "ACTIVE"]
    if dice.random() < _MANDATE_REVOKED:
        changes.append("REVOKED")
    steps: list[Step] = []
    for word in changes:
        from_s += dice.uniform(3600, _MONTH_S)
        steps.append(Step(at_s=from_s, mandate_status=word))
    return steps


def _payment(method: Method, dice: random.Random) -> list[tuple[float, str]]:
    changes: list[tuple[float, str]] = []
    if dice.random() < _ABANDONED:
        return changes
    for _ in range(_ATTEMPTS):
        changes += _attempt(method, changes[-1][0] if changes else 0, dice)
        if changes[-1][1] not in FAILED or dice.random() > _RETRIES:
            break
    at_s, status = changes[-1]
    if status in FAILED and dice.random() < _LATE:
        late_s = at_s + _around(_BANK_S, dice)
        changes.append((late_s, "CHARGED"))
        if dice.random() < _RETURNED:
            changes.append((late_s + 60, "AUTO_REFUNDED"))
    return changes


def _attempt(method: Method, from_s: float, dice: random.Random) -> list[tuple[float, str]]:
    tried_s = from_s + _around(_TRY_S[method], dice)
    ended_s = tried_s + _around(_PAY_S[method], dice)
    tried = (tried_s, "PENDING_VBV")
    match _pick(_ENDS, dice):
        case "STUCK":
            return [tried]
        case "AUTHORIZING":
            return [tried, (ended_s, "AUTHORIZING"), (ended_s + _around(_BANK_S, dice), "CHARGED")]
        case "TIMED_OUT":
            return [tried, (tried_s + _TIMEOUT_S + dice.uniform(0, 10), "AUTHENTICATION_FAILED")]
        case end:
            return [tried, (ended_s, end)]


def _around(median_s: float, dice: random.Random) -> float:
    return round(dice.lognormvariate(math.log(median_s), 0.6), 1)


def _pick(shares: Mapping[T, float], dice: random.Random) -> T:
    return dice.choices(list(shares), list(shares.values()))[0]

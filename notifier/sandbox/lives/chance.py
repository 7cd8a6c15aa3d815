"""Lives drawn by dice, in the shares and times of Indian online payments."""

import math
import random
from collections.abc import Mapping
from typing import TypeVar

from notifier.sandbox.lives.scenario import FAILED, Life, Method, RefundOutcome, course, refunded

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
    RefundOutcome.MANUAL_REVIEW: 0.04,
}
_ABANDONED = 0.08
_RETRIES = 0.55
_LATE = 0.05
_RETURNED = 0.5  # of the late ones, by shops with the auto-refund on
_DISCOUNTED = 0.08
_MANDATES = 0.04
_REFUNDS = 0.06
_ATTEMPTS = 3
_TIMEOUT_S = 300.0
_BANK_S = 900.0


def random_life(order_id: str, dice: random.Random) -> Life:
    """Draw a life as shops see them: about four of five are paid, most within two minutes."""
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
    if life.look(life.ends_s).status == "CHARGED" and dice.random() < _REFUNDS:
        asked_s = life.ends_s + dice.uniform(60, 7200)
        return refunded(life, asked_s=asked_s, outcome=_pick(_REFUND_OUTCOMES, dice))
    return life


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

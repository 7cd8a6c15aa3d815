"""Lives made by dice: orders as Indian online payments go, so that policies can be compared without a file.

The constants are guesses. They rank policies and prove nothing about one merchant; `Recipe` varies them.
"""

import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from notifier.simulation.lives import ORDER, REFUND, Life, Row, lives_of

T = TypeVar("T")
ORDERS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One way to pay: medians in seconds, and how its attempts end."""

    share: float
    choosing_s: float
    paying_s: float
    timeout_s: float
    paid: float
    retrying_s: float
    spread: float = 0.65


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """The constants of a set. `scale` multiplies every time; shares are weights, not necessarily of one."""

    methods: Mapping[str, Method]
    scale: float = 1.0
    never_tried: float = 0.10
    timed_out: float = 0.075
    at_the_bank: float = 0.05
    retried: float = 0.55
    most_attempts: int = 4
    late_success: float = 0.006
    refunded: float = 0.06
    bank_s: float = 4800.0
    bank_spread: float = 1.35
    paid_by_bank: float = 0.63
    late_s: float = 7200.0
    refund_after_s: float = 86_400.0
    queue_s: float = 900.0
    refund_s: float = 9600.0
    refund_spread: float = 1.4


USUAL = Recipe(
    methods={
        "UPI_INTENT": Method(share=38, choosing_s=12, paying_s=22, timeout_s=300, paid=0.88, retrying_s=12),
        "CARD": Method(share=22, choosing_s=35, paying_s=60, timeout_s=900, paid=0.84, retrying_s=35),
        "NB": Method(share=12, choosing_s=25, paying_s=95, timeout_s=900, paid=0.86, retrying_s=23),
        "UPI_COLLECT": Method(share=12, choosing_s=20, paying_s=45, timeout_s=300, paid=0.85, retrying_s=20),
        "WALLET": Method(
            share=11, choosing_s=15, paying_s=18, timeout_s=600, paid=0.94, retrying_s=14, spread=0.5
        ),
        "CONSUMER_FINANCE": Method(
            share=5, choosing_s=60, paying_s=420, timeout_s=1800, paid=0.70, retrying_s=65, spread=1.05
        ),
    }
)
OTHER = Recipe(
    methods={
        "UPI_INTENT": Method(
            share=24, choosing_s=18, paying_s=34, timeout_s=180, paid=0.80, retrying_s=20, spread=0.9
        ),
        "CARD": Method(
            share=34, choosing_s=50, paying_s=42, timeout_s=600, paid=0.88, retrying_s=25, spread=0.5
        ),
        "NB": Method(
            share=17, choosing_s=40, paying_s=130, timeout_s=1200, paid=0.78, retrying_s=40, spread=0.8
        ),
        "UPI_COLLECT": Method(share=8, choosing_s=14, paying_s=70, timeout_s=420, paid=0.75, retrying_s=30),
        "WALLET": Method(share=9, choosing_s=25, paying_s=12, timeout_s=900, paid=0.9, retrying_s=20),
        "CONSUMER_FINANCE": Method(
            share=8, choosing_s=90, paying_s=700, timeout_s=2700, paid=0.6, retrying_s=120, spread=0.9
        ),
    },
    never_tried=0.15,
    timed_out=0.14,
    at_the_bank=0.08,
    retried=0.4,
    refunded=0.1,
    bank_s=2400.0,
    queue_s=600.0,
)
_AUTHENTICATION = 0.7  # of timeouts; the rest are told as AUTHORIZATION_FAILED
_DECLINED_LATER = 0.35  # of failures that take longer than a payment does
_TIMEOUT_DELAY_S = 4.0
_QUEUE_DELAY_S = 45.0
_RETRY_SPREAD, _CHOICE_SPREAD, _AFTER_SPREAD = 0.7, 0.7, 1.2
_REFUND_SUCCEEDS = 0.95


def made_lives(recipe: Recipe, dice: random.Random, count: int = ORDERS) -> list[Life]:
    """Return lives drawn by these dice: the same seed gives the same lives."""
    return lives_of(row for number in range(count) for row in _order(f"SIM{number:07d}", recipe, dice))


def _order(order_id: str, recipe: Recipe, dice: random.Random) -> Iterator[Row]:
    name = _pick({name: method.share for name, method in recipe.methods.items()}, dice)
    at_s = 0.0
    yield Row(order_id, name, at_s, ORDER, "NEW")
    status = "NEW"
    for subject, status_after, wait_s in _course(recipe.methods[name], recipe, dice):
        at_s += wait_s * recipe.scale
        status = status_after
        yield Row(order_id, name, round(at_s, 2), subject, status)
    if status == "CHARGED" and dice.random() < recipe.refunded:
        for status, wait_s in _refund(recipe, dice):
            at_s += wait_s * recipe.scale
            yield Row(order_id, name, round(at_s, 2), REFUND, status)


def _course(method: Method, recipe: Recipe, dice: random.Random) -> Iterator[tuple[str, str, float]]:
    """Yield subject, status and the seconds since the step before."""
    if dice.random() < recipe.never_tried:
        return
    wait_s = _around(method.choosing_s, _CHOICE_SPREAD, dice)
    for _ in range(recipe.most_attempts):
        yield ORDER, "PENDING_VBV", wait_s
        end = "CHARGED"
        for end, waited_s in _attempt(method, recipe, dice):
            yield ORDER, end, waited_s
        if end == "CHARGED":
            return
        if dice.random() >= recipe.retried:
            break
        wait_s = _around(method.retrying_s, _RETRY_SPREAD, dice)
    if dice.random() < recipe.late_success:
        yield ORDER, "CHARGED", _around(recipe.late_s, _AFTER_SPREAD, dice)


def _attempt(method: Method, recipe: Recipe, dice: random.Random) -> Iterator[tuple[str, float]]:
    roll = dice.random()
    if roll < recipe.timed_out:
        word = "AUTHENTICATION_FAILED" if dice.random() < _AUTHENTICATION else "AUTHORIZATION_FAILED"
        yield word, method.timeout_s + dice.gammavariate(2, _TIMEOUT_DELAY_S / 2)
        return
    paying_s = _around(method.paying_s, method.spread, dice)
    if roll < recipe.timed_out + recipe.at_the_bank:
        yield "AUTHORIZING", paying_s
        is_paid = dice.random() < recipe.paid_by_bank
        wait_s = _around(recipe.bank_s, recipe.bank_spread, dice)
        yield ("CHARGED" if is_paid else "AUTHORIZATION_FAILED"), wait_s
    elif dice.random() < method.paid:
        yield "CHARGED", paying_s
    else:
        yield "AUTHENTICATION_FAILED", paying_s * (2 if dice.random() < _DECLINED_LATER else 1)


def _refund(recipe: Recipe, dice: random.Random) -> Iterator[tuple[str, float]]:
    yield "PENDING", _around(recipe.refund_after_s, _AFTER_SPREAD, dice)
    yield "PENDING_SENT", recipe.queue_s + dice.expovariate(1 / _QUEUE_DELAY_S)
    word = "SUCCESS" if dice.random() < _REFUND_SUCCEEDS else "FAILURE"
    yield word, _around(recipe.refund_s, recipe.refund_spread, dice)


def _around(median_s: float, spread: float, dice: random.Random) -> float:
    return dice.lognormvariate(math.log(median_s), spread)


def _pick(shares: Mapping[T, float], dice: random.Random) -> T:
    return dice.choices(list(shares), list(shares.values()))[0]

"""A make-believe shop: orders come in at a steady pace at three gateways, and so many of a hundred fail."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from notifier.app.guide import TourError
from notifier.clock import Clock
from notifier.domain.alert.outcome import Family, Outcome, dimensions_of
from notifier.domain.alert.report import Place
from notifier.domain.money import Money
from notifier.domain.order import OrderKey, parse_order_id
from notifier.sandbox.bodies.rails import RAILS
from notifier.sandbox.lives.scenario import Method, Step
from notifier.sandbox.world import Sandbox
from notifier.source.contract import Failure, StatusSource

USUAL, FAILED, PAID = 0.12, "AUTHORIZATION_FAILED", "CHARGED"
SICK = "RAZORPAY"
_EVERY_S = 12.0
_LIFE_S = 60.0
_AMOUNTS = {"RAZORPAY": 120_00, "PAYTM_V2": 950_00, "BILLDESK": 950_00}
_COMERS = (Method.CARD, Method.UPI_INTENT, Method.NB, Method.UPI_COLLECT, Method.UPI_INTENT, Method.NB)
"""How those pay who come every few seconds: cards and UPI collect go through one gateway."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """One order of the shop and how it ends."""

    ends_at: datetime
    gateway: str
    has_failed: bool


class Shop:
    """Opens orders and has them watched; `rates` says by gateway what part of them fails from now on."""

    def __init__(
        self, sandbox: Sandbox, clock: Clock, *, watch: Callable[[Sequence[str]], Awaitable[None]]
    ) -> None:
        self.rates = dict.fromkeys(_AMOUNTS, USUAL)
        self._sandbox = sandbox
        self._clock = clock
        self._watch = watch
        self._taken: list[Taken] = []
        self._owed: dict[str, float] = defaultdict(float)

    async def trade(self, stop: asyncio.Event) -> None:
        """Take orders until told to stop."""
        began_s, took = self._clock.monotonic(), 0
        while not stop.is_set():
            # Customers do not wait for a shop that was held up.
            due = int((self._clock.monotonic() - began_s) / _EVERY_S) + 1 - took
            took += due
            await self._watch([self._take(method) for _ in range(due) for method in _COMERS])
            await self._clock.wait(stop, began_s + took * _EVERY_S - self._clock.monotonic())

    def counted(self, since: datetime, until: datetime, *, gateway: str | None = None) -> tuple[int, int]:
        """Return how many orders, of a gateway or of all, ended in a time, and how many of them failed."""
        found = [
            each.has_failed
            for each in self._taken
            if gateway in {None, each.gateway} and since <= each.ends_at < until
        ]
        return len(found), sum(found)

    def _take(self, method: Method) -> str:
        order_id = f"SHOP-{len(self._taken) + 1}"
        gateway = RAILS[method].gateway
        has_failed = self._fails(gateway)
        ends = Step(at_s=_LIFE_S, status=FAILED if has_failed else PAID)
        order = self._sandbox.create(
            order_id,
            amount=_AMOUNTS[gateway],
            method=method,
            steps=[Step(at_s=0, status="PENDING_VBV"), ends],
        )
        self._taken.append(Taken(ends_at=order.frame.at(_LIFE_S), gateway=gateway, has_failed=has_failed))
        return order_id

    def _fails(self, gateway: str) -> bool:
        """Return whether the next one fails: evenly, so that every show is the same."""
        self._owed[gateway] += self.rates[gateway]
        has_failed = self._owed[gateway] >= 1
        self._owed[gateway] -= has_failed
        return has_failed

    async def past(self, source: StatusSource, *, account: str, hours: int) -> list[Outcome]:
        """Return how orders ended in the hours before now, at this very pace, as `source` would have read them."""
        looks = {
            (method, status): await self._look(source, method, status)
            for method in set(_COMERS)
            for status in (FAILED, PAID)
        }
        now = self._clock.now()
        made: list[Outcome] = []
        for ago in range(int(hours * 3600 / _EVERY_S), 0, -1):
            for method in _COMERS:
                gateway = RAILS[method].gateway
                has_failed = self._fails(gateway)
                status = FAILED if has_failed else PAID
                made.append(
                    Outcome(
                        account=account,
                        order_key=OrderKey(f"past-{len(made)}"),
                        family=Family.ORDER,
                        subject_id=None,
                        ended_at=now - timedelta(seconds=ago * _EVERY_S),
                        word=status,
                        is_failed=has_failed,
                        dimensions=looks[method, status],
                        amount=Money(_AMOUNTS[gateway], "INR"),
                    )
                )
        return made

    async def _look(self, source: StatusSource, method: Method, status: str) -> Place:
        order_id = f"LOOK-{method}-{status}"
        self._sandbox.create(order_id, method=method, steps=[Step(at_s=0, status=status)])
        answer = await source.fetch(parse_order_id(order_id))
        if isinstance(answer, Failure):
            raise TourError(f"the make-believe Juspay does not answer: {answer.reason}")
        return dimensions_of(answer.snapshot().order)

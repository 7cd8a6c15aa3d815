"""What one account may ask: turns that flow evenly, fewer of them when the upstream says so, and their price."""

import asyncio
from collections.abc import Mapping

from notifier.clock import Clock
from notifier.domain.budget import Bucket, Fit, Throttle, demand, load_of, price_that_fits
from notifier.logs import get_logger
from notifier.metrics import Metrics
from notifier.source.contract import Answer, Failure, FailureReason
from notifier.workers.cadence import Cadence

_ASKED_SHARE = 0.5
_ASKED_BURST_S = 10.0
_LONGEST_REST_S = 600.0

log = get_logger(__name__)


class Budget:
    """The requests of one account. Units: `granted` per second."""

    def __init__(
        self, account: str, granted: float, *, cadence: Cadence, clock: Clock, metrics: Metrics
    ) -> None:
        self.account = account
        self.is_dear = False
        """Whether looks wait for the budget's sake: some may be made early once there is room."""
        self.fit = Fit(cadence.policy.price_s)
        self._cadence = cadence
        self._clock = clock
        self._bucket = Bucket(granted, clock.monotonic())
        self._rests_until_s = clock.monotonic()
        self._throttle = Throttle(granted, clock.monotonic())
        self._asked = Bucket(granted * _ASKED_SHARE, clock.monotonic(), burst_s=_ASKED_BURST_S)
        self._price = metrics.polling_price_s.labels(account)
        self._rate = metrics.polling_rate.labels(account)
        self._demand = metrics.polling_demand.labels(account)
        self._stretch = metrics.polling_stretch.labels(account)
        self._show()

    @property
    def rate(self) -> float:
        return self._throttle.rate

    @property
    def is_spent(self) -> bool:
        """Whether the next turn is still to come."""
        return self._bucket.due_in_s(self._clock.monotonic()) > 0

    def take(self) -> float:
        """Take the next turn; return how long `come` has to wait for it, nought or less for one that is here."""
        return self._bucket.take(self._clock.monotonic())

    async def come(self, wait_s: float, stop: asyncio.Event) -> bool:
        """Wait for the turn that was taken; return whether it came before the stop. One in a rest is lost."""
        while wait_s > 0:
            if await self._clock.wait(stop, wait_s):
                return False
            now_s = self._clock.monotonic()
            wait_s = self._bucket.take(now_s) if now_s < self._rests_until_s else 0.0
        return True

    def ask(self) -> float:
        """Take leave for a look that a person asks for; return how long until there is any, nought when granted.

        People may have half of the budget, and ten seconds of it at once.
        """
        now_s = self._clock.monotonic()
        wait_s = self._asked.due_in_s(now_s)
        if wait_s <= 0:
            self._asked.take(now_s)
        return max(wait_s, 0.0)

    def note(self, result: Answer | Failure, *, began_s: float, now_s: float) -> None:
        """Take into account how a request went, by the instants of the steady clock at which it began and ended."""
        if not isinstance(result, Failure):
            if self._throttle.answered(now_s - began_s, now_s):
                self._change_rate("latency" if self.rate < self._bucket.rate else "calm")
        elif result.reason is FailureReason.RATE_LIMITED:
            if result.retry_after_s:
                until_s = now_s + min(result.retry_after_s, _LONGEST_REST_S)
                self._rests_until_s = max(self._rests_until_s, until_s)
                self._bucket.rest(self._rests_until_s)
            if self._throttle.refused(began_s, now_s):
                self._change_rate("rate_limited")

    def reprice(self, paces: Mapping[int | None, int]) -> None:
        """Set the price that fits so many looks of each pace; one that has none is not reckoned with yet."""
        policy = self._cadence.policy
        loads = [
            load_of(
                pace,
                count,
                floor_s=policy.min_interval_s,
                ceilings_s=(policy.max_interval_s, policy.longest_interval_s),
            )
            for pace, count in paces.items()
            if pace is not None
        ]
        self.fit = price_that_fits(loads, rate=self.rate, base_price_s=policy.price_s)
        self.is_dear = self.is_dear or self.fit.price_s > policy.price_s
        self._cadence.set_price(self.account, self.fit)
        self._demand.set(demand(loads, policy.price_s))
        self._show()

    def _change_rate(self, reason: str) -> None:
        self._bucket.rate = self.rate
        self._asked.rate = self.rate * _ASKED_SHARE
        log.warning("budget.changed", account=self.account, requests_per_s=round(self.rate, 3), reason=reason)
        self._show()

    def _show(self) -> None:
        self._price.set(self.fit.price_s)
        self._rate.set(self.rate)
        self._stretch.set(self.fit.stretch)

"""What a simulation came to: requests and delays, and where curves of them cross a given delay."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from notifier.simulation.world import Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One policy on one set: requests an order inside the window, delays of changes in seconds."""

    policy: str
    requests_per_order: float
    delay_mean_s: float
    delay_p50_s: float
    delay_p95_s: float
    delay_p99_s: float
    delays_per_order_s: float

    def cost(self, price_s: float) -> float:
        """Return seconds an order, a request costing `price_s` seconds of delay."""
        return price_s * self.requests_per_order + self.delays_per_order_s


def figures(policy: str, tally: Tally) -> Figures:
    """Return the figures of a tally; percentiles by nearest rank, nought where nothing changed."""
    delays = sorted(tally.delays) or [0.0]
    total = math.fsum(delays)

    def rank(share: float) -> float:
        return delays[max(math.ceil(share * len(delays)), 1) - 1]

    return Figures(
        policy=policy,
        requests_per_order=tally.requests / max(tally.orders, 1),
        delay_mean_s=total / len(delays),
        delay_p50_s=rank(0.50),
        delay_p95_s=rank(0.95),
        delay_p99_s=rank(0.99),
        delays_per_order_s=total / max(tally.orders, 1),
    )


def requests_at(curve: Sequence[Figures], delay_s: float) -> float:
    """Return the requests an order at this mean delay, straight between points on logarithmic axes.

    Raises: ValueError when the curve does not reach that delay.
    """
    points = sorted((each.delay_mean_s, each.requests_per_order) for each in curve)
    for (low_s, low), (high_s, high) in pairwise(points):
        if low_s <= delay_s <= high_s:
            share = math.log(delay_s / low_s) / math.log(high_s / low_s) if high_s > low_s else 0.0
            return low * math.exp(share * math.log(high / low))
    raise ValueError(f"the curve reaches no mean delay of {delay_s:g} s")

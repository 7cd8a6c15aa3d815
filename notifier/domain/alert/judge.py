"""The tests of one minute: cheap gates first, a tail probability only of what passes them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf, sqrt

from notifier.domain.alert.baseline import Normal
from notifier.domain.alert.counts import Counts
from notifier.domain.alert.finding import Finding
from notifier.domain.alert.noise import Noise
from notifier.domain.alert.report import Place, Tier
from notifier.domain.alert.rule import Gate, Plain, Rule
from notifier.domain.alert.tail import run_length, upper_tail

STILL = 3
"""Minutes in which it must still be going on."""
_STILL_RATIO = 1.2
_DAYS_A_MONTH = 30
_DAY = 1440
_WARN_FACTOR = 10.0
_RUN_PART = 0.25
"""The part of a rule's false pages that runs of failures may make."""
_THIN_PER_DAY = 3 * _DAY
_SUSPICIOUS_Z = 2.33
"""Deviations beyond which a slice is worth a closer look: about one in a hundred."""
_HOPELESS_Z = 3.0
"""Below so many deviations no tail can be as small as any test asks, and none is summed."""
_MOST_NOISE = 0.3


@dataclass(slots=True)
class Scene:
    """What the tests of a minute look at; the numbers of `daily` and `run_limits` are one a slice."""

    counts: Counts
    fast: Normal
    slow: Normal
    noise: Noise
    daily: Sequence[float]
    """Orders a day, by what is remembered."""
    run_limits: Sequence[float]

    def noise_of(self, at: int, window: int, normal: Normal) -> float:
        """Return the correlation to allow for: what was learned, and what is not known of the slice."""
        return min(self.noise.over(window)[at] + normal.unsure[at], _MOST_NOISE)


def tests_per_day(rule: Rule, slices: int) -> float:
    """Return how many independent tests of tier PAGE a day makes: of windows that do not overlap.

    They are tested every minute, which makes several times as many; the gates take about as many away again.
    """
    return slices * sum(_DAY / gate.window for gate in rule.gates[Tier.PAGE])


def level(rule: Rule, tier: Tier, slices: int) -> float:
    """Return the tail probability from which a tier fires, so that the rule keeps its false pages a month."""
    page = rule.false_pages_per_month * (1 - _RUN_PART) / (tests_per_day(rule, slices) * _DAYS_A_MONTH)
    return page * _WARN_FACTOR if tier is Tier.WARN else page


def run_limits(rule: Rule, daily: Sequence[float], normal: Normal, noise: Sequence[float]) -> list[float]:
    """Return from how many failed orders in a row each slice fires; infinite where other tests are sooner."""
    thin = sum(orders < _THIN_PER_DAY for orders in daily)
    false_a_day = rule.false_pages_per_month * _RUN_PART / _DAYS_A_MONTH / max(thin, 1)
    return [
        run_length(
            rate=rate,
            noise=min(rho + doubt, _MOST_NOISE),
            orders_a_day=_THIN_PER_DAY,  # as many as there can be: how many there are is not known at first
            false_a_day=false_a_day,
        )
        if orders < _THIN_PER_DAY
        else inf
        for rate, doubt, rho, orders in zip(normal.rates, normal.unsure, noise, daily, strict=True)
    ]


def spikes(scene: Scene, rule: Rule, tier: Tier) -> Iterator[Finding]:
    """Yield what fires of a tier whose windows are alternatives."""
    alpha = level(rule, tier, len(scene.counts.places))
    for gate in rule.gates[tier]:
        for at in passing(scene.counts, gate, scene.fast.rates):
            if is_still_going(scene, at):
                yield from _tested(scene, at, gate, tier=tier, normal=scene.fast, alpha=alpha)


def passing(counts: Counts, gate: Gate, rates: Sequence[float]) -> list[int]:
    """Return the slices that pass a gate, by number."""
    orders, failed = counts.over(gate.window)
    return [
        at
        for at, (seen, bad, rate) in enumerate(zip(orders, failed, rates, strict=True))
        if bad >= gate.excess  # most have too few: tested first, since this runs a thousand times a minute
        and bad - seen * rate >= gate.excess
        and seen >= gate.least
        and bad >= seen * rate * gate.ratio
        and bad >= seen * (rate + gate.points)
    ]


def is_still_going(scene: Scene, at: int) -> bool:
    """Return whether the last minutes are bad too."""
    orders, failed = scene.counts.over(STILL)
    return failed[at] > 0 and failed[at] >= _STILL_RATIO * orders[at] * scene.fast.rates[at]


def slow(scene: Scene, rule: Rule) -> Iterator[Finding]:
    """Yield what has been a little worse for hours: the first window is tested, the others must pass their gates."""
    gate, *others = rule.gates[Tier.SLOW]
    alpha = level(rule, Tier.SLOW, len(scene.counts.places))
    still = [set(passing(scene.counts, other, scene.slow.rates)) for other in others]
    for at in passing(scene.counts, gate, scene.slow.rates):
        if all(at in each for each in still):
            yield from _tested(scene, at, gate, tier=Tier.SLOW, normal=scene.slow, alpha=alpha)


def runs(scene: Scene) -> Iterator[Finding]:
    """Yield thin slices in which too many orders failed in a row."""
    for at, (run, limit) in enumerate(zip(scene.counts.runs, scene.run_limits, strict=True)):
        if run >= limit:
            rate, noise = scene.fast.rates[at], scene.noise_of(at, STILL, scene.fast)
            yield Finding(
                place=scene.counts.places[at],
                tier=Tier.RUN,
                window=60,
                orders=run,
                failed=run,
                normal=rate,
                noise=noise,
                tail=upper_tail(run, run, rate=rate, noise=noise),
                excess=run * (1 - rate),
            )


def plain(scene: Scene, wanted: Plain) -> Iterator[Finding]:
    """Yield the slices beyond a threshold that a person wrote."""
    orders, failed = scene.counts.over(wanted.window)
    for at, (seen, bad) in enumerate(zip(orders, failed, strict=True)):
        too_many = wanted.failed is not None and bad > wanted.failed
        too_often = wanted.rate is not None and seen >= max(wanted.least, 1) and bad > seen * wanted.rate
        if too_many or too_often:
            yield _finding(scene, at, wanted.window, tier=Tier.PLAIN, normal=scene.fast)


def suspicious(scene: Scene, rule: Rule) -> Iterator[Place]:
    """Yield the slices whose orders in flight are worth looking at first."""
    found = {
        at
        for gate in rule.gates[Tier.WARN]
        for at in passing(scene.counts, gate, scene.fast.rates)
        if _deviation(scene, at, gate.window, scene.fast) > _SUSPICIOUS_Z
    }
    yield from (scene.counts.places[at] for at in sorted(found))


def _tested(
    scene: Scene, at: int, gate: Gate, *, tier: Tier, normal: Normal, alpha: float
) -> Iterator[Finding]:
    if _deviation(scene, at, gate.window, normal) < _HOPELESS_Z:
        return
    found = _finding(scene, at, gate.window, tier=tier, normal=normal)
    if found.tail <= alpha:
        yield found


def _deviation(scene: Scene, at: int, window: int, normal: Normal) -> float:
    orders, failed = scene.counts.over(window)
    seen, rate = orders[at], normal.rates[at]
    spread = 1 + (seen - 1) * scene.noise_of(at, window, normal)
    return (failed[at] - seen * rate) / sqrt(seen * rate * (1 - rate) * spread) if seen else 0.0


def _finding(scene: Scene, at: int, window: int, *, tier: Tier, normal: Normal) -> Finding:
    orders, failed = scene.counts.over(window)
    seen, bad, rate = orders[at], failed[at], normal.rates[at]
    noise = scene.noise_of(at, window, normal)
    return Finding(
        place=scene.counts.places[at],
        tier=tier,
        window=window,
        orders=seen,
        failed=bad,
        normal=rate,
        noise=noise,
        tail=upper_tail(bad, seen, rate=rate, noise=noise),
        excess=bad - seen * rate,
    )

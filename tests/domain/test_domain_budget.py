"""The budget: never exceeded, spent on whoever has waited worst, and steady after a step."""

import heapq
from dataclasses import dataclass, field
from math import ceil, inf, sqrt
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain.budget import Bucket, Fit, Load, Throttle, demand, price_that_fits, serve

RATES = st.floats(0.2, 2000)
LOADS = st.lists(
    st.builds(
        Load,
        st.integers(1, 5000),
        st.floats(0.5, 1e6) | st.just(inf),
        st.just(1.0),
        st.sampled_from([600.0, 3600.0, 86_400.0]),
    ),
    min_size=1,
    max_size=12,
)


@given(RATES, st.lists(st.floats(0, 0.5), min_size=20, max_size=300))
def test_no_ten_seconds_see_more_than_a_twentieth_above_the_rate(rate, pauses):
    bucket, now, began = Bucket(rate, 0.0), 0.0, []
    for pause in pauses:
        now += pause / rate
        began.append(now + max(0.0, bucket.take(now)))
    for first, at in enumerate(began):
        within = sum(at <= each < at + 10 - 1e-5 for each in began[first:])
        assert within <= ceil(10 * rate) + 10 * rate / 20


@given(RATES, RATES, st.integers(1, 50))
def test_a_new_rate_counts_from_the_next_turn(old, new, count):
    bucket = Bucket(old, 0.0)
    for _ in range(count):
        bucket.take(0.0)
    bucket.rate = new
    first = bucket.take(0.0)
    assert bucket.take(0.0) - first == pytest.approx(1 / new, abs=2e-6)


def test_a_rest_that_was_asked_for_lets_nothing_go_and_saves_nothing_up():
    bucket = Bucket(10.0, 0.0)
    bucket.rest(30.0)
    assert bucket.take(0.0) == pytest.approx(30.0)
    assert bucket.take(0.0) == pytest.approx(30.1)


def test_a_refusal_halves_the_rate_once_for_all_that_were_under_way():
    throttle = Throttle(16.0, 0.0)
    assert throttle.refused(100.0, 101.0)
    assert not throttle.refused(100.5, 101.2)
    assert throttle.rate == 8.0
    assert throttle.refused(102.0, 103.0)
    assert throttle.rate == 4.0


def test_the_rate_comes_back_a_tenth_a_minute_at_most():
    throttle = Throttle(10.0, 0.0)
    throttle.refused(0.0, 0.0)
    rates = []
    for second in range(1, 601):
        throttle.answered(0.1, float(second))
        rates.append(throttle.rate)
    assert rates[58] == 5.0
    assert rates[59] == 6.0
    assert all(later - earlier <= 1.0 for earlier, later in zip(rates, rates[59:], strict=False))
    assert rates[-1] == 10.0


def test_answers_that_take_much_longer_than_they_used_to_slow_us_down():
    throttle = Throttle(10.0, 0.0)
    for second in range(600):
        throttle.answered(0.2, float(second))
    assert throttle.rate == 10.0
    for second in range(600, 660):
        throttle.answered(3.0, float(second))
    assert throttle.rate == 7.5


def test_the_rate_never_falls_to_nothing():
    throttle = Throttle(10.0, 0.0)
    for second in range(100):
        throttle.refused(second + 0.5, float(second + 1))
    assert throttle.rate == pytest.approx(10 / 64)


@given(LOADS, st.floats(0.01, 1000), st.floats(0.1, 30))
def test_the_price_is_the_least_that_fits(loads, rate, base):
    fit = price_that_fits(loads, rate=rate, base_price_s=base)
    assert fit.price_s >= base
    asked = demand(loads, fit.price_s)
    assert asked / fit.stretch <= rate * 1.001
    if fit.price_s > base and fit.stretch == 1.0:
        assert demand(loads, fit.price_s * 0.99) > rate * 0.999
    if fit.stretch > 1.0:
        assert asked == pytest.approx(sum(each.count / each.ceiling_s for each in loads), rel=0.01)


def test_a_budget_with_room_costs_the_configured_price():
    assert price_that_fits([Load(10, 5.0, 1.0, 3600.0)], rate=10, base_price_s=3) == Fit(3)
    assert price_that_fits([], rate=10, base_price_s=3) == Fit(3)


@given(st.lists(st.tuples(st.floats(0, 1e6) | st.just(inf), st.integers()), max_size=40), st.integers(1, 20))
def test_who_goes_has_waited_no_less_than_who_stays(ready, room):
    served = serve(ready, room, price_s=3)
    regrets = sorted((regret for regret, _ in ready), reverse=True)
    assert len(served.now) == min(room, len(ready))
    assert len(served.now) + len(served.later) == len(ready)
    assert served.level_s >= 3
    if served.later and regrets[room - 1] < inf:
        assert served.level_s == max(3, regrets[room - 1])


@dataclass
class World:
    """Watches of hazard 1/(age + 30), as a daemon serves them that weighs a window of what is due."""

    rate: float
    arrivals_per_s: float
    base_s: float = 3.0
    window: int = 200
    ceiling_s: float = 3600.0
    now: float = 0.0
    began: list[float] = field(default_factory=list)
    prices: list[float] = field(default_factory=list)
    longest_s: float = 0.0

    def __post_init__(self):
        self.dice = Random(7)
        self.bucket = Bucket(self.rate, 0.0)
        self.due: list[tuple[float, int]] = []
        self.looks: dict[int, tuple[float, float]] = {}
        self.ends: list[tuple[float, int]] = []
        self.fit = Fit(self.base_s)
        self.count = 0

    def arrive(self, count):
        for _ in range(count):
            self.count += 1
            self.looks[self.count] = (self.now, self.now)
            heapq.heappush(self.due, (self.now, self.count))
            heapq.heappush(self.ends, (self.now + 30 * (1 / max(self.dice.random(), 0.005) - 1), self.count))

    def regret(self, key):
        born, seen = self.looks[key]
        gap = self.now - seen
        return inf if gap >= self.ceiling_s * self.fit.stretch else gap * gap / (2 * (seen - born + 30))

    def due_at(self, key, price):
        born, seen = self.looks[key]
        return seen + min(sqrt(2 * price * (seen - born + 30)), self.ceiling_s * self.fit.stretch)

    def run(self, seconds, tick=0.25):
        for step in range(int(seconds / tick)):
            self.now += tick
            lately = self.dice.random() + self.arrivals_per_s * tick
            self.arrive(int(lately))
            while self.ends and self.ends[0][0] <= self.now:
                self.looks.pop(heapq.heappop(self.ends)[1])
            if step % 8 == 0:
                loads = [
                    Load(1, sqrt(2 * (seen - born + 30)), 1.0, self.ceiling_s)
                    for born, seen in self.looks.values()
                ]
                self.fit = price_that_fits(loads, rate=self.bucket.rate, base_price_s=self.base_s)
                self.prices.append(self.fit.price_s)
            self.serve()

    def serve(self):
        room = self.bucket.turns(self.now, 0.0)
        window = []
        while self.due and len(window) < self.window and self.due[0][0] <= self.now:
            window.append(heapq.heappop(self.due)[1])
        window = [key for key in window if key in self.looks]
        served = serve([(self.regret(key), key) for key in window], room, price_s=self.fit.price_s)
        spare = room - len(served.now)
        early, kept = [], []
        while spare > len(early) and self.due and len(kept) < self.window:
            at, key = heapq.heappop(self.due)
            if key in self.looks:
                is_early = self.regret(key) >= self.base_s
                (early if is_early else kept).append(key if is_early else (at, key))
        for each in kept:
            heapq.heappush(self.due, each)
        for key in served.now + early:
            self.bucket.take(self.now)
            self.began.append(self.now)
            born, seen = self.looks[key]
            self.longest_s = max(self.longest_s, self.now - seen)
            self.looks[key] = (born, self.now)
            heapq.heappush(self.due, (self.due_at(key, self.fit.price_s), key))
        for key in served.later:
            heapq.heappush(self.due, (max(self.now + 0.25, self.due_at(key, served.level_s)), key))

    def used(self, since, until):
        return sum(since <= at < until for at in self.began) / ((until - since) * self.bucket.rate)


def test_a_step_of_the_budget_settles_within_two_minutes():
    world = World(rate=60.0, arrivals_per_s=4.0)
    world.run(600)
    world.bucket.rate = 15.0
    world.prices.clear()
    world.run(300)
    level = sum(world.prices[-60:]) / 60
    assert all(0.75 * level <= price <= 1.25 * level for price in world.prices[60:])
    assert max(world.prices) <= 1.5 * level
    assert world.used(620, 900) > 0.97


def test_five_times_the_arrivals_use_the_whole_budget_and_no_more():
    world = World(rate=20.0, arrivals_per_s=1.5)
    world.run(600)
    world.arrivals_per_s *= 5
    world.run(400)
    assert world.used(660, 1000) > 0.97
    for since in range(0, 990, 5):
        assert world.used(since, since + 10) <= 1.05
    world.arrivals_per_s /= 5
    world.run(600)
    assert world.fit.price_s < 2 * world.base_s


def test_nobody_waits_beyond_the_ceiling_that_the_budget_can_keep():
    world = World(rate=4.0, arrivals_per_s=2.0, ceiling_s=60.0)
    world.run(900)
    assert world.fit.stretch >= 1.0
    assert world.longest_s <= 60.0 * max(1.0, world.fit.stretch) * 1.2 + 5

"""Made orders under a budget, served as the daemon serves them and by its own pure functions; a clock of its own."""

import heapq
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import inf

from notifier.domain.backoff import jittered
from notifier.domain.budget import Bucket, Fit, load_of, pace_of, price_that_fits, serve
from notifier.domain.cadence.learning import Hazards
from notifier.domain.cadence.plan import Terms, regret_s, wait_for
from notifier.domain.polling import PollingPolicy
from notifier.simulation.learned import Learned, Parts
from notifier.simulation.lives import Life

LIFE_S = 3600.0
_TICK_S, _EVERY_S = 0.1, 2.0
_WINDOW, _LEAST_WINDOW = 4, 100
_LEAST_PUT_OFF_S = 0.25


@dataclass(slots=True)
class _Watch:
    """One order under way; instants in seconds of the world's clock."""

    life: Life
    born_s: float
    belief: Parts
    looked_s: float
    due_s: float
    seen: int = 0
    is_new: bool = True
    is_put_off: bool = False
    pace: int | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """One change: when it happened, and how late it was seen."""

    at_s: float
    delay_s: float


@dataclass(slots=True)
class World:
    """Orders that begin at `starts` and are watched for an hour. Without a rate the price is constant, and all go.

    What the hazards hold is not added to: every run is judged on the same knowledge.
    """

    lives: Sequence[Life]
    starts: Sequence[float]
    hazards: Hazards
    policy: PollingPolicy
    rate: float | None = None
    seed: int = 0
    now_s: float = 0.0
    began: list[float] = field(default_factory=list)
    prices: list[tuple[float, float]] = field(default_factory=list)
    changes: list[Seen] = field(default_factory=list)
    longest_over_s: float = 0.0
    """How long past its ceiling some look came at most."""
    fit: Fit = field(init=False)
    _bucket: Bucket | None = field(init=False, default=None)
    _watches: dict[int, _Watch] = field(init=False, default_factory=dict)
    _due: list[tuple[float, int]] = field(init=False, default_factory=list)
    _paces: Counter[int] = field(init=False, default_factory=Counter)
    _next: int = field(init=False, default=0)
    _dice: random.Random = field(init=False)
    _learned: Learned = field(init=False)

    def __post_init__(self) -> None:
        self._dice = random.Random(f"world {self.seed}")
        self.fit = Fit(self.policy.price_s)
        self._learned = Learned(self.hazards, self.policy.price_s)
        self.grant(self.rate)

    def grant(self, rate: float | None) -> None:
        """Change what there is to spend, from the next turn on."""
        self.rate = rate
        if rate is not None and self._bucket is not None:
            self._bucket.rate = rate
        elif rate is not None:
            self._bucket = Bucket(rate, self.now_s)

    @property
    def watched(self) -> int:
        return len(self._watches)

    def run(self, until_s: float) -> "World":
        """Live on until an instant."""
        while self.now_s < until_s:
            self.now_s += _TICK_S
            self._begin()
            if self._bucket is None:
                for number in list(self._all_due(inf)):
                    self._look(number)
                continue
            if self.now_s // _EVERY_S != (self.now_s - _TICK_S) // _EVERY_S:
                self._reprice(self._bucket.rate)
            self._serve(self._bucket)
        return self

    def _begin(self) -> None:
        while self._next < len(self.starts) and self.starts[self._next] <= self.now_s:
            born_s, life = self.starts[self._next], self.lives[self._next]
            belief = self._learned.begin(life.sights[0])
            self._watches[self._next] = _Watch(life, born_s, belief, born_s, born_s)
            self._plan_at(self._next, born_s)
            self._next += 1

    def _plan_at(self, number: int, due_s: float) -> None:
        self._watches[number].due_s = due_s
        heapq.heappush(self._due, (due_s, number))

    def _all_due(self, limit: float) -> Iterator[int]:
        """Yield those that are due, longest due first; orders past their hour are forgotten."""
        count = 0
        while self._due and self._due[0][0] <= self.now_s and count < limit:
            due_s, number = heapq.heappop(self._due)
            watch = self._watches.get(number)
            if watch is None or watch.due_s != due_s:
                continue
            if self.now_s - watch.born_s > LIFE_S:
                self._forget(number)
                continue
            count += 1
            yield number

    def _forget(self, number: int) -> None:
        watch = self._watches.pop(number)
        if watch.pace is not None:
            self._paces[watch.pace] -= 1
        for at_s in watch.life.times[watch.seen :]:
            if at_s < LIFE_S:
                self.changes.append(Seen(watch.born_s + at_s, LIFE_S - at_s))

    def _terms(self, price_s: float) -> Terms:
        return Terms(price_s=price_s, policy=self.policy)

    def _reprice(self, rate: float) -> None:
        ceilings_s = (self.policy.max_interval_s, self.policy.longest_interval_s)
        floor_s = self.policy.min_interval_s
        loads = [
            load_of(pace, n, floor_s=floor_s, ceilings_s=ceilings_s) for pace, n in self._paces.items() if n
        ]
        self.fit = price_that_fits(loads, rate=rate, base_price_s=self.policy.price_s)
        self.prices.append((self.now_s, self.fit.price_s))

    def _serve(self, bucket: Bucket) -> None:
        room = bucket.turns(self.now_s, 0.0)
        if room == 0:
            return
        due = list(self._all_due(max(room * _WINDOW, _LEAST_WINDOW)))
        if len(due) <= room:
            going, early = due, self._early(room - len(due))
        else:
            regrets = {number: self._regret_s(number) for number in due}
            served = serve(
                ((regret_s, number) for number, regret_s in regrets.items()), room, price_s=self.fit.price_s
            )
            going, early = served.now, []
            for number in served.later:
                if regrets[number] <= served.level_s:
                    self._put_off(number, served.level_s)
                else:
                    self._plan_at(number, self._watches[number].due_s)
        for number in (*going, *early):
            bucket.take(self.now_s)
            self._look(number)

    def _early(self, room: int) -> list[int]:
        """Return those that were put off whose regret is worth the plain price: there is room for them."""
        early: list[int] = []
        kept: list[tuple[float, int]] = []
        while self._due and len(early) < room and len(kept) < _LEAST_WINDOW:
            due_s, number = heapq.heappop(self._due)
            watch = self._watches.get(number)
            if watch is None or watch.due_s != due_s:
                continue
            is_early = watch.is_put_off and self._regret_s(number) >= self.policy.price_s
            if is_early:
                early.append(number)
            else:
                kept.append((due_s, number))
        for each in kept:
            heapq.heappush(self._due, each)
        return early

    def _regret_s(self, number: int) -> float:
        watch = self._watches[number]
        looked_s, now_s = watch.looked_s - watch.born_s, self.now_s - watch.born_s
        terms = self._terms(self.fit.price_s)
        longest_s = wait_for(watch.belief, terms, hazards=self.hazards, now_s=looked_s).longest_s
        if now_s - looked_s >= longest_s * self.fit.stretch:
            return inf
        head_start_s = self.policy.price_s if watch.is_new else 0.0
        return head_start_s + regret_s(
            watch.belief, terms, hazards=self.hazards, looked_s=looked_s, now_s=now_s
        )

    def _put_off(self, number: int, level_s: float) -> None:
        watch = self._watches[number]
        wait = wait_for(
            watch.belief, self._terms(level_s), hazards=self.hazards, now_s=watch.looked_s - watch.born_s
        )
        watch.is_put_off = True
        at_s = watch.looked_s + wait.seconds * self.fit.stretch
        self._plan_at(number, max(at_s, self.now_s + _LEAST_PUT_OFF_S))

    def _look(self, number: int) -> None:
        watch = self._watches[number]
        age_s, looked_s = self.now_s - watch.born_s, watch.looked_s - watch.born_s
        self._note(watch, looked_s)
        times, before = watch.life.times, watch.seen
        while watch.seen < len(times) and times[watch.seen] <= age_s:
            self.changes.append(Seen(watch.born_s + times[watch.seen], age_s - times[watch.seen]))
            watch.seen += 1
        sight = watch.life.sights[watch.seen] if watch.seen > before else None
        watch.belief = self._learned.look(watch.belief, sight, before_s=looked_s, now_s=age_s)
        watch.looked_s, watch.is_new = self.now_s, False
        self._plan(number, age_s)

    def _note(self, watch: _Watch, looked_s: float) -> None:
        self.began.append(self.now_s)
        terms = self._terms(self.fit.price_s)
        longest_s = wait_for(watch.belief, terms, hazards=self.hazards, now_s=looked_s).longest_s
        self.longest_over_s = max(
            self.longest_over_s, self.now_s - watch.looked_s - longest_s * self.fit.stretch
        )

    def _plan(self, number: int, age_s: float) -> None:
        watch = self._watches[number]
        wait = wait_for(watch.belief, self._terms(self.fit.price_s), hazards=self.hazards, now_s=age_s)
        if watch.pace is not None:
            self._paces[watch.pace] -= 1
        watch.pace = pace_of(wait.seconds, self.fit.price_s)
        self._paces[watch.pace] += 1
        interval_s = max(
            min(jittered(wait.seconds, self._dice.random()), wait.longest_s), self.policy.min_interval_s
        )
        watch.is_put_off = self.fit.price_s > self.policy.price_s
        self._plan_at(number, self.now_s + interval_s * self.fit.stretch)

"""One detector a rule and account: counts in, a verdict a minute out; no clock and no dice, so it replays alike."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import nlargest
from typing import Any

from notifier.domain.alert import judge
from notifier.domain.alert.baseline import STEP, Baseline
from notifier.domain.alert.cause import HARDEST_FIRST, Seen, Table, attribute, figures_of
from notifier.domain.alert.counts import MINUTES_KEPT, RECENT, WINDOWS, Counts, minute_of
from notifier.domain.alert.finding import Finding, Judged
from notifier.domain.alert.noise import Noise
from notifier.domain.alert.outcome import Outcome
from notifier.domain.alert.report import Place, SliceFigures, Tier
from notifier.domain.alert.rule import Rule
from notifier.domain.alert.slices import WHOLE, are_apart, heaviest, places_of
from notifier.domain.alert.tail import upper_tail
from notifier.domain.alert.volume import Volume

_DAY = 1440
_HOUR = 60
_REMEMBERED_DAYS = 1.4427
"""Days' worth of orders that a memory with a half-life of a day holds when it is full."""
_LEAST_ORDERS = 50.0
_TABLES = (3, 5, 10, 15, 60)
_WELL_WINDOW, _WELL_LONGER, _WELL_ORDERS = 10, 30, 30
_WELL_PART, _WELL_TAIL = 0.25, 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """One order put into a minute (`orders` 1) or taken out of it (-1); `failed` likewise, or 0."""

    minute: int
    dimensions: Place
    orders: int
    failed: int


def tallies(rule: Rule, before: Outcome | None, after: Outcome | None) -> Iterator[Tally]:
    """Yield what changes when, of one order, another outcome counts than did before (`outcome.counted`)."""
    for outcome, sign in ((before, -1), (after, 1)):
        if before != after and outcome is not None and rule.looks_at(outcome):
            yield Tally(
                minute=minute_of(outcome.ended_at),
                dimensions=outcome.dimensions,
                orders=sign,
                failed=sign * rule.fails(outcome),
            )


class Detector:
    """Counts, what is normal, and the tests of one rule.

    A minute costs the same however many orders it had: `rule.slices` bounds the slices that live.
    """

    def __init__(self, rule: Rule, places: Sequence[Place] | None = None) -> None:
        """Begin knowing nothing. `places` fixes the slices; without it they follow the traffic."""
        self.rule = rule
        self._is_fixed = places is not None
        alive = list(places or (WHOLE,))
        own = () if rule.plain is None else (rule.plain.window,)
        self._counts = Counts(alive, (*WINDOWS, *own))
        self._baseline, self._noise, self._volume = Baseline(alive), Noise(alive), Volume()
        self._pending: dict[int, dict[Place, list[int]]] = {}
        self._newcomers: dict[Place, float] = {}
        self._held: dict[Place, int] = {}
        self._slow: list[Finding] = []
        self._learned_minute = self._blind_minute = -1
        self._refresh()

    @property
    def places(self) -> Sequence[Place]:
        """The slices that live, the whole first."""
        return self._counts.places

    @property
    def minute(self) -> int:
        """The last minute that was closed, -1 before the first."""
        return self._counts.minute

    def count(self, tally: Tally) -> None:
        """Take one order into account, or out again; a minute that was judged is restated."""
        open_ = self._pending.setdefault(tally.minute, {}) if tally.minute > self.minute else None
        for place in places_of(tally.dimensions, self.rule.dimensions):
            if open_ is None:
                self._counts.restate(tally.minute, place, orders=tally.orders, failed=tally.failed)
                continue
            cell = open_.setdefault(place, [0, 0])
            cell[0] += tally.orders
            cell[1] += tally.failed

    def step(self, minute: int, *, held: Collection[Place] = ()) -> Judged:
        """Close every minute up to this one, the last whose polls have run, and judge it.

        `held` are the causes of open incidents: nothing is learned where they may be.
        """
        first = max(self.minute + 1, minute - MINUTES_KEPT + 1)
        if self.minute < 0:
            first = min((each for each in self._pending if each >= first), default=minute)
        for each in range(first, minute + 1):
            self._close(each, held)
        return self.judge()

    def close(
        self, minute: int, orders: list[int], failed: list[int], *, held: Collection[Place] = ()
    ) -> None:
        """Take a whole minute at once: the numbers of each slice, in the order of `places`."""
        self._counts.close(minute, orders, failed)
        self._hold(held)
        if minute % STEP == STEP - 1:
            self._learn()
            self._slow = list(judge.slow(self._scene, self.rule)) if Tier.SLOW in self.rule.tiers else []

    def restate(self, minute: int, orders: list[int], failed: list[int]) -> None:
        """Add what became known late of a minute that was taken, in the order of `places`."""
        for place, seen, bad in zip(self.places, orders, failed, strict=True):
            if seen:
                self._counts.restate(minute, place, orders=seen, failed=bad)

    def judge(self) -> Judged:
        """Return what the last closed minute shows."""
        findings = self._findings()
        causes = attribute(findings, self._tables({each.window for each in findings})) if findings else ()
        return Judged(
            minute=self.minute, causes=causes, attention=tuple(judge.suspicious(self._scene, self.rule))
        )

    def be_blind(self, minute: int) -> None:
        """Take it that not every end in this minute was seen, so that few of them say nothing."""
        self._blind_minute = minute

    def silence(self) -> Finding | None:
        """Return that the last quarter of an hour was too quiet; None of one in which we were blind."""
        return self._volume.silence()

    @property
    def is_loud(self) -> bool | None:
        """Whether the last quarter of an hour was not too quiet; None of one in which we were blind."""
        return self._volume.silence() is None if self._volume.is_known else None

    def seen(self, place: Place, window: int) -> Seen | None:
        """Return a slice over the last `window` minutes, six hours at most; None of one that is not alive."""
        at = self._counts.index.get(place)
        if at is None:
            return None
        orders, failed = self._counts.lately(at, window)
        return self._seen(at, window, orders, failed)

    def figures(self, place: Place, window: int) -> SliceFigures | None:
        """Return how a place stands over the last `window` minutes; None where it is not alive."""
        seen = self.seen(place, window)
        return None if seen is None else figures_of(seen)

    def is_well(self, place: Place, *, peak: float) -> bool | None:
        """Return whether a place that was bad, at `peak` at most, may be called well again.

        None where half an hour has no traffic to say so. Half an hour that holds good minutes of before speaks for
        no place whose last few orders fail.
        """
        lately = seen = self.seen(place, _WELL_WINDOW)
        if seen is None or seen.orders < _WELL_ORDERS:
            seen = self.seen(place, _WELL_LONGER)
        if seen is None or not seen.orders:
            return None
        most = seen.normal + _WELL_PART * max(peak - seen.normal, 0.0)
        if seen.rate > most or (lately is not None and lately.orders and lately.rate > most):
            return False
        return upper_tail(seen.failed, seen.orders, rate=seen.normal, noise=seen.noise) > _WELL_TAIL

    def false_per_month(self, finding: Finding) -> float:
        """Return how many false pages a month a rule makes that fires at this level."""
        return finding.tail * judge.tests_per_day(self.rule, len(self.places)) * 30

    def accept(self, place: Place) -> None:
        """Take the last hour of a place for its new normal, and of all that share orders with it: they changed, too."""
        for at, each in enumerate(self.places):
            if not are_apart(each, place):
                self._baseline.accept(at, *self._counts.lately(at, _HOUR))
        self._refresh()

    def document(self) -> dict[str, Any]:
        """Return what was learned, as JSON; not the minutes, which whoever stores outcomes can count anew."""
        return {
            "places": self.places,
            "learned_minute": self._learned_minute,
            "baseline": self._baseline.document(),
            "noise": self._noise.document(),
            "volume": self._volume.document(),
        }

    @classmethod
    def from_document(cls, rule: Rule, document: dict[str, Any]) -> "Detector":
        """Take up what was learned. The caller counts the last six hours anew and steps over them."""
        places: list[Place] = [tuple((name, value) for name, value in place) for place in document["places"]]
        known = cls(rule, places)
        known._is_fixed = False
        known._baseline = Baseline.from_document(places, document["baseline"])
        known._noise = Noise.from_document(places, document["noise"])
        known._volume = Volume(**document["volume"])
        known._learned_minute = document["learned_minute"]
        known._refresh()
        return known

    def _close(self, minute: int, held: Collection[Place]) -> None:
        cells = self._pending.pop(minute, {})
        if not self._is_fixed:
            self._meet(cells)
            if minute % _HOUR == 0 or len(self.places) == 1:
                self._rearrange()
        orders, failed = [0] * len(self.places), [0] * len(self.places)
        for place, (seen, bad) in cells.items():
            at = self._counts.index.get(place)
            if at is not None:
                orders[at], failed[at] = seen, bad
        self.close(minute, orders, failed, held=held)

    def _meet(self, cells: dict[Place, list[int]]) -> None:
        """Count places that do not live yet; the lightest make room, and whoever comes takes over their weight."""
        room = 4 * self.rule.slices
        strangers = ((seen, place) for place, (seen, _) in cells.items() if place not in self._counts.index)
        # No more of a minute than there is room for: thousands of made-up banks are not to cost a second.
        for seen, place in nlargest(room, strangers):
            if place not in self._newcomers and len(self._newcomers) >= room:
                lightest = min(self._newcomers, key=self._newcomers.__getitem__)
                self._newcomers[place] = self._newcomers.pop(lightest)
            self._newcomers[place] = self._newcomers.get(place, 0.0) + seen

    def _rearrange(self) -> None:
        """Choose anew which slices live, by a day's orders; an hour of a newcomer stands for its day."""
        weights = dict(zip(self.places, self._baseline.day.orders, strict=True))
        weights |= {place: 24 * seen for place, seen in self._newcomers.items()}
        alive = heaviest(weights, limit=self.rule.slices, least=_LEAST_ORDERS)
        self._newcomers = {}
        if alive != self.places:
            self._counts = self._counts.rearrange(alive)
            self._baseline, self._noise = self._baseline.rearrange(alive), self._noise.rearrange(alive)
            self._refresh()

    def _hold(self, causes: Collection[Place]) -> None:
        for place in self.places if causes else ():
            if any(not are_apart(place, cause) for cause in causes):
                self._held[place] = self.minute

    def _learn(self) -> None:
        """Learn the step that ended a quarter of an hour ago, where no incident was then or is now."""
        minute, counts = self.minute, self._counts
        is_blind = self._blind_minute > minute - STEP
        self._volume.learn(minute, -1 if is_blind else counts.over(RECENT)[0][0])
        if minute - RECENT <= self._learned_minute:
            return
        self._learned_minute = minute - RECENT
        rates = self._scene.fast.rates
        orders, failed = counts.span(RECENT, RECENT + STEP - 1)
        skip = self._held_since(minute - RECENT - STEP + 1)
        for first in range(RECENT, RECENT + STEP, 5):
            self._noise.learn(5, *counts.span(first, first + 4), rates=rates, skip=skip)
        self._noise.learn(15, orders, failed, rates=rates, skip=skip)
        if minute % _HOUR == _HOUR - 1:
            since = self._held_since(minute - RECENT - _HOUR + 1)
            self._noise.learn(_HOUR, *counts.span(RECENT, RECENT + _HOUR - 1), rates=rates, skip=since)
        self._baseline.learn(minute - RECENT, orders, failed, skip)
        self._refresh()

    def _held_since(self, minute: int) -> set[int]:
        index = self._counts.index
        return {index[place] for place, until in self._held.items() if until >= minute and place in index}

    def _refresh(self) -> None:
        shift = self._baseline.season(self.minute + STEP // 2 + 1)
        fast = self._baseline.normal(self._baseline.day, shift)
        slow = self._baseline.normal(self._baseline.week, shift)
        daily = [orders / _REMEMBERED_DAYS for orders in self._baseline.day.orders]
        limits = judge.run_limits(self.rule, daily, fast, self._noise.over(RECENT))
        self._scene = judge.Scene(
            counts=self._counts, fast=fast, slow=slow, noise=self._noise, daily=daily, run_limits=limits
        )

    def _findings(self) -> list[Finding]:
        """Return what fires, the hardest of each slice."""
        rule, scene = self.rule, self._scene
        found: list[Finding] = [*self._slow]
        for tier in (Tier.PAGE, Tier.WARN):
            if tier in rule.tiers:
                found += judge.spikes(scene, rule, tier)
        if Tier.RUN in rule.tiers:
            found += judge.runs(scene)
        if rule.plain is not None:
            found += judge.plain(scene, rule.plain)
        return _hardest(found)

    def _tables(self, windows: Iterable[int]) -> dict[int, Table]:
        return {window: self._table(window) for window in sorted({*_TABLES, *windows})}

    def _table(self, window: int) -> Table:
        orders, failed = self._counts.over(window)
        return {place: self._seen(at, window, orders[at], failed[at]) for at, place in enumerate(self.places)}

    def _seen(self, at: int, window: int, orders: int, failed: int) -> Seen:
        scene = self._scene
        noise = scene.noise_of(at, window, scene.fast)
        return Seen(
            place=self.places[at], orders=orders, failed=failed, normal=scene.fast.rates[at], noise=noise
        )


def _hardest(findings: Iterable[Finding]) -> list[Finding]:
    hardest: dict[Place, Finding] = {}
    for finding in sorted(findings, key=lambda each: (HARDEST_FIRST.index(each.tier), each.tail)):
        hardest.setdefault(finding.place, finding)
    return list(hardest.values())

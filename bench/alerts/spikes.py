"""`python -m bench alerts`: what the spike detector costs in false pages, and how soon it pages, on synthetic traffic.

BENCH_SEEDS is where the seeds begin (the published ones are not those it was built with), BENCH_WORLDS how many.
"""

import copy
import os
import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import sqrt
from multiprocessing import Pool
from statistics import mean, stdev
from typing import Any

import numpy as np

from bench.alerts.lateness import AGES, CADENCE, lateness
from bench.alerts.life import Life
from bench.alerts.static import StaticRule
from bench.alerts.traffic import DAY, Column, Fault, World
from notifier.domain.alert.detect import Detector
from notifier.domain.alert.report import Place
from notifier.domain.alert.rule import Rule

RULE = Rule(name="authorization-failures")
DAYS, WORLDS, FEW_WORLDS = 14, 20, 3
VOLUMES = (10_000, 30_000, 100_000)
NOISES = (0.0, 0.12, 0.25)
LEARNED_DAYS = 3
NOISE, BASE = 0.12, 0.12
PER_MINUTE = (1, 3, 10, 30, 100)
JUMPS = (0.95, 0.60, 0.40, 0.25)
TRIES, WATCHED = 5, 90
JUDGED_EVERY_S = 30.0
"""A minute is judged, by a job that comes round so often, with what is known of it then."""
_SLICE_SHARE = 0.004


@dataclass(frozen=True, kw_only=True)
class Spike:
    """One injected fault: minutes to the page and to the static rule's, None where there was none in time."""

    per_minute: int
    rate: float
    place: Place
    paged_after: float | None
    static_after: float | None
    causes: tuple[Place, ...]


def main() -> None:
    """Measure and print both tables."""
    seeds = _seeds(WORLDS)
    with Pool() as pool:
        print_false(pool.imap, seeds, product(VOLUMES, NOISES))
        print_delays(pool.imap, seeds, PER_MINUTE)


def brief() -> None:
    """Print the rows of both tables that matter most, of a few worlds: some minutes of two cores."""
    seeds = _seeds(FEW_WORLDS)
    with Pool() as pool:
        print_false(pool.imap, seeds, product(VOLUMES, [NOISE]))
        print_delays(pool.imap, seeds, [10])


def _seeds(worlds: int) -> range:
    first = int(os.environ.get("BENCH_SEEDS", "7001"))
    return range(first, first + int(os.environ.get("BENCH_WORLDS", str(worlds))))


def print_false(each: "Map", seeds: Sequence[int], worlds: Iterable[tuple[int, float]]) -> None:
    """Print false pages a day on clean traffic of these volumes and noises: every page is false."""
    print(
        f"\n| orders an hour | noise sd | false pages a day, 95 % interval ({len(seeds)} x {DAYS} days) | static |"
    )
    print("|---|---|---|---|")
    for volume, noise in worlds:
        runs = list(each(false_pages, [(seed, volume, noise) for seed in seeds]))
        static = mean(run[1] for run in runs)
        print(f"| {volume:,} | {noise} | {_interval([run[0] for run in runs])} | {static:.0f} |", flush=True)


def false_pages(world: tuple[int, int, float]) -> tuple[float, float]:
    """Return false pages a day of one world, of the detector and of the static rule."""
    seed, volume, noise = world
    traffic = World(seed, orders_an_hour=volume, noise=noise)
    detector, life, static = Detector(RULE, traffic.places), Life(), StaticRule(len(traffic.places))
    pages = 0
    for minute, (orders, failed) in enumerate(traffic.minutes(0, DAYS * DAY)):
        static.take(minute, orders, failed)
        detector.close(minute, orders, failed, held=life.held)
        pages += len(life.take(detector.judge(), detector))
    return pages / DAYS, static.alarms / DAYS


def print_delays(each: "Map", seeds: Sequence[int], volumes: Sequence[int]) -> None:
    """Print minutes to the page, and how often the right cause was named in one incident."""
    late_s = np.concatenate([lateness().failed, lateness().well])
    half, most = np.quantile(late_s, (0.5, 0.95))
    print(
        f"\nEnds are seen late as by cadence {CADENCE}: {late_s.mean():.0f} s in the mean, "
        f"{half:.1f} s median, {most:.0f} s p95; each minute is judged 0 to {JUDGED_EVERY_S:.0f} s after it."
    )
    print(
        f"\n| slice, orders a minute | {BASE:.0%} to | found in {WATCHED} min | minutes to page, median / p90 | "
        "right cause | incidents a cause | static: found, median / p90 |"
    )
    print("|---|---|---|---|---|---|---|")
    for per_minute in volumes:
        found = [spike for run in each(spikes, [(seed, per_minute) for seed in seeds]) for spike in run]
        for rate in JUMPS:
            _print_delay([spike for spike in found if spike.rate == rate])


def spikes(world: tuple[int, int]) -> list[Spike]:
    """Let one world learn in peace, then break one of its slices, in every way and several times."""
    seed, per_minute = world
    dice = random.Random(seed)
    traffic = World(seed, orders_an_hour=VOLUMES[0], noise=NOISE)
    place = _chosen(traffic, seed, dice)
    traffic.level(place, BASE)
    onset = LEARNED_DAYS * DAY + dice.randrange(DAY)
    traffic.per_minute = per_minute / traffic.share(place) / traffic.traffic_at(onset)
    detector, life = Detector(RULE, traffic.places), Life()
    for minute, (orders, failed) in enumerate(traffic.minutes(0, onset)):
        detector.close(minute, orders, failed, held=life.held)
        life.take(detector.judge(), detector)
    return [
        _broken(
            traffic.again(number),
            copy.deepcopy(detector),
            Fault(place=place, minute=onset + dice.random(), rate=rate),
            per_minute=per_minute,
            lag_s=dice.uniform(0, JUDGED_EVERY_S),
        )
        for number, rate in enumerate(JUMPS * TRIES, 1)
    ]


def _chosen(traffic: World, seed: int, dice: random.Random) -> Place:
    """Return a gateway, a method, a bank or a pair by turns, none too small to have this volume."""
    kinds = (("gateway",), ("payment_method_type",), ("bank",), None)
    kind = kinds[seed % len(kinds)]
    return dice.choice(
        [
            place
            for place in traffic.places
            if traffic.share(place) >= _SLICE_SHARE
            and (len(place) == 2 if kind is None else tuple(name for name, _ in place) == kind)
        ]
    )


def _broken(traffic: World, detector: Detector, fault: Fault, *, per_minute: int, lag_s: float) -> Spike:
    """Watch a fault as the daemon does: what it sees late of a minute is added to it when it is seen."""
    life, static = Life(), StaticRule(len(traffic.places))
    first, at = int(fault.minute), traffic.places.index(fault.place)
    paged_after: float | None = None
    static_after: float | None = None
    causes: list[Place] = []
    late: deque[tuple[Column, ...]] = deque(maxlen=AGES - 1)
    seen = traffic.minutes_as_seen(first, WATCHED, fault, lateness().shares(lag_s))
    for minute, parts in enumerate(seen, first):
        for age, column in enumerate((each[age] for age, each in enumerate(late, 1)), 1):
            detector.restate(minute - age, *column)
        late.appendleft(parts)
        orders, failed = parts[0]
        detector.close(minute, orders, failed, held=life.held)
        after = minute + 1 + lag_s / 60 - fault.minute
        causes += [cause.place for cause in life.take(detector.judge(), detector)]
        if causes and paged_after is None:
            paged_after = after
        whole = [[sum(each) for each in zip(*side, strict=True)] for side in zip(*parts, strict=True)]
        if at in static.take(minute, whole[0], whole[1]) and static_after is None:
            static_after = after
    return Spike(
        per_minute=per_minute,
        rate=fault.rate,
        place=fault.place,
        paged_after=paged_after,
        static_after=static_after,
        causes=tuple(causes),
    )


def _print_delay(found: Sequence[Spike]) -> None:
    paged = [spike for spike in found if spike.causes]
    right = mean(spike.causes[0] == spike.place for spike in paged) if paged else 0.0
    incidents = mean(len(spike.causes) for spike in paged) if paged else 0.0
    print(
        f"| {found[0].per_minute} | {found[0].rate:.0%} | {_times([spike.paged_after for spike in found])} | "
        f"{right:.0%} | {incidents:.2f} | {_times([spike.static_after for spike in found]).replace(' | ', ', ')} |",
        flush=True,
    )


def _times(found: Sequence[float | None]) -> str:
    """Return the share that was found and two quantiles of all, those not found being later than any."""
    late = sorted(float("inf") if each is None else each for each in found)
    share = mean(each is not None for each in found)
    two = " / ".join(f"{late[round(part * (len(late) - 1))]:.1f}" for part in (0.5, 0.9)).replace(
        "inf", "never"
    )
    return f"{share:.0%} | {two}"


def _interval(rates: Sequence[float]) -> str:
    """Return a mean and its 95 % interval, over worlds; without a single page the rule of three bounds it."""
    if not any(rates):
        return f"**0.00** (below {3 / (len(rates) * DAYS):.3f})"
    wide = 1.96 * stdev(rates) / sqrt(len(rates)) if len(rates) > 1 else float("inf")
    return f"**{mean(rates):.3f}** ({max(mean(rates) - wide, 0):.3f} to {mean(rates) + wide:.3f})"


Map = Callable[..., Iterator[Any]]

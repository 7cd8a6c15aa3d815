"""`python -m bench budget`: the protocol by which the budget is judged, on made-up orders and a clock of its own.

The functions are the daemon's: bucket, price that fits, order of service, the cadence itself. What is left out is the
database and the network. Orders come at random, 1.5 a second (6 where the budget steps), and are watched for an hour;
the first hour warms up.
"""

import argparse
import random
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from math import log

from bench.budget_world import LIFE_S, World
from notifier.domain.cadence.learning import Hazards
from notifier.domain.polling import PollingPolicy
from notifier.simulation.comparison import Comparison
from notifier.simulation.learned import frozen
from notifier.simulation.lives import Life
from notifier.simulation.making import USUAL, made_lives

_PER_S, _MORE_PER_S, _TIMES = 1.5, 6.0, 5
_TAUGHT, _PRICE_S = 2000, 3.0
_WARM_S, _LASTING_S, _STEP_S = LIFE_S, 1800.0, 900.0
_LEVEL_S = 300.0, 600.0
_SHARE, _AMPLE = 0.2, 0.6
_TEN_S, _SETTLED, _TURN = 10.0, 0.25, 0.25
_CEILING_S = 600.0
_PRICES = (12.0, 20.0, 30.0, 45.0, 70.0, 110.0, 170.0)


@dataclass(frozen=True, slots=True)
class Asked:
    """One line of the table; `least` instead of `most` where more is better."""

    what: str
    most: float | None = None
    least: float | None = None

    def holds(self, value: float) -> bool:
        return (self.most is None or value <= self.most) and (self.least is None or value >= self.least)


ASKED = (
    Asked("a fifth of the demand at 1 s granted: share of it in the fullest 10 s", most=1.05),
    Asked("the same: share used", least=0.97),
    Asked("the same: mean delay, to that of a constant price with the same requests", most=1.10),
    Asked(
        "budget down to a quarter: seconds until the price stays within 25 % of its level (300 to 600 s after)",
        most=120,
    ),
    Asked("the same: peak of the price, to its level", most=1.5),
    Asked("the same: share in the fullest 10 s from 10 s after the step", most=1.05),
    Asked("arrivals times five: share used from 60 s after the step on", least=0.97),
    Asked("the same: share in the fullest 10 s", most=1.05),
    Asked("the same: turns of the price by more than 25 %", most=1),
    Asked("ceilings the budget can keep: seconds that a look came after its ceiling", most=2),
)


def main(arguments: Sequence[str]) -> None:
    """Judge and print; what misses what is asked says so."""
    parser = argparse.ArgumentParser(prog="python -m bench budget")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    given = parser.parse_args(arguments)
    protocols: Sequence[Callable[[int], list[float]]] = (granted_a_fifth, stepped_down, flooded, at_ceilings)
    with ProcessPoolExecutor(max_workers=2) as pool:
        done = [[pool.submit(protocol, seed) for protocol in protocols] for seed in given.seeds]
        columns = [[value for each in column for value in each.result()] for column in done]
    print(f"| what | meant to be | {' | '.join(f'seed {seed}' for seed in given.seeds)} |")
    print(f"|---|---|{'---|' * len(columns)}")
    for asked, *values in zip(ASKED, *columns, strict=True):
        meant = f"at most {asked.most:g}" if asked.most is not None else f"at least {asked.least:g}"
        cells = (f"{value:.2f}{'' if asked.holds(value) else ' **no**'}" for value in values)
        print(f"| {asked.what} | {meant} | {' | '.join(cells)} |")


def granted_a_fifth(seed: int) -> list[float]:
    """Grant a fifth of what would be asked for at a price of 1 s; judge bursts, use, and delay."""
    make = _maker(seed)
    until_s = _WARM_S + _LASTING_S
    rate = _SHARE * _used(make(1.0, None).run(until_s), _WARM_S, until_s)
    world = make(_PRICE_S, rate).run(until_s)
    constant = {
        _used(each, _WARM_S, until_s): _delay_s(each, _WARM_S, until_s)
        for each in (make(price_s, None).run(until_s) for price_s in _PRICES)
    }
    used = _used(world, _WARM_S, until_s)
    return [
        _fullest(world, rate, 0.0),
        used / rate,
        _delay_s(world, _WARM_S, until_s) / _between(constant, used),
    ]


def stepped_down(seed: int) -> list[float]:
    """Take three quarters of a budget that hardly binds away; judge how the price finds its level.

    Four times the orders, since the price of a few hundred that are under way swings by themselves.
    """
    make = _maker(seed, per_s=_MORE_PER_S)
    rate = _AMPLE * _demand(make)
    world = make(_PRICE_S, rate).run(_WARM_S)
    world.grant(rate / 4)
    world.run(_WARM_S + _LEVEL_S[1])
    after = [(at_s - _WARM_S, price_s) for at_s, price_s in world.prices if at_s > _WARM_S]
    level = _mean([price_s for at_s, price_s in after if at_s > _LEVEL_S[0]])
    off = [at_s for at_s, price_s in after if abs(price_s / level - 1) > _SETTLED]
    peak = max(price_s for _, price_s in after) / level
    return [max(off, default=0.0), peak, _fullest(world, rate / 4, _WARM_S + _TEN_S)]


def flooded(seed: int) -> list[float]:
    """Have five times the orders come; judge use, bursts, and whether the price swings."""
    rate = _AMPLE * _demand(_maker(seed))
    world = _maker(seed, flooded_from_s=_WARM_S)(_PRICE_S, rate).run(_WARM_S + _STEP_S)
    settled_s = _WARM_S + 60
    prices = [price_s for at_s, price_s in world.prices if at_s > settled_s]
    return [
        _used(world, settled_s, _WARM_S + _STEP_S) / rate,
        _fullest(world, rate, 0.0),
        float(_turns(prices)),
    ]


def at_ceilings(seed: int) -> list[float]:
    """Grant a little more than the ceilings alone ask for; judge whether each is kept."""
    rate = 1.1 * _PER_S * LIFE_S / _CEILING_S
    world = _maker(seed)(_PRICE_S, rate, max_interval_s=_CEILING_S).run(_WARM_S + _STEP_S)
    return [world.longest_over_s]


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes worlds of the same orders and the same knowledge."""

    seed: int
    lives: Sequence[Life]
    starts: Sequence[float]
    hazards: Hazards

    def __call__(self, price_s: float, rate: float | None, *, max_interval_s: float = 3600.0) -> World:
        policy = PollingPolicy(price_s=price_s, max_interval_s=max_interval_s)
        return World(self.lives, self.starts, self.hazards, policy, rate, self.seed)


def _maker(seed: int, *, per_s: float = _PER_S, flooded_from_s: float = float("inf")) -> Maker:
    dice = random.Random(f"budget {seed}")
    starts = list(_starts(dice, per_s, flooded_from_s))
    taught = made_lives(USUAL, dice, _TAUGHT + 1)
    hazards = frozen(Comparison(taught, _TAUGHT, seed=seed).learned(_PRICE_S))
    return Maker(seed, made_lives(USUAL, dice, len(starts)), starts, hazards)


def _starts(dice: random.Random, per_s: float, flooded_from_s: float) -> Iterator[float]:
    at_s = 0.0
    while at_s < _WARM_S + _LASTING_S:
        at_s += dice.expovariate(per_s * (_TIMES if at_s >= flooded_from_s else 1))
        yield at_s


def _demand(make: Maker) -> float:
    """Return the requests a second at a price of 1 s."""
    return _used(make(1.0, None).run(_WARM_S + _STEP_S), _WARM_S, _WARM_S + _STEP_S)


def _used(world: World, since_s: float, until_s: float) -> float:
    return (bisect_left(world.began, until_s) - bisect_left(world.began, since_s)) / (until_s - since_s)


def _fullest(world: World, rate: float, since_s: float) -> float:
    """Return the most that any ten seconds saw, to what they were granted."""
    began = world.began[bisect_left(world.began, since_s) :]
    counts = (bisect_left(began, at_s + _TEN_S - 0.05) - place for place, at_s in enumerate(began))
    return max(counts) / (_TEN_S * rate)


def _delay_s(world: World, since_s: float, until_s: float) -> float:
    """Return the mean delay of the changes of a span that has been seen to its end, but for its last ten minutes."""
    return _mean([each.delay_s for each in world.changes if since_s <= each.at_s < until_s - 600])


def _between(curve: Mapping[float, float], used: float) -> float:
    """Return the delay of a constant price with so many requests, straight on logarithmic axes."""
    for (few, long_s), (many, short_s) in pairwise(sorted(curve.items())):
        if few <= used <= many:
            return float(long_s * (short_s / long_s) ** (log(used / few) / log(many / few)))
    raise ValueError(f"no constant price uses {used:g} requests a second; {curve}")


def _turns(prices: Sequence[float]) -> int:
    """Return how often the price turned round and went back by more than a quarter."""
    turns, extreme, direction = 0, prices[0], 0
    for price_s in prices:
        if (price_s - extreme) * direction > 0:
            extreme = price_s
        elif abs(price_s / extreme - 1) > _TURN:
            turns += direction != 0
            extreme, direction = price_s, 1 if price_s > extreme else -1
    return turns


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)

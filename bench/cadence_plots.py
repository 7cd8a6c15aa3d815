"""The two pictures of docs/cadence.md: delay against requests, and a learned hazard beside the true one."""

import random
from itertools import islice, pairwise
from pathlib import Path

from bench.cadence import PRICES, edge_of_backoffs
from notifier.domain.cadence.ages import EDGES, middle_s
from notifier.domain.cadence.situation import Kind as PartKind
from notifier.domain.cadence.situation import Situation
from notifier.domain.order import Source
from notifier.simulation.comparison import TRAINED, Comparison, Kind, Policy
from notifier.simulation.learned import ACCOUNT
from notifier.simulation.lives import Sight
from notifier.simulation.making import USUAL, made_lives
from notifier.simulation.optimal import exact
from notifier.simulation.plot import draw, draw_frontier

_FIXED_S = (5.0, 10.0, 20.0, 50.0, 120.0, 300.0)
_SHOWN = Sight("PENDING_VBV", "", "UPI_INTENT")
_TRUE_FROM = 60_000
_UNTIL_S = 700.0
_LOWEST_PER_S = 1e-4


def draw_all(into: Path, seed: int) -> None:
    """Write both pictures."""
    into.mkdir(parents=True, exist_ok=True)
    lives = made_lives(USUAL, random.Random(seed))
    told = made_lives(USUAL, random.Random(f"told {seed}"))
    comparison = Comparison(lives, TRAINED, seed=seed, told=told)
    results = [comparison.judge(Policy(Kind.FIXED, (each,))) for each in _FIXED_S]
    results += edge_of_backoffs(comparison, lives[TRAINED:])
    for kind in (Kind.PHASE, Kind.HAZARD, Kind.OPTIMAL):
        results += [comparison.judge(Policy(kind, (price,))) for price in PRICES]
    draw_frontier(results, into / "cadence-frontier.svg")
    _draw_hazards(comparison, into / "cadence-learned.svg")


def _draw_hazards(comparison: Comparison, file: Path) -> None:
    ages = [age_s for age_s in map(middle_s, range(len(EDGES) - 1)) if age_s < _UNTIL_S]
    curves = {"true": (ages, _true_hazards(len(ages)))}
    situation = Situation(Source.ORDER, PartKind.ORDER, _SHOWN.status, _SHOWN.method, ACCOUNT)
    for price in (3.0, 30.0):
        law = comparison.learned(price).law(situation)
        learned = [max(law.hazard(age_s), _LOWEST_PER_S) for age_s in ages]
        curves[f"learned from {TRAINED:,} orders, price {price:g} s"] = (ages, learned)
    draw(curves, file, across="seconds since UPI_INTENT became PENDING_VBV", up="hazard, 1/s", marked=False)


def _true_hazards(bins: int) -> list[float]:
    """Return changes to order-seconds in each bin of ages, by lives of which every instant is known."""
    stood = [
        each.until_s
        for each in exact(made_lives(USUAL, random.Random("true"), _TRUE_FROM))
        if each.sight == _SHOWN
    ]
    hazards = []
    for start_s, end_s in islice(pairwise(EDGES), bins):
        changes = sum(start_s <= until_s < end_s for until_s in stood)
        seconds = sum(min(until_s, end_s) - start_s for until_s in stood if until_s > start_s)
        hazards.append(max(changes / seconds if seconds else 0.0, _LOWEST_PER_S))
    return hazards

"""`python -m bench cadence`: the protocol by which the learned cadence is judged, on several sets of made-up orders.

Each set has 20,000 orders: 5,000 to learn from, 15,000 to be judged on. `optimal` is told the law of 20,000 more orders
of the same make (of a file: of the whole file, so in hindsight). The best backoff is the best of a grid, in hindsight.
"""

import argparse
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path

from bench.cadence_rule import rule_to_optimum
from notifier.simulation.comparison import TRAINED, Comparison, Kind, Policy
from notifier.simulation.figures import Figures, requests_at
from notifier.simulation.lives import Life, read_lives
from notifier.simulation.making import OTHER, USUAL, Recipe, made_lives

AT_S = 24.0
PRICES = (1.0, 3.0, 6.0, 12.0, 20.0, 30.0)
_NEAR = (3.0, 6.0, 12.0, 20.0, 30.0)
_JUDGED_PRICES = (1.0, 3.0, 12.0, 30.0)
_FIXED_S = (20.0, 30.0, 40.0, 50.0, 70.0)
_BACKOFFS = tuple(
    product(
        (1.0, 2.0, 4.0, 8.0, 15.0, 25.0, 40.0),
        (1.05, 1.08, 1.12, 1.18, 1.25, 1.4, 1.6, 2.0),
        (300.0, 900.0, 3600.0),
    )
)
_SEARCHED, _TOLD, _FEW = 3000, 20_000, 500
_SETS: Mapping[str, Recipe] = {
    "usual": USUAL,
    "half": replace(USUAL, scale=0.5),
    "double": replace(USUAL, scale=2.0),
    "other": OTHER,
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One line of the table: what is asked, and whether less is better."""

    what: str
    most: float


ASKED = (
    Asked("requests at 24 s, to fixed", 1 / 14),
    Asked("requests at 24 s, to the best backoff", 0.32),
    Asked("requests at 24 s, to phase", 1.0),
    Asked("requests at 24 s, to optimal", 1.10),
    Asked("the same, learning on", 1.10),
    *(Asked(f"cost to optimal at {price:g} s", 1.20 if price == 1 else 1.10) for price in _JUDGED_PRICES),
    *(Asked(f"the rule under a law it knows, at {price:g} s", 1.02) for price in _JUDGED_PRICES),
    Asked("nothing learned, to the best backoff", 0.65),
    Asked("500 learned, to 5,000", 1.25),
    *(Asked(f"cost at {price:g} s, 5,000 learned to 500", 1.0) for price in _JUDGED_PRICES),
)


def main(arguments: Sequence[str]) -> None:
    """Judge and print; what is over what is asked says so."""
    parser = argparse.ArgumentParser(prog="python -m bench cadence")
    parser.add_argument(
        "--lifecycles", type=Path, action="append", default=[], help="judge on this file, too"
    )
    parser.add_argument("--sets", nargs="*", default=list(_SETS), choices=list(_SETS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--plots", type=Path, help="write the pictures of docs/cadence.md into this directory"
    )
    given = parser.parse_args(arguments)
    if given.plots:
        from bench.cadence_plots import draw_all  # noqa: PLC0415 - matplotlib is an extra

        draw_all(given.plots, given.seed)
        return
    sets: list[str | Path] = [*given.sets, *given.lifecycles]
    with ProcessPoolExecutor(max_workers=2) as pool:
        columns = list(pool.map(partial(judged, seed=given.seed), sets))
    _print([str(name) if isinstance(name, str) else name.name for name in sets], columns)


def judged(name: str | Path, *, seed: int) -> list[float]:
    """Return the figures of one set, in the order of `ASKED`."""
    lives, told = _of(name, seed)
    curves = dict(_curves(lives, told, seed))
    print(f"  {name}: {_told_curves(curves)}", file=sys.stderr)
    at = {kind: requests_at(curve, AT_S) for kind, curve in curves.items()}
    to_optimal = [_costs(curves["hazard"])[p] / _costs(curves["optimal"])[p] for p in _JUDGED_PRICES]
    with_more = [_costs(curves["hazard"])[p] / _costs(curves["few"])[p] for p in _JUDGED_PRICES]
    figures = [
        at["hazard"] / at["fixed"],
        at["hazard"] / at["backoff"],
        at["hazard"] / at["phase"],
        at["hazard"] / at["optimal"],
        at["live"] / at["optimal"],
        *to_optimal,
        *(rule_to_optimum(told, price) for price in _JUDGED_PRICES),
        at["none"] / at["backoff"],
        at["few"] / at["hazard"],
        *with_more,
    ]
    print(f"  {name}: {' '.join(map(_number, figures))}", file=sys.stderr)
    return figures


def _of(name: str | Path, seed: int) -> tuple[Sequence[Life], Sequence[Life]]:
    if isinstance(name, Path):
        lives = read_lives(name)
        return lives, lives
    recipe = _SETS[name]
    return made_lives(recipe, random.Random(seed)), made_lives(recipe, random.Random(f"told {seed}"), _TOLD)


def _curves(
    lives: Sequence[Life], told: Sequence[Life], seed: int
) -> Iterator[tuple[str, Sequence[Figures]]]:
    whole = Comparison(lives, TRAINED, seed=seed, told=told)
    rest = lives[TRAINED:]
    yield "fixed", [whole.judge(Policy(Kind.FIXED, (each,))) for each in _FIXED_S]
    yield "backoff", edge_of_backoffs(whole, rest)
    for kind in (Kind.PHASE, Kind.HAZARD, Kind.OPTIMAL):
        yield kind, [whole.judge(Policy(kind, (price,))) for price in PRICES]
    yield "live", _hazards(Comparison(lives, TRAINED, seed=seed, live=True), _NEAR[:-1])
    yield "few", _hazards(Comparison([*lives[:_FEW], *rest], _FEW, seed=seed), PRICES)
    yield "none", _hazards(Comparison(rest, 0, seed=seed), _NEAR)


def _hazards(comparison: Comparison, prices: Sequence[float]) -> Sequence[Figures]:
    return [comparison.judge(Policy(Kind.HAZARD, (price,))) for price in prices]


def edge_of_backoffs(whole: Comparison, rest: Sequence[Life]) -> Sequence[Figures]:
    """Return the lower left edge of all backoffs: searched on some of the orders that judge, so in hindsight."""
    some = Comparison(rest[: _SEARCHED + 1], 1)
    found = sorted(
        ((some.judge(policy), policy) for policy in (Policy(Kind.BACKOFF, each) for each in _BACKOFFS)),
        key=lambda pair: pair[0].delay_mean_s,
    )
    edge: list[Policy] = []
    fewest = float("inf")
    for figures, policy in found:
        if figures.requests_per_order < fewest:
            fewest = figures.requests_per_order
            edge.append(policy)
    return [whole.judge(policy) for policy in edge]


def _costs(curve: Sequence[Figures]) -> Mapping[float, float]:
    return {price: figures.cost(price) for price, figures in zip(PRICES, curve, strict=True)}


def _told_curves(curves: Mapping[str, Sequence[Figures]]) -> str:
    return ", ".join(f"{name} {requests_at(curve, AT_S):.2f}" for name, curve in curves.items())


def _print(names: Sequence[str], columns: Sequence[Sequence[float]]) -> None:
    print(f"| what | meant to be at most | {' | '.join(names)} |")
    print(f"|---|---|{'---|' * len(names)}")
    for asked, *values in zip(ASKED, *columns, strict=True):
        cells = " | ".join(_cell(value, asked.most) for value in values)
        print(f"| {asked.what} | {_number(asked.most)} | {cells} |")


def _cell(value: float, most: float) -> str:
    return _number(value) if value <= most else f"{_number(value)} **over**"


def _number(value: float) -> str:
    return f"1/{1 / value:.1f}" if value < 1 / 8 else f"{value:.3f}"

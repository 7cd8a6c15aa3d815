"""`notifier simulate`: polling policies side by side, on orders from a file or made up."""

import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter, validators

from notifier.cli.options import COMMON, Common, Flag, Misuse
from notifier.cli.plotting import check_plot
from notifier.cli.screen import console, note, show_json, show_table

if TYPE_CHECKING:
    from notifier.simulation.comparison import Comparison, Policy
    from notifier.simulation.figures import Figures
    from notifier.simulation.lives import Life

_MEMBERS = ("requests_per_order", "delay_mean_s", "delay_p50_s", "delay_p95_s", "delay_p99_s")


def simulate(
    *,
    lifecycles: Annotated[
        Path | None, Parameter(validator=validators.Path(exists=True, dir_okay=False))
    ] = None,
    policy: Annotated[tuple[str, ...], Parameter(consume_multiple=True)] = (),
    window_s: Annotated[float, Parameter(validator=validators.Number(gt=0, lte=30 * 86_400))] = 7200,
    train: Annotated[int | None, Parameter(validator=validators.Number(gte=0))] = None,
    live: Flag = False,
    plot: Path | None = None,
    seed: int = 1,
    options: Common = COMMON,
) -> None:
    """Compare polling policies: requests an order, and how late changes are seen.

    Policies are fixed:SECONDS, backoff:FIRST,FACTOR,MAX, phase (a backoff for each phase, the best in hindsight),
    hazard (the daemon's own) and optimal (the best there can be for the law of the orders to learn from). The last
    three take a price, in seconds of delay a request may cost (hazard:3); without one they are tried at eight.

    :param lifecycles: CSV, plain or gzipped: order_id, payment_method_type, at_s, subject, status; made up by default.
    :param policy: A policy; several may be given.
    :param window_s: How long orders are watched, in seconds.
    :param train: How many of the first orders are there to learn from; the others judge. 5000, or a quarter if fewer.
    :param live: Let hazard go on learning while it is judged.
    :param plot: Write mean delay against requests to this .png or .svg file.
    :param seed: Of the orders made up and of when orders begin.
    """
    from notifier.simulation.comparison import TRAINED, USUAL, Comparison, policies

    if plot is not None:
        check_plot(plot)
    wanted = [each for text in policy or USUAL for each in policies(text)]
    lives = _lives(lifecycles, seed)
    trained = min(TRAINED, len(lives) // 4) if train is None else train
    comparison = Comparison(lives, trained, window_s=window_s, seed=seed, live=live)
    results = _judged(comparison, wanted)
    if options.json:
        show_json({"window_s": window_s, "results": [_row(each) for each in results]})
    else:
        show_table(("policy", *_MEMBERS), [_rounded(_row(each)) for each in results])
        note(
            f"[dim]{len(lives) - trained} orders judged, after {trained} to learn from; {window_s:g} s each.[/]"
        )
    if plot is not None:
        from notifier.simulation.plot import draw_frontier

        draw_frontier(results, plot)


def _lives(file: Path | None, seed: int) -> "Sequence[Life]":
    from notifier.simulation.lives import read_lives
    from notifier.simulation.making import USUAL, made_lives

    if file is None:
        return made_lives(USUAL, random.Random(seed))  # noqa: S311 - dice for make-believe
    lives = read_lives(file)
    if not lives:
        raise Misuse(f"{file} holds no orders")
    return lives


def _judged(comparison: "Comparison", wanted: "Iterable[Policy]") -> "list[Figures]":
    from rich.progress import track

    return [
        comparison.judge(each)
        for each in track(
            list(wanted), description="Simulating", console=console(to_people=True), transient=True
        )
    ]


def _row(figures: "Figures") -> dict[str, Any]:
    return {"policy": figures.policy, **{name: getattr(figures, name) for name in _MEMBERS}}


def _rounded(row: dict[str, Any]) -> dict[str, Any]:
    return {name: f"{value:.4g}" if isinstance(value, float) else value for name, value in row.items()}

"""Delay against requests as a picture: the further to the lower left, the better."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from notifier.errors import InvalidValue
from notifier.simulation.figures import Figures

try:
    from matplotlib import rc_context
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
except ModuleNotFoundError:
    raise InvalidValue("--plot", "needs matplotlib; install the notifier with its extra `simulate`") from None

_MARKS = ("o", "s", "^", "D", "v", "P", "X")
_DAY_S = 86_400
_PLAIN = FuncFormatter(lambda value, _: f"{value:g}")
Json = Mapping[str, Any]
Curve = tuple[Sequence[float], Sequence[float]]


def draw_frontier(results: Sequence[Figures], file: Path) -> None:
    """Write requests against mean delay, a line for each family of policies; the file's ending says PNG or SVG.

    Raises: InvalidValue when nothing changed while it was watched, so that there is no delay; as `draw` does.
    """
    families: dict[str, list[Figures]] = {}
    for each in results:
        if each.delay_mean_s <= 0:
            raise InvalidValue(
                "--plot", "has nothing to show: no order that was judged changed while it was watched"
            )
        families.setdefault(each.policy.partition(":")[0], []).append(each)
    curves: dict[str, Curve] = {}
    for name, points in families.items():
        points.sort(key=lambda each: each.requests_per_order)
        curves[name] = ([each.requests_per_order for each in points], [each.delay_mean_s for each in points])
    draw(curves, file, across="requests an order", up="mean delay of a change, s")


def draw(curves: Mapping[str, Curve], file: Path, *, across: str, up: str, marked: bool = True) -> None:
    """Write curves on logarithmic axes.

    Raises: InvalidValue when the file's name ends in neither .png nor .svg; OSError.
    """
    if file.suffix.lower() not in {".png", ".svg"}:
        raise InvalidValue("--plot", f"{file} ends in neither .png nor .svg")
    with _figure(file) as figure:
        axes: Axes = figure.add_subplot(xscale="log", yscale="log", xlabel=across, ylabel=up)
        for mark, (name, (xs, ys)) in zip(_MARKS * len(curves), curves.items(), strict=False):
            axes.plot(xs, ys, marker=mark if marked else None, markersize=4, linewidth=1.2, label=name)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.set_major_formatter(_PLAIN)
            axis.set_minor_formatter(NullFormatter())
        axes.grid(which="both", alpha=0.25)
        axes.legend(frameon=False)


def draw_course(backtest: Json, file: Path) -> None:
    """Write the course of a backtest: the rate of failure, what was normal, and a line where somebody was called."""
    until, points = datetime.fromisoformat(backtest["until"]), backtest["course"]

    def days(at: str) -> float:
        return (datetime.fromisoformat(at) - until).total_seconds() / _DAY_S

    with _figure(file) as figure:
        axes: Axes = figure.add_subplot(xlabel=f"days before {until:%Y-%m-%d %H:%M} UTC", ylabel="failed, %")
        times = [days(point["at"]) for point in points]
        for member, label, style in (("rate", "failed", "-"), ("normal_rate", "normal", "--")):
            axes.plot(times, [point[member] * 100 for point in points], style, linewidth=1.2, label=label)
        for number, page in enumerate(backtest["pages"]):
            label = "" if number else "page"
            axes.axvline(days(page["called_at"]), color="tab:red", alpha=0.6, label=label)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.25)
        axes.legend(frameon=False)


@contextmanager
def _figure(file: Path) -> Iterator[Figure]:
    """Give a figure, and write it: what is the same gives the same bytes, with no date, and no ids by chance."""
    with rc_context({"svg.hashsalt": "notifier", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(7, 4.5), layout="constrained")
        yield figure
        metadata = {"Date": None} if file.suffix.lower() == ".svg" else {"Software": None}
        figure.savefig(file, dpi=110, metadata=metadata)

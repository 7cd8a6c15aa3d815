"""Orders and failed orders by minute and slice, and their running sums over the windows that are tested."""

from collections import deque
from collections.abc import Iterable, Sequence
from datetime import datetime

from notifier.domain.alert.report import Place
from notifier.domain.instant import EPOCH, seconds

MINUTES_KEPT = 360
RECENT = 15
"""How many minutes old a count is, at least, when it teaches what is normal."""
WINDOWS = (3, 5, 10, RECENT, 2 * RECENT, 60, MINUTES_KEPT)
_MINUTE_S = 60

Column = tuple[list[int], list[int]]
"""Orders and failed orders, one of each a slice."""


def minute_of(at: datetime) -> int:
    """Return the minute that an instant lies in, counted from 1970."""
    return int((at - EPOCH).total_seconds() // _MINUTE_S)


def start_of(minute: int) -> datetime:
    """Return the instant at which a minute begins."""
    return EPOCH + seconds(minute * _MINUTE_S)


class Counts:
    """The last six hours, a column a minute. Slices are numbered as they stand in `places`.

    The cost of a minute is that of a few sums a slice, however many orders there were.
    """

    def __init__(self, places: Sequence[Place], windows: Iterable[int] = WINDOWS) -> None:
        """Begin with no minute. Windows are in minutes, none longer than six hours."""
        self.places = list(places)
        self.index = {place: at for at, place in enumerate(self.places)}
        self.minute = -1
        self._closed = 0
        self.runs = [0] * len(self.places)
        """Failed orders in a row up to now; a minute with any success ends a run, so it is never overstated."""
        empty: Column = ([0] * len(self.places), [0] * len(self.places))
        self._columns = deque([empty] * MINUTES_KEPT, maxlen=MINUTES_KEPT)
        self._sums: dict[int, Column] = dict.fromkeys(sorted(set(windows)), empty)

    def close(self, minute: int, orders: list[int], failed: list[int]) -> None:
        """Take the next minute: the numbers of each slice, in the order of `places`."""
        for window, (sum_orders, sum_failed) in self._sums.items():
            gone_orders, gone_failed = self._columns[-window]
            self._sums[window] = (
                [was + new - gone for was, new, gone in zip(sum_orders, orders, gone_orders, strict=True)],
                [was + new - gone for was, new, gone in zip(sum_failed, failed, gone_failed, strict=True)],
            )
        self._columns.append((orders, failed))
        self.minute = minute
        self._closed += 1
        self.runs = [
            run + bad if bad == seen else 0 for run, seen, bad in zip(self.runs, orders, failed, strict=True)
        ]

    def restate(self, minute: int, place: Place, *, orders: int, failed: int) -> None:
        """Correct a minute that was closed: one too old is past correcting, a place that is not alive has none."""
        age, at = self.minute - minute, self.index.get(place)
        if at is None or not 0 <= age < min(self._closed, MINUTES_KEPT):
            return
        of_windows = [column for window, column in self._sums.items() if age < window]
        for of_orders, of_failed in (self._columns[-1 - age], *of_windows):
            of_orders[at] += orders
            of_failed[at] += failed
        self.runs[at] = self._run(at)

    def over(self, window: int) -> Column:
        """Return the sums of the last `window` minutes, one of those that it was made for."""
        return self._sums[window]

    def lately(self, at: int, window: int, *, ago: int = 0) -> tuple[int, int]:
        """Return orders and failed of one slice in `window` minutes up to `ago` minutes before the last."""
        columns = [self._columns[-1 - age] for age in range(ago, min(ago + window, MINUTES_KEPT))]
        return sum(orders[at] for orders, _ in columns), sum(failed[at] for _, failed in columns)

    def span(self, first: int, last: int) -> Column:
        """Return the sums of the minutes that are `first` to `last` old, the younger age first."""
        columns = [self._columns[-1 - age] for age in range(first, last + 1)]
        orders, failed = zip(*columns, strict=True)
        return [sum(each) for each in zip(*orders, strict=True)], [
            sum(each) for each in zip(*failed, strict=True)
        ]

    def rearrange(self, places: Sequence[Place]) -> "Counts":
        """Return the same minutes for other places; a place that was not alive begins with nothing."""
        moved = Counts(places, self._sums)
        order = [self.index.get(place) for place in moved.places]
        moved._columns = deque((_moved(column, order) for column in self._columns), maxlen=MINUTES_KEPT)
        moved._sums = {window: _moved(column, order) for window, column in self._sums.items()}
        moved.minute, moved._closed = self.minute, self._closed
        moved.runs = [0 if was is None else self.runs[was] for was in order]
        return moved

    def _run(self, at: int) -> int:
        run = 0
        for orders, failed in reversed(self._columns):
            if orders[at] != failed[at]:
                break
            run += failed[at]
        return run


def _moved(column: Column, order: Sequence[int | None]) -> Column:
    orders, failed = column
    return (
        [0 if was is None else orders[was] for was in order],
        [0 if was is None else failed[was] for was in order],
    )

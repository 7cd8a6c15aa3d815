"""The rule that most monitors offer: more than a quarter failed, of fifty orders at least, in the last five minutes."""

from collections import deque

WINDOW, RATE, LEAST, MERGED = 5, 0.25, 50, 15


class StaticRule:
    """Counts alarms of single slices; those within a quarter of an hour of each other are one."""

    def __init__(self, slices: int) -> None:
        self.alarms = 0
        self._minutes: deque[tuple[list[int], list[int]]] = deque(maxlen=WINDOW)
        self._last = [-MERGED - 1] * slices

    def take(self, minute: int, orders: list[int], failed: list[int]) -> set[int]:
        """Take a minute; return the slices, by number, that are in alarm."""
        self._minutes.append((orders, failed))
        seen = [sum(each) for each in zip(*(column[0] for column in self._minutes), strict=True)]
        bad = [sum(each) for each in zip(*(column[1] for column in self._minutes), strict=True)]
        alarmed = {at for at, n in enumerate(seen) if n >= LEAST and bad[at] > RATE * n}
        for at in alarmed:
            self.alarms += minute - self._last[at] > MERGED
            self._last[at] = minute
        return alarmed

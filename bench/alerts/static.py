"""The rule that most monitors offer: more than a quarter failed, of fifty orders at least, in the last five minutes."""

from collections import deque

WINDOW, RATE, LEAST, MERGED = 5, 0.25, 50, 15


class StaticRule:
    """Counts alarms of single slices; those within a quarter of an hour of each other are one."""

    def __init__(self, slices: int) -> None:
        self.alarms = 0
        self._minutes = deque([([0] * slices, [0] * slices)] * WINDOW)
        self._seen, self._bad = [0] * slices, [0] * slices
        self._last = [-MERGED - 1] * slices

    def take(self, minute: int, orders: list[int], failed: list[int]) -> set[int]:
        """Take a minute; return the slices, by number, that are in alarm."""
        gone_orders, gone_failed = self._minutes.popleft()
        self._minutes.append((orders, failed))
        self._seen = [
            was + new - gone for was, new, gone in zip(self._seen, orders, gone_orders, strict=True)
        ]
        self._bad = [was + new - gone for was, new, gone in zip(self._bad, failed, gone_failed, strict=True)]
        alarmed = {at for at, n in enumerate(self._seen) if n >= LEAST and self._bad[at] > RATE * n}
        for at in alarmed:
            self.alarms += minute - self._last[at] > MERGED
            self._last[at] = minute
        return alarmed

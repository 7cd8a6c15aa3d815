"""What is claimed and waits for a fetcher, those that somebody waits for first."""

import asyncio
from collections import deque

from notifier.storage.looking import Look


class LookQueue(asyncio.Queue[Look | None]):
    """First in, first out, but for looks that somebody asked for or that are attended to. None ends a fetcher."""

    def _init(self, maxsize: int) -> None:  # noqa: ARG002 - the door that asyncio gives to queues of other orders
        self._urgent: deque[Look] = deque()
        self._others: deque[Look | None] = deque()

    def _put(self, item: Look | None) -> None:
        if item is not None and (item.asked_ms is not None or item.attended_until_ms is not None):
            self._urgent.append(item)
        else:
            self._others.append(item)

    def _get(self) -> Look | None:
        return self._urgent.popleft() if self._urgent else self._others.popleft()

    def qsize(self) -> int:
        return len(self._urgent) + len(self._others)

    def empty(self) -> bool:
        return not self._urgent and not self._others

    def most_urgent(self, look: Look) -> Look:
        """Return an urgent look in exchange for this one, or this one when there is none."""
        if not self._urgent or look.asked_ms is not None:
            return look
        self._others.appendleft(look)
        return self._urgent.popleft()

"""A bounded list of what has come in, and a way to wait for what is to come."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Inbox(Generic[T]):
    """The latest `keep` things received, oldest first."""

    def __init__(self, *, keep: int = 1000) -> None:
        self._items: deque[T] = deque(maxlen=keep)
        self._grown = asyncio.Event()

    def __iter__(self) -> Iterator[T]:
        return iter(tuple(self._items))

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: T) -> None:
        """Keep one more and wake those who wait."""
        self._items.append(item)
        self._grown.set()
        self._grown = asyncio.Event()

    async def wait_for(self, predicate: Callable[[T], bool], timeout_s: float) -> T:
        """Return the oldest item that fits, waiting for it in real time; raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while True:
                for item in self:
                    if predicate(item):
                        return item
                await self._grown.wait()

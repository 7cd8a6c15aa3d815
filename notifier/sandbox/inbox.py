"""A bounded list of what has come in, and a way to wait for what is to come."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Inbox(Generic[T]):
    """The latest `keep` things received, oldest first."""

    def __init__(self, *, keep: int = 1000) -> None:
        self._items: deque[T] = deque(maxlen=keep)
        self._grown = asyncio.Event()
        self._count = 0

    def __iter__(self) -> Iterator[T]:
        return iter(tuple(self._items))

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: T) -> None:
        """Keep one more and wake those who wait."""
        self._items.append(item)
        self._count += 1
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

    async def follow(self) -> AsyncIterator[T]:
        """Yield everything that comes from now on, until cancelled; a reader too slow misses the oldest."""
        seen = self._count
        while True:
            fresh = min(self._count - seen, len(self._items))
            seen = self._count
            for item in tuple(self._items)[len(self._items) - fresh :]:
                yield item
            if seen == self._count:
                await self._grown.wait()

"""Asking for looks because of hints: repeats that come while the first still waits for the database join it."""

import asyncio
from dataclasses import dataclass

from notifier.clock import Clock
from notifier.domain.order import OrderKey, Source
from notifier.errors import NotFound
from notifier.storage.contract import Storage
from notifier.storage.records import Watch


@dataclass(frozen=True, slots=True)
class Wish:
    """One order to look at, best at one source."""

    account: str
    order_key: OrderKey
    source: Source


class Asking:
    """Writes wishes for looks; a flood of one wish costs few transactions."""

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock
        self._waiting: dict[Wish, asyncio.Task[Watch | None]] = {}

    async def ask(self, wish: Wish) -> Watch | None:
        """Make the watch's look due now; None when nobody watches the order any more.

        Raises: StorageError.
        """
        writing = self._waiting.get(wish)
        if writing is None:
            writing = asyncio.create_task(self._write(wish), name="hint:ask")
            self._waiting[wish] = writing
            writing.add_done_callback(lambda done: self._close(wish, done))
        return await asyncio.shield(writing)

    async def _write(self, wish: Wish) -> Watch | None:
        async with self._storage.writing() as tx:
            # A look may begin between the instant read here and the commit: who comes from now on asks anew.
            self._waiting.pop(wish, None)
            try:
                return await tx.ask(wish.account, wish.order_key, now=self._clock.now(), source=wish.source)
            except NotFound:
                return None

    def _close(self, wish: Wish, done: asyncio.Task[Watch | None]) -> None:
        """Forget a wish that never got as far as the database."""
        if self._waiting.get(wish) is done:
            del self._waiting[wish]

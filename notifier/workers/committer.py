"""Group commit: whatever has come in since the last transaction goes into the next one.

A lone item commits at once; while a crowd is under way a transaction waits a moment for company, so that it carries
hundreds under load, which is what makes a database keep up with a network. A group never poisons its members: when
it fails, each item is tried alone and only the culprit is set aside; when the database itself is out of reach, all of
them wait for it. Items are written in the order in which they came. A crash loses only what no transaction has taken,
and that comes due again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

from notifier.clock import Clock
from notifier.errors import StorageError
from notifier.logs import get_logger
from notifier.metrics import Metrics
from notifier.storage.contract import Storage, Transaction

T = TypeVar("T")

_LARGEST_GROUP = 500
_MOST_HEAVY = 32
"""Each takes about a millisecond of the one writer, and somebody else may wait for it."""
_PATIENCE_S = 1.0
_MOST_TRIES = 30
_PROOF_OF_LOSS = 2
_CROWD = 32
_LINGER_S = 0.005

log = get_logger(__name__)


@dataclass(slots=True)
class _Waiting(Generic[T]):
    item: T
    tries: int = 0


class GroupCommit(Generic[T]):
    """Writes items of one kind, many a transaction.

    `write` puts items into an open transaction; `landed` hears of each item that is done with, and whether it was
    written; `under_way` counts the items that are still to land. `is_heavy` tells those that take many statements.
    """

    def __init__(
        self,
        name: str,
        *,
        storage: Storage,
        write: Callable[[Transaction, Sequence[T]], Awaitable[None]],
        landed: Callable[[T, bool], None],
        under_way: Callable[[], int],
        clock: Clock,
        metrics: Metrics,
        is_heavy: Callable[[T], bool] = lambda _: False,
    ) -> None:
        self.name = name
        self._storage = storage
        self._write = write
        self._landed = landed
        self._under_way = under_way
        self._is_heavy = is_heavy
        self._clock = clock
        self._metrics = metrics
        self._items: list[_Waiting[T]] = []
        self._arrived = asyncio.Event()

    def add(self, item: T) -> None:
        """Hand over an item; it is written by the next transaction."""
        self._items.append(_Waiting(item))
        self._arrived.set()

    def forget(self) -> None:
        """Drop what is not written, for a worker that begins anew."""
        self._items.clear()

    async def run(self, stop: asyncio.Event) -> None:
        """Write what comes until `stop` is set, then what is left."""
        stopping = asyncio.ensure_future(stop.wait())
        try:
            while not (stop.is_set() and not self._items):
                if not self._items:
                    arriving = asyncio.ensure_future(self._arrived.wait())
                    await asyncio.wait({arriving, stopping}, return_when=asyncio.FIRST_COMPLETED)
                    arriving.cancel()
                if self._under_way() - len(self._items) > _CROWD and not stop.is_set():
                    await self._clock.sleep(_LINGER_S)
                await self.flush()
        finally:
            stopping.cancel()

    async def flush(self) -> None:
        """Write one group."""
        self._arrived.clear()
        heavy = (place for place, waiting in enumerate(self._items) if self._is_heavy(waiting.item))
        size = min(next(islice(heavy, _MOST_HEAVY, None), _LARGEST_GROUP), _LARGEST_GROUP)
        group, self._items = self._items[:size], self._items[size:]
        if not group:
            return
        began = self._clock.monotonic()
        try:
            await self._commit(group)
        except Exception as error:  # noqa: BLE001 - one bad row must not lose the others
            log.warning("commit.split", worker=self.name, rows=len(group), error=str(error))
            await self._commit_each(group)
        self._metrics.commit_rows.observe(len(group))
        self._metrics.commit_duration_s.observe(self._clock.monotonic() - began)

    async def _commit(self, group: Sequence[_Waiting[T]]) -> None:
        async with self._storage.writing() as tx:
            await self._write(tx, [waiting.item for waiting in group])
        for waiting in group:
            self._landed(waiting.item, True)

    async def _commit_each(self, group: Sequence[_Waiting[T]]) -> None:
        """Write each alone. Two failures, no success and no other write is lost infrastructure: all wait for it."""
        failed: list[_Waiting[T]] = []
        for place, waiting in enumerate(group):
            if len(failed) == _PROOF_OF_LOSS == place and not await self._takes_others():
                failed += group[place:]
                break
            try:
                await self._commit([waiting])
            except StorageError as error:
                log.error("commit.failed", worker=self.name, error=str(error))
                failed.append(waiting)
            except Exception:
                log.exception("commit.failed", worker=self.name)
                self._metrics.loop_errors_total.labels(self.name).inc()
                self._landed(waiting.item, False)
        if failed:
            await self._put_back(failed)

    async def _put_back(self, failed: Sequence[_Waiting[T]]) -> None:
        again = []
        is_to_blame = await self._takes_others()
        for waiting in failed:
            waiting.tries += is_to_blame
            if waiting.tries < _MOST_TRIES:
                again.append(waiting)
            else:
                self._landed(waiting.item, False)
        self._items = again + self._items
        await self._clock.sleep(_PATIENCE_S)

    async def _takes_others(self) -> bool:
        """Return whether the database writes at all: while it does not, no item is to blame, and all wait for it."""
        try:
            async with self._storage.writing():
                return True
        except StorageError:
            return False

"""Keeps what the looks taught: read at the start, written each minute and at the end. A crash costs that minute."""

import asyncio

from notifier.clock import Clock
from notifier.domain.cadence.memory import Document, Evidence, added, summed
from notifier.errors import StorageError
from notifier.logs import get_logger
from notifier.metrics import Metrics
from notifier.storage.contract import Storage
from notifier.workers.cadence import Cadence

_NAME = "hazards"
_EVERY_S = 60.0

log = get_logger(__name__)


class Learner:
    """Shares one memory between this process, those before it and those beside it."""

    name = "learner"

    def __init__(self, *, cadence: Cadence, storage: Storage, clock: Clock, metrics: Metrics) -> None:
        self._hazards = cadence.hazards
        self._storage = storage
        self._clock = clock
        self._metrics = metrics
        self._unsaved: Evidence = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Read, then write until stopped, and once more."""
        is_over = False
        while not is_over:
            try:
                await self.save()
            except StorageError as error:
                log.warning("learner.waiting", error=str(error))
            if stop.is_set():
                is_over = True
            else:
                await self._clock.wait(stop, _EVERY_S)

    async def save(self) -> None:
        """Add what was learned since the last time to what is stored, and go by their sum.

        Raises: StorageError; nothing is lost then but by a crash.
        """
        self._unsaved = summed(self._unsaved, self._hazards.drain())
        known: Document | None
        if self._unsaved:
            async with self._storage.writing() as tx:
                # By a thread, since thousands of situations at once take half a second; the loop goes on meanwhile.
                known = await asyncio.to_thread(added, await tx.learned(_NAME) or {}, self._unsaved)
                await tx.keep_learned(_NAME, known, now=self._clock.now())
            self._unsaved = {}
        else:
            async with self._storage.reading() as tx:
                known = await tx.learned(_NAME)
        if known is not None:
            self._hazards.rebase(known)
            self._metrics.cadence_events.set(self._hazards.events)

"""The poller: for each account a continuous pipeline, claim ahead -> bounded fetchers -> one committer.

No tick waits for its slowest member. A claimed look stays in `in_flight` until what it brought is committed, so at
most one request for an order is under way at each source; the embedded database has one polling process, so a claim
need not be written: a crash forgets it and the look is still due. Accounts share nothing but the committer, so one
merchant's flood or outage cannot delay another's orders. The sources of one account share its budget, not their
troubles.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import ceil

from notifier.clock import Clock
from notifier.domain.order import Source
from notifier.errors import StorageError
from notifier.logs import get_logger
from notifier.metrics import Metrics
from notifier.source.contract import Answer, Failure, FailureReason, StatusSource
from notifier.storage.contract import Storage, Transaction
from notifier.storage.looking import Look, LookOutcome
from notifier.workers.budget import Budget
from notifier.workers.cadence import Cadence
from notifier.workers.claiming import Claiming
from notifier.workers.committer import GroupCommit
from notifier.workers.polled import Polled
from notifier.workers.pricing import Pricing
from notifier.workers.queue import LookQueue
from notifier.workers.recording import Recorder
from notifier.workers.trouble import Upstream

_LONGEST_SLEEP_S = 30.0
_AHEAD = 8
_LEAST_AHEAD = 16
_MOST_AHEAD = 1000
_SOON_S = 0.5
_STORAGE_WAIT_S = 1.0
_PROBED = 20

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountLimits:
    """What the upstream grants one account. Units: requests per second, requests at once."""

    requests_per_s: float
    max_concurrency: int


@dataclass(frozen=True, slots=True)
class Feed:
    """One source of an account, and how it stands."""

    source: StatusSource
    upstream: Upstream


class Poller:
    """Looks at every due order of one account, at each of its sources."""

    def __init__(
        self,
        account: str,
        *,
        feeds: Mapping[Source, Feed],
        limits: AccountLimits,
        storage: Storage,
        recorder: Recorder,
        cadence: Cadence,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self.name = f"poller:{account}"
        self._account = account
        self._feeds = feeds
        self._limits = limits
        self._storage = storage
        self._recorder = recorder
        self._clock = clock
        self._metrics = metrics
        self.budget = Budget(account, limits.requests_per_s, cadence=cadence, clock=clock, metrics=metrics)
        self._claiming = Claiming(account, storage=storage, cadence=cadence, budget=self.budget, clock=clock)
        self._pricing = Pricing(storage=storage, cadence=cadence, budget=self.budget, clock=clock)
        self._queue = LookQueue()
        self._in_flight: set[int] = set()
        self._landed = asyncio.Event()
        self._wake = storage.signals.looks.listener()
        self._answered = 0
        self._ok = metrics.polls_total.labels(account, "ok")
        self._duration_s, self._lateness_s = metrics.poll_duration_s, metrics.poll_lateness_s
        self._committer = GroupCommit[tuple[Polled, LookOutcome | None]](
            self.name,
            storage=storage,
            write=self._write,
            landed=self._on_landed,
            under_way=lambda: len(self._in_flight),
            clock=clock,
            metrics=metrics,
            is_heavy=lambda item: item[1] is None,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Poll until stopped, then bring home and commit what is in flight."""
        self._begin_anew()
        for feed in self._feeds.values():
            await feed.upstream.load()
        drained = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            committing = tasks.create_task(self._committer.run(drained), name=f"{self.name}:commit")
            fetchers = [
                tasks.create_task(self._fetch_many(stop), name=f"{self.name}:fetch:{i}")
                for i in range(self._limits.max_concurrency)
            ]
            probers = [
                tasks.create_task(
                    self._turn_many(stop, self._probing(source)), name=f"{self.name}:probe:{source}"
                )
                for source in self._feeds
            ]
            pricing = tasks.create_task(
                self._turn_many(stop, self._pricing.turn), name=f"{self.name}:pricing"
            )
            refusals = [feed.upstream.refusal for feed in self._feeds.values()]
            stopping = tasks.create_task(_signal(stop, self._landed, self._wake, *refusals))
            try:
                await self._turn_many(stop, self._turn)
            finally:
                while not self._queue.empty():
                    self._queue.get_nowait()
                for _ in fetchers:
                    self._queue.put_nowait(None)
            await asyncio.wait([*fetchers, *probers, pricing])
            drained.set()
            await committing
            stopping.cancel()

    def _begin_anew(self) -> None:
        """Forget what an earlier run that failed had in hand: its looks are still due."""
        self._queue = LookQueue()
        self._in_flight.clear()
        self._committer.forget()

    async def _turn_many(self, stop: asyncio.Event, turn: Callable[[asyncio.Event], Awaitable[None]]) -> None:
        while not stop.is_set():
            try:
                await turn(stop)
            except StorageError as error:
                log.warning("poller.waiting", worker=self.name, error=str(error))
                await self._clock.wait(stop, _STORAGE_WAIT_S)

    async def _turn(self, stop: asyncio.Event) -> None:
        ahead = self._ahead
        room = ahead - len(self._in_flight)
        if room * 2 < ahead:
            self._landed.clear()
            await self._landed.wait()
        else:
            await self._claim(room, stop)

    @property
    def _ahead(self) -> int:
        """How many looks are claimed at most: no more than go soon, since another may matter more by then."""
        limits = self._limits
        soon = limits.max_concurrency + ceil(min(self.budget.rate, _MOST_AHEAD) * _SOON_S)
        return min(_MOST_AHEAD, max(_LEAST_AHEAD, _AHEAD * limits.max_concurrency), soon)

    async def _claim(self, room: int, stop: asyncio.Event) -> None:
        self._wake.clear()
        if stop.is_set():
            return
        # As of before the read: one that lands meanwhile would be taken from rows that are older than its poll.
        now, in_flight = self._clock.now(), frozenset(self._in_flight)
        sources = [source for source, feed in self._feeds.items() if not feed.upstream.is_refused]
        claim = await self._claiming.claim(room, now=now, in_flight=in_flight, sources=sources)
        for look in claim.looks:
            self._in_flight.add(look.id)
            self._queue.put_nowait(look)
        if claim.again_at is None:
            return
        wait_s = (claim.again_at - self._clock.now()).total_seconds()
        if wait_s > 0:
            await self._clock.wait(self._wake, min(wait_s, _LONGEST_SLEEP_S))

    def _probing(self, source: Source) -> Callable[[asyncio.Event], Awaitable[None]]:
        upstream = self._feeds[source].upstream

        async def turn(stop: asyncio.Event) -> None:
            await upstream.refusal.wait()
            if not await self._clock.wait(stop, upstream.probe_wait_s) and upstream.is_refused:
                await self._probe(source, upstream)

        return turn

    async def _probe(self, source: Source, upstream: Upstream) -> None:
        """Ask for one order with the refused credential; the first good answer resumes all."""
        in_flight = frozenset(self._in_flight)
        async with self._storage.reading() as tx:
            # Every watch waits, due or not; another one each time, as it may be one order that is refused.
            soon = self._clock.now() + timedelta(days=36_500)
            looks = await tx.due_looks(
                self._account, now=soon, limit=_PROBED, in_flight=in_flight, sources=[source]
            )
        if looks:
            look = looks[upstream.probes % len(looks)]
            self._in_flight.add(look.id)
            await self._fetch(look)
        if upstream.is_refused:
            await upstream.note_probe()

    async def _fetch_many(self, stop: asyncio.Event) -> None:
        while True:
            look = await self._queue.get()
            if look is None:
                return
            if self._is_refused(look):
                self._drop(look)
                continue
            if (wait_s := self.budget.take()) > 0 and not await self.budget.come(wait_s, stop):
                self._drop(look)  # It is still due.
                return
            look = self._queue.most_urgent(look)
            if self._is_refused(look):  # while it waited
                self._drop(look)
            else:
                await self._fetch(look)

    def _is_refused(self, look: Look) -> bool:
        return self._feeds[look.source].upstream.is_refused

    async def _fetch(self, look: Look) -> None:
        clock, feed = self._clock, self._feeds[look.source]
        source = feed.source
        started_ms, began = clock.now_ms(), clock.monotonic()
        try:
            result = await source.fetch(look.order_id, routing_id=look.routing_id, mandate_id=look.mandate_id)
        except Exception:
            # A source answers with values; what it raises is a defect of ours and must not stop the others.
            log.exception("poll.failed", account=self._account, order_id=look.order_id, source=look.source)
            self._metrics.loop_errors_total.labels(self.name).inc()
            result = Failure(reason=FailureReason.MALFORMED, detail="defect")
        finished_ms, ended = clock.now_ms(), clock.monotonic()
        self._duration_s.observe(ended - began)
        self.budget.note(result, began_s=began, now_s=ended)
        self._lateness_s.observe(max(0, started_ms - look.next_poll_ms) / 1000)
        if isinstance(result, Failure):
            self._note_failure(look, result)
        else:
            self._answered += 1
        if not feed.upstream.is_well_after(result):
            await self._note(feed.upstream, result, look)
        polled = Polled(
            look=look,
            started_ms=started_ms,
            finished_ms=finished_ms,
            result=result,
            reader=source.reader,
        )
        self._committer.add((polled, self._recorder.assess(polled)))

    async def _note(self, upstream: Upstream, result: Answer | Failure, look: Look) -> None:
        try:
            await upstream.note(result, look.order_id)
        except StorageError as error:
            log.warning("poller.waiting", worker=self.name, error=str(error))

    def _note_failure(self, look: Look, failure: Failure) -> None:
        self._metrics.polls_total.labels(self._account, failure.reason).inc()
        log.info(
            "poll.failed",
            account=self._account,
            order_id=look.order_id,
            source=look.source,
            reason=failure.reason,
            http_status=failure.http_status,
            request_id=failure.request_id,
            detail=failure.detail or None,
        )

    async def _write(self, tx: Transaction, group: Sequence[tuple[Polled, LookOutcome | None]]) -> None:
        answered, self._answered = self._answered, 0
        self._ok.inc(answered)  # once for all: counting one takes a lock
        await self._recorder.write(tx, group)

    def _on_landed(self, item: tuple[Polled, LookOutcome | None], written: bool) -> None:
        polled, outcome = item
        self._recorder.landed(polled.look)
        if written or outcome is not None:
            self._drop(polled.look)
            return
        # What this answer says cannot be written: the order is looked at again, but not at once and for ever.
        self._committer.add((polled, self._recorder.put_off(polled)))

    def _drop(self, look: Look) -> None:
        self._in_flight.discard(look.id)
        self._landed.set()
        self._wake.set()  # It may be due again sooner than what the claimer sleeps for.


async def _signal(stop: asyncio.Event, *events: asyncio.Event) -> None:
    """Wake every sleeper of this worker once it is to stop."""
    await stop.wait()
    for event in events:
        event.set()

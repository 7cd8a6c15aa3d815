"""How an account's upstream stands: told once when it starts to fail, once when it is well again (interface 6.15).

Transient trouble only tells; a refused credential also stops the polling of that source, but for one probe after 30 s,
doubling to ten minutes, for ever. The state is a row, so a restart neither forgets an outage nor tells it twice.
"""

import asyncio
from dataclasses import replace
from datetime import datetime

from notifier.clock import Clock
from notifier.domain.event import Fact
from notifier.domain.order import OrderId, Source
from notifier.domain.snapshot import Subject
from notifier.logs import get_logger
from notifier.source.contract import TRANSIENT, Answer, Failure, FailureReason
from notifier.storage.contract import Storage
from notifier.storage.records import SourceHealth, SourceState
from notifier.workers.news import tell_alone
from notifier.workers.recording import Telling

_KEY_WORKS = frozenset({FailureReason.NOT_FOUND, FailureReason.BAD_REQUEST})
"""Failures of one order: who says them is well and knows our key."""
_FAILURES_TO_TELL = 5
_ORDERS_TO_BELIEVE = 2
_REFUSALS_TO_BELIEVE = 3
"""One order's refusals in a row, with no good answer to another between: it may be that order alone."""
_FIRST_PROBE_S = 30.0
_LONGEST_PROBE_S = 600.0

log = get_logger(__name__)


class Upstream:
    """The health of one source of one account."""

    def __init__(
        self, account: str, source: Source, *, storage: Storage, clock: Clock, telling: Telling
    ) -> None:
        self.account = account
        self.source = source
        self._storage = storage
        self._clock = clock
        self._telling = telling
        self._health = SourceHealth(account=account, source=source)
        self._failures = 0
        self._refusals = 0
        self._refused: set[OrderId] = set()
        self._first_failure_at: datetime | None = None
        self._lock = asyncio.Lock()
        self._is_ok, self.is_refused = True, False
        self.refusal = asyncio.Event()
        """Set while the credential is refused, and once more by whoever stops the one that waits for it."""

    async def load(self) -> None:
        """Read how the source stood when the daemon stopped."""
        async with self._storage.reading() as tx:
            self._stand(await tx.source_health(self.account, self.source))

    @property
    def state(self) -> SourceState:
        return self._health.state

    @property
    def probes(self) -> int:
        """How many probes changed nothing."""
        return self._health.probes

    @property
    def probe_wait_s(self) -> float:
        """Seconds until the next probe of a refused credential."""
        return float(min(_LONGEST_PROBE_S, _FIRST_PROBE_S * 2.0 ** min(self._health.probes, 10)))

    def is_well_after(self, result: Answer | Failure) -> bool:
        """Return whether nothing was wrong and nothing is: the common case, which needs no more."""
        is_well = self._is_ok and not self._failures and not self._refusals
        return is_well and not isinstance(result, Failure)

    async def note(self, result: Answer | Failure, order_id: OrderId) -> None:
        """Take one result into account; cheap while all is well."""
        if not isinstance(result, Failure) or result.reason in _KEY_WORKS:
            self._failures = self._refusals = 0
            self._refused.clear()
            if self._health.state is not SourceState.OK:
                await self._recover()
        elif result.reason is FailureReason.REFUSED:
            self._refusals += 1
            self._refused.add(order_id)
            if len(self._refused) >= _ORDERS_TO_BELIEVE or self._refusals >= _REFUSALS_TO_BELIEVE:
                await self._change(SourceState.REFUSED, "source.refused", FailureReason.REFUSED)
        elif result.reason in TRANSIENT:
            self._failures += 1
            self._first_failure_at = self._first_failure_at if self._failures > 1 else self._clock.now()
            if self._failures >= _FAILURES_TO_TELL and self._health.state is SourceState.OK:
                await self._change(SourceState.FAILING, "source.failing", result.reason)

    def _stand(self, health: SourceHealth) -> None:
        self._health = health
        # Asked at every poll, so not made out anew each time.
        self._is_ok = health.state is SourceState.OK
        self.is_refused = health.state is SourceState.REFUSED
        if self.is_refused:
            self.refusal.set()
        else:
            self.refusal.clear()

    async def note_probe(self) -> None:
        """Count a probe that changed nothing; the next one comes later."""
        async with self._lock, self._storage.writing() as tx:
            self._health = replace(self._health, probes=self._health.probes + 1)
            await tx.save_source_health(self._health)

    async def _recover(self) -> None:
        since = self._health.since
        lasted_s = (self._clock.now() - since).total_seconds() if since else 0.0
        await self._change(SourceState.OK, "source.recovered", f"after {lasted_s:.0f} s")

    async def _change(self, state: SourceState, event_type: str, current: str) -> None:
        async with self._lock:
            if self._health.state is state:
                return
            now = self._clock.now()
            before = self._health.state
            since = self._first_failure_at if state is SourceState.FAILING else now
            health = replace(self._health, state=state, since=since or now, failures=self._failures, probes=0)
            fact = Fact(
                type=event_type,
                subject=Subject.SOURCE,
                subject_id=self.source,
                field="state",
                previous=before,
                current=current,
            )
            async with self._storage.writing() as tx:
                await tx.save_source_health(health)
                await tell_alone(tx, self._telling, fact, account=self.account, now=now, source=self.source)
            self._stand(health)
        log.warning(event_type, account=self.account, source=self.source, was=before, detail=current)

"""The deliverer: claims what is owed, lets channels try, and records what came of it.

A claim is a written, conditional update with a lease longer than the longest attempt; it counts the attempt and
freezes the body, so a crash can neither retry for ever nor send two bodies under one id. What a crash leaves is a
lease that runs out: the delivery comes due again, and the attempt is logged as one without an outcome. That is the
one case in which a receiver may see a delivery twice.

Each subscription has a line of its own with few senders, so a slow target fills its own line and nobody else's.
"""

import asyncio
import uuid
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from notifier.channels.contract import Channel
from notifier.channels.handed.cells import Cells
from notifier.clock import Clock
from notifier.domain.delivery import (
    Delivery,
    DeliveryState,
    Outcome,
    Reason,
    Verdict,
    advance,
    begun,
    expire,
)
from notifier.domain.subscription import SubscriptionId
from notifier.errors import SealBroken, StorageError
from notifier.logs import get_logger
from notifier.metrics import Metrics
from notifier.storage.contract import Storage, Transaction
from notifier.storage.records import AttemptRecord, DueDelivery
from notifier.workers.attempts import Attempts, Made, schedule_of
from notifier.workers.bodies import Bodies
from notifier.workers.committer import GroupCommit
from notifier.workers.conversations import handles_of, keep_handles
from notifier.workers.folding import Folder
from notifier.workers.handed import HandedBodies
from notifier.workers.lines import Claimed, DeliveryLimits, Lines, Rest
from notifier.workers.news import tell_missed
from notifier.workers.receivers import Receivers
from notifier.workers.recording import Telling
from notifier.workers.rendering import RenderErrors

_LARGEST_CLAIM = 500
_LONGEST_SLEEP_S = 30.0
_STORAGE_WAIT_S = 1.0
_WENT_WELL = (DeliveryState.DELIVERED, DeliveryState.SUPERSEDED)

log = get_logger(__name__)


class Deliverer:
    """Brings every owed delivery to its end."""

    name = "deliverer"

    def __init__(
        self,
        *,
        storage: Storage,
        channels: Mapping[str, Channel],
        limits: DeliveryLimits,
        telling: Telling,
        clock: Clock,
        metrics: Metrics,
        handed: HandedBodies | None = None,
    ) -> None:
        self._storage = storage
        self._handed = handed or HandedBodies({}, Cells())
        self._render_errors = RenderErrors(telling, metrics)
        self._channels = channels
        self._limits = limits
        self._lease = timedelta(seconds=limits.lease_s)
        self._telling = telling
        self._receivers = Receivers(telling=telling, disable_after_s=limits.disable_after_s)
        self._clock = clock
        self._metrics = metrics
        self._bodies = Bodies(channels, self._render_errors)
        self._attempts = Attempts(channels, limits, clock=clock, metrics=metrics)
        self._folder = Folder(channels, limits, clock=clock, metrics=metrics, errors=self._render_errors)
        self._lines = Lines(limits, clock, folding=self._folder.names)
        self._stop = asyncio.Event()
        self._sending = 0
        self._edition = 0
        self._is_more = False
        self._bell = storage.signals.deliveries.listener()
        self._edits = storage.signals.subscriptions.listener()
        self._recorder = GroupCommit[Made](
            self.name,
            storage=storage,
            write=self._write,
            landed=self._on_landed,
            under_way=lambda: self._lines.outstanding,
            clock=clock,
            metrics=metrics,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until stopped, then let attempts in flight end and record them."""
        drained, self._stop = asyncio.Event(), stop
        # What an earlier run that failed had claimed comes due again when its leases run out.
        self._lines.clear()
        self._handed.clear()
        self._recorder.forget()
        self._sending = 0
        await self._load_receivers()
        async with asyncio.TaskGroup() as tasks:
            recording = tasks.create_task(self._recorder.run(drained), name="deliverer:record")
            stopping = tasks.create_task(_wake(stop, self._bell))
            async with asyncio.TaskGroup() as senders:
                while not stop.is_set():
                    try:
                        await self._turn(senders)
                    except StorageError as error:
                        if isinstance(error, SealBroken):
                            await self._shut_out(error)
                        log.warning("deliverer.waiting", error=str(error))
                        await self._clock.wait(stop, _STORAGE_WAIT_S)
                self._give_back(self._lines.take_back())
            drained.set()
            await recording
            stopping.cancel()

    async def _shut_out(self, error: SealBroken) -> None:
        """Disable a subscription whose secrets do not open, so that it does not keep all others waiting."""
        log.error("subscription.unreadable", subscription=error.subscription, error=str(error))
        with suppress(StorageError):
            async with self._storage.writing() as tx:
                subscription = await tx.subscription(error.account, SubscriptionId(error.subscription))
                await self._receivers.disable(tx, subscription, Reason.OWN_FAULT, now=self._clock.now())

    async def _load_receivers(self) -> None:
        async with self._storage.reading() as tx:
            await self._receivers.load(tx, self._clock)

    async def _turn(self, senders: asyncio.TaskGroup) -> None:
        """Claim what is due, or sleep until something is. Where somebody rang, something most likely is."""
        was_rung = self._bell.is_set()
        self._bell.clear()
        self._present_edition()
        if self._receivers.is_outdated(self._clock):
            await self._load_receivers()
        now = self._clock.now()
        busy = self._lines.busy() | self._handed.busy | self._receivers.resting(now)
        if self._lines.is_full or not (was_rung or self._is_more):
            wait_s = _LONGEST_SLEEP_S if self._lines.is_full else await self._wait_s(busy)
            if wait_s > 0:
                await self._clock.wait(self._bell, wait_s)
                return
        claimed = await self._claim(busy)
        for each in claimed:
            self._lines.put(each)
        self._send_more(len(claimed), senders)
        for rendering in self._handed.begun(self._bell, self._render_errors):
            senders.create_task(rendering, name="deliverer:render")
        if not claimed and not was_rung and self._receivers.resting(self._clock.now()) <= busy:
            # Due by its column, held back by its lane or its line: whatever ends next will wake us.
            await self._clock.wait(self._bell, 1.0)

    async def _wait_s(self, busy: Collection[SubscriptionId]) -> float:
        """Return how long nothing comes due."""
        async with self._storage.reading() as tx:
            next_at = await tx.next_delivery_at(busy=busy)
        now = self._clock.now()
        due = [at for at in (next_at, self._receivers.next_try_at(now)) if at is not None]
        return min([_LONGEST_SLEEP_S, *((at - now).total_seconds() for at in due)])

    async def _claim(self, busy: Collection[SubscriptionId]) -> list[Claimed]:
        edition = self._present_edition()
        lanes, token = self._limits.lanes, uuid.uuid4().hex
        limit = min(_LARGEST_CLAIM, self._lines.room())
        async with self._storage.writing() as tx:
            now = self._clock.now()  # Not before: it may have stepped while others wrote.
            lease_until = now + self._lease
            found = await tx.due_deliveries(now=now, limit=limit, lanes=lanes, busy=busy)
            self._is_more = len(found) >= limit
            due = self._lines.strangers(found)
            past = {each.delivery.id for each in due if self._is_past(each, now)}
            await self._close(tx, [each for each in due if each.is_lapsed or each.delivery.id in past], now)
            fitting = [each for each in self._lines.within(due) if each.delivery.id not in past]
            ready = self._handed.ready(fitting)
            ready += await self._following(tx, ready, now)
            admitted = await self._receivers.admit(tx, ready, now=now, until=lease_until)
            wanted, broken = self._bodies.of(admitted)
            await self._put_off(tx, broken, now)
            faults = await self._render_errors.tell(tx, now)
            won = await tx.claim(wanted, lease_until=lease_until, token=token)
            handles = await handles_of(tx, [each for each, _ in wanted], self._channels)
        self._receivers.admitted()
        self._render_errors.told(faults)
        return [
            Claimed(
                due=each,
                delivery=begun(each.delivery),
                body=body,
                token=token,
                sequence=won[each.delivery.id],
                lease_until=lease_until,
                edition=edition,
                handle=handles.get(each.delivery.id),
            )
            for each, body in wanted
            if each.delivery.id in won
        ]

    async def _following(
        self, tx: Transaction, heads: Sequence[DueDelivery], now: datetime
    ) -> list[DueDelivery]:
        """Return what goes in one message with the heads of its lanes; what strangers' templates make does not."""
        fold = self._folder.names
        ours = [
            each for each in heads if each.subscription.channel in fold and not self._handed.renders(each)
        ]
        found = self._lines.strangers(await self._folder.followers(tx, ours)) if ours else []
        return [each for each in found if not self._is_past(each, now)]

    def _is_past(self, due: DueDelivery, now: datetime) -> bool:
        delivery = due.delivery
        return now >= delivery.expires_at or delivery.attempts > len(schedule_of(due, self._limits))

    async def _close(self, tx: Transaction, due: Sequence[DueDelivery], now: datetime) -> None:
        """Log attempts that a crash left without an outcome; end what expired or has no attempt left."""
        closed: list[tuple[DueDelivery, AttemptRecord | None, Delivery, str | None]] = []
        for each in due:
            lost = AttemptRecord(
                delivery_id=each.delivery.id,
                number=each.delivery.attempts,
                started_at=now,
                duration_ms=0,
                reason=Reason.NO_OUTCOME,
            )
            attempt = lost if each.is_lapsed else None
            if self._is_past(each, now):
                gone = Outcome(verdict=Verdict.REFUSED, reason=Reason.EXHAUSTED)
                ended = expire(each.delivery, now=now)
                if ended is each.delivery:
                    ended = advance(each.delivery, gone, now=now, schedule=(), roll=0.0)
                closed.append((each, attempt, ended, None))
            elif attempt is not None:
                closed.append((each, attempt, each.delivery, None))
        if closed:
            await tx.record_attempts(closed, now=now, lanes=self._limits.lanes)
        await self._tell_missed(tx, [(each, after) for each, _, after, _ in closed], now)

    async def _put_off(self, tx: Transaction, broken: Sequence[DueDelivery], now: datetime) -> None:
        """Let those wait for which nothing could be rendered, for as long as they live."""
        fault = Outcome(verdict=Verdict.OWN_FAULT, reason=Reason.RENDER_ERROR)
        after = [
            (each, advance(each.delivery, fault, now=now, schedule=schedule_of(each, self._limits), roll=0.0))
            for each in broken
        ]
        if after:
            put_off = [(each, None, delivery, None) for each, delivery in after]
            await tx.record_attempts(put_off, now=now, lanes=self._limits.lanes)
        await self._tell_missed(tx, after, now)

    def _send_more(self, count: int, senders: asyncio.TaskGroup) -> None:
        """Have so many more sent, as far as the concurrency goes; a sender goes on until nothing waits."""
        for _ in range(min(count, self._limits.concurrency - self._sending)):
            self._sending += 1
            senders.create_task(self._send_all(senders), name="deliverer:send")

    async def _send_all(self, senders: asyncio.TaskGroup) -> None:
        try:
            while (taken := self._lines.take()) is not None:
                if isinstance(taken, Rest):
                    senders.create_task(self._rest(taken, senders), name="deliverer:rest")
                else:
                    await self._send(taken)
                    self._send_more(self._lines.offered, senders)
        finally:
            self._sending -= 1

    async def _rest(self, rest: Rest, senders: asyncio.TaskGroup) -> None:
        """Wait for a turn without keeping a sender from the others."""
        await self._clock.wait(self._stop, rest.wait_s)
        self._lines.rested(rest.pace)
        self._send_more(self._lines.offered, senders)

    async def _send(self, claimed: Claimed) -> None:
        now = self._clock.now()
        # A subscription was edited, paused or deleted since: this is claimed anew, if it is still owed.
        is_outdated = claimed.edition != self._present_edition()
        may_go = self._lines.has_time(claimed, now) and self._receivers.may_go(claimed.due, now)
        if is_outdated or self._stop.is_set() or not may_go:
            self._give_back([claimed])
            self._lines.sent(claimed)
            return
        self._lines.use_turn(claimed)
        channel = claimed.due.subscription.channel
        fold = self._folder.fold(claimed, self._lines) if channel in self._folder.names else None
        results = (
            [await self._attempts.make(claimed, now)]
            if fold is None
            else await self._folder.make(fold, self._attempts, now)
        )
        for result in results:
            if result[3] is not None and self._receivers.attempted(claimed.due, result[3], self._clock):
                self._bell.set()
            self._recorder.add(result)
        if self._lines.sent(claimed, was_accepted=results[0][2].state in _WENT_WELL):
            self._bell.set()

    def _present_edition(self) -> int:
        if self._edits.is_set():
            self._edits.clear()
            self._edition += 1
            self._receivers.note_edit()
        return self._edition

    def _give_back(self, unsent: Sequence[Claimed]) -> None:
        """Undo claims: no attempt was made, so none is counted."""
        now = self._clock.now()
        for claimed in unsent:
            self._receivers.given_back(claimed.due, now)
            self._recorder.add((claimed, None, claimed.due.delivery._replace(due_at=now), None))

    async def _write(self, tx: Transaction, group: Sequence[Made]) -> None:
        now = self._clock.now()
        written = await tx.record_attempts(
            [(claimed.due, record, after, claimed.token) for claimed, record, after, _ in group],
            now=now,
            lanes=self._limits.lanes,
        )
        await self._receivers.record(
            tx, [(claimed.due, outcome) for claimed, _, _, outcome in group], now=now
        )
        told = [(claimed.due, outcome) for claimed, _, after, outcome in group if after.id in written]
        await keep_handles(tx, told, self._channels, now=now)
        ended = [(claimed.due, after) for claimed, _, after, _ in group if after.id in written]
        await self._tell_missed(tx, ended, now)

    async def _tell_missed(
        self, tx: Transaction, ended: Sequence[tuple[DueDelivery, Delivery]], now: datetime
    ) -> None:
        for due, after in ended:
            if after.state is DeliveryState.FAILED:
                await tell_missed(
                    tx,
                    self._telling,
                    after,
                    event=due.logged.event,
                    subscription_id=due.subscription.id,
                    now=now,
                )

    def _on_landed(self, result: Made, was_written: bool) -> None:
        if was_written:
            self._receivers.recorded()
        if self._lines.landed(result[0]):
            self._bell.set()


async def _wake(stop: asyncio.Event, event: asyncio.Event) -> None:
    await stop.wait()
    event.set()

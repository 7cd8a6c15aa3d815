"""The deliverer: claims what is owed, lets channels try, and records what came of it.

A claim is a written, conditional update with a lease longer than the longest attempt; it counts the attempt and
freezes the body, so a crash can neither retry for ever nor send two bodies under one id. What a crash leaves is a
lease that runs out: the delivery comes due again, and the attempt is logged as one without an outcome. That is the
one case in which a receiver may see a delivery twice.

Each subscription has a line of its own with few senders, so a slow target fills its own line and nobody else's.
"""

import asyncio
import uuid
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from notifier.channels.contract import Address, Channel, Parcel
from notifier.clock import Clock
from notifier.domain.delivery import Delivery, Outcome, Reason, Verdict, advance, expire
from notifier.domain.subscription import Subscription, SubscriptionId, SubscriptionState
from notifier.errors import NotFound
from notifier.logs import get_logger
from notifier.metrics import Metrics
from notifier.storage.contract import Storage, Transaction
from notifier.storage.records import AttemptRecord, Claim, DueDelivery, Lanes
from notifier.workers.bodies import bodies_of
from notifier.workers.committer import GroupCommit
from notifier.workers.pace import Pace

_LARGEST_CLAIM = 200
_LONGEST_SLEEP_S = 30.0
_RECORDING_S = 60.0

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryLimits:
    """How deliveries are tried. Units: seconds; `concurrency` attempts at once over all subscriptions."""

    concurrency: int
    timeout_s: float
    schedule: tuple[float, ...]
    lanes: Lanes
    keep_answers: bool = True

    @property
    def senders(self) -> int:
        """Attempts at once for one subscription."""
        return max(1, self.concurrency // 8)

    @property
    def line_length(self) -> int:
        """Deliveries claimed ahead for one subscription."""
        return self.senders * 8

    @property
    def claimed_ahead(self) -> int:
        """Deliveries claimed ahead over all subscriptions."""
        return self.concurrency * 8

    @property
    def lease_s(self) -> float:
        """How long a claim holds: the wait in line, the attempt and its record."""
        return self.timeout_s * (self.line_length / self.senders + 1) + _RECORDING_S


@dataclass(frozen=True, slots=True, kw_only=True)
class _Claimed:
    due: DueDelivery
    delivery: Delivery
    body: bytes
    token: str
    sequence: int


@dataclass(slots=True)
class _Line:
    """What is claimed for one subscription and how many senders are at it."""

    waiting: deque[_Claimed] = field(default_factory=deque)
    senders: int = 0
    outstanding: int = 0
    pace: Pace | None = None


_Result = tuple[_Claimed, AttemptRecord, Delivery, Outcome]


class Deliverer:
    """Brings every owed delivery to its end."""

    name = "deliverer"

    def __init__(
        self,
        *,
        storage: Storage,
        channels: Mapping[str, Channel],
        limits: DeliveryLimits,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._storage = storage
        self._channels = channels
        self._limits = limits
        self._clock = clock
        self._metrics = metrics
        self._lines: dict[SubscriptionId, _Line] = {}
        self._slots = asyncio.Semaphore(limits.concurrency)
        self._outstanding = 0
        self._is_more = False
        self._bell = storage.signals.deliveries.listener()
        self._recorder = GroupCommit[_Result](
            self.name,
            storage=storage,
            write=self._write,
            landed=self._on_landed,
            under_way=lambda: self._outstanding,
            clock=clock,
            metrics=metrics,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until stopped, then let attempts in flight end and record them."""
        drained = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            recording = tasks.create_task(self._recorder.run(drained), name="deliverer:record")
            stopping = tasks.create_task(_wake(stop, self._bell))
            async with asyncio.TaskGroup() as senders:
                while not stop.is_set():
                    await self._turn(senders)
                self._leave_lines()
            drained.set()
            await recording
            stopping.cancel()

    async def _turn(self, senders: asyncio.TaskGroup) -> None:
        """Claim what is due, or sleep until something is."""
        self._bell.clear()
        busy = {key for key, line in self._lines.items() if self._is_busy(line)}
        wait_s = _LONGEST_SLEEP_S if self._is_full else await self._wait_s(busy)
        if wait_s > 0:
            await self._clock.wait(self._bell, wait_s)
            return
        claimed = await self._claim(busy)
        for each in claimed:
            self._enqueue(each, senders)
        if not claimed:
            # Due by its column, held back by its lane or its line: whatever ends next will wake us.
            await self._clock.wait(self._bell, 1.0)

    async def _wait_s(self, busy: Collection[SubscriptionId]) -> float:
        """Return how long nothing comes due; after a claim that found plenty it is not worth asking."""
        if self._is_more:
            return 0.0
        async with self._storage.reading() as tx:
            next_at = await tx.next_delivery_at(busy=busy)
        if next_at is None:
            return _LONGEST_SLEEP_S
        return min(_LONGEST_SLEEP_S, (next_at - self._clock.now()).total_seconds())

    def _room(self) -> int:
        """Return how many to claim at most: what the lines that are not busy have room for, or one empty line."""
        left = [self._limits.line_length - line.outstanding for line in self._lines.values()]
        free = sum(room for room in left if room * 2 >= self._limits.line_length)
        return min(_LARGEST_CLAIM, free or self._limits.line_length)

    async def _claim(self, busy: Collection[SubscriptionId]) -> list[_Claimed]:
        now = self._clock.now()
        lanes, limit, token = self._limits.lanes, self._room(), uuid.uuid4().hex
        async with self._storage.writing() as tx:
            due = await tx.due_deliveries(now=now, limit=limit, lanes=lanes, busy=busy)
            self._is_more = len(due) == limit
            await self._close_past(tx, due, now)
            wanted_due = [each for each in self._within_lines(due) if not self._is_past(each, now)]
            bodies = bodies_of(wanted_due, self._channels, self._metrics)
            wanted = [
                self._hold(each, body, now, token) for each, body in zip(wanted_due, bodies, strict=True)
            ]
            held = [each for each in wanted if isinstance(each, tuple)]
            broken = [each for each in wanted if isinstance(each, Delivery)]
            if broken:
                await tx.record_attempts([(None, each, None) for each in broken], now=now, lanes=lanes)
            won = await tx.claim([claim for _, claim in held])
        return [
            _Claimed(
                due=due_delivery,
                delivery=replace(due_delivery.delivery, attempts=claim.attempt),
                body=claim.body,
                token=claim.token,
                sequence=won[claim.delivery_id],
            )
            for due_delivery, claim in held
            if claim.delivery_id in won
        ]

    def _within_lines(self, due: Sequence[DueDelivery]) -> list[DueDelivery]:
        """Leave out what its subscription's line has no room for."""
        room: dict[SubscriptionId, int] = {}
        taken = []
        for each in due:
            key = each.subscription.id
            line = self._lines.get(key)
            left = room.get(key, self._limits.line_length - (line.outstanding if line else 0))
            if left > 0:
                taken.append(each)
            room[key] = left - 1
        return taken

    def _schedule(self, due: DueDelivery) -> tuple[float, ...]:
        own = due.subscription.schedule
        return self._limits.schedule if own is None else own

    def _is_past(self, due: DueDelivery, now: datetime) -> bool:
        delivery = due.delivery
        return now >= delivery.expires_at or delivery.attempts > len(self._schedule(due))

    async def _close_past(self, tx: Transaction, due: Sequence[DueDelivery], now: datetime) -> None:
        """Log attempts that a crash left without an outcome; end what expired or has no attempt left."""
        closed: list[tuple[AttemptRecord | None, Delivery, str | None]] = []
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
                closed.append((attempt, ended, None))
            elif attempt is not None:
                closed.append((attempt, each.delivery, None))
        if closed:
            await tx.record_attempts(closed, now=now, lanes=self._limits.lanes)

    def _hold(
        self, due: DueDelivery, body: bytes | None, now: datetime, token: str
    ) -> tuple[DueDelivery, Claim] | Delivery:
        """Return the claim with its frozen body, or the delivery put off because nothing could be rendered."""
        delivery = due.delivery
        if body is None:
            fault = Outcome(verdict=Verdict.OWN_FAULT, reason=Reason.RENDER_ERROR)
            return advance(delivery, fault, now=now, schedule=self._schedule(due), roll=self._clock.roll())
        claim = Claim(
            delivery_id=delivery.id,
            subscription_id=due.subscription.id,
            attempt=delivery.attempts + 1,
            body=body,
            lease_until=now + timedelta(seconds=self._limits.lease_s),
            token=token,
        )
        return due, claim

    def _enqueue(self, claimed: _Claimed, senders: asyncio.TaskGroup) -> None:
        subscription = claimed.due.subscription
        line = self._lines.setdefault(subscription.id, _Line())
        if subscription.rate_per_s is not None and line.pace is None:
            line.pace = Pace(subscription.rate_per_s, self._clock)
        line.waiting.append(claimed)
        line.outstanding += 1
        self._outstanding += 1
        if line.senders < self._limits.senders:
            line.senders += 1
            senders.create_task(self._send_line(line), name=f"deliverer:{subscription.id}")

    def _leave_lines(self) -> None:
        """Forget what waits in line at the stop: its lease is given back at the next start."""
        for line in self._lines.values():
            line.waiting.clear()

    async def _send_line(self, line: _Line) -> None:
        try:
            while line.waiting:
                claimed = line.waiting.popleft()
                if line.pace is not None:
                    await self._clock.sleep(max(0.0, line.pace.wait_s()))
                async with self._slots:
                    self._recorder.add(await self._attempt(claimed))
        finally:
            line.senders -= 1

    async def _attempt(self, claimed: _Claimed) -> _Result:
        clock, due = self._clock, claimed.due
        channel = self._channels[due.subscription.channel]
        started_at, began = clock.now(), clock.monotonic()
        try:
            outcome = await channel.send(self._parcel(claimed, started_at))
        except Exception:
            # A channel answers with values; what it raises is our defect and must not cost the receiver an attempt.
            log.exception("delivery.failed", delivery=claimed.delivery.id, channel=channel.name)
            outcome = Outcome(verdict=Verdict.OWN_FAULT, reason=Reason.OWN_FAULT)
        duration_s = clock.monotonic() - began
        now = clock.now()
        self._metrics.deliveries_total.labels(channel.name, outcome.reason).inc()
        self._metrics.delivery_duration_s.labels(channel.name).observe(duration_s)
        after = advance(claimed.delivery, outcome, now=now, schedule=self._schedule(due), roll=clock.roll())
        record = AttemptRecord(
            delivery_id=claimed.delivery.id,
            number=claimed.delivery.attempts,
            started_at=started_at,
            duration_ms=round(duration_s * 1000),
            reason=outcome.reason,
            http_status=outcome.http_status,
            retry_after_s=outcome.retry_after_s,
            answer=outcome.answer if self._limits.keep_answers else b"",
        )
        log.info(
            "delivery.attempted",
            delivery=after.id,
            event_id=due.logged.event.id,
            event_type=due.logged.event.type,
            subscription=due.subscription.id,
            channel=channel.name,
            attempt=record.number,
            outcome=outcome.reason,
            http_status=outcome.http_status,
            state=after.state,
            duration_ms=record.duration_ms,
        )
        return claimed, record, after, outcome

    def _parcel(self, claimed: _Claimed, now: datetime) -> Parcel:
        due = claimed.due
        secrets = due.secrets
        return Parcel(
            event_id=due.logged.event.id,
            event_type=due.logged.event.type,
            account=due.subscription.account,
            order_id=due.logged.event.order_id,
            subscription_id=due.subscription.id,
            sequence=claimed.sequence,
            attempt=claimed.delivery.attempts,
            body=claimed.body,
            now=now,
            address=Address(
                target=secrets.target,
                secrets=secrets.signing,
                headers=secrets.headers,
                basic_auth=secrets.basic_auth,
            ),
            behind=tuple(due.behind),
            replay_id=due.replay_id,
        )

    async def _write(self, tx: Transaction, group: Sequence[_Result]) -> None:
        now = self._clock.now()
        await tx.record_attempts(
            [(record, after, claimed.token) for claimed, record, after, _ in group],
            now=now,
            lanes=self._limits.lanes,
        )
        for claimed, _, _, outcome in group:
            if outcome.verdict is Verdict.GONE:
                await self._disable(tx, claimed.due.subscription, now)

    async def _disable(self, tx: Transaction, gone: Subscription, now: datetime) -> None:
        """Stop sending to a receiver that said it is gone for good (410); read anew, as it may have been edited."""
        try:
            subscription = await tx.subscription(gone.account, gone.id)
        except NotFound:
            return
        await tx.amend_subscription(replace(subscription, state=SubscriptionState.DISABLED), None, now=now)
        log.warning("subscription.disabled", subscription=subscription.id, reason=Reason.GONE)

    def _on_landed(self, result: _Result, _written: bool) -> None:
        key = result[0].due.subscription.id
        line = self._lines[key]
        was_busy = self._is_busy(line) or self._is_full
        line.outstanding -= 1
        self._outstanding -= 1
        if was_busy and not (self._is_busy(line) or self._is_full):
            self._bell.set()
        if line.outstanding == 0:
            del self._lines[key]

    def _is_busy(self, line: _Line) -> bool:
        """Return whether a line is more than half full: below that a claim is worth its transaction."""
        return line.outstanding * 2 > self._limits.line_length

    @property
    def _is_full(self) -> bool:
        return self._outstanding * 2 > self._limits.claimed_ahead


async def _wake(stop: asyncio.Event, event: asyncio.Event) -> None:
    await stop.wait()
    event.set()

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
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache

from notifier.channels.contract import Address, Channel, Parcel
from notifier.clock import Clock
from notifier.domain.delivery import Delivery, Outcome, Reason, Verdict, advance, begun, expire
from notifier.domain.subscription import SubscriptionId, SubscriptionState
from notifier.errors import NotFound, StorageError
from notifier.logs import get_logger
from notifier.metrics import Metrics
from notifier.storage.contract import Storage, Transaction
from notifier.storage.records import AttemptRecord, Claim, DueDelivery
from notifier.workers.bodies import bodies_of
from notifier.workers.committer import GroupCommit
from notifier.workers.lines import Claimed, DeliveryLimits, Lines, Rest

_LARGEST_CLAIM = 500
_LONGEST_SLEEP_S = 30.0
_STORAGE_WAIT_S = 1.0

log = get_logger(__name__)


_Result = tuple[Claimed, AttemptRecord | None, Delivery, Outcome | None]


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
        self._attempts_of = lru_cache(maxsize=None)(metrics.deliveries_total.labels)
        self._durations = {name: metrics.delivery_duration_s.labels(name) for name in channels}
        self._lines = Lines(limits, clock)
        self._stop = asyncio.Event()
        self._sending = 0
        self._edition = 0
        self._is_more = False
        self._bell = storage.signals.deliveries.listener()
        self._edits = storage.signals.subscriptions.listener()
        self._recorder = GroupCommit[_Result](
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
        self._recorder.forget()
        self._sending = 0
        async with asyncio.TaskGroup() as tasks:
            recording = tasks.create_task(self._recorder.run(drained), name="deliverer:record")
            stopping = tasks.create_task(_wake(stop, self._bell))
            async with asyncio.TaskGroup() as senders:
                while not stop.is_set():
                    try:
                        await self._turn(senders)
                    except StorageError as error:
                        log.warning("deliverer.waiting", error=str(error))
                        await self._clock.wait(stop, _STORAGE_WAIT_S)
                self._give_back(self._lines.take_back())
            drained.set()
            await recording
            stopping.cancel()

    async def _turn(self, senders: asyncio.TaskGroup) -> None:
        """Claim what is due, or sleep until something is."""
        self._bell.clear()
        busy = self._lines.busy()
        wait_s = _LONGEST_SLEEP_S if self._lines.is_full else await self._wait_s(busy)
        if wait_s > 0:
            await self._clock.wait(self._bell, wait_s)
            return
        claimed = await self._claim(busy)
        for each in claimed:
            self._lines.put(each)
        self._send_more(len(claimed), senders)
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

    async def _claim(self, busy: Collection[SubscriptionId]) -> list[Claimed]:
        edition = self._present_edition()
        lanes, token = self._limits.lanes, uuid.uuid4().hex
        limit = min(_LARGEST_CLAIM, self._lines.room())
        async with self._storage.writing() as tx:
            now = self._clock.now()  # Not before: it may have stepped while others wrote.
            due = await tx.due_deliveries(now=now, limit=limit, lanes=lanes, busy=busy)
            self._is_more = len(due) == limit
            await self._close_past(tx, due, now)
            wanted_due = [each for each in self._lines.within(due) if not self._is_past(each, now)]
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
            Claimed(
                due=due_delivery,
                delivery=begun(due_delivery.delivery),
                body=claim.body,
                token=claim.token,
                sequence=won[claim.delivery_id],
                lease_until=claim.lease_until,
                edition=edition,
            )
            for due_delivery, claim in held
            if claim.delivery_id in won
        ]

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
            event_id=due.logged.event.id,
            attempt=delivery.attempts + 1,
            body=body,
            lease_until=now + timedelta(seconds=self._limits.lease_s),
            token=token,
        )
        return due, claim

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
        finally:
            self._sending -= 1

    async def _rest(self, rest: Rest, senders: asyncio.TaskGroup) -> None:
        """Wait for a subscription's own rate without keeping a sender from the others."""
        await self._clock.wait(self._stop, rest.wait_s)
        self._lines.rested(rest.line)
        self._send_more(1, senders)

    async def _send(self, claimed: Claimed) -> None:
        now = self._clock.now()
        # A subscription was edited, paused or deleted since: this is claimed anew, if it is still owed.
        is_outdated = claimed.edition != self._present_edition()
        if is_outdated or self._stop.is_set() or not self._lines.has_time(claimed, now):
            self._give_back([claimed])
        else:
            self._lines.use_turn(claimed)
            self._recorder.add(await self._attempt(claimed, now))
        self._lines.sent(claimed)

    def _present_edition(self) -> int:
        if self._edits.is_set():
            self._edits.clear()
            self._edition += 1
        return self._edition

    def _give_back(self, unsent: Sequence[Claimed]) -> None:
        """Undo claims: no attempt was made, so none is counted."""
        now = self._clock.now()
        for claimed in unsent:
            self._recorder.add((claimed, None, replace(claimed.due.delivery, due_at=now), None))

    async def _attempt(self, claimed: Claimed, started_at: datetime) -> _Result:
        clock, due = self._clock, claimed.due
        channel = self._channels[due.subscription.channel]
        began = clock.monotonic()
        try:
            outcome = await channel.send(self._parcel(claimed, started_at))
        except Exception:
            # A channel answers with values; what it raises is our defect and must not cost the receiver an attempt.
            log.exception("delivery.failed", delivery=claimed.delivery.id, channel=channel.name)
            outcome = Outcome(verdict=Verdict.OWN_FAULT, reason=Reason.OWN_FAULT)
        duration_s = clock.monotonic() - began
        now = clock.now()
        self._attempts_of(channel.name, outcome.reason).inc()
        self._durations[channel.name].observe(duration_s)
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

    def _parcel(self, claimed: Claimed, now: datetime) -> Parcel:
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
            if outcome is not None and outcome.verdict is Verdict.GONE:
                await self._disable(tx, claimed.due, now)

    async def _disable(self, tx: Transaction, gone: DueDelivery, now: datetime) -> None:
        """Stop sending to a receiver that said it is gone for good (410), unless its address was edited since."""
        try:
            subscription = await tx.subscription(gone.subscription.account, gone.subscription.id)
        except NotFound:
            return
        if (await tx.secrets(subscription.id)).target != gone.secrets.target:
            return
        await tx.amend_subscription(replace(subscription, state=SubscriptionState.DISABLED), None, now=now)
        log.warning("subscription.disabled", subscription=subscription.id, reason=Reason.GONE)

    def _on_landed(self, result: _Result, _written: bool) -> None:
        if self._lines.landed(result[0]):
            self._bell.set()


async def _wake(stop: asyncio.Event, event: asyncio.Event) -> None:
    await stop.wait()
    event.set()

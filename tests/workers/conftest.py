"""A small daemon without network or wall clock: real storage, a source and a channel that a test moves by hand."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from notifier.config.secret import Secret
from notifier.domain.order import Source, order_key, parse_order_id
from notifier.domain.polling import PollingPolicy
from notifier.domain.subscription import Subscription, SubscriptionId
from notifier.metrics import Metrics
from notifier.storage.contract import Storage
from notifier.storage.engine import _READERS
from notifier.storage.records import Lanes, LoggedEvent, Registration, SubscriptionSecrets, Watch
from notifier.workers.cadence import Cadence
from notifier.workers.contract import Worker
from notifier.workers.deliverer import Deliverer
from notifier.workers.handed import HandedBodies
from notifier.workers.lines import DeliveryLimits
from notifier.workers.poller import AccountLimits, Feed, Poller
from notifier.workers.recording import Recorder, Telling
from notifier.workers.trouble import Upstream
from support.clock import FakeClock, settle
from support.database import open_empty
from support.fakes import FakeChannel, FakeSource

SCHEDULE = (5.0, 25.0, 90.0, 300.0)


@dataclass
class House:
    storage: Storage
    clock: FakeClock
    source: FakeSource
    channel: FakeChannel
    others: dict[Source, FakeSource] = field(default_factory=dict)
    """Further sources of the account, beside `source`, which is its order status."""
    metrics: Metrics = field(default_factory=Metrics)
    policy: PollingPolicy = field(default_factory=lambda: PollingPolicy(price_s=0.05))
    """Requests are cheap, so that what is new is looked at every other second."""
    lanes: Lanes = field(default_factory=Lanes)
    handed: HandedBodies | None = None

    @property
    def telling(self) -> Telling:
        return Telling(
            expires_after_s=285_120,
            lanes=self.lanes,
            new_id=lambda: uuid.uuid4().hex,
            livemode=lambda _: False,
        )

    def poller(
        self,
        account: str = "shop",
        source: FakeSource | None = None,
        *,
        concurrency: int = 4,
        rate: float = 1000.0,
        cadence: Cadence | None = None,
    ) -> Poller:
        telling = self.telling
        feeds = {
            each: Feed(
                asked, Upstream(account, each, storage=self.storage, clock=self.clock, telling=telling)
            )
            for each, asked in ({Source.ORDER: source or self.source} | self.others).items()
        }
        cadence = cadence or Cadence(policy=self.policy, clock=self.clock)
        return Poller(
            account,
            feeds=feeds,
            limits=AccountLimits(requests_per_s=rate, max_concurrency=concurrency),
            storage=self.storage,
            recorder=Recorder(clock=self.clock, cadence=cadence, telling=telling, metrics=self.metrics),
            cadence=cadence,
            clock=self.clock,
            metrics=self.metrics,
        )

    def deliverer(self, **limits: Any) -> Deliverer:
        given = {
            "concurrency": 16,
            "longest_attempt_s": 15.0,
            "schedule": SCHEDULE,
            "lanes": self.lanes,
        } | limits
        return Deliverer(
            storage=self.storage,
            channels={"webhook": self.channel},
            limits=DeliveryLimits(**given),
            telling=self.telling,
            clock=self.clock,
            metrics=self.metrics,
            handed=self.handed,
        )

    @asynccontextmanager
    async def running(self, *workers: Worker) -> AsyncIterator[None]:
        stop = asyncio.Event()
        tasks = [asyncio.create_task(worker.run(stop)) for worker in workers]
        try:
            await self.quiet()
            yield
        finally:
            stop.set()
            done, late = await asyncio.wait(tasks, timeout=5)
            for task in late:
                task.cancel()
            assert not late, "a worker did not stop"
            for task in done:
                task.result()

    async def quiet(self) -> None:
        """Let everything that is due now happen: no transaction under way, and no task that goes on by itself."""
        calm = 0
        while calm < 3:
            await settle(10)
            is_calm = not any(door.locked() or door._value < free for door, free in self._doors())
            calm = calm + 1 if is_calm else 0
            if not is_calm:
                await asyncio.sleep(0.0005)

    def _doors(self) -> list[tuple[asyncio.Semaphore, int]]:
        writer, readers = self.storage._doors
        return [(writer, 1), (readers, _READERS)]

    async def pass_time(self, seconds: float, step: float = 1.0, *, settled: bool = False) -> None:
        """Let time pass; if `settled`, transactions end before the next sleeper wakes, which takes much longer."""
        settle_by = self.quiet if settled else None
        end = self.clock.now() + timedelta(seconds=seconds)
        while self.clock.now() < end:
            await self.clock.advance(min(step, (end - self.clock.now()).total_seconds()), settle_by)
            await self.quiet()

    async def watch(self, order_id: str, *, account: str = "shop", **wish: Any) -> Watch:
        registration = Registration(account=account, order_id=parse_order_id(order_id), **wish)
        async with self.storage.writing() as tx:
            watch, _ = await tx.register(registration, now=self.clock.now())
        return watch

    async def ask(self, order_id: str, source: Source | None = None) -> None:
        async with self.storage.writing() as tx:
            await tx.ask("shop", order_key(order_id), now=self.clock.now(), source=source)

    async def watched(self, order_id: str) -> Watch:
        async with self.storage.reading() as tx:
            return await tx.watch("shop", order_key(order_id))

    async def subscribe(self, *events: str, name: str = "shop", **members: Any) -> Subscription:
        subscription = Subscription(
            id=SubscriptionId(f"sub_{name}"),
            account="shop",
            name=name,
            channel="webhook",
            target=members.pop("target", f"https://{name}.example/hook"),
            events=events or ("*",),
            **members,
        )
        secrets = SubscriptionSecrets(target=Secret(subscription.target))
        async with self.storage.writing() as tx:
            await tx.add_subscription(subscription, secrets, now=self.clock.now())
        return subscription

    async def events(self) -> list[LoggedEvent]:
        async with self.storage.reading() as tx:
            return await tx.events("shop", limit=500)

    async def types(self) -> list[str]:
        return [logged.event.type for logged in await self.events()]


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    clock = FakeClock()
    storage = await open_empty(tmp_path / "notifier.db", clock=clock)
    try:
        yield House(storage, clock, FakeSource(), FakeChannel())
    finally:
        await storage.close()

"""Subscriptions, what they are owed, and the deliverer that brings it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, NamedTuple

from bench.ground import CONCURRENCY, WARM_S, Figures, new_delivery_id, plain_telling
from notifier.app.crew import delivery_limits
from notifier.channels.catalogue import channels
from notifier.channels.contract import Channel, Parcel
from notifier.clock import SystemClock
from notifier.config.model import Config, Delivery
from notifier.config.secret import Secret
from notifier.domain.delivery import Outcome, Verdict
from notifier.domain.event import Event, EventId
from notifier.domain.order import Phase, Source, parse_order_id
from notifier.domain.snapshot import Snapshot, Subject
from notifier.domain.subscription import Subscription, SubscriptionId
from notifier.metrics import Metrics
from notifier.storage.contract import Storage, Transaction
from notifier.storage.records import Lanes, Registration, SubscriptionSecrets, Watch
from notifier.storage.telling import tell
from notifier.templating import Templates
from notifier.workers.deliverer import Deliverer


def deliverer_of(storage: Storage) -> tuple[Deliverer, Mapping[str, Channel]]:
    """Return the daemon's own deliverer as the shipped configuration has it, and the channels it sends by."""
    clock = SystemClock()
    delivery = Delivery(allow_http=True, allow_private_targets=True, concurrency=CONCURRENCY)
    config = Config(delivery=delivery)
    doors = channels(config, Templates(None), clock)
    deliverer = Deliverer(
        storage=storage,
        channels=doors,
        limits=delivery_limits(config, Lanes()),
        telling=plain_telling(),
        clock=clock,
        metrics=Metrics(),
    )
    return deliverer, doors


@asynccontextmanager
async def delivering(deliverer: Deliverer, doors: Mapping[str, Channel]) -> AsyncIterator[None]:
    """Run a deliverer for as long as the block lasts."""
    stop = asyncio.Event()
    task = asyncio.ensure_future(deliverer.run(stop))
    try:
        yield
    finally:
        stop.set()
        for door in doors.values():
            await door.close()  # nobody waits for what hangs
        await task


def noted(
    doors: Mapping[str, Channel], *, of: Callable[[Parcel], str | None] = lambda parcel: parcel.event_id
) -> tuple[dict[str | None, float], dict[str | None, float]]:
    """Have callbacks noted: when the first attempt at each event (or order) began, and when one was accepted."""
    begun: dict[str | None, float] = {}
    accepted: dict[str | None, float] = {}
    send = doors["webhook"].send

    async def noting(parcel: Parcel) -> Outcome:
        begun.setdefault(of(parcel), time.perf_counter())
        outcome = await send(parcel)
        if outcome.verdict is Verdict.ACCEPTED:
            accepted[of(parcel)] = time.perf_counter()
        return outcome

    doors["webhook"].send = noting  # type: ignore[method-assign]
    return begun, accepted


async def subscribe(
    tx: Transaction,
    name: str,
    target: str,
    *,
    account: str = "bench",
    events: str = "order.*",
    tags: tuple[str, ...] = (),
) -> None:
    subscription = Subscription(
        id=SubscriptionId(f"sub_{name}"),
        account=account,
        name=None,
        channel="webhook",
        target=target,
        events=(events,),
        tags=tags,
    )
    secrets = SubscriptionSecrets(
        target=Secret(target), signing=(Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),)
    )
    await tx.add_subscription(subscription, secrets, now=SystemClock().now())


class Order(NamedTuple):
    """An order of which something can be told."""

    watch: Watch
    snapshot: Snapshot
    version: int


async def see_order(tx: Transaction, number: int, *, now: datetime, account: str = "bench") -> Order:
    """Register an order and keep a snapshot of it: what the first watch has seen."""
    wish = Registration(account=account, order_id=parse_order_id(f"BENCH{number}"))
    watch, _ = await tx.register(wish, now=now)
    snapshot = (await tx.snapshot_at(1)).snapshot
    version = await tx.add_snapshot(watch, snapshot, observed_at=now, not_before=None)
    return Order(watch, snapshot, version)


async def tell_of(tx: Transaction, order: Order, *, now: datetime) -> EventId:
    """Tell one event of an order of which nothing was told yet, and owe it."""
    watch = order.watch
    event = Event(
        id=EventId(f"evt_{watch.id:032x}"),
        type="order.charged",
        account=watch.account,
        livemode=False,
        subject=Subject.ORDER,
        subject_id=None,
        observed_at=now,
        order_id=watch.order_id,
        order_key=watch.order_key,
        order_version=order.version,
        source=Source.ORDER,
        field="status",
        current="CHARGED",
        phase=Phase.SUCCEEDED,
    )
    await tell(
        tx,
        [event],
        watch=watch,
        snapshot=order.snapshot,
        now=now,
        expires_after_s=285_120,
        lanes=Lanes(),
        new_id=new_delivery_id,
    )
    return event.id


async def owe_backlog(storage: Storage, events: int) -> None:
    """Owe so many events of as many orders to every subscription."""
    now = SystemClock().now()
    for number in range(events):
        async with storage.writing() as tx:
            order = await see_order(tx, number, now=now)
            await tell_of(tx, order, now=now)
            await tx.end_watch(order.watch.id, order.watch.state, unless_asked_after=now)


async def see_orders(storage: Storage, accounts: Sequence[str], count: int) -> list[Order]:
    """Make orders of which nothing was told yet, the accounts in turns."""
    now = SystemClock().now()
    async with storage.writing() as tx:
        return [
            await see_order(tx, number, now=now, account=accounts[number % len(accounts)])
            for number in range(count)
        ]


async def tell_steadily(storage: Storage, orders: Sequence[Order], *, per_s: float) -> dict[EventId, float]:
    """Tell of one order after the other, so many a second, each in a transaction of its own.

    Returns: when each was committed, in seconds of `perf_counter`; what served to warm up is left out.
    """
    committed: dict[EventId, float] = {}
    began = time.perf_counter()
    for number, order in enumerate(orders):
        await asyncio.sleep(max(0.0, began + number / per_s - time.perf_counter()))
        async with storage.writing() as tx:
            event_id = await tell_of(tx, order, now=SystemClock().now())
        if number >= per_s * WARM_S:
            committed[event_id] = time.perf_counter()
    return committed


def pace_of(committed: Mapping[Any, float]) -> Figures:
    """Return how many events a second were told indeed."""
    first, *_, last = committed.values()
    return {"events_per_s": (len(committed) - 1) / (last - first)}

"""The measured loops: bare aiohttp ones, and the daemon's own parts on real SQLite with `synchronous=FULL`."""

import asyncio
import sqlite3
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from bench.server import order_body
from notifier.channels.catalogue import channels
from notifier.clock import SystemClock
from notifier.config.accounts import Account
from notifier.config.model import Config, Delivery
from notifier.config.secret import Secret
from notifier.domain.cadence import PollingPolicy
from notifier.domain.change import SCHEMA
from notifier.domain.event import Event, EventId
from notifier.domain.order import Phase, Source, parse_order_id
from notifier.domain.snapshot import Reader, Subject
from notifier.domain.subscription import Subscription, SubscriptionId
from notifier.metrics import Metrics
from notifier.source import wire
from notifier.source.door import headers_of
from notifier.source.http import order_status_source
from notifier.storage.contract import Storage
from notifier.storage.engine import open_storage
from notifier.storage.records import Lanes, Registration, SubscriptionSecrets
from notifier.storage.telling import tell
from notifier.templating import Templates
from notifier.workers.deliverer import Deliverer
from notifier.workers.lines import DeliveryLimits
from notifier.workers.poller import AccountLimits, Feed, Poller
from notifier.workers.recording import Recorder, Telling
from notifier.workers.trouble import Upstream

CONCURRENCY = 64
_WARM_S, _MEASURED_S = 2.0, 8.0
_DELIVERIES, _SUBSCRIPTIONS = 24_000, 12
_EGRESS_HEADERS = {"User-Agent": "notifier/0.1.0", "Accept-Encoding": "identity"}
Figures = dict[str, float]


async def bare_get(port: int) -> Figures:
    """Ask for one order after the other and decode, in a plain loop, `CONCURRENCY` at once."""
    done = asked = 0
    account = _account(port)
    headers = headers_of(account, account.api_key)

    async def loop(session: aiohttp.ClientSession) -> None:
        nonlocal done, asked
        while True:
            asked += 1
            order_id = f"OW{asked % 10_000:07d}"
            url, own = f"http://127.0.0.1:{port}/orders/{order_id}", {"x-routing-id": order_id}
            async with session.get(url, headers=own) as answer:
                wire._DECODER.decode(await answer.read())  # noqa: SLF001 - the same decoder on both sides
            done += 1

    connector = aiohttp.TCPConnector(limit=CONCURRENCY)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        return await _rate(lambda: done, [lambda: loop(session)] * CONCURRENCY)


async def bare_post(port: int) -> Figures:
    """Post a callback's bytes under a callback's headers in a plain loop."""
    done = 0
    body = b"x" * 1200
    own = {
        "Content-Type": "application/json",
        "webhook-id": f"evt_{0:032x}",
        "webhook-timestamp": "1795305600",
        "webhook-signature": f"v1,{'A' * 44}",
        "notifier-attempt": "1",
        "notifier-subscription": "sub_0",
        "notifier-sequence": "1000",
    }

    async def loop(session: aiohttp.ClientSession) -> None:
        nonlocal done
        while True:
            async with session.post(f"http://127.0.0.1:{port}/hook", data=body, headers=own) as answer:
                await answer.read()
            done += 1

    connector = aiohttp.TCPConnector(limit=CONCURRENCY)
    async with aiohttp.ClientSession(connector=connector, headers=_EGRESS_HEADERS) as session:
        return await _rate(lambda: done, [lambda: loop(session)] * CONCURRENCY)


async def _rate(done: Callable[[], int], loops: list[Callable[[], Awaitable[None]]]) -> Figures:
    tasks = [asyncio.ensure_future(loop()) for loop in loops]
    await asyncio.sleep(_WARM_S)
    figures = await _measured(done)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    return figures


async def _measured(done: Callable[[], int]) -> Figures:
    """Count what is done in the measured time, and what CPU it took; the latter shrugs off noisy neighbours."""
    before, began, cpu = done(), time.perf_counter(), time.process_time()
    await asyncio.sleep(_MEASURED_S)
    count, lasted, burnt = done() - before, time.perf_counter() - began, time.process_time() - cpu
    return {"rate": count / lasted, "cpu_us": burnt / count * 1e6, "rss_mb": _rss_mb()}


def _rss_mb() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def _account(port: int) -> Account:
    return Account.model_validate(
        {
            "base_url": f"http://127.0.0.1:{port}",
            "merchant_id": "bench",
            "api_key_env": "K",
            "max_concurrency": CONCURRENCY,
        },
        context={"K": "bench"},
    )


def _telling() -> Telling:
    return Telling(
        expires_after_s=285_120, lanes=Lanes(), new_id=lambda: uuid.uuid4().hex, livemode=lambda _: False
    )


@asynccontextmanager
async def _storage() -> AsyncIterator[tuple[Storage, Path]]:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "bench.db"
        storage = await open_storage(path, clock=SystemClock())
        try:
            yield storage, path
        finally:
            await storage.close()


@asynccontextmanager
async def _polling(
    port: int, storage: Storage, metrics: Metrics, policy: PollingPolicy
) -> AsyncIterator[Poller]:
    """Run a poller for as long as the block lasts."""
    clock = SystemClock()
    telling = _telling()
    source = order_status_source("bench", _account(port), clock=clock)
    poller = Poller(
        "bench",
        feeds={
            Source.ORDER: Feed(
                source, Upstream("bench", Source.ORDER, storage=storage, clock=clock, telling=telling)
            )
        },
        limits=AccountLimits(requests_per_s=1e9, max_concurrency=CONCURRENCY),
        storage=storage,
        recorder=Recorder(clock=clock, policy=policy, telling=telling, metrics=metrics),
        clock=clock,
        metrics=metrics,
    )
    stop = asyncio.Event()
    task = asyncio.ensure_future(poller.run(stop))
    try:
        yield poller
    finally:
        stop.set()
        await task
        await source.close()


async def _watches(storage: Storage, path: Path, port: int, count: int) -> None:
    """Make so many watches that were seen before: one is registered and polled, the others are its copies."""
    first = Registration(account="bench", order_id=parse_order_id("OW0000000"))
    async with storage.writing() as tx:
        await tx.register(first, now=SystemClock().now())
    async with _polling(port, storage, Metrics(), PollingPolicy(max_interval_s=600)):
        while True:
            await asyncio.sleep(0.2)
            async with storage.reading() as tx:
                if await tx.events("bench"):
                    break
    _copy_the_first(path, count)


def _copy_the_first(path: Path, count: int) -> None:
    """Give each copy its own order id and the digest of its own answer; all of them are due."""
    reader = Reader(schema=SCHEMA, version="2023-06-30")
    rows = []
    for number in range(1, count):
        order_id = parse_order_id(f"OW{number:07d}")
        answer = wire.read(order_body(order_id), order_id=order_id, merchant_id="bench", reader=reader)
        assert isinstance(answer, wire.OrderAnswer)
        rows.append({"id": number + 1, "order": order_id, "key": order_id.lower(), "digest": answer.digest})
    database = sqlite3.connect(path)
    with database:
        database.execute("update looks set next_poll_at = next_poll_at - 4000000")
        _insert_copies(database, "watches", {"id": ":id", "order_id": ":order", "order_key": ":key"}, rows)
        _insert_copies(database, "looks", {"id": ":id", "watch_id": ":id", "digest": ":digest"}, rows)
    database.close()


def _insert_copies(
    database: sqlite3.Connection, table: str, own: dict[str, str], rows: list[dict[str, object]]
) -> None:
    columns = [row[1] for row in database.execute(f"pragma table_info({table})")]
    values = ", ".join(own.get(column, column) for column in columns)
    database.executemany(f"insert into {table} select {values} from {table} where id = 1", rows)


def polls(count: int) -> Callable[[int], Awaitable[Figures]]:
    """Return the case that polls so many watches flat out: due, GET, decode, compare, commit, reschedule."""

    async def case(port: int) -> Figures:
        async with _storage() as (storage, path):
            await _watches(storage, path, port, count)
            metrics = Metrics()
            policy = PollingPolicy(min_interval_s=0.001, max_interval_s=0.001)
            async with _polling(port, storage, metrics, policy) as poller:
                done = _Count(poller)
                await asyncio.sleep(_WARM_S)
                figures = await _measured(lambda: done.landed)
            async with storage.reading() as tx:
                assert len(await tx.events("bench")) == 1, "an unchanged order was told"
            return figures

    return case


class _Count:
    """Counts looks that were committed."""

    def __init__(self, poller: Poller) -> None:
        self.landed = 0
        inner = poller._committer._landed  # noqa: SLF001 - the one honest place to count commits

        def counting(item: object, written: bool) -> None:
            self.landed += written
            inner(item, written)  # type: ignore[arg-type]

        poller._committer._landed = counting  # noqa: SLF001


async def idle(port: int) -> Figures:
    """Poll 200 watches each second or so, and say how late a due poll starts."""
    async with _storage() as (storage, path):
        await _watches(storage, path, port, 200)
        metrics = Metrics()
        late: list[float] = []
        metrics.poll_lateness_s.observe = late.append
        async with _polling(port, storage, metrics, PollingPolicy(min_interval_s=1.0, max_interval_s=1.0)):
            await asyncio.sleep(3)
            late.clear()
            await asyncio.sleep(_MEASURED_S)
        late.sort()
        return {
            "lateness_p50_ms": late[len(late) // 2] * 1000,
            "lateness_p99_ms": late[len(late) * 99 // 100] * 1000,
            "polls": len(late),
        }


async def deliver(port: int) -> Figures:
    """Bring a backlog home: claim, render, sign, POST, record."""
    clock, metrics = SystemClock(), Metrics()
    delivery = Delivery(allow_http=True, allow_private_targets=True, concurrency=CONCURRENCY)
    config = Config(delivery=delivery)
    doors = channels(config, Templates(None), clock)
    async with _storage() as (storage, path):
        await _watches(storage, path, port, 1)
        await _owe(storage, port)
        limits = DeliveryLimits(concurrency=CONCURRENCY, longest_attempt_s=15, schedule=(5.0,), lanes=Lanes())
        deliverer = Deliverer(
            storage=storage,
            channels=doors,
            limits=limits,
            telling=_telling(),
            clock=clock,
            metrics=metrics,
        )
        stop = asyncio.Event()
        began, cpu = time.perf_counter(), time.process_time()
        task = asyncio.ensure_future(deliverer.run(stop))
        while True:
            await asyncio.sleep(0.1)
            async with storage.reading() as tx:
                if (
                    await tx.next_delivery_at() is None
                    and (await tx.counts()).get("deliveries.pending", 0) == 0
                ):
                    break
        lasted, burnt = time.perf_counter() - began, time.process_time() - cpu
        stop.set()
        await task
        async with storage.reading() as tx:
            assert (await tx.counts())["deliveries.delivered"] == _DELIVERIES
        for door in doors.values():
            await door.close()
        return {"rate": _DELIVERIES / lasted, "cpu_us": burnt / _DELIVERIES * 1e6, "rss_mb": _rss_mb()}


async def _owe(storage: Storage, port: int) -> None:
    clock = SystemClock()
    now = clock.now()
    async with storage.writing() as tx:
        for number in range(_SUBSCRIPTIONS):
            target = f"http://127.0.0.1:{port}/hook/{number}"
            subscription = Subscription(
                id=SubscriptionId(f"sub_{number}"),
                account="bench",
                name=None,
                channel="webhook",
                target=target,
                events=("order.*",),
            )
            secrets = SubscriptionSecrets(
                target=Secret(target), signing=(Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),)
            )
            await tx.add_subscription(subscription, secrets, now=now)
    for number in range(_DELIVERIES // _SUBSCRIPTIONS):
        order_id = parse_order_id(f"BENCH{number}")
        async with storage.writing() as tx:
            watch, _ = await tx.register(Registration(account="bench", order_id=order_id), now=now)
            seen = await tx.snapshot_at(1)
            version = await tx.add_snapshot(watch, seen.snapshot, observed_at=now, not_before=None)
            event = Event(
                id=EventId(f"evt_{number:032x}"),
                type="order.charged",
                account="bench",
                livemode=False,
                subject=Subject.ORDER,
                subject_id=None,
                observed_at=now,
                order_id=order_id,
                order_key=watch.order_key,
                order_version=version,
                source=Source.ORDER,
                field="status",
                current="CHARGED",
                phase=Phase.SUCCEEDED,
            )
            await tell(
                tx,
                [event],
                watch=watch,
                snapshot=seen.snapshot,
                now=now,
                expires_after_s=285_120,
                lanes=Lanes(),
                new_id=lambda: uuid.uuid4().hex,
            )
            await tx.end_watch(watch.id, watch.state, unless_asked_after=now)


CASES: dict[str, Callable[[int], Awaitable[Figures]]] = {
    "get": bare_get,
    "poll-10000": polls(10_000),
    "poll-100000": polls(100_000),
    "post": bare_post,
    "deliver": deliver,
    "idle": idle,
}

"""Watches that were seen before, and the poller that looks at them."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bench.ground import CONCURRENCY, account_at, plain_telling
from bench.server import order_body
from notifier.clock import SystemClock
from notifier.domain.change import SCHEMA
from notifier.domain.order import Source, parse_order_id
from notifier.domain.polling import PollingPolicy
from notifier.domain.snapshot import Reader
from notifier.metrics import Metrics
from notifier.source import wire
from notifier.source.http import order_status_source
from notifier.storage.contract import Storage
from notifier.storage.records import Registration
from notifier.workers.cadence import Cadence
from notifier.workers.poller import AccountLimits, Feed, Poller
from notifier.workers.recording import Recorder
from notifier.workers.trouble import Upstream


@asynccontextmanager
async def polling(
    port: int, storage: Storage, metrics: Metrics, policy: PollingPolicy
) -> AsyncIterator[Poller]:
    """Run a poller for as long as the block lasts."""
    clock = SystemClock()
    telling = plain_telling()
    source = order_status_source("bench", account_at(port), clock=clock)
    cadence = Cadence(policy=policy, clock=clock)
    poller = Poller(
        "bench",
        feeds={
            Source.ORDER: Feed(
                source, Upstream("bench", Source.ORDER, storage=storage, clock=clock, telling=telling)
            )
        },
        limits=AccountLimits(requests_per_s=1e9, max_concurrency=CONCURRENCY),
        storage=storage,
        recorder=Recorder(clock=clock, cadence=cadence, telling=telling, metrics=metrics),
        cadence=cadence,
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


async def make_watches(storage: Storage, path: Path, port: int, count: int) -> None:
    """Make so many watches that were seen before: one is registered and polled, the others are its copies."""
    first = Registration(account="bench", order_id=parse_order_id("OW0000000"))
    async with storage.writing() as tx:
        await tx.register(first, now=SystemClock().now())
    async with polling(port, storage, Metrics(), PollingPolicy(max_interval_s=600)):
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

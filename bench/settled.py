"""`python -m bench settled`: what watches cost that are settled, and what those cost at most that are not yet.

Settled ones are measured: the whole daemon, idle, with a thousand of them and with a million. The others are reckoned:
looks an order until it settles, at shipped settings and before anything is learned.
"""

import asyncio
import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.ground import Figures, account_at
from notifier.app.daemon import assembled
from notifier.app.running import settle_garbage_collection
from notifier.clock import SystemClock
from notifier.config.model import Config
from notifier.domain.cadence.law import Law
from notifier.domain.cadence.prior import prior_of
from notifier.domain.cadence.situation import Kind, Situation
from notifier.domain.cadence.stakes import ceiling_s, stake_of, weight_of
from notifier.domain.order import Phase, Source, parse_order_id, phase_of
from notifier.domain.polling import PollingPolicy
from notifier.logs import configure
from notifier.metrics import Metrics
from notifier.simulation.comparison import Comparison
from notifier.simulation.learned import ACCOUNT
from notifier.simulation.making import USUAL, made_lives
from notifier.storage.contract import Storage
from notifier.storage.engine import open_storage
from notifier.storage.records import Registration

_FEW, _MANY = 1000, 1_000_000
_REPEATS, _WARM_S, _IDLE_S = 500, 5.0, 152.0
_POLICY = PollingPolicy()
_PAID_S, _FAILED_S, _YOUNG_S = _POLICY.settle_charged_after_s, _POLICY.settle_failed_after_s, 7200.0
_PAID = 0.7
_TAUGHT, _BY_METHOD = 5000, 4
_COPIES = "with recursive n(value) as (select 2 union all select value + 1 from n where value < ?) "


def main() -> None:
    """Measure, reckon, and print."""
    configure("error", "console")
    settle_garbage_collection()
    few, many = (asyncio.run(_settled(count)) for count in (_FEW, _MANY))
    print(f"| what | {_FEW:,} settled | {_MANY:,} settled | ratio |")
    print("|---|---|---|---|")
    for name, what in (
        ("due_us", "asking the database for what is due, µs"),
        ("next_us", "asking when the next look is due, µs"),
        ("cpu_ms", "CPU of the idle daemon, ms a second"),
    ):
        print(f"| {what} | {few[name]:,.1f} | {many[name]:,.1f} | **{many[name] / few[name]:.2f}** |")
    print(f"| polls | {few['polls']:.0f} | {many['polls']:.0f} | |")
    print("\n| a million not settled, nothing learned, shipped settings | requests a second |")
    print("|---|---|")
    for what, per_s in _unsettled():
        print(f"| {what} | {per_s * 1e6:.0f} |")


def _unsettled() -> Iterator[tuple[str, float]]:
    """Yield the looks a second of one watch that is not settled, over the time until it is."""
    paid, failed = (
        _looks(word, until_s) for word, until_s in (("CHARGED", _PAID_S), ("AUTHORIZATION_FAILED", _FAILED_S))
    )
    yield "paid", paid / _PAID_S
    yield "refunded by the upstream", _looks("AUTO_REFUNDED", _FAILED_S) / _FAILED_S
    old = failed - _looks("AUTHORIZATION_FAILED", _YOUNG_S)
    yield "failed, past two hours", old / (_FAILED_S - _YOUNG_S)
    mean_s = _PAID * _PAID_S + (1 - _PAID) * _FAILED_S
    yield (
        "as they come, seven of ten paid, failed ones of any age",
        (_PAID * paid + (1 - _PAID) * failed) / mean_s,
    )
    yield "failed alone, of any age: a million of them a day, each open for two hours", failed / _FAILED_S
    yield f"the same, {_TAUGHT:,} made orders having taught", _taught_looks() / _FAILED_S


def _looks(word: str, until_s: float) -> int:
    situation = Situation(Source.ORDER, Kind.ORDER, word, "", "bench")
    return _count(situation, Law(prior_of(situation)), until_s)


def _taught_looks() -> float:
    """Return the looks at a failed order until it settles, on the mean of words and methods as they occurred."""
    lives = made_lives(USUAL, random.Random(1), _TAUGHT + 1)
    hazards = Comparison(lives, _TAUGHT, seed=1).learned(_POLICY.price_s)
    paths: dict[tuple[str, ...], float] = {
        tuple(row["path"]): sum(row["events"]) for row in hazards.document()["situations"]
    }
    found = [
        (Situation(Source.ORDER, Kind.ORDER, path[2], path[3], ACCOUNT), count)
        for path, count in paths.items()
        if len(path) == _BY_METHOD and phase_of(path[2]) is Phase.FAILED
    ]
    looks = sum(count * _count(situation, hazards.law(situation), _FAILED_S) for situation, count in found)
    return looks / sum(count for _, count in found)


def _count(situation: Situation, law: Law, until_s: float) -> int:
    age_s, count = 0.0, 0
    while age_s < until_s:
        stake = stake_of(situation, age_s)
        price_s = _POLICY.price_s / weight_of(situation, stake)
        age_s = law.next_age(age_s, price_s, ceiling_s(stake, _POLICY))
        count += age_s < until_s
    return count


async def _settled(count: int) -> Figures:
    clock, metrics = SystemClock(), Metrics()
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "settled.db"
        storage = await open_storage(path, clock=clock)
        async with storage.writing() as tx:
            await tx.register(Registration(account="bench", order_id=parse_order_id("OW1")), now=clock.now())
        await storage.close()
        _copy(path, count)
        config = Config.model_validate({"storage": {"url": f"sqlite:{path}"}}, context={})
        config = config.model_copy(update={"accounts": {"bench": account_at(9)}})
        async with assembled(config, clock=clock, metrics=metrics) as daemon:
            asking = await _asking(daemon.storage)
            stop = asyncio.Event()
            working = asyncio.create_task(daemon.supervisor.run(stop, asyncio.Event()), name="workers")
            await asyncio.sleep(_WARM_S)
            began, burnt = time.perf_counter(), time.process_time()
            await asyncio.sleep(_IDLE_S)
            burnt, lasted = time.process_time() - burnt, time.perf_counter() - began
            stop.set()
            await working
        polls = sum(
            sample.value
            for metric in metrics.polls_total.collect()
            for sample in metric.samples
            if sample.name.endswith("_total")
        )
        print(f"  {count}: {asking}, {burnt / lasted * 1000:.2f} ms/s", file=sys.stderr)
        return asking | {"cpu_ms": burnt / lasted * 1000, "polls": polls}


async def _asking(storage: Storage) -> Figures:
    """Return the CPU of each question, which shrugs off noisy neighbours."""
    now = SystemClock().now()
    async with storage.reading() as tx:
        began = time.process_time()
        for _ in range(_REPEATS):
            assert not await tx.due_looks("bench", now=now, limit=100)
        between = time.process_time()
        for _ in range(_REPEATS):
            assert await tx.next_look_at("bench", after=now) is None
        ended = time.process_time()
    return {"due_us": (between - began) / _REPEATS * 1e6, "next_us": (ended - between) / _REPEATS * 1e6}


def _copy(path: Path, count: int) -> None:
    """Settle the one watch there is, and make so many like it."""
    database = sqlite3.connect(path)
    with database:
        database.execute("update watches set state = 'settled', status = 'CHARGED', phase = 'succeeded'")
        database.execute("update looks set next_poll_at = null, phase = 'succeeded', polls = 20")
        order = {"id": "n.value", "order_id": "'OW' || n.value", "order_key": "'ow' || n.value"}
        for table, own in (("watches", order), ("looks", {"id": "n.value", "watch_id": "n.value"})):
            columns = [row[1] for row in database.execute(f"pragma table_info({table})")]
            values = ", ".join(own.get(column, f"{table}.{column}") for column in columns)
            database.execute(
                f"insert into {table} {_COPIES} select {values} from n, {table} where {table}.id = 1",
                (count,),
            )
    database.close()

"""What only SQLite can get wrong: cancelled transactions, threads that keep the process alive, plans."""

import asyncio
import random
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import asynccontextmanager, suppress

import pytest
from given import LANES, attempted, due, snapshot, subscribed, told, watched, wish
from sqlalchemy import event, text

from notifier.domain.delivery import Verdict
from notifier.domain.instant import to_ms
from notifier.errors import NotFound, StorageError
from notifier.storage.engine import open_storage


async def test_cancelled_transactions_leave_nothing_half_written(sqlite_storage, at):
    dice = random.Random(20260302)
    # From at once to never: however fast the machine is today, some are cut off in the middle.
    patience_s = (0, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, None)

    async def write(name):
        async with sqlite_storage.writing() as tx:
            watch, _ = await tx.register(wish(name), now=at())
            await asyncio.sleep(0)
            await tx.add_snapshot(watch, snapshot(), observed_at=at(), not_before=None)
        return name

    async def write_or_be_cancelled(name):
        task = asyncio.create_task(write(name), name=name)
        await asyncio.wait({task}, timeout=dice.choice(patience_s))
        task.cancel()
        with suppress(asyncio.CancelledError):
            return await task

    done = []
    for batch in range(70):
        done += await asyncio.gather(*(write_or_be_cancelled(f"o{batch}-{n}") for n in range(3)))
    finished = [name for name in done if name]
    assert 0 < len(finished) < len(done), "the dice must cancel some and spare some"
    async with sqlite_storage.reading() as tx:
        kept = {watch.order_id: watch.version for watch in await tx.watches("main", limit=500)}
    assert set(finished) <= set(kept)
    assert set(kept.values()) == {1}, "an order without its snapshot is half a transaction"
    assert await write("after") == "after"


async def test_many_writers_queue_in_the_order_they_came(sqlite_storage, at):
    order = []

    async def write(n):
        async with sqlite_storage.writing() as tx:
            await tx.register(wish(f"o{n}"), now=at())
            order.append(n)

    await asyncio.gather(*(write(n) for n in range(200)))
    assert order == list(range(200))


async def test_a_reader_sees_one_state_while_a_writer_commits(sqlite_storage, at):
    async with sqlite_storage.reading() as reader:
        assert await reader.watches("main") == []
        await watched(sqlite_storage)
        assert await reader.watches("main") == []
    async with sqlite_storage.reading() as reader:
        assert len(await reader.watches("main")) == 1


async def test_a_transaction_that_writes_nothing_still_proves_that_it_could(tmp_path, sqlite_storage):
    async with sqlite_storage.writing() as tx:
        await tx._connection.execute(text("PRAGMA busy_timeout=1"))
    other = sqlite3.connect(tmp_path / "notifier.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageError):
        async with sqlite_storage.writing():
            pass
    other.close()
    async with sqlite_storage.writing():
        pass


async def test_what_is_written_where_one_may_only_read_is_refused(sqlite_storage, at):
    watch = await watched(sqlite_storage)
    with pytest.raises(StorageError, match="readonly"):
        async with sqlite_storage.reading() as tx:
            await tx.add_snapshot(watch, snapshot(), observed_at=at(), not_before=None)
    async with sqlite_storage.reading() as tx:
        assert (await tx.watch_by_id(watch.id)).version == 0


async def test_the_database_stands_as_it_should(sqlite_storage):
    async with sqlite_storage.writing() as tx:
        pragmas = {
            name: await tx._connection.scalar(text(f"PRAGMA {name}"))
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout", "temp_store")
        }
    assert pragmas == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 5000,
        "temp_store": 2,
    }


@asynccontextmanager
async def plans_of(storage):
    """Collect, by statement, the plans of all that runs meanwhile, with the very parameters it ran with."""
    ran, plans = {}, {}

    def watch(connection, trace=ran.setdefault):
        connection.connection.driver_connection._conn.set_trace_callback(trace)

    def leave(connection):
        watch(connection, None)

    for engine in storage._engines:
        event.listen(engine.sync_engine, "begin", watch)
    yield plans
    for engine in storage._engines:
        event.remove(engine.sync_engine, "begin", watch)
        event.listen(engine.sync_engine, "begin", leave)
    async with storage.reading() as tx:
        for statement in list(ran):
            if statement.startswith(("SELECT", "UPDATE", "DELETE", "WITH")):
                driver = (await tx._connection.get_raw_connection()).driver_connection
                plans[statement] = [row[3] for row in await driver.ask(f"EXPLAIN QUERY PLAN {statement}", ())]


def plan_with(plans, *words):
    [steps] = [steps for statement, steps in plans.items() if all(word in statement for word in words)]
    return steps


async def test_watches_of_a_mandate_are_found_by_their_partial_index(sqlite_storage):
    async with plans_of(sqlite_storage) as plans, sqlite_storage.reading() as tx:
        await tx.watches_of_mandate("main", "m1")
    steps = plan_with(plans, "mandate_id = ")
    assert any("watches_mandate (account=? AND mandate_id=?)" in step for step in steps)


async def test_looks_are_found_by_their_partial_index(sqlite_storage, at):
    async with plans_of(sqlite_storage) as plans, sqlite_storage.reading() as tx:
        await tx.due_looks("main", now=at(), limit=5, in_flight={1})
        await tx.next_look_at("main", after=at())
    due_plan = plan_with(plans, "ORDER BY looks.next_poll_at")
    assert "SEARCH looks USING INDEX looks_due (account=? AND next_poll_at<?)" in due_plan
    assert "USE TEMP B-TREE FOR ORDER BY" not in due_plan
    assert plan_with(plans, "min(looks.next_poll_at)") == [
        "SEARCH looks USING COVERING INDEX looks_due (account=? AND next_poll_at>?)"
    ]


async def test_no_statement_of_a_delivery_walks_through_history(sqlite_storage, at):
    hook = await subscribed(sqlite_storage)
    await told(sqlite_storage, hook, await watched(sqlite_storage), "a", "b")
    async with plans_of(sqlite_storage) as plans:
        assert await due(sqlite_storage, at())
        [found] = await due(sqlite_storage, at(), busy=["sub_x"])
        await attempted(sqlite_storage, found, Verdict.ACCEPTED, now=at(), until=at(9))
        async with sqlite_storage.writing() as tx:
            await tx.next_delivery_at()
            await tx.next_delivery_at(busy=["sub_x"])
            await tx.expire_deliveries(now=at(), lanes=LANES)
            await tx.amend_subscription(hook, None, now=at())
            await tx.drop_held(hook.id, now=at())
    longest_due = [
        plan for statement, plan in plans.items() if "LIMIT" in statement and "behind" not in statement
    ]
    assert any("SEARCH deliveries USING INDEX deliveries_due (due_at<?)" in plan for plan in longest_due)
    news = "SEARCH deliveries USING INDEX deliveries_news (due_at<?)"
    assert sum(news in plan for plan in longest_due) == 2
    of_each = "SEARCH deliveries USING INDEX deliveries_line (subscription_id=? AND due_at<?)"
    assert of_each in plan_with(plans, "AS of_all")
    assert plan_with(plans, "min(deliveries.due_at)") == ["SEARCH deliveries USING INDEX deliveries_due"]
    heads = plans.pop(next(statement for statement in plans if statement.startswith("WITH RECURSIVE")))
    assert {step for step in heads if "SEARCH" in step} == {
        "SEARCH pending USING INDEX deliveries_line",
        "SEARCH pending USING INDEX deliveries_line (subscription_id>?)",
        "SEARCH pending USING INDEX deliveries_line (subscription_id=?)",
    }
    assert {step for step in heads if step.startswith("SCAN")} == {"SCAN head", "SCAN CONSTANT ROW"}
    steps = {step for plan in plans.values() for step in plan}
    assert "SEARCH deliveries USING INDEX deliveries_lane (subscription_id=? AND watch_id=?)" in steps
    assert "SEARCH deliveries USING INDEX deliveries_expiry (expires_at<?)" in steps
    by_subscription = "sqlite_autoindex_deliveries_1"
    walked = {step for step in steps if step.startswith("SCAN")}
    assert walked <= {"SCAN parameter VIRTUAL TABLE INDEX 1:", "SCAN inner_rows", "SCAN news", "SCAN picked"}
    assert not [step for step in steps if by_subscription in step]
    assert "SEARCH deliveries USING INTEGER PRIMARY KEY (rowid=?)" in steps


async def test_instants_are_milliseconds_and_secrets_are_sealed_on_disk(tmp_path, sqlite_storage, at):
    await watched(sqlite_storage, now=at(0.007))
    hook = await subscribed(sqlite_storage)
    await told(sqlite_storage, hook, None, "a")
    disk = sqlite3.connect(tmp_path / "notifier.db")
    try:
        assert disk.execute("SELECT registered_at FROM watches").fetchone() == (to_ms(at(0.007)),)
        dump = "\n".join(disk.iterdump())
    finally:
        disk.close()
    for secret in ("whsec_new", "user:password", "payments"):
        assert secret not in dump
        assert secret.encode().hex().upper() not in dump


@pytest.mark.parametrize("closing", ["await storage.close()", "pass"])
def test_the_process_ends_by_itself_even_when_nobody_closes(tmp_path, closing):
    program = f"""
        import asyncio
        from datetime import UTC, datetime
        from notifier.clock import SystemClock
        from notifier.storage.engine import open_storage
        from notifier.storage.records import Registration

        async def main():
            global storage
            storage = await open_storage({str(tmp_path / "n.db")!r}, clock=SystemClock())
            async with storage.writing() as tx:
                await tx.register(Registration(account="a", order_id="o"), now=SystemClock().now())
            async with storage.reading() as tx:
                print(len(await tx.watches("a")))
            {closing}

        asyncio.run(main())
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "1"), done.stderr


async def test_what_was_committed_is_there_after_opening_again(tmp_path, clock):
    first = await open_storage(tmp_path / "n.db", clock=clock)
    await watched(first)
    await first.close()
    again = await open_storage(f"sqlite:{tmp_path / 'n.db'}", clock=clock)
    try:
        async with again.reading() as tx:
            assert [w.order_id for w in await tx.watches("main")] == ["OW1"]
            with pytest.raises(NotFound):
                await tx.watch_by_id(99)
    finally:
        await again.close()


@pytest.mark.parametrize("url", ["postgresql://localhost/n", "mysql:x", "sqlite:"])
async def test_other_databases_are_refused_with_advice(url, clock):
    with pytest.raises(StorageError, match=r"set storage\.url"):
        await open_storage(url, clock=clock)

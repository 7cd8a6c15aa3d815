"""A round: one database, one world, daemons killed one after the other, then quiet and what can be said of it all."""

import asyncio
import random
import signal
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from crash_checks import findings
from crash_daemon import MIGRATION, POINTS
from crash_journal import Journal, Kill, connected, with_database
from crash_load import Load
from crash_process import Home, Nursery, nurseries
from crash_world import World, worlds

ANYWHERE, STARTING = "anywhere", "while starting"
_RANDOM = (ANYWHERE, ANYWHERE, ANYWHERE, STARTING)
_OFTEN = {MIGRATION: 60, "before commit of release": 1, "after commit of release": 1}
"""How often a point is passed at a start; the others are passed for as long as there is something to do."""
_PATIENCE_S = 6.0
"""For so long a daemon is given to come to its point; then it is killed where it is."""
_QUIET_S = 40.0
_OWED = "SELECT id FROM deliveries WHERE state IN ('pending', 'held')"


@dataclass(frozen=True, kw_only=True)
class Round:
    """What came of a round. Units: seconds."""

    seed: str
    journal: Journal
    findings: list[str]
    took_s: float
    quiet_s: float


def deaths(dice: random.Random, count: int) -> Iterator[str]:
    """Yield where each of so many daemons is to die: in its migration, then at every point in turns, then anywhere."""
    yield MIGRATION
    left: list[str] = []
    for _ in range(count - 1):
        if not left:
            named = [point for point in POINTS if point != MIGRATION]
            left = [*dice.sample(named, len(named)), *dice.sample(_RANDOM, len(_RANDOM))]
        yield left.pop(0)


async def play(directory: Path, seed: str, kills: int) -> Round:
    """Kill so many daemons under load, let the last one finish, and check."""
    began = asyncio.get_running_loop().time()
    dice = random.Random(seed)
    async with worlds(seed) as world:
        home = Home(directory, world)
        load = Load(world, random.Random(f"{seed}/load"))
        async with nurseries(home) as nursery:
            loading = asyncio.create_task(load.run(), name="load")
            try:
                for point in deaths(dice, kills):
                    await _one_life(nursery, world, load, dice, point)
                quiet_from = asyncio.get_running_loop().time()
                await _last_lives(nursery, world, load, home, loading)
            finally:
                loading.cancel()
                with suppress(asyncio.CancelledError):
                    await loading
        journal = with_database(world.journal, home.database)
    ended = asyncio.get_running_loop().time()
    said = [line for line in home.errors.read_text().splitlines() if "Traceback" in line or "[error" in line]
    return Round(
        seed=seed,
        journal=journal,
        findings=[*findings(journal), *(f"the daemon said: {line}" for line in said)],
        took_s=ended - began,
        quiet_s=ended - quiet_from,
    )


async def _one_life(nursery: Nursery, world: World, load: Load, dice: random.Random, point: str) -> None:
    loop = asyncio.get_running_loop()
    is_named = point in POINTS
    nth = dice.randint(1, _OFTEN.get(point, 6))
    daemon = await nursery.birth(point=point if is_named else None, nth=nth)
    if point == STARTING:
        await daemon.dies(dice.uniform(0, 0.3))
    elif await daemon.listens() is not None:
        world.life, load.url = daemon.life, daemon.url.result()
        if is_named:
            await daemon.dies(_PATIENCE_S)
        else:
            await _progress(world, dice)
    is_at_point = daemon.status.done()
    daemon.signal(signal.SIGKILL)
    status = await daemon.dies(_PATIENCE_S)
    assert status == -signal.SIGKILL, f"a daemon that was to die at {point} ended with {status}"
    world.life = load.url = None
    where = point if is_at_point or not is_named else ANYWHERE
    world.journal.kills.append(Kill(life=daemon.life, at=loop.time(), point=where))


async def _progress(world: World, dice: random.Random) -> None:
    """Wait until this life has told something, then for a moment that nobody chose."""
    loop = asyncio.get_running_loop()
    seen, until = len(world.journal.receipts), loop.time() + _PATIENCE_S
    while len(world.journal.receipts) == seen and loop.time() < until:  # noqa: ASYNC110 - it happens elsewhere
        await asyncio.sleep(0.01)
    await asyncio.sleep(dice.uniform(0, 0.4))


async def _last_lives(
    nursery: Nursery, world: World, load: Load, home: Home, loading: asyncio.Task[None]
) -> None:
    """Let daemons live in peace until one leaves nothing owed: a refund may end in the moment in which it stops."""
    await _last_life(nursery, world, load, home, loading)
    while _rows(home, _OWED):
        await _last_life(nursery, world, load, home, loading)


async def _last_life(
    nursery: Nursery, world: World, load: Load, home: Home, loading: asyncio.Task[None]
) -> None:
    daemon = await nursery.birth()
    load.url = await daemon.listens()
    assert load.url is not None, "the daemon does not start any more"
    world.life = daemon.life
    await calm(world, load, home, loading)
    daemon.signal(signal.SIGTERM)
    status = await daemon.dies(_QUIET_S)
    assert status == 0, f"SIGTERM ended with {status}"


async def calm(
    world: World, load: Load, home: Home, loading: asyncio.Task[None], *, settle: bool = True
) -> None:
    """Open no more orders, and wait until all have come to their end (and settled) and everything is told."""
    load.is_opening = False
    world.recover()
    until = asyncio.get_running_loop().time() + _QUIET_S
    while not load.is_done or _open(load, home, settle):
        if loading.done():
            loading.result()
        assert asyncio.get_running_loop().time() < until, (
            f"not quiet after {_QUIET_S} s: open are {_open(load, home, settle)[:20]}, {load.courses}"
        )
        await asyncio.sleep(0.1)


def _open(load: Load, home: Home, settle: bool) -> list[str]:
    """Return what is still to come: deliveries owed, watches that are about to settle, refunds not known yet."""
    orders = [
        order_id
        for order_id in _rows(home, "SELECT order_id FROM watches WHERE state = 'active'")
        if (settle and order_id not in load.refunded) or not load.is_known(order_id)
    ]
    return orders + _rows(home, _OWED)


def _rows(home: Home, statement: str) -> list[str]:
    connection = connected(home.database)
    try:
        return [text for (text,) in connection.execute(statement)]
    finally:
        connection.close()

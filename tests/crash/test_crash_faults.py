"""Faults of the machine under a daemon at work: each is told, outlived without help, and costs nothing.

The disk is full twice: by a limit on the size of the daemon's files, which needs no rights but is another error to
SQLite than a full disk, and, where we may mount, by a file system that has no room left.
"""

import asyncio
import os
import random
import resource
import signal
import sqlite3
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
import pytest
from crash_checks import findings, repeats
from crash_daemon import STEP_OF_CLOCK
from crash_journal import connected, with_database
from crash_load import Load
from crash_process import Daemon, Home, nurseries
from crash_round import calm
from crash_world import World, worlds

PATIENCE_S = 20.0
HOUR_S = 3600.0


@dataclass
class Scene:
    """A daemon at work, its world, and a client of its health."""

    world: World
    home: Home
    load: Load
    loading: asyncio.Task[None]
    daemon: Daemon
    http: aiohttp.ClientSession

    async def becomes(self, status: int, storage: str) -> None:
        """Wait until /readyz says so."""
        said = None
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                while said != (status, storage):
                    async with self.http.get(f"{self.load.url}/readyz") as answer:
                        said = answer.status, (await answer.json())["storage"]
                    await asyncio.sleep(0.05)
        assert said == (status, storage)

    async def goes_on(self, count: int = 10) -> None:
        """Wait until so many more callbacks have come."""
        receipts = self.world.journal.receipts
        seen = len(receipts)
        async with asyncio.timeout(PATIENCE_S):
            while len(receipts) < seen + count:  # noqa: ASYNC110 - what is awaited happens elsewhere
                await asyncio.sleep(0.02)

    async def ends(self, *, settle: bool = True) -> None:
        """Bring everything to its end and stop the daemon."""
        await calm(self.world, self.load, self.home, self.loading, settle=settle)
        self.daemon.signal(signal.SIGTERM)
        assert await self.daemon.dies(PATIENCE_S) == 0


@asynccontextmanager
async def at_work(directory: Path, *, step_s: float = 0.0, settle_s: float = 1.0) -> AsyncIterator[Scene]:
    seed = os.environ.get("SEED", "1")
    async with worlds(seed) as world:
        world.recover()
        home = Home(directory, world, settle_s=settle_s)
        home.errors = directory.parent / "stderr"
        load = Load(world, random.Random(seed), at_once=6)
        async with nurseries(home) as nursery, aiohttp.ClientSession() as http:
            daemon = await nursery.birth(step_s=step_s)
            load.url, world.life = await daemon.listens(), daemon.life
            loading = asyncio.create_task(load.run(), name="load")
            scene = Scene(world, home, load, loading, daemon, http)
            try:
                await scene.goes_on()
                yield scene
            except BaseException as error:
                error.add_note(f"the daemon said: {home.errors.read_text()[-4000:]}")
                raise
            finally:
                loading.cancel()
                with suppress(asyncio.CancelledError):
                    await loading


@contextmanager
def files_limited(scene: Scene) -> Iterator[str]:
    """Let no file of the daemon grow any more."""
    size = Path(f"{scene.home.database}-wal").stat().st_size
    soft, hard = resource.prlimit(scene.daemon.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(scene.daemon.pid, resource.RLIMIT_FSIZE, (size, hard))
    yield "disk I/O error|disk is full"
    resource.prlimit(scene.daemon.pid, resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def disk_filled(scene: Scene) -> Iterator[str]:
    """Write beside the database until there is no room."""
    filler = scene.home.directory / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    yield "database or disk is full"
    filler.unlink()


@contextmanager
def file_read_only(scene: Scene) -> Iterator[str]:
    """Let nobody write into the log of the database, nor make it anew."""
    if not _holds_back_who_has_it_open(scene.home.directory / "probe"):
        pytest.skip("no file can be made immutable here")
    log = f"{scene.home.database}-wal"
    subprocess.run(["chattr", "+i", log], check=True)
    try:
        yield "disk I/O error|readonly database"
    finally:
        subprocess.run(["chattr", "-i", log], check=True)


def _holds_back_who_has_it_open(probe: Path) -> bool:
    """Return whether an immutable file takes nothing from those who opened it before; in memory it does."""
    with probe.open("wb", buffering=0) as file:
        if subprocess.run(["chattr", "+i", probe], capture_output=True, check=False).returncode:
            return False
        try:
            file.write(b"?")
        except OSError:
            return True
        finally:
            subprocess.run(["chattr", "-i", probe], check=True)
    return False


@contextmanager
def database_locked(scene: Scene) -> Iterator[str]:
    """Hold the database's write lock, as a person with a shell might."""
    connection = sqlite3.connect(scene.home.database, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield "database is locked"
    finally:
        connection.close()


@pytest.fixture
def disk():
    """A directory on a disk rather than in memory, where faults of a disk are another matter."""
    with TemporaryDirectory() as directory:
        disk = Path(directory, "disk")
        disk.mkdir()
        yield disk


@pytest.fixture
def small_disk(disk):
    """A file system of its own with little room."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", disk]
    try:
        subprocess.run(mount, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("nothing can be mounted here")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


async def outlived(directory, fault):
    """Live through a fault, told while it lasts and over afterwards; return what was lost and what was repeated."""
    async with at_work(directory) as scene:
        with fault(scene) as words:
            await scene.becomes(503, "unwritable")
            told = scene.home.errors.read_text()
            assert any(word in told for word in words.split("|"))
            assert "Traceback" not in told
            await asyncio.sleep(1)  # It stays so: a fault that lasts a while.
            await scene.becomes(503, "unwritable")
        await scene.becomes(200, "ok")
        await scene.goes_on()
        await scene.ends()
        journal = with_database(scene.world.journal, scene.home.database)
    return findings(journal), repeats(journal)


@pytest.mark.timeout(90)
@pytest.mark.parametrize("fault", [files_limited, file_read_only, database_locked])
async def test_a_database_that_cannot_be_written_is_told_and_outlived(disk, fault):
    assert await outlived(disk, fault) == ([], [])


@pytest.mark.timeout(90)
async def test_a_full_disk_is_told_and_outlived(small_disk):
    assert await outlived(small_disk, disk_filled) == ([], [])


@pytest.mark.timeout(90)
@pytest.mark.parametrize("step_s", [-HOUR_S, HOUR_S])
async def test_a_wall_clock_that_is_set_loses_repeats_and_puts_off_nothing(disk, step_s):
    # What settles does so by the wall clock, which is an hour off: here nothing does.
    async with at_work(disk, step_s=step_s, settle_s=86_400) as scene:
        scene.world.slow_s = 0.5  # So that there are attempts in flight all the time.
        await scene.goes_on()
        scene.daemon.signal(STEP_OF_CLOCK)
        async with asyncio.timeout(PATIENCE_S):
            while "clock.stepped" not in scene.home.errors.read_text():  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.05)
        await asyncio.sleep(1)
        assert latest_look_in_s(scene, step_s) < 60
        scene.world.slow_s = 0.0
        await scene.goes_on()
        await scene.ends(settle=False)
        journal = with_database(scene.world.journal, scene.home.database)
    # The receivers' clocks were not set, so that signatures seem old or ahead to them: that is what they are for.
    assert [line for line in findings(journal) if not line.startswith("broken_signatures")] == []
    assert repeats(journal) == []


def latest_look_in_s(scene: Scene, step_s: float) -> float:
    """Return how long the order that is looked at last has to wait, by the daemon's new clock."""
    connection = connected(scene.home.database)
    try:
        rows = connection.execute("SELECT max(next_poll_at) FROM looks").fetchone()
    finally:
        connection.close()
    return rows[0] / 1000 - (time.time_ns() / 1e9 + step_s)

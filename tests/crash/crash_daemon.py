"""The daemon as `notifier run` starts it, with its storage and channels wrapped to die at a named point.

A nursery: it imports everything once, then for each line of standard input (a `Birth` as JSON) forks a process that
runs the daemon, and waits for its death. On standard output it says `born PID`, what the daemon says itself, and
`dead STATUS`. A fork is a process like any other, and starts ten times as fast as an interpreter.
"""

import asyncio
import os
import random
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from msgspec import structs
from sqlalchemy import event

import notifier.app.daemon
import notifier.app.running
import notifier.domain.health
import notifier.storage.engine
from notifier.channels.catalogue import channels as all_channels
from notifier.clock import SteadyClock
from notifier.config.load import load
from notifier.storage.engine import open_storage
from notifier.storage.migrations.running import upgrade

MIGRATION = "migration"
BEFORE_SEND, AFTER_SEND = "before send", "after send"
_KINDS = {
    "add_snapshot": "snapshot",
    "claim": "claim",
    "record_attempts": "outcome",
    "release_claims": "release",
}
COMMITS = tuple(f"{side} commit of {kind}" for kind in _KINDS.values() for side in ("before", "after"))
POINTS = (MIGRATION, BEFORE_SEND, AFTER_SEND, *COMMITS)
STEP_OF_CLOCK = signal.SIGUSR1


class Birth(msgspec.Struct, kw_only=True):
    """How a daemon is to live: `point` is where it kills itself, at the `nth` time that it comes by.

    On the signal STEP_OF_CLOCK its wall clock is set by `step_s`. Its callbacks carry `x-life`.
    """

    config: str
    environ: dict[str, str]
    life: int = 0
    point: str | None = None
    nth: int = 1
    step_s: float = 0.0


class Points:
    """Counts how often the point is passed and kills the process when it is time."""

    def __init__(self, point: str | None, nth: int) -> None:
        self._point = point
        self._left = nth

    def passed(self, point: str) -> None:
        if point != self._point:
            return
        self._left -= 1
        if self._left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)


class _Watched:
    """A transaction that remembers what was called."""

    def __init__(self, transaction) -> None:
        self._transaction = transaction
        self._called = set()

    def __getattr__(self, name):
        self._called.add(name)
        return getattr(self._transaction, name)

    def kind(self) -> str | None:
        return next((kind for name, kind in _KINDS.items() if name in self._called), None)


class DyingStorage:
    def __init__(self, storage, points: Points) -> None:
        self._storage = storage
        self._points = points

    def __getattr__(self, name):
        return getattr(self._storage, name)

    @asynccontextmanager
    async def writing(self):
        async with self._storage.writing() as transaction:
            watched = _Watched(transaction)
            yield watched
            self._points.passed(f"before commit of {watched.kind()}")
        self._points.passed(f"after commit of {watched.kind()}")


class DyingChannel:
    def __init__(self, channel, points: Points, life: int) -> None:
        self._channel = channel
        self._points = points
        self._life = life

    def __getattr__(self, name):
        return getattr(self._channel, name)

    async def send(self, parcel):
        self._points.passed(BEFORE_SEND)
        address = structs.replace(
            parcel.address, headers={**parcel.address.headers, "x-life": str(self._life)}
        )
        outcome = await self._channel.send(structs.replace(parcel, address=address))
        self._points.passed(AFTER_SEND)
        return outcome


class StepClock(SteadyClock):
    """The daemon's clock on a machine whose wall clock is set forward or back by a signal."""

    _off_ns = 0

    def step(self, step_s: float) -> None:
        self._off_ns += int(step_s * 1e9)

    def _wall_ns(self) -> int:
        return super()._wall_ns() + self._off_ns


def _arm(birth: Birth, clock: StepClock) -> None:
    """Put the wrapped parts where the composition root takes its own from."""

    points = Points(birth.point, birth.nth)

    async def opened(*args, **named):
        return DyingStorage(await open_storage(*args, **named), points)

    def dying(*args, **named):
        open_ones = all_channels(*args, **named).items()
        return {name: DyingChannel(channel, points, birth.life) for name, channel in open_ones}

    def upgraded(connection, *args):
        def passed(*_) -> None:
            points.passed(MIGRATION)

        event.listen(connection, "before_cursor_execute", passed)
        try:
            upgrade(connection, *args)
        finally:
            event.remove(connection, "before_cursor_execute", passed)

    # A failing target must rest, be tried and be well again within one round.
    notifier.domain.health._FIRST_REST_S, notifier.domain.health._LONGEST_REST_S = 0.2, 1.0
    notifier.app.daemon.open_storage = opened
    notifier.app.daemon.all_channels = dying
    notifier.storage.engine.upgrade = upgraded
    notifier.app.running.SteadyClock = lambda: clock


def _live(birth: Birth) -> None:
    os.environ.clear()
    os.environ.update(birth.environ)
    clock = StepClock()
    signal.signal(STEP_OF_CLOCK, lambda *_: clock.step(birth.step_s))
    _arm(birth, clock)
    random.seed()
    config = load(Path(birth.config), birth.environ)
    asyncio.run(notifier.app.running.run(config, sandbox=False, say=_say))


def _say(line: str) -> None:
    print(line, flush=True)


def main() -> None:
    for line in sys.stdin:
        birth = msgspec.json.decode(line, type=Birth)
        pid = os.fork()
        if pid == 0:
            try:
                _live(birth)
            except BaseException:  # noqa: BLE001 - a child must never come back into the nursery's loop
                sys.excepthook(*sys.exc_info())
                os._exit(1)
            os._exit(0)
        _say(f"born {pid}")
        _, status = os.waitpid(pid, 0)
        _say(f"dead {os.waitstatus_to_exitcode(status)}")


if __name__ == "__main__":
    main()

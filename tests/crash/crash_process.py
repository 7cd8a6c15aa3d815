"""Daemons one after the other on one database, from one nursery."""

import asyncio
import os
import signal
import sys
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec
from crash_daemon import Birth
from crash_world import SECRET, World

KEY = "operator-key"
PATIENCE_S = 20.0
_CONFIG = """
[server]
port = 0
shutdown_grace_s = 5
[storage]
url = "sqlite:{database}"
[accounts.shop]
base_url = "{upstream}"
merchant_id = "{merchant_id}"
api_key_env = "JUSPAY_KEY"
requests_per_s = 1000
[polling]
min_interval_s = 0.08
max_interval_s = 0.15
settle_failed_after_s = {settle_s}
settle_charged_after_s = {settle_s}
[delivery]
allow_http = true
allowed_targets = ["127.0.0.0/8"]
timeout_s = 5
order_hold_attempts = 3
order_hold_s = 1
schedule = [{schedule}]
[logging]
level = "warning"
"""
_SUBSCRIPTION = """
[subscriptions.{name}]
account = "shop"
channel = "webhook"
target = "{receiver}/{name}"
events = [{events}]
mode = "{mode}"
ordering = "{ordering}"
secret_env = "SIGNING_SECRET"
"""


class Home:
    """A directory with the configuration, the database and what daemons said to standard error."""

    def __init__(self, directory: Path, world: World, *, settle_s: float = 1.0) -> None:
        self.directory = directory
        self.database = directory / "notifier.db"
        self.config = directory / "config.toml"
        self.errors = directory / "stderr"
        self.environ = {
            "NOTIFIER_API_KEY": KEY,
            "NOTIFIER_MASTER_KEY": b64encode(bytes(range(32))).decode(),
            "JUSPAY_KEY": world.sandbox.key,
            "SIGNING_SECRET": SECRET,
        }
        text = _CONFIG.format(
            database=self.database,
            upstream=world.upstream_url,
            merchant_id=world.sandbox.merchant_id,
            settle_s=settle_s,
            schedule=", ".join(["0.1", "0.2", "0.4", *["0.5"] * 97]),
        )
        for listener in world.journal.listeners.values():
            text += _SUBSCRIPTION.format(
                name=listener.name,
                receiver=world.receiver_url,
                events=", ".join(f'"{pattern}"' for pattern in listener.events),
                mode=listener.mode,
                ordering=listener.ordering,
            )
        self.config.write_text(text)


class Daemon:
    """One life: `url` once it listens, `status` once it is dead (negative: the signal that killed it)."""

    def __init__(self, pid: int, life: int) -> None:
        self.pid = pid
        self.life = life
        self.url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.status: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    async def listens(self, within_s: float = PATIENCE_S) -> str | None:
        """Return its address, or None if it died before it had one."""
        await asyncio.wait({self.url, self.status}, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
        if self.url.done():
            return self.url.result()
        assert self.status.done(), f"the daemon does not listen after {within_s} s"
        return None

    async def dies(self, within_s: float) -> int | None:
        """Return its status, or None if it lives on."""
        await asyncio.wait({self.status}, timeout=within_s)
        return self.status.result() if self.status.done() else None


class Nursery:
    """The process that daemons are forked from."""

    def __init__(self, process: asyncio.subprocess.Process, home: Home) -> None:
        self._process = process
        self._home = home
        self._born: asyncio.Future[Daemon] | None = None
        self._lives = 0
        self.daemon: Daemon | None = None

    async def birth(self, *, point: str | None = None, nth: int = 1, step_s: float = 0.0) -> Daemon:
        """Start a daemon; the one before must be dead."""
        home, self._born = self._home, asyncio.get_running_loop().create_future()
        self._lives += 1
        birth = Birth(
            config=str(home.config),
            environ=home.environ,
            life=self._lives,
            point=point,
            nth=nth,
            step_s=step_s,
        )
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(birth) + b"\n")
        return await self._born

    async def listen(self) -> None:
        """Follow what the nursery and its daemons say, until it ends."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            word, _, rest = line.decode().strip().partition(" ")
            if word == "born" and self._born is not None:
                self.daemon = Daemon(int(rest), self._lives)
                self._born.set_result(self.daemon)
            elif word == "REST" and self.daemon is not None:
                self.daemon.url.set_result(rest.split()[0])
            elif word == "dead" and self.daemon is not None:
                self.daemon.status.set_result(int(rest))


@asynccontextmanager
async def nurseries(home: Home) -> AsyncIterator[Nursery]:
    """Keep a nursery for as long as the block lasts; its daemon dies with it."""
    with home.errors.open("ab") as errors:
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(Path(__file__).with_name("crash_daemon.py")),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=errors,
        )  # fmt: skip
    nursery = Nursery(process, home)
    listening = asyncio.create_task(nursery.listen(), name="nursery")
    try:
        yield nursery
    finally:
        if nursery.daemon is not None and not nursery.daemon.status.done():
            nursery.daemon.signal(signal.SIGKILL)
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
        await listening

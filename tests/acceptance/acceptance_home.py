"""The whole product in one test: make-believe upstream and receivers, the real daemon, a client of its REST."""

import asyncio
import os
import re
import signal
import sys
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import msgspec

from notifier.app.daemon import Daemon, assembled, listening
from notifier.clock import SystemClock
from notifier.config.load import load
from notifier.metrics import Metrics
from notifier.sandbox.receiver import Received
from notifier.sandbox.serve import World
from support.database import write_empty
from support.schemas import faults

KEY = "operator-key"
MASTER_KEY = b64encode(bytes(range(32))).decode()
PATIENCE_S = 20.0
_SAMPLE = re.compile(r"^(notifier_\S+) (\S+)$", re.MULTILINE)

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
min_interval_s = 0.05
max_interval_s = 0.1
[delivery]
allow_http = true
allowed_targets = ["127.0.0.0/8"]
schedule = [0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2]
[slack]
bot_token_env = "SLACK_TOKEN"
api_url = "{receiver}/slack/api"
[email]
host = "{smtp_host}"
port = {smtp_port}
security = "none"
from = "notifier@shop.example"
[logging]
level = "warning"
"""


async def eventually(
    look: Callable[[], Awaitable[Any]], *, until: Callable[[Any], bool], timeout_s: float = PATIENCE_S
) -> Any:
    """Look again and again until what is seen will do; the last sight stands in the failure."""
    seen = None
    try:
        async with asyncio.timeout(timeout_s):
            while not until(seen := await look()):  # noqa: ASYNC110 - what is awaited happens elsewhere
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"not within {timeout_s} s; last seen: {seen!r}") from None
    return seen


@dataclass
class Rest:
    """REST of one daemon."""

    url: str
    http: aiohttp.ClientSession
    world: World

    async def call(self, method: str, path: str, body: Any = None, *, status: int | None = None) -> Any:
        async with self.http.request(method, self.url + path, json=body) as answer:
            raw = await answer.read()
            is_expected = answer.status == status if status else answer.status < 300
            assert is_expected, f"{method} {path} answered {answer.status}: {raw[:500]!r}"
            return msgspec.json.decode(raw) if raw else None

    async def subscribe(self, path: str = "/callbacks", *events: str, **members: Any) -> str:
        """Subscribe the receiver's path by webhook; it verifies from then on."""
        body = {
            "channel": "webhook",
            "target": self.world.receiver_url + path,
            "events": list(events or ("*",)),
        }
        made = await self.call("POST", "/v1/subscriptions", body | members)
        self.world.receiver.secrets[path] = made["secret"]
        return str(made["id"])

    async def register(self, order_id: str, **members: Any) -> Any:
        return await self.call("POST", "/v1/watches", {"order_id": order_id} | members)

    async def watched(self, order_id: str) -> Any:
        return await self.call("GET", f"/v1/watches/{quote(order_id, safe='')}")

    async def hurry(self, order_id: str) -> None:
        await self.call("POST", f"/v1/watches/{quote(order_id, safe='')}/poll")

    async def items(self, path: str, **query: Any) -> list[Any]:
        """Return a whole list, page by page."""
        items: list[Any] = []
        while True:
            words = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in query.items())
            page = await self.call("GET", f"{path}?limit=500&{words}")
            items += page["items"]
            if page.get("next_cursor"):
                query["cursor"] = page["next_cursor"]
            elif page["items"] and "next_after" in page:
                query["after"] = page["next_after"]
            else:
                return items

    async def samples(self) -> dict[str, float]:
        """Return every sample of /metrics by its name with labels."""
        async with self.http.get(f"{self.url}/metrics") as answer:
            text = await answer.text()
        return {name: float(value) for name, value in _SAMPLE.findall(text)}

    async def types(self, **query: Any) -> list[str]:
        """Return the types of the event log, in sequence."""
        return [event["type"] for event in await self.items("/v1/events", **query)]

    async def told(self, event_type: str, order_id: str | None = None, path: str = "/callbacks") -> Received:
        """Return the first callback of that type, waiting for it."""

        def is_it(got: Received) -> bool:
            return (
                got.path == path
                and got.event_type == event_type
                and order_id in {None, got.json()["data"]["order_id"]}
            )

        try:
            return await self.world.receiver.wait_for(is_it, PATIENCE_S)
        except TimeoutError:
            seen = [(got.path, got.event_type) for got in self.world.receiver.callbacks]
            raise AssertionError(f"never told: {event_type} of {order_id}; told: {seen[-20:]}") from None

    async def good_looks(self, order_id: str, count: int) -> None:
        """Wait until so many more looks at the order have been recorded, none of them failed."""
        before = (await self.watched(order_id))["polls"]
        seen = await eventually(
            lambda: self.watched(order_id), until=lambda watch: watch["polls"] >= before + count
        )
        assert seen["last_error"] is None

    async def all_delivered(self, **query: Any) -> list[Any]:
        """Wait until nothing is owed; return all deliveries, oldest first."""
        owed = ("pending", "held")
        found = await eventually(
            lambda: self.items("/v1/deliveries", **query),
            until=lambda items: items and not any(item["state"] in owed for item in items),
        )
        return found[::-1]


@dataclass
class Shop(Rest):
    """The daemon running in this process."""

    daemon: Daemon

    def types_told(self, path: str = "/callbacks") -> list[str | None]:
        return [got.event_type for got in self.world.receiver.callbacks if got.path == path]


@dataclass
class Home:
    """A directory with a configuration, the world it points at, and daemons one after the other."""

    directory: Path
    world: World
    more: str = ""
    """Further tables of the configuration."""
    settings: dict[str, str] = field(default_factory=dict)
    """Overrides such as POLLING__MAX_INTERVAL_S."""

    @property
    def database(self) -> Path:
        return self.directory / "notifier.db"

    @property
    def environ(self) -> dict[str, str]:
        return {
            "NOTIFIER_API_KEY": KEY,
            "NOTIFIER_MASTER_KEY": MASTER_KEY,
            "JUSPAY_KEY": self.world.sandbox.key,
            "SLACK_TOKEN": self.world.receiver.slack_token,
            **{f"NOTIFIER_{name}": value for name, value in self.settings.items()},
        }

    def write_config(self) -> Path:
        world = self.world
        path = self.directory / "config.toml"
        text = _CONFIG.format(
            database=self.database,
            upstream=world.upstream_url,
            merchant_id=world.sandbox.merchant_id,
            receiver=world.receiver_url,
            smtp_host=world.smtp_host,
            smtp_port=world.smtp_port,
        )
        path.write_text(text + self.more)
        return path

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Shop]:
        """Run the daemon in this process for as long as the block lasts, then drain it."""
        config = load(self.write_config(), self.environ)
        if not self.database.exists():
            write_empty(self.database)
        async with AsyncExitStack() as stack:
            daemon = await stack.enter_async_context(
                assembled(config, clock=SystemClock(), metrics=Metrics())
            )
            url = await stack.enter_async_context(listening(daemon))
            http = await stack.enter_async_context(client())
            stop, abort = asyncio.Event(), asyncio.Event()
            working = asyncio.create_task(daemon.supervisor.run(stop, abort), name="workers")
            shop = Shop(url=url, http=http, world=self.world, daemon=daemon)
            try:
                yield shop
                events = (await shop.call("GET", "/v1/events?limit=500"))["items"]
                assert [fault for event in events for fault in faults(event)] == []
            finally:
                stop.set()
                async with asyncio.timeout(PATIENCE_S):
                    await working

    @asynccontextmanager
    async def process(self) -> AsyncIterator["Process"]:
        """Run the daemon as a process until it listens; killed at the end of the block if it still runs."""
        self.write_config()
        async with (
            started("run", directory=self.directory, environ=self.environ) as (process, errors),
            client() as http,
        ):
            url = await _address(process, errors)
            daemon = Process(url=url, http=http, world=self.world, process=process, errors=errors)
            try:
                yield daemon
            except BaseException as error:
                error.add_note(f"the daemon said: {daemon.stderr[-4000:]}")
                raise


@dataclass
class Process(Rest):
    """The daemon running as a process of its own."""

    process: asyncio.subprocess.Process
    errors: Path

    @property
    def stderr(self) -> str:
        return self.errors.read_text()

    async def kill(self) -> None:
        self.process.kill()
        await self.process.wait()

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    async def stops_listening(self) -> bool:
        """Return whether nobody answers any more, which is the first thing a stop does."""
        try:
            async with self.http.get(f"{self.url}/healthz"):
                return False
        except aiohttp.ClientError:
            return True

    async def ended(self, within_s: float) -> int:
        """Return the exit status."""
        async with asyncio.timeout(within_s):
            return await self.process.wait()


def client(key: str = KEY) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"})


@asynccontextmanager
async def started(
    *tokens: str, directory: Path, environ: dict[str, str]
) -> AsyncIterator[tuple[asyncio.subprocess.Process, Path]]:
    """Run the command; standard error goes to a file, so that nothing can block on it."""
    errors = directory / "stderr"
    with errors.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "notifier", *tokens,
            cwd=directory, env=_bare_environ() | environ, stdout=asyncio.subprocess.PIPE, stderr=file,
        )  # fmt: skip
    try:
        yield process, errors
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def ran(*tokens: str, directory: Path, environ: dict[str, str]) -> tuple[int, str, str]:
    """Run the command to its end; return exit status, output and errors."""
    async with started(*tokens, directory=directory, environ=environ) as (process, errors):
        async with asyncio.timeout(20):
            output, _ = await process.communicate()
        return int(process.returncode or 0), output.decode(), errors.read_text()


def _bare_environ() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("NOTIFIER_")}


async def _address(process: asyncio.subprocess.Process, errors: Path) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(20):
        async for line in process.stdout:
            words = line.decode().split()
            if words[:1] == ["REST"]:
                return words[1]
    said = errors.read_text()  # noqa: ASYNC240 - it has ended
    raise AssertionError(f"the daemon ended before it listened: {said}")

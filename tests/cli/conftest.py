"""The command line against the real web application on loopback over a real database."""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import msgspec
import pytest
import structlog

from notifier.cli import main
from notifier.config.model import Config
from notifier.config.secret import Secret
from notifier.metrics import Metrics
from notifier.web.server import application, serving
from notifier.web.services import Services
from support.clock import FakeClock
from support.database import open_empty
from support.fakes import FakeChannel
from support.seeing import seeing

KEY = "operator-key-1"


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    """The server of the tests shares their standard output; its lines are not the command's."""
    monkeypatch.setattr("notifier.logs.configure", lambda *_: None)
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    yield
    structlog.reset_defaults()


@dataclass
class Ran:
    """How a run of the command ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.out)

    @property
    def lines(self) -> list[Any]:
        return [msgspec.json.decode(line) for line in self.out.splitlines()]


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    """Start in an empty directory, without anything of the notifier's in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("NOTIFIER_"):
            monkeypatch.delenv(name)


@pytest.fixture
def cli(capsys):
    """Run the command in a thread, where it has an event loop of its own."""

    async def run(*tokens: str) -> Ran:
        capsys.readouterr()
        status = await asyncio.to_thread(main, list(tokens))
        return Ran(status, *capsys.readouterr())

    return run


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
async def storage(tmp_path, clock):
    opened = await open_empty(tmp_path / "served.db", clock=clock)
    yield opened
    await opened.close()


@pytest.fixture
def services(storage, clock):
    numbers = count(1)
    return Services(
        storage=storage,
        channels={"webhook": FakeChannel(), "slack": FakeChannel(name="slack", signs=False)},
        config=Config(),
        clock=clock,
        metrics=Metrics(),
        accounts={"shop": False},
        liveness=lambda: {"poller": True},
        new_id=lambda: f"{next(numbers):08d}",
        new_secret=lambda: Secret(f"whsec_c2VjcmV0LW51bWJlci{next(numbers)}"),
        operator_key=Secret(KEY),
    )


@pytest.fixture
async def url(services, monkeypatch) -> AsyncIterator[str]:
    """Serve REST, and let the command find it by its environment."""
    async with serving(application(services), "127.0.0.1", 0) as address:
        monkeypatch.setenv("NOTIFIER_URL", address)
        monkeypatch.setenv("NOTIFIER_API_KEY", KEY)
        yield address


@pytest.fixture
def seen(storage, services):
    return seeing(storage, services)

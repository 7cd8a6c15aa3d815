"""A world and a home for each test; a defect that a daemon logged fails the test that ran it."""

import os

import pytest
import structlog
from acceptance_home import Home

from notifier.sandbox.serve import running


@pytest.fixture(autouse=True)
def _no_defects_logged():
    """Whatever a worker's shell or a call's shell caught by `except Exception` is a defect."""
    with structlog.testing.capture_logs() as entries:
        yield
    defects = [entry for entry in entries if entry.get("exc_info") or entry["event"] == "request.failed"]
    assert defects == []


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch):
    for name in [name for name in os.environ if name.startswith("NOTIFIER_")]:
        monkeypatch.delenv(name)


@pytest.fixture
async def world():
    async with running() as everything:
        yield everything


@pytest.fixture
def home(tmp_path, world):
    return Home(tmp_path, world)


@pytest.fixture
async def shop(home):
    async with home.running() as started:
        yield started

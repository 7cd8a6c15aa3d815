from datetime import timedelta

import pytest

from support.clock import START, FakeClock
from support.database import open_empty


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def at():
    """Instants by their seconds since the start."""
    return lambda seconds=0.0: START + timedelta(seconds=seconds)


@pytest.fixture
async def sqlite_storage(tmp_path, clock):
    storage = await open_empty(tmp_path / "notifier.db", clock=clock)
    yield storage
    await storage.close()

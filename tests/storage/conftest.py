from datetime import timedelta

import pytest

from notifier.storage.engine import open_storage
from support.clock import START, FakeClock


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def at():
    """Instants by their seconds since the start."""
    return lambda seconds=0.0: START + timedelta(seconds=seconds)


@pytest.fixture
async def sqlite_storage(tmp_path, clock):
    storage = await open_storage(tmp_path / "notifier.db", clock=clock)
    yield storage
    await storage.close()

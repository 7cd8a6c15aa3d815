import pytest

from notifier.storage.engine import open_storage


@pytest.fixture(params=["sqlite"])
def opener(request, tmp_path, clock):
    """Open the one fresh database of this test; every engine that storage knows is a parameter here."""
    return lambda: open_storage(tmp_path / "contract.db", clock=clock)


@pytest.fixture
async def storage(opener):
    opened = await opener()
    yield opened
    await opened.close()

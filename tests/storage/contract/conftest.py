import pytest

from support.database import open_empty


@pytest.fixture(params=["sqlite"])
def opener(request, tmp_path, clock):
    """Open the one fresh database of this test; every engine that storage knows is a parameter here."""
    return lambda: open_empty(tmp_path / "contract.db", clock=clock)


@pytest.fixture
async def storage(opener):
    opened = await opener()
    yield opened
    await opened.close()

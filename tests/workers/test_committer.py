"""Group commit: one bad item costs the others nothing."""

import pytest

from notifier.errors import StorageError
from notifier.workers.committer import GroupCommit


@pytest.fixture
def commit(house):
    """Make a committer that writes into a list, and refuses what begins with a question mark."""
    landed = []

    async def write(tx, items):
        for item in items:
            if item.startswith("?"):
                raise StorageError(f"{item} cannot be")

    made = GroupCommit(
        "test",
        storage=house.storage,
        write=write,
        landed=lambda item, is_written: landed.append((item, is_written)),
        under_way=lambda: 0,
        clock=house.clock,
        metrics=house.metrics,
    )
    return made, landed


async def test_items_that_cannot_be_written_take_no_others_with_them(house, commit):
    committer, landed = commit
    for item in ("?a", "?b", "c", "d"):
        committer.add(item)
    while committer._items:
        async with house.running(_Once(committer)):
            await house.pass_time(2)
    assert sorted(landed) == [("?a", False), ("?b", False), ("c", True), ("d", True)]


class _Once:
    def __init__(self, committer):
        self._committer = committer

    async def run(self, stop):
        await self._committer.flush()

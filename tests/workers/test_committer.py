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


async def test_few_heavy_items_go_in_one_transaction_and_keep_their_place_among_the_light(house):
    groups = []

    async def write(tx, items):
        groups.append(items)

    committer = GroupCommit(
        "test",
        storage=house.storage,
        write=write,
        landed=lambda item, is_written: None,
        under_way=lambda: 0,
        clock=house.clock,
        metrics=house.metrics,
        is_heavy=lambda item: item >= 0,
    )
    items = [-1, *range(40), -2, -3]
    for item in items:
        committer.add(item)
    await committer.flush()
    await committer.flush()
    assert [len(group) for group in groups] == [33, 10]
    assert [item for group in groups for item in group] == items


class _Once:
    def __init__(self, committer):
        self._committer = committer

    async def run(self, stop):
        await self._committer.flush()

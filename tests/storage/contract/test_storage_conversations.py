"""The messages that live on: the newest handle of each, and no other's."""

from given import subscribed

from notifier.domain.snapshot import Subject
from notifier.storage.records import Talk


async def test_the_newest_handle_of_each_is_kept(storage, at):
    one, two = await subscribed(storage, "one"), await subscribed(storage, "two")
    talks = [Talk(of.id, Subject.INCIDENT, name) for of in (one, two) for name in ("inc_1", "inc_2")]
    async with storage.writing() as tx:
        await tx.keep_handles({talks[0]: "old", talks[1]: "other"}, now=at())
        await tx.keep_handles({talks[0]: "new"}, now=at(1))
    async with storage.reading() as tx:
        assert await tx.handles(talks) == {talks[0]: "new", talks[1]: "other"}
        assert await tx.handles([]) == {}


async def test_handles_that_were_not_renewed_are_forgotten(storage, at):
    one = await subscribed(storage, "one")
    old, fresh = (Talk(one.id, Subject.INCIDENT, name) for name in ("inc_1", "inc_2"))
    async with storage.writing() as tx:
        await tx.keep_handles({old: "a", fresh: "b"}, now=at())
        await tx.keep_handles({fresh: "c"}, now=at(10))
        await tx.prune(before=at(5), answers_before=at(5), now=at(10))
        assert await tx.handles([old, fresh]) == {fresh: "c"}

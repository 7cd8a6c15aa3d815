from dataclasses import replace

import pytest
from given import snapshot, watched, wish

from notifier.domain.cadence.plan import Why
from notifier.domain.deadline import Deadlines
from notifier.domain.event import Expectation
from notifier.domain.instant import to_ms
from notifier.domain.money import Money
from notifier.domain.order import OrderKey, Phase, Source, WatchState
from notifier.domain.snapshot import Reader
from notifier.errors import Conflict, NotFound, StorageError
from notifier.storage.looking import LookOutcome
from support.builders import a_credit

KEY = OrderKey("ow1")


async def due(storage, now, **wanted):
    async with storage.reading() as tx:
        return await tx.due_looks("main", now=now, limit=wanted.pop("limit", 10), **wanted)


async def record(storage, look, *, started_at, next_poll_at, now=None, **members):
    done = LookOutcome(
        look_id=look.id,
        started_ms=to_ms(started_at),
        next_poll_ms=to_ms(next_poll_at),
        why=Why.CADENCE,
        last_polled_ms=to_ms(started_at),
        asked_ms=look.asked_ms,
        **members,
    )
    async with storage.writing() as tx:
        await tx.record_looks([done], now=now or started_at)


async def test_a_look_reckoned_by_a_clock_that_was_set_back_since_is_due_as_much_earlier(storage, at):
    await watched(storage)
    (look,) = await due(storage, at())
    done = LookOutcome(
        look_id=look.id,
        started_ms=to_ms(at(3600)),
        next_poll_ms=to_ms(at(3607)),
        why=Why.CADENCE,
        last_polled_ms=to_ms(at(3600)),
    )
    async with storage.writing() as tx:
        await tx.record_looks([done], now=at())
    assert await due(storage, at(6)) == []
    assert len(await due(storage, at(7))) == 1


async def read(storage, key=KEY):
    async with storage.reading() as tx:
        return await tx.watch("main", key)


async def test_a_new_watch_is_due_at_once_and_reads_back_as_it_was_returned(storage, at):
    bell = storage.signals.looks.listener()
    expect = Expectation(amount=Money(38_600, "INR"))
    async with storage.writing() as tx:
        given = wish(
            tags=frozenset({"vip"}), expect=expect, until_at=at(900), routing_id="c1", mandate_id="m1"
        )
        watch, is_new = await tx.register(given, now=at())
    assert is_new
    assert watch == await read(storage)
    assert (watch.next_poll_at, watch.next_poll_why) == (at(), Why.REGISTERED)
    [look] = await due(storage, at())
    assert (look.watch_id, look.routing_id, look.deadline_at, look.asked_at) == (
        watch.id,
        "c1",
        at(900),
        None,
    )
    assert bell.is_set()


async def test_registering_again_merges(storage, at):
    await watched(storage, tags=frozenset({"a"}), until_at=at(900), routing_id="old")
    async with storage.writing() as tx:
        again = wish("ow1", tags=frozenset({"b"}), until_at=at(500), routing_id="new")
        watch, is_new = await tx.register(again, now=at(5))
    assert not is_new
    assert (watch.order_id, watch.tags, watch.until_at) == ("OW1", {"a", "b"}, at(900))
    assert watch.routing_id == "new"
    assert watch == await read(storage)
    async with storage.reading() as tx:
        assert [w.id for w in await tx.watches("main", tag="b")] == [watch.id]


async def test_an_end_that_has_passed_does_not_bind_a_new_wish(storage, at):
    watch = await watched(storage, until_at=at(10))
    async with storage.writing() as tx:
        await tx.end_watch(watch.id, WatchState.ABANDONED, unless_asked_after=at(100))
        again, _ = await tx.register(wish(), now=at(20))
    assert (again.state, again.until_at) == (WatchState.ACTIVE, None)
    [look] = await due(storage, at(20))
    assert look.deadline_at is None


@pytest.mark.parametrize("state", [WatchState.SETTLED, WatchState.NOT_FOUND, WatchState.ABANDONED])
async def test_an_ended_watch_is_not_polled_until_it_is_registered_again(storage, at, state):
    watch = await watched(storage)
    async with storage.writing() as tx:
        await tx.end_watch(watch.id, state, unless_asked_after=at(100))
    assert await due(storage, at(99_999)) == []
    async with storage.reading() as tx:
        assert await tx.next_look_at("main", after=at(-1)) is None
    async with storage.writing() as tx:
        again, is_new = await tx.register(wish(), now=at(5))
    assert (again.state, is_new) == (WatchState.ACTIVE, False)
    assert len(await due(storage, at(5))) == 1


async def test_a_paused_watch_stays_paused_and_only_remembers(storage, at):
    watch = await watched(storage)
    async with storage.writing() as tx:
        await tx.amend_watch(replace(watch, state=WatchState.PAUSED), now=at(1))
        await tx.register(wish(), now=at(2))
        paused = await tx.ask("main", KEY, now=at(3))
        await tx.end_watch(watch.id, WatchState.SETTLED, unless_asked_after=at(100))
    assert (paused.state, paused.next_poll_at) == (WatchState.PAUSED, None)
    assert await due(storage, at(99)) == []
    async with storage.writing() as tx:
        await tx.amend_watch(replace(watch, state=WatchState.ACTIVE), now=at(100))
    assert len(await due(storage, at(100))) == 1


async def test_a_tombstone_keeps_version_and_first_spelling(storage, at):
    watch = await watched(storage, tags=frozenset({"old"}))
    async with storage.writing() as tx:
        await tx.add_snapshot(watch, snapshot(), observed_at=at(1), not_before=None)
        await tx.remove_watch("main", KEY)
    with pytest.raises(NotFound):
        await read(storage)
    async with storage.writing() as tx:
        assert await tx.watches("main") == []
        assert (await tx.watch_by_id(watch.id)).state is WatchState.REMOVED
        with pytest.raises(NotFound):
            await tx.remove_watch("main", KEY)
        risen, is_new = await tx.register(wish("ow1"), now=at(9))
        [look] = await tx.due_looks("main", now=at(9), limit=1)
        assert (await tx.footings([look.id]))[look.id].snapshots == {Source.ORDER: snapshot()}
    assert is_new
    assert (risen.id, risen.version, risen.order_id, risen.tags) == (watch.id, 1, "OW1", frozenset())


@pytest.mark.parametrize("state", [WatchState.SETTLED, WatchState.NOT_FOUND])
async def test_asking_revives(storage, at, state):
    watch = await watched(storage)
    async with storage.writing() as tx:
        await tx.end_watch(watch.id, state, unless_asked_after=at(100))
        asked = await tx.ask("main", KEY, now=at(50))
    assert (asked.state, asked.next_poll_at, asked.next_poll_why) == (WatchState.ACTIVE, at(50), Why.ASKED)


async def test_a_request_during_a_look_owes_one_more(storage, at):
    await watched(storage)
    [look] = await due(storage, at(1))
    async with storage.writing() as tx:
        await tx.ask("main", KEY, now=at(2))
    await record(storage, look, started_at=at(1), next_poll_at=at(100), now=at(2))
    [again] = await due(storage, at(2))
    assert again.asked_at == at(2)
    await record(storage, again, started_at=at(3), next_poll_at=at(100), failures=2, error="timeout")
    watch = await read(storage)
    assert (watch.next_poll_at, watch.next_poll_why) == (at(100), Why.CADENCE)
    assert (watch.polls, watch.failures, watch.last_error, watch.last_polled_at) == (2, 2, "timeout", at(3))


async def test_a_request_between_claim_and_start_is_answered_and_owed_the_look_after_it(storage, at):
    """The look that a request found waiting in the poller's queue once passed for one that nobody asked for."""
    await watched(storage)
    [look] = await due(storage, at(1))
    async with storage.writing() as tx:
        await tx.ask("main", KEY, now=at(2))
    await record(storage, look, started_at=at(3), next_poll_at=at(100))
    watch = await read(storage)
    assert (watch.next_poll_at, watch.next_poll_why) == (at(5), Why.AFTER_ASKED)
    [again] = await due(storage, at(5))
    assert again.asked_at is None
    await record(storage, again, started_at=at(5), next_poll_at=at(100))
    assert (await read(storage)).next_poll_at == at(100)


async def test_asking_again_and_again_keeps_a_due_look_its_place_in_the_line(storage, at):
    await watched(storage)
    await watched(storage, "OW2", now=at(1))
    for second in range(5, 9):
        async with storage.writing() as tx:
            await tx.ask("main", KEY, now=at(second))
    assert [look.order_id for look in await due(storage, at(9))] == ["OW1", "OW2"]
    [look, _] = await due(storage, at(9))
    assert (look.next_poll_at, look.asked_at) == (at(0), at(8))


@pytest.mark.parametrize(
    ("sources", "meant", "asked"),
    [
        ({Source.ORDER, Source.MANDATE}, Source.MANDATE, {Source.MANDATE}),
        ({Source.ORDER, Source.HYPERCREDIT}, Source.MANDATE, {Source.ORDER}),
        ({Source.HYPERCREDIT}, Source.ORDER, {Source.HYPERCREDIT}),
        ({Source.ORDER, Source.MANDATE}, None, {Source.ORDER, Source.MANDATE}),
    ],
)
async def test_asking_for_one_source_leaves_the_others_as_they_are(storage, at, sources, meant, asked):
    await watched(storage, sources=frozenset(sources))
    for look in await due(storage, at(0)):
        await record(storage, look, started_at=at(0), next_poll_at=at(1000))
    async with storage.writing() as tx:
        await tx.ask("main", KEY, now=at(5), source=meant)
    assert {look.source for look in await due(storage, at(5))} == asked


async def test_asking_one_source_of_an_ended_watch_revives_them_all(storage, at):
    watch = await watched(storage, sources=frozenset({Source.ORDER, Source.MANDATE}))
    async with storage.writing() as tx:
        await tx.end_watch(watch.id, WatchState.SETTLED, unless_asked_after=at(1))
        await tx.ask("main", KEY, now=at(5), source=Source.MANDATE)
    assert len(await due(storage, at(5))) == 2


async def test_a_mandate_finds_the_watches_that_name_it_but_removed_ones(storage, at):
    for name, members in {
        "OW1": {"mandate_id": "m1"},
        "OW2": {"mandate_id": "m2"},
        "OW3": {"mandate_id": "m1"},
        "OW4": {"mandate_id": "m1", "account": "other"},
        "OW5": {},
        "OW6": {"mandate_id": "m1"},
    }.items():
        await watched(storage, name, **members)
    async with storage.writing() as tx:
        await tx.remove_watch("main", OrderKey("ow6"))
    async with storage.reading() as tx:
        found = await tx.watches_of_mandate("main", "m1")
        assert [watch.order_id for watch in found] == ["OW1", "OW3"]
        assert [watch.order_id for watch in await tx.watches_of_mandate("main", "m1", limit=1)] == ["OW3"]
        assert await tx.watches_of_mandate("main", "M1") == []


async def test_only_a_tombstone_is_removed(storage, at):
    await watched(storage)
    async with storage.writing() as tx:
        assert not await tx.is_removed("main", KEY)
        assert not await tx.is_removed("main", OrderKey("never-seen"))
        await tx.remove_watch("main", KEY)
        assert await tx.is_removed("main", KEY)


async def test_a_watch_paused_during_a_look_stays_unscheduled(storage, at):
    watch = await watched(storage)
    [look] = await due(storage, at(1))
    async with storage.writing() as tx:
        await tx.amend_watch(replace(watch, state=WatchState.PAUSED), now=at(2))
    await record(storage, look, started_at=at(1), next_poll_at=at(3))
    assert await due(storage, at(99)) == []


async def test_looks_come_longest_due_first_without_those_in_flight(storage, at):
    for second, name in enumerate(["c", "a", "b"]):
        await watched(storage, name, now=at(second))
    await watched(storage, "other", account="other")
    looks = await due(storage, at(5))
    assert [look.order_id for look in looks] == ["c", "a", "b"]
    assert [look.order_id for look in await due(storage, at(5), limit=1, in_flight={looks[0].id})] == ["a"]
    assert await due(storage, at(-1)) == []
    async with storage.reading() as tx:
        assert await tx.next_look_at("main", after=at(-1)) == at()
        assert await tx.next_look_at("main", after=at()) == at(1)


async def test_look_state_is_kept_and_bounds_the_look(storage, at):
    watch = await watched(storage)
    [look] = await due(storage, at())
    async with storage.writing() as tx:
        state = replace(
            (await tx.footings([look.id]))[look.id].state,
            digest=b"\x00digest",
            reader=Reader(schema=1, version="2023-06-30", options="udf1"),
            phase=Phase.OPEN,
            status="PENDING_VBV",
            deadlines=Deadlines(stuck_at=at(900), settle_at=at(9000), until_at=at(700)),
            last_changed_at=at(4),
        )
        await tx.save_look_state(state)
        assert (await tx.footings([look.id]))[look.id].state == state
        assert [w.id for w in await tx.watches("main", status="PENDING_VBV")] == [watch.id]
    [look] = await due(storage, at())
    assert (look.deadline_at, look.digest, look.phase) == (at(700), b"\x00digest", Phase.OPEN)
    assert (look.reader, look.last_changed_at) == (state.reader, at(4))


async def test_versions_are_taken_by_compare_and_set(storage, at):
    watch = await watched(storage)
    async with storage.writing() as tx:
        assert await tx.add_snapshot(watch, snapshot("NEW"), observed_at=at(1), not_before=None) == 1
    with pytest.raises(Conflict):
        async with storage.writing() as tx:
            await tx.add_snapshot(watch, snapshot(), observed_at=at(2), not_before=at(1))
    async with storage.writing() as tx:
        now = await tx.watch("main", KEY)
        assert await tx.add_snapshot(now, snapshot(), observed_at=at(3), not_before=at(1)) == 2
        assert [s.version for s in await tx.snapshots(watch.id, after=1)] == [2]
        last = await tx.snapshot_at(watch.id)
        assert (last.version, last.snapshot, last.observed_at, last.not_before) == (
            2,
            snapshot(),
            at(3),
            at(1),
        )
        assert (await tx.snapshot_at(watch.id, 1)).snapshot == snapshot("NEW")
        with pytest.raises(NotFound):
            await tx.snapshot_at(watch.id, 3)


async def test_looks_are_due_at_the_sources_that_are_asked_for(storage, at):
    every = frozenset(Source)
    await watched(storage, sources=every, mandate_id="m1")
    assert {look.source for look in await due(storage, at())} == every
    assert {look.mandate_id for look in await due(storage, at())} == {"m1"}
    for source in Source:
        assert [look.source for look in await due(storage, at(), sources=[source])] == [source]
    others = await due(storage, at(), sources=[Source.ORDER, Source.MANDATE])
    assert {look.source for look in others} == {Source.ORDER, Source.MANDATE}
    assert await due(storage, at(), sources=[]) == []


async def test_a_version_keeps_what_the_other_sources_had_said(storage, at):
    watch = await watched(storage)
    whole = replace(a_credit("Agreement Singed"), observed_at=at(1), beside=(snapshot(),))
    async with storage.writing() as tx:
        await tx.add_snapshot(watch, whole, observed_at=at(1), not_before=None)
        assert (await tx.snapshot_at(watch.id)).snapshot == whole


async def test_the_latest_snapshot_speaks_with_the_reader_of_its_look(storage, at):
    watch = await watched(storage)
    adopted = Reader(schema=2, version="2027-01-01")
    async with storage.writing() as tx:
        await tx.add_snapshot(watch, snapshot(), observed_at=at(1), not_before=None)
        [look] = await tx.due_looks("main", now=at(), limit=1)
        state = (await tx.footings([look.id]))[look.id].state
        await tx.save_look_state(replace(state, reader=adopted))
        latest = (await tx.footings([look.id]))[look.id].snapshots
        assert latest == {Source.ORDER: replace(snapshot(), reader=adopted)}


async def test_looks_stand_on_their_own_order_with_all_that_its_sources_said(storage, at):
    both = frozenset({Source.ORDER, Source.HYPERCREDIT})
    mine, other = await watched(storage, sources=both), await watched(storage, "OW2")
    loan = replace(a_credit("Agreement Singed"), observed_at=at(1))
    async with storage.writing() as tx:
        await tx.add_snapshot(mine, snapshot("NEW"), observed_at=at(1), not_before=None)
        mine = await tx.watch_by_id(mine.id)
        await tx.add_snapshot(mine, loan, observed_at=at(1), not_before=None)
        mine = await tx.watch_by_id(mine.id)
        await tx.add_snapshot(mine, snapshot(), observed_at=at(2), not_before=None)
        looks = await tx.due_looks("main", now=at(), limit=9)
        footings = await tx.footings([look.id for look in looks] + [999])
        assert footings.keys() == {look.id for look in looks}
        for look in looks:
            footing = footings[look.id]
            assert await tx.footings([look.id]) == {look.id: footing}
            assert footing.watch == await tx.watch_by_id(look.watch_id)
            assert footing.state.look_id == look.id
            assert footing.snapshots == (
                {Source.ORDER: snapshot(), Source.HYPERCREDIT: loan} if look.watch_id == mine.id else {}
            )
        assert {look.watch_id for look in looks} == {mine.id, other.id}
        assert await tx.footings([]) == {}


async def test_pages_of_watches_go_by_id(storage):
    ids = [(await watched(storage, f"o{n}")).id for n in range(5)]
    async with storage.reading() as tx:
        first = await tx.watches("main", limit=3)
        rest = await tx.watches("main", after=first[-1].id, state=WatchState.ACTIVE)
    assert [w.id for w in [*first, *rest]] == ids


async def test_a_failed_transaction_leaves_nothing(storage, at):
    bell = storage.signals.looks.listener()

    async def fail():
        async with storage.writing() as tx:
            await tx.register(wish(), now=at())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    with pytest.raises(NotFound):
        await read(storage)
    assert not bell.is_set()


async def test_a_reader_cannot_write(storage, at):
    with pytest.raises(StorageError):
        async with storage.reading() as tx:
            await tx.register(wish(), now=at())

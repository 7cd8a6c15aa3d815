import pytest
from given import attempted, claimed, due, event, recorded, snapshot, states, subscribed, told, watched

from notifier.domain.delivery import Verdict
from notifier.domain.handed import HandedTemplate
from notifier.domain.order import OrderKey, Source
from notifier.errors import Conflict
from notifier.storage.records import RememberedAnswer, SourceHealth, SourceState

ANSWER = RememberedAnswer(
    key="k", route="POST /v1/watches", account="main", digest=b"\x01", http_status=201, body=b"{}"
)


async def prune(storage, *, before, now, answers_before=None, limit=1000):
    async with storage.writing() as tx:
        return await tx.prune(before=before, answers_before=answers_before or before, now=now, limit=limit)


async def test_source_health_is_ok_until_something_is_known(storage, at):
    failing = SourceHealth(
        account="main", source=Source.ORDER, state=SourceState.FAILING, since=at(3), failures=4
    )
    async with storage.writing() as tx:
        assert await tx.source_health("main", Source.ORDER) == SourceHealth(
            account="main", source=Source.ORDER
        )
        await tx.save_source_health(failing)
        assert await tx.source_health("main", Source.ORDER) == failing


async def test_a_key_is_found_by_its_digest(storage, at):
    async with storage.writing() as tx:
        assert not await tx.has_api_key()
        await tx.add_api_key(b"\x01" * 32, "operator", now=at())
        assert await tx.has_api_key()
        assert await tx.api_key(b"\x01" * 32) == "operator"
        assert await tx.api_key(b"\x02" * 32) is None


async def test_an_answer_is_remembered_once(storage, at):
    async with storage.writing() as tx:
        assert await tx.remembered_answer("k", "POST /v1/watches", "main") is None
        await tx.remember_answer(ANSWER, now=at())
        assert await tx.remembered_answer("k", "POST /v1/watches", "main") == ANSWER
    with pytest.raises(Conflict):
        async with storage.writing() as tx:
            await tx.remember_answer(ANSWER, now=at(1))


async def test_what_goes_wrong_before_an_answer_is_remembered_is_not_taken_for_a_used_key(storage, at):
    async def tell_twice():
        async with storage.writing() as tx:
            await tx.add_events([(event("a"), 1), (event("a"), 2)], None)
            await tx.remember_answer(ANSWER, now=at())

    with pytest.raises(Conflict, match=r"events\.id"):
        await tell_twice()
    async with storage.reading() as tx:
        assert await tx.remembered_answer("k", "POST /v1/watches", "main") is None


async def test_answers_are_forgotten_after_a_day(storage, at):
    async with storage.writing() as tx:
        await tx.remember_answer(ANSWER, now=at())
    assert await prune(storage, before=at(-1), now=at(86_400)) == 0
    assert await prune(storage, before=at(-1), now=at(86_401)) == 1


async def test_counts_are_by_state(storage):
    hook = await subscribed(storage)
    await told(storage, hook, await watched(storage), "a", "b")
    await watched(storage, "gone")
    async with storage.writing() as tx:
        await tx.remove_watch("main", OrderKey("gone"))
        counts = await tx.counts()
    assert counts == {"watches.active": 1, "deliveries.pending": 2, "events": 2, "snapshots": 0}


async def test_pruning_keeps_tombstones_the_owed_and_each_last_snapshot(storage, at):
    hook = await subscribed(storage)
    watch = await watched(storage)
    for version, status in enumerate(["NEW", "PENDING_VBV", "CHARGED"]):
        async with storage.writing() as tx:
            present = await tx.watch("main", watch.order_key)
            await tx.add_snapshot(present, snapshot(status), observed_at=at(version), not_before=None)
    await told(storage, hook, watch, "done", order_version=1)
    [found] = await due(storage, at())
    await attempted(storage, found, Verdict.ACCEPTED, now=at(5), until=at(30))
    await told(storage, hook, watch, "owed", order_version=2)
    async with storage.writing() as tx:
        await tx.remove_watch("main", watch.order_key)
    assert (
        await prune(storage, before=at(1_000), now=at(1_000)) == 5
    )  # attempt, delivery, body, event, version 1
    assert await prune(storage, before=at(1_000), now=at(1_000)) == 0
    assert await states(storage) == {"owed": "pending"}
    async with storage.reading() as tx:
        assert [s.version for s in await tx.snapshots(watch.id)] == [2, 3]
        assert [e.event.id for e in await tx.events("main")] == ["evt_owed"]
        assert (await tx.watch_by_id(watch.id)).version == 3


async def test_pruning_forgets_answers_before_their_attempts(storage, at):
    hook = await subscribed(storage)
    await told(storage, hook, await watched(storage), "a")
    [found] = await due(storage, at())
    await claimed(storage, found, until=at(30))
    await recorded(storage, found, Verdict.ACCEPTED, now=at(5), answer=b"hello")
    assert await prune(storage, before=at(-1), answers_before=at(6), now=at(7)) == 1
    async with storage.reading() as tx:
        [attempt] = await tx.attempts(found.delivery.id)
    assert attempt.answer == b""


async def test_pruning_takes_no_more_of_a_table_than_its_limit(storage, at):
    await told(storage, await subscribed(storage), None, *"abc")
    async with storage.writing() as tx:
        await tx.remove_subscription("main", "sub_hook", now=at())
    taken = [await prune(storage, before=at(10), now=at(10), limit=1) for _ in range(4)]
    assert taken == [2, 2, 2, 0]  # a delivery and its event


async def test_templates_are_kept_by_account_and_name(storage, at):
    def template(account, name, text, seconds):
        return HandedTemplate(
            account=account, name=name, channel="webhook", parts={"json": text}, updated_at=at(seconds)
        )

    one, other = template("main", "a", "1", 0), template("else", "a", "2", 1)
    later = template("main", "a", "{{ 'ü' }}", 2)
    async with storage.writing() as tx:
        for each in (one, other, later, template("main", "b", "3", 3)):
            await tx.keep_template(each)
        await tx.drop_template("main", "b")
        await tx.drop_template("main", "absent")
    async with storage.reading() as tx:
        assert await tx.handed_templates() == [other, later]

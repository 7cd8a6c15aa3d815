"""What the poller asks, when, and what it leaves behind."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from notifier.domain.event import Expectation
from notifier.domain.money import Money
from notifier.domain.order import Source, WatchState, order_key
from notifier.domain.polling import PollingPolicy
from notifier.domain.snapshot import Order, Refund, Snapshot
from notifier.source.contract import Failure, FailureReason
from notifier.storage.records import Initial, SourceState
from support.builders import at


async def test_a_new_watch_is_looked_at_at_once_and_told_as_initial(house):
    house.source.put("OW1", "NEW")
    await house.watch("OW1")
    async with house.running(house.poller()):
        pass
    (logged,) = await house.events()
    assert (logged.event.type, logged.event.initial, logged.event.previous) == ("order.new", True, None)
    assert (logged.sequence, logged.event.order_version) == (1, 1)


async def test_a_change_is_told_with_before_and_after(house):
    house.source.put("OW1", "PENDING_VBV")
    await house.watch("OW1")
    async with house.running(house.poller()):
        house.source.put("OW1", "CHARGED")
        await house.pass_time(5)
    event = (await house.events())[-1].event
    assert (event.type, event.previous, event.current) == ("order.charged", "PENDING_VBV", "CHARGED")
    assert event.not_before is not None
    assert event.not_before < event.observed_at


async def test_an_unchanged_order_is_asked_ever_less_often(house):
    house.source.put("OW1", "PENDING_VBV")
    await house.watch("OW1")
    async with house.running(house.poller()):
        await house.pass_time(30)
        early = len(house.source.asked)
        await house.pass_time(270, step=10)
        later = len(house.source.asked) - early
    assert early >= 6
    assert later < early * 9 / 2
    assert await house.types() == ["order.pending_vbv"]


async def test_an_order_that_settled_is_left_alone_and_told_once(house):
    house.source.put("OW1", "AUTHORIZATION_FAILED")
    await house.watch("OW1")
    async with house.running(house.poller()):
        await house.pass_time(90_000, step=3000)
        asked = len(house.source.asked)
        await house.pass_time(90_000, step=3000)
    assert len(house.source.asked) == asked
    assert await house.types() == ["order.authorization_failed", "watch.settled"]
    assert (await house.watched("OW1")).state is WatchState.SETTLED


async def test_an_order_open_too_long_is_told_stuck_once(house):
    house.source.put("OW1", "PENDING_VBV")
    await house.watch("OW1")
    async with house.running(house.poller()):
        await house.pass_time(3000, step=30)
    assert await house.types() == ["order.pending_vbv", "order.stuck"]


async def test_a_mismatch_seen_at_first_is_told_by_the_second_look(house):
    house.source.put("OW1", "CHARGED", amount=Money(100, "INR"))
    await house.watch("OW1", expect=Expectation(amount=Money(38_600, "INR")))
    async with house.running(house.poller()):
        await house.pass_time(90, step=5)
    events = [logged.event for logged in await house.events()]
    assert [event.type for event in events] == ["order.charged", "order.amount_mismatch"]
    assert (events[1].previous, events[1].current, events[1].initial) == ("386.00", "1.00", False)


async def test_silent_tells_nothing_at_first_and_everything_later(house):
    house.source.put("OW1", "PENDING_VBV")
    await house.watch("OW1", initial=Initial.SILENT)
    async with house.running(house.poller()):
        await house.pass_time(5)
        assert await house.types() == []
        house.source.put("OW1", "CHARGED")
        await house.pass_time(5)
    assert await house.types() == ["order.charged"]


async def test_a_failure_changes_nothing_and_backs_off(house):
    house.source.put("OW1", "PENDING_VBV")
    await house.watch("OW1")
    house.source.failures.extend([Failure(reason=FailureReason.SERVER_ERROR, http_status=503)] * 3)
    async with house.running(house.poller()):
        await house.pass_time(1)
        assert (await house.watched("OW1")).last_error == "server_error"
        await house.pass_time(30)
    assert await house.types() == ["order.pending_vbv"]
    assert (await house.watched("OW1")).last_error is None


async def test_an_outage_is_told_once_and_so_is_its_end(house):
    await house.subscribe("source.*")
    house.source.put("OW1", "PENDING_VBV")
    await house.watch("OW1")
    house.source.failures.extend([Failure(reason=FailureReason.TIMEOUT)] * 7)
    async with house.running(house.poller()):
        await house.pass_time(400, step=5)
    assert await house.types() == [
        "source.failing",
        "order.pending_vbv",
        "source.recovered",
    ] or await house.types() == [
        "source.failing",
        "source.recovered",
        "order.pending_vbv",
    ]


async def test_a_refused_key_stops_the_account_tells_once_probes_and_resumes(house):
    for number in range(20):
        house.source.put(f"OW{number}", "PENDING_VBV")
        await house.watch(f"OW{number}")
    house.source.refuses = True
    async with house.running(house.poller()):
        await house.pass_time(25)
        asked = len(house.source.asked)
        assert asked < 20
        await house.pass_time(60, step=5)
        assert len(house.source.asked) - asked <= 2
        assert await house.types() == ["source.refused"]
        house.source.refuses = False
        await house.pass_time(130, step=5)
    types = await house.types()
    assert types.count("source.recovered") == 1
    assert types.count("order.pending_vbv") == 20
    async with house.storage.reading() as tx:
        assert (await tx.source_health("shop", "order")).state is SourceState.OK


async def test_an_unknown_order_gets_a_grace_and_is_then_parked(house):
    await house.watch("OW404")
    async with house.running(house.poller()):
        await house.pass_time(120, step=5)
        assert await house.types() == []
        await house.pass_time(300, step=5)
        asked = len(house.source.asked)
        await house.pass_time(600, step=60)
    assert len(house.source.asked) == asked
    assert await house.types() == ["watch.not_found"]
    assert (await house.watched("OW404")).state is WatchState.NOT_FOUND


async def test_a_request_while_asking_owes_exactly_one_more_look(house):
    house.source.put("OW1", "PENDING_VBV")
    await house.watch("OW1")
    house.source.gate = asyncio.Event()
    async with house.running(house.poller()):
        assert len(house.source.asked) == 1
        await house.clock.advance(0.5)
        for _ in range(3):
            async with house.storage.writing() as tx:
                await tx.ask("shop", order_key("OW1"), now=house.clock.now())
        house.source.gate.set()
        await house.quiet()
        assert len(house.source.asked) == 2


async def test_at_most_one_request_an_order_and_no_more_than_granted_at_once(house):
    house.source.gate = asyncio.Event()
    for number in range(10):
        house.source.put(f"OW{number}", "PENDING_VBV")
        await house.watch(f"OW{number}")
    async with house.running(house.poller(concurrency=3)):
        assert house.source.most_at_once == 3
        house.source.gate.set()
        await house.quiet()
    assert house.source.most_at_once == 3
    assert sorted(house.source.asked) == sorted(set(house.source.asked))


async def test_the_rate_granted_is_kept(house):
    for number in range(40):
        house.source.put(f"OW{number}", "CHARGED")
        await house.watch(f"OW{number}")
    async with house.running(house.poller(concurrency=8, rate=4.0)):
        await house.pass_time(5, step=0.25)
        assert len(house.source.asked) <= 4 * 5 + 3
        await house.pass_time(6, step=0.25)
    assert len(set(house.source.asked)) == 40


async def test_a_pause_in_mid_flight_keeps_the_watch_unpolled(house):
    house.source.put("OW1", "PENDING_VBV")
    watch = await house.watch("OW1")
    house.source.gate = asyncio.Event()
    async with house.running(house.poller()):
        async with house.storage.writing() as tx:
            await tx.remove_watch("shop", watch.order_key)
        house.source.gate.set()
        await house.pass_time(30, step=5)
    assert len(house.source.asked) == 1
    assert await house.types() == []


async def test_a_step_back_needs_a_second_look_five_seconds_later(house):
    house.source.put("OW1", "CHARGED")
    await house.watch("OW1")
    async with house.running(house.poller()):
        house.source.put("OW1", "PENDING_VBV")
        async with house.storage.writing() as tx:
            await tx.ask("shop", order_key("OW1"), now=house.clock.now() + timedelta(milliseconds=1))
        await house.pass_time(3)
        assert await house.types() == ["order.charged"]
        await house.pass_time(10)
    assert await house.types() == ["order.charged", "order.pending_vbv"]


async def test_a_restart_goes_on_where_the_last_one_was_killed(house):
    house.source.put("OW1", "PENDING_VBV")
    await house.watch("OW1")
    async with house.running(house.poller()):
        pass
    house.source.put("OW1", "CHARGED")
    async with house.running(house.poller()):
        await house.pass_time(5)
    assert await house.types() == ["order.pending_vbv", "order.charged"]
    assert [logged.event.order_version for logged in await house.events()] == [1, 2]


async def test_an_order_whose_answers_are_all_stale_is_judged_by_what_is_known_and_not_asked_for_ever(house):
    house.policy = PollingPolicy(stuck_after_s=100, settle_charged_after_s=1000)
    house.source.put("OW1", "PENDING_VBV", txn_id="OW1-2", attempt=2)
    await house.watch("OW1")
    async with house.running(house.poller()):
        house.source.put("OW1", "CHARGED", txn_id="OW1-1", attempt=1)
        await house.pass_time(150)
        asked = len(house.source.asked)
        await house.pass_time(100)
        assert 0 < len(house.source.asked) - asked < 20
        await house.pass_time(1000, step=5)
    assert await house.types() == ["order.pending_vbv", "order.stuck", "watch.abandoned"]


async def test_an_earlier_attempt_that_succeeds_late_is_told(house):
    second = Order(status="PENDING_VBV", txn_id="OW1-2", attempt=2)
    first = Order(status="CHARGED", txn_id="OW1-1", attempt=1)
    before = Snapshot(source=Source.ORDER, reader=house.source.reader, order=second, last_updated=at(0))
    house.source.show("OW1", before)
    await house.watch("OW1")
    async with house.running(house.poller()):
        house.source.show("OW1", replace(before, order=first, last_updated=at(1)))
        await house.pass_time(30)
    assert await house.types() == ["order.pending_vbv", "order.charged"]


async def test_a_doubt_is_not_confirmed_by_another_one(house):
    def show(status: str, refund: str) -> None:
        refunds = (Refund(id="r1", status=refund),)
        order = Order(status=status)
        house.source.show(
            "OW1", Snapshot(source=Source.ORDER, reader=house.source.reader, order=order, refunds=refunds)
        )

    async def wait_for_a_look() -> None:
        asked = len(house.source.asked)
        while len(house.source.asked) == asked:
            await house.pass_time(1)

    show("CHARGED", "SUCCESS")
    await house.watch("OW1")
    async with house.running(house.poller()):
        told = await house.types()
        show("CHARGED", "PENDING")
        await wait_for_a_look()
        show("PENDING_VBV", "SUCCESS")
        await wait_for_a_look()
        assert await house.types() == told
        await wait_for_a_look()
        assert await house.types() == [*told, "order.pending_vbv"]


@pytest.mark.parametrize(
    ("status", "end"),
    [("CHARGED", "watch.settled"), ("PENDING_VBV", "watch.abandoned"), (None, "watch.abandoned")],
)
async def test_until_ends_a_watch_whose_upstream_keeps_failing(house, status, end):
    if status:
        house.source.put("OW1", status)
    else:
        house.source.failures.append(Failure(reason=FailureReason.TIMEOUT))
    await house.watch("OW1", until_at=house.clock.now() + timedelta(seconds=100))
    async with house.running(house.poller()):
        house.source.failures.extend([Failure(reason=FailureReason.TIMEOUT)] * 100)
        await house.pass_time(600, step=5)
        asked = len(house.source.asked)
        await house.pass_time(600, step=50)
    assert len(house.source.asked) == asked
    of_order = [logged.event.type for logged in await house.events() if logged.event.order_id]
    assert of_order[-1] == end
    assert len(of_order) == (2 if status else 1)

"""One order at several sources: looks side by side, one version counter, one life, troubles apart."""

import asyncio

import pytest
from sqlalchemy import update

from notifier.domain.document import order_document
from notifier.domain.order import Phase, Source, WatchState
from notifier.domain.polling import PollingPolicy
from notifier.storage.records import Initial
from notifier.storage.tables import watches
from support.builders import a_credit, a_mandate, a_snapshot, an_order, at
from support.fakes import FakeSource

ALL = frozenset(Source)


@pytest.fixture
def credit(house):
    house.others = {Source.HYPERCREDIT: FakeSource(), Source.MANDATE: FakeSource()}
    return house.others[Source.HYPERCREDIT]


@pytest.fixture
def mandate(house, credit):
    return house.others[Source.MANDATE]


async def described(house):
    """Return (version, source, type, phase) of every event."""
    return [
        (event.order_version, event.source, event.type, event.phase)
        for event in (logged.event for logged in await house.events())
    ]


async def test_every_source_is_asked_and_all_share_one_row_of_versions(house, credit, mandate):
    house.source.put("OW1", "PENDING_VBV")
    await house.watch("OW1", sources=ALL, mandate_id="m1", routing_id="cst")
    async with house.running(house.poller()):
        credit.show("OW1", a_credit("Offer Selected"))
        await house.pass_time(10)
        mandate.show("OW1", a_mandate("CREATED"))
        await house.pass_time(20)
        credit.show("OW1", a_credit("Loan Active"))
        await house.pass_time(20)
        house.source.put("OW1", "CHARGED")
        await house.pass_time(20)
    assert mandate.mandates[0] == "m1"
    assert await described(house) == [
        (1, "order", "order.pending_vbv", Phase.OPEN),
        (2, "hypercredit", "loan.offer_selected", Phase.OPEN),
        (3, "mandate", "mandate.created", Phase.OPEN),
        (4, "hypercredit", "loan.loan_active", Phase.OPEN),
        (5, "order", "order.charged", Phase.SUCCEEDED),
    ]
    assert [logged.event.initial for logged in await house.events()] == [True, True, True, False, False]
    watch = await house.watched("OW1")
    assert (watch.status, watch.phase, watch.version) == ("CHARGED", Phase.SUCCEEDED, 5)


async def test_every_event_shows_the_whole_order_of_its_version(house, credit, mandate):
    house.source.put("OW1", "PENDING_VBV")
    await house.watch("OW1", sources=ALL, mandate_id="m1")
    async with house.running(house.poller()):
        credit.show("OW1", a_credit("Offer Selected"))
        await house.pass_time(10)
        mandate.show("OW1", a_mandate("ACTIVE"))
        await house.pass_time(20)
        house.source.put("OW1", "CHARGED")
        await house.pass_time(20)
    documents = [order_document(each.event.order_id, each.snapshot) for each in await house.events()]
    shown = [
        (
            document["status"],
            document.get("loan", {}).get("txn_list", [{}])[0].get("sub_status"),
            document.get("mandate", {}).get("mandate_status"),
        )
        for document in documents
    ]
    assert shown == [
        ("PENDING_VBV", None, None),
        ("PENDING_VBV", "Offer Selected", None),
        ("PENDING_VBV", "Offer Selected", "ACTIVE"),
        ("CHARGED", "Offer Selected", "ACTIVE"),
    ]
    assert documents[2]["loan"]["observed_at"] < documents[2]["mandate"]["observed_at"]
    async with house.storage.reading() as tx:
        assert (await tx.snapshot_at(1)).snapshot.of(Source.HYPERCREDIT) is not None


async def test_the_body_sent_is_the_one_that_was_seen(house, credit):
    await house.subscribe("loan.*")
    house.source.put("OW1", "PENDING_VBV")
    credit.show("OW1", a_credit("Agreement Singed"))
    await house.watch("OW1", sources=frozenset({Source.ORDER, Source.HYPERCREDIT}))
    async with house.running(house.poller(), house.deliverer()):
        await house.pass_time(5)
    assert house.channel.types() == ["loan.agreement_signed"]


async def test_silent_is_silent_for_every_source(house, credit, mandate):
    house.source.put("OW1", "PENDING_VBV")
    credit.show("OW1", a_credit("Offer Selected"))
    mandate.show("OW1", a_mandate("CREATED"))
    await house.watch("OW1", sources=ALL, mandate_id="m1", initial=Initial.SILENT)
    async with house.running(house.poller()):
        await house.pass_time(10)
        mandate.show("OW1", a_mandate("ACTIVE"))
        await house.pass_time(10)
    assert await house.types() == ["mandate.active"]


async def test_a_refused_key_stops_only_the_source_whose_key_it_is(house, credit):
    house.source.put("OW1", "PENDING_VBV")
    credit.refuses = True
    await house.watch("OW1", sources=frozenset({Source.ORDER, Source.HYPERCREDIT}))
    async with house.running(house.poller()):
        await house.pass_time(29)
        refused, polled = len(credit.asked), len(house.source.asked)
        assert refused < polled
        house.source.put("OW1", "CHARGED")
        await house.pass_time(200, step=5)
        assert len(house.source.asked) > polled
        assert refused < len(credit.asked) <= refused + 4, "one probe after 30 s, ever more rarely"
        credit.refuses = False
        credit.show("OW1", a_credit("Loan Active"))
        await house.pass_time(300, step=5)
    types = await house.types()
    assert types == [
        "order.pending_vbv",
        "source.refused",
        "order.charged",
        "source.recovered",
        "loan.loan_active",
    ]
    (refusal,) = [each.event for each in await house.events() if each.event.type == "source.refused"]
    assert (refusal.source, refusal.subject_id) == (Source.HYPERCREDIT, "hypercredit")


async def test_a_refused_order_status_leaves_the_loans_alone(house, credit):
    house.source.refuses = True
    credit.show("OW1", a_credit("Offer Selected"))
    await house.watch("OW1", sources=frozenset({Source.ORDER, Source.HYPERCREDIT}))
    async with house.running(house.poller()):
        await house.pass_time(20)
        credit.show("OW1", a_credit("Loan Active"))
        await house.pass_time(20)
    assert [kind for kind in await house.types() if kind != "source.refused"] == [
        "loan.offer_selected",
        "loan.loan_active",
    ]
    assert {each.event.phase for each in await house.events() if each.event.order_id} == {Phase.UNKNOWN}


async def test_a_loan_that_is_not_there_does_not_park_the_order(house, credit):
    house.policy = PollingPolicy()
    house.source.put("OW1", "PENDING_VBV")
    await house.watch("OW1", sources=frozenset({Source.ORDER, Source.HYPERCREDIT}))
    async with house.running(house.poller()):
        await house.pass_time(600, step=10)
        asked = len(credit.asked)
        await house.pass_time(600, step=10)
        assert 0 < len(credit.asked) - asked < 20, "it may come yet, but is asked for ever more rarely"
        assert (await house.watched("OW1")).state is WatchState.ACTIVE
        credit.show("OW1", a_credit("Offer Received"))
        await house.pass_time(300, step=10)
    assert "loan.offer_received" in await house.types()


async def test_the_order_status_decides_when_all_of_it_is_over(house, credit):
    house.policy = PollingPolicy(settle_charged_after_s=1000, settle_failed_after_s=100)
    house.source.put("OW1", "CHARGED")
    credit.show("OW1", a_credit("Loan Rejected"))
    await house.watch("OW1", sources=frozenset({Source.ORDER, Source.HYPERCREDIT}))
    async with house.running(house.poller()):
        await house.pass_time(900, step=20)
        assert (await house.watched("OW1")).state is WatchState.ACTIVE
        await house.pass_time(400, step=20)
        assert (await house.watched("OW1")).state is WatchState.SETTLED
        asked = len(credit.asked)
        await house.pass_time(600, step=20)
    assert len(credit.asked) == asked
    assert (await house.types()).count("watch.settled") == 1


async def test_an_order_is_not_over_while_the_mandate_asked_for_beside_it_may_be_revoked(house, mandate):
    house.policy = PollingPolicy(settle_charged_after_s=1000)
    house.source.put("OW1", "CHARGED")
    mandate.show("OW1", a_mandate("ACTIVE"))
    await house.watch("OW1", sources=frozenset({Source.ORDER, Source.MANDATE}), mandate_id="m1")
    async with house.running(house.poller()):
        await house.pass_time(2500, step=20)
        assert (await house.watched("OW1")).state is WatchState.ACTIVE
        mandate.show("OW1", a_mandate("REVOKED"))
        await house.ask("OW1", source=Source.MANDATE)
        await house.pass_time(1500, step=20)
        assert (await house.watched("OW1")).state is WatchState.SETTLED
    assert (await house.types())[-2:] == ["mandate.revoked", "watch.settled"]


async def test_a_watch_of_loans_alone_lives_and_settles_by_them(house, credit):
    house.policy = PollingPolicy(settle_failed_after_s=300)
    await house.watch("OW1", sources=frozenset({Source.HYPERCREDIT}))
    async with house.running(house.poller()):
        credit.show("OW1", a_credit("KYC Verified"))
        await house.pass_time(20)
        credit.show("OW1", a_credit("KYC Rejected"))
        await house.pass_time(600, step=10)
    assert await house.types() == ["loan.kyc_verified", "loan.kyc_rejected", "watch.settled"]
    watch = await house.watched("OW1")
    assert (watch.state, watch.status, watch.phase) == (WatchState.SETTLED, None, None)
    assert house.source.asked == []


async def test_a_watch_of_loans_alone_that_hypercredit_does_not_know_is_parked(house, credit):
    await house.watch("OW1", sources=frozenset({Source.HYPERCREDIT}))
    async with house.running(house.poller()):
        await house.pass_time(420, step=10)
    assert await house.types() == ["watch.not_found"]


async def test_until_ends_a_watch_whose_other_looks_have_no_deadline(house, credit):
    house.source.put("OW1", "PENDING_VBV")
    credit.show("OW1", a_credit("Offer Selected"))
    until_at = house.clock.now() + (at(120) - at(0))
    await house.watch("OW1", sources=frozenset({Source.ORDER, Source.HYPERCREDIT}), until_at=until_at)
    async with house.running(house.poller()):
        await house.pass_time(100, step=5)
        asked = len(credit.asked)
        await house.pass_time(60, step=1)
    assert (await house.watched("OW1")).state is WatchState.ABANDONED
    assert len(credit.asked) - asked < 10, "a deadline of another look must not hurry this one"


async def test_a_source_that_joins_later_is_asked_from_then_on(house, credit):
    house.source.put("OW1", "PENDING_VBV")
    credit.show("OW1", a_credit("Offer Selected"))
    await house.watch("OW1")
    async with house.running(house.poller()):
        await house.pass_time(10)
        assert credit.asked == []
        await house.watch("OW1", sources=frozenset({Source.HYPERCREDIT}))
        await house.pass_time(5)
    assert await house.types() == ["order.pending_vbv", "loan.offer_selected"]


async def test_a_source_the_account_has_lost_stops_nothing(house, credit):
    house.source.put("OW1", "PENDING_VBV")
    await house.watch("OW1", sources=frozenset({Source.ORDER, Source.HYPERCREDIT}))
    house.others = {}
    async with house.running(house.poller()):
        await house.pass_time(5)
        house.source.put("OW1", "CHARGED")
        await house.pass_time(20)
    assert await house.types() == ["order.pending_vbv", "order.charged"]


async def test_a_stuck_order_is_told_with_the_newest_version_of_all_sources(house, credit):
    house.policy = PollingPolicy(stuck_after_s=60)
    house.source.put("OW1", "PENDING_VBV")
    await house.watch("OW1", sources=frozenset({Source.ORDER, Source.HYPERCREDIT}))
    async with house.running(house.poller()):
        await house.pass_time(10)
        credit.show("OW1", a_credit("Offer Selected"))
        await house.pass_time(90)
    (stuck,) = [each for each in await house.events() if each.event.type == "order.stuck"]
    assert (stuck.event.order_version, stuck.event.phase) == (2, Phase.OPEN)
    document = order_document(stuck.event.order_id, stuck.snapshot)
    assert (document["status"], document["loan"]["txn_list"][0]["sub_status"]) == (
        "PENDING_VBV",
        "Offer Selected",
    )


async def test_an_order_status_that_is_never_found_does_not_end_a_loan_that_was_seen(house, credit):
    house.policy = PollingPolicy()
    credit.show("OW1", a_credit("KYC Verified"))
    await house.watch("OW1", sources=frozenset({Source.ORDER, Source.HYPERCREDIT}))
    async with house.running(house.poller()):
        await house.pass_time(600, step=10)
        asked = len(house.source.asked)
        credit.show("OW1", a_credit("Loan Active"))
        await house.pass_time(600, step=10)
        assert len(house.source.asked) - asked < 20, (
            "the order may come yet, but is asked for ever more rarely"
        )
    assert await house.types() == ["loan.kyc_verified", "loan.loan_active"]


async def test_a_failed_order_does_not_end_a_loan_that_is_open_beside_it(house, credit):
    house.policy = PollingPolicy(settle_charged_after_s=1000, settle_failed_after_s=100)
    house.source.put("OW1", "AUTHORIZATION_FAILED")
    credit.show("OW1", a_credit("KYC Verified"))
    await house.watch("OW1", sources=frozenset({Source.ORDER, Source.HYPERCREDIT}))
    async with house.running(house.poller()):
        await house.pass_time(800, step=20)
        assert (await house.watched("OW1")).state is WatchState.ACTIVE
        await house.pass_time(600, step=20)
        assert (await house.watched("OW1")).state is WatchState.SETTLED, "it is given up as an open one is"


@pytest.mark.parametrize("bad", [None, "OW2"])
async def test_all_that_sources_say_at_once_is_told_past_an_order_that_cannot_be_written(
    house, credit, mandate, bad
):
    await house.subscribe("order.*", "loan.*", "mandate.*")
    for order_id in ("OW1", "OW2", "OW3"):
        house.source.put(order_id, "PENDING_VBV")
        credit.show(order_id, a_credit("Offer Selected"))
        mandate.show(order_id, a_mandate("CREATED"))
        watch = await house.watch(order_id, sources=ALL, mandate_id="m1")
        if order_id == bad:  # Its next version is taken, which the database says last of all.
            async with house.storage.writing() as tx:
                await tx.add_snapshot(watch, a_snapshot(an_order()), observed_at=at(0), not_before=None)
                await tx._connection.execute(update(watches).values(version=0))
    poller = house.poller()
    async with house.storage.reading() as tx:
        looks = await tx.due_looks("shop", now=house.clock.now(), limit=9)
    for look in looks:
        await poller._fetch(look)
    writing = asyncio.create_task(poller._committer.flush())
    await house.pass_time(2)
    await writing
    events = await house.events()
    assert [each.sequence for each in events] == list(range(1, len(events) + 1))
    for order_id in {"OW1", "OW2", "OW3"} - {bad}:
        mine = [each for each in events if each.event.order_id == order_id]
        assert [each.event.order_version for each in mine] == [1, 2, 3]
        assert {each.snapshot.source for each in mine} == ALL
        assert [len(each.snapshot.beside) for each in mine] == [0, 1, 2]
        assert (await house.watched(order_id)).version == 3
    assert bad not in {each.event.order_id for each in events}
    async with house.storage.reading() as tx:
        owed = await tx.due_deliveries(now=house.clock.now(), limit=99, lanes=house.lanes)
        followers = await tx.following([each.delivery.id for each in owed], limit=99)
    assert len(owed) + len(followers) == len(events) == (9 if bad is None else 6)

"""Outcomes, alerts with what they learned, incidents and silences."""

from dataclasses import replace
from datetime import timedelta

import pytest
from given import watched

from notifier.domain.alert.alert import Alert, AlertId, AlertState
from notifier.domain.alert.incident import opening
from notifier.domain.alert.outcome import Family, Outcome
from notifier.domain.alert.report import IncidentState, Reason, Severity
from notifier.domain.alert.rule import Plain
from notifier.domain.alert.sample import sample_report
from notifier.domain.alert.silence import Silence, SilenceId
from notifier.domain.money import Money
from notifier.domain.order import OrderKey
from notifier.errors import Conflict, NotFound
from notifier.storage.alarming import Told, keep
from notifier.storage.alerting import Learned
from notifier.storage.records import Lanes
from support.clock import START


def outcome(key="ow1", *, account="main", ended_at=START, **members):
    given = {"family": Family.ORDER, "subject_id": None, "word": "AUTHORIZATION_FAILED", "is_failed": True}
    given |= {"dimensions": (("gateway", "RAZORPAY"), ("bank", "HDFC")), "amount": Money(38_600, "INR")}
    return Outcome(account=account, order_key=OrderKey(key), ended_at=ended_at, **(given | members))


def alert(name="failures", **members):
    return Alert(id=AlertId(f"alr_{name}"), account=members.pop("account", "main"), name=name, **members)


def incident(number=1, *, opened_at=START, **members):
    report = replace(sample_report("incident.opened", opened_at), number=number)
    opened = opening(
        report, account="main", rule_id=f"alr_{number}", family="failing", routes=("oncall",), now=opened_at
    )
    return replace(opened, **members)


async def added(storage, *outcomes, at=START, is_dated=True):
    async with storage.writing() as tx:
        await tx.add_outcomes(outcomes, observed_at=at, is_dated=is_dated)


async def test_an_outcome_reads_as_it_was_written(storage, at):
    bare = outcome("ow2", amount=None, dimensions=(), family=Family.REFUND, subject_id="r1", is_failed=False)
    await added(storage, outcome(), bare, at=at(5))
    await added(storage, outcome("ow3"), outcome("other", account="other"), is_dated=False)
    async with storage.reading() as tx:
        first, second, third = await tx.outcomes("main", after=0, limit=10)
        assert (first.outcome, second.outcome) == (outcome(), bare)
        assert (first.observed_at, first.is_dated, third.is_dated) == (at(5), True, False)
        assert await tx.outcomes("main", after=first.seq, limit=1) == [second]
        assert await tx.outcomes("main", after=0, before=at(5), limit=10) == [third]
        assert await tx.last_outcome("main") == third.seq
        assert await tx.last_outcome("main", before=at(5)) == third.seq
        assert await tx.last_outcome("main", before=at()) == 0


async def test_a_history_is_by_the_time_of_the_end_and_of_one_subject(storage, at):
    late, early = outcome(ended_at=at(9)), outcome(ended_at=at(2), word="CHARGED", is_failed=False)
    refund = outcome(family=Family.REFUND, subject_id="r1")
    await added(storage, late, early, refund, outcome("ow2"))
    async with storage.reading() as tx:
        histories = await tx.histories("main", [OrderKey("ow1")])
        some = await tx.histories("main", [OrderKey("ow1")], through=1)
    key = OrderKey("ow1")
    assert set(histories) == {(key, "order", None), (key, "refund", "r1")}
    assert [each.outcome for each in histories[key, Family.ORDER, None]] == [early, late]
    assert [each.outcome for each in some[key, Family.ORDER, None]] == [late]
    async with storage.reading() as tx:
        assert await tx.repeated("main", [key, OrderKey("ow2")]) == {key}


async def test_orders_are_shown_as_they_were_spelled(storage):
    await watched(storage, "OW1")
    async with storage.reading() as tx:
        assert await tx.order_ids("main", [OrderKey("gone"), OrderKey("ow1")]) == ["OW1"]


async def test_old_outcomes_go_but_never_the_last_since_numbers_must_not_restart(storage, at):
    await added(storage, outcome("a"), outcome("b"), at=at(0))
    await added(storage, outcome("c"), at=at(10))
    async with storage.writing() as tx:
        assert await tx.prune_outcomes(before=at(100), limit=1) == 1
        assert await tx.prune_outcomes(before=at(100)) == 1
        assert await tx.prune_outcomes(before=at(100)) == 0
        await tx.add_outcomes([outcome("d")], observed_at=at(20), is_dated=True)
        assert [each.seq for each in await tx.outcomes("main", after=0, limit=10)] == [3, 4]


async def test_ended_incidents_and_silences_are_forgotten_in_time_and_open_ones_never(storage, at):
    old, open_ = incident(1), incident(2, opened_at=at(9000))
    ended = replace(old, report=replace(old.report, state=IncidentState.RESOLVED, resolved_at=at(50)))
    hush = Silence(id=SilenceId("sil_1"), account="main", by="asha", created_at=START, until_at=at(50))
    lasting = replace(hush, id=SilenceId("sil_2"), until_at=None, incident_id=open_.id)
    async with storage.writing() as tx:
        for each in (ended, open_):
            await tx.save_incident(each)
        for each in (hush, lasting):
            await tx.add_silence(each)
        assert await tx.prune_incidents(before=at(50)) == 0
        assert await tx.prune_incidents(before=at(51)) == 2
        assert await tx.incidents("main") == [open_]
        assert await tx.silences("main", now=START) == [lasting]
        assert await tx.accounts_with_incidents() == {"main"}
        await tx.save_incident(ended)
    async with storage.writing() as tx:
        await tx.prune_incidents(before=at(51))
        over = replace(open_, report=replace(open_.report, state=IncidentState.RESOLVED, resolved_at=at(60)))
        await tx.save_incident(over)
        assert await tx.accounts_with_incidents() == set()


async def test_an_alert_reads_as_it_was_written_and_its_name_is_its_own(storage):
    full = alert(
        family=Family.REFUND,
        words=frozenset({"FAILURE"}),
        where={"gateway": frozenset({"RAZORPAY"})},
        plain=Plain(window=60, failed=20),
        routes=("oncall",),
        tiers=frozenset(),
        state=AlertState.DISABLED,
        managed="config",
    )
    async with storage.writing() as tx:
        await tx.save_alert(full)
        await tx.save_alert(alert("second"))
        await tx.save_alert(alert("failures-too", account="other"))
        assert await tx.alert("main", full.id) == full
        assert [each.name for each in await tx.alerts("main")] == ["failures", "second"]
        assert [each.name for each in await tx.alerts("main", after="alr_failures", limit=1)] == ["second"]
    with pytest.raises(Conflict, match="has an alert 'failures' already"):
        async with storage.writing() as tx:
            await tx.save_alert(Alert(id=AlertId("alr_third"), account="main", name="failures"))
    async with storage.writing() as tx:
        await tx.remove_alert("main", full.id)
        with pytest.raises(NotFound, match="no alert 'alr_failures'"):
            await tx.alert("main", full.id)
        with pytest.raises(NotFound):
            await tx.remove_alert("other", AlertId("alr_second"))


async def test_what_an_alert_learned_outlives_its_edits(storage, at):
    learned = Learned(judged_through=at(60), schema=1, state=b'{"a": 1}')
    async with storage.writing() as tx:
        await tx.save_alert(alert())
        assert await tx.alert_learned(AlertId("alr_failures")) == Learned()
        await tx.save_alert_learned(AlertId("alr_failures"), learned)
        await tx.save_alert(alert(page_budget=9))
        assert await tx.alert_learned(AlertId("alr_failures")) == learned


async def test_incidents_of_a_span_are_those_that_were_open_in_it(storage, at):
    async with storage.writing() as tx:
        for number, ended_at in ((1, at(20)), (2, None), (3, at(90)), (4, None)):
            each = incident(number, opened_at=at(10 * number))
            await tx.save_incident(replace(each, report=replace(each.report, resolved_at=ended_at)))
    async with storage.reading() as tx:
        for since, until, numbers in ((0, 9, []), (20, 30, [1, 2, 3]), (21, 39, [2, 3]), (91, 99, [2, 4])):
            found = await tx.incidents_between("main", at(since), at(until), limit=9)
            assert [each.report.number for each in found] == numbers
        assert len(await tx.incidents_between("main", at(0), at(99), limit=2)) == 2


async def test_what_was_told_of_an_incident_last_is_found_newest_first(storage, at):
    telling = Told(expires_after_s=60, lanes=Lanes(), new_id=lambda: "dlv_1", livemode=lambda _: False)
    reasons = [Reason.OPENED, Reason.FIGURES, Reason.ACKNOWLEDGED]
    async with storage.writing() as tx:
        for number in (1, 2):
            each = incident(number, opened_at=at(number))
            for minute, reason in enumerate(reasons):
                each = await keep(
                    tx, each, reason, was=None, silences=(), telling=telling, now=at(60 * minute)
                )
    async with storage.reading() as tx:
        wanted = incident(2, opened_at=at(2)).id
        for limit in (1, 2, 9):
            found = await tx.tellings("main", wanted, limit=limit)
            assert [each.event.incident.reason for each in found] == reasons[::-1][:limit]
            assert {each.event.subject_id for each in found} == {wanted}
        assert await tx.tellings("other", wanted, limit=9) == []


async def test_incidents_are_listed_newest_first_and_found_by_state(storage, at):
    ended = replace(
        incident(2), report=replace(incident(2).report, state=IncidentState.RESOLVED, resolved_at=at(60))
    )
    async with storage.writing() as tx:
        await tx.save_incident(incident(1))
        await tx.save_incident(incident(2))
        await tx.save_incident(ended)
        assert [each.report.number for each in await tx.incidents("main")] == [2, 1]
        assert [each.report.number for each in await tx.incidents("main", before=2)] == [1]
        assert await tx.incidents("main", state=IncidentState.RESOLVED) == [ended]
        assert await tx.incident("main", ended.id) == ended
        assert await tx.open_incidents("main") == 1
        assert [each.report.number for each in await tx.living_incidents("main", ended_after=at(60))] == [
            1,
            2,
        ]
        assert await tx.living_incidents("main", ended_after=at(61)) == [incident(1)]
        with pytest.raises(NotFound, match="no incident 'inc_0'"):
            await tx.incident("main", "inc_0")


async def test_silences_are_listed_until_they_are_over(storage, at):
    ends = Silence(
        id=SilenceId("sil_1"), account="main", by="asha", created_at=at(), until_at=at(60),
        matchers=(("bank", "HDFC"),),
    )  # fmt: skip
    bound = Silence(
        id=SilenceId("sil_2"), account="main", by="asha", created_at=at(), incident_id="inc_1",
        cause=(("bank", "HDFC"),), severity=Severity.P2,
    )  # fmt: skip
    async with storage.writing() as tx:
        await tx.add_silence(ends)
        await tx.add_silence(bound)
        assert await tx.silences("main", now=at(59)) == [ends, bound]
        assert await tx.silences("main", now=at(60)) == [bound]
        await tx.drop_silence("main", bound.id)
        assert await tx.silences("main", now=at(60) + timedelta(days=1)) == []
        with pytest.raises(NotFound):
            await tx.drop_silence("main", bound.id)

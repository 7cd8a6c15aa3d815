"""What holds for any two snapshots of one source."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain.change import VOCABULARIES, adopt, apply, common_vocabulary, diff, members_of
from notifier.domain.event import (
    Event,
    Expectation,
    Fact,
    counted_event_id,
    events_of,
    facts_of,
    present_facts,
    snapshot_event_id,
)
from notifier.domain.observation import Doubtful, Observation, Stale, observe
from notifier.domain.polling import PollingPolicy
from notifier.domain.snapshot import Order, Refund, Snapshot, Subject, in_told_order, merge
from support.builders import (
    READER,
    a_known,
    a_sighting,
    a_snapshot,
    an_expectation,
    at,
    masked,
    rows_of,
    snapshots,
)

TOLD_ORDER = ("order", "txn", "refund", "offer", "mandate", "loan", "chargeback", "watch")
EXPECTATIONS = (None, an_expectation("1"), Expectation(), an_expectation(None, "2"))


def rows(snapshot: Snapshot):
    return {(subject, row.id): row for subject, row in snapshot.rows()}


def inside(value):
    """Return what a member of many parts knows, part by part."""
    if isinstance(value, dict):
        return value.items()
    return [(part.id, name, getattr(part, name)) for part in value for name in part.__slots__
            if getattr(part, name) is not None]  # fmt: skip


def told(before: Snapshot | None, answer: Snapshot, expect=None) -> tuple[Fact, ...]:
    after = merge(before, answer)
    return present_facts(after) if before is None else facts_of(diff(before, after), after, expect)


@given(snapshots())
def test_nothing_differs_from_itself(snapshot):
    assert diff(snapshot, snapshot) == ()
    assert diff(snapshot, replace(snapshot, last_updated=at(0))) == ()


@given(snapshots(), snapshots())
def test_the_differences_lead_from_one_to_the_other(before, after):
    assert rows(apply(before, diff(before, after))) == rows(after)


@given(snapshots())
def test_against_nothing_every_row_appeared(snapshot):
    changes = diff(None, snapshot)
    assert [(change.subject, change.after) for change in changes] == list(snapshot.rows())
    assert {change.before for change in changes} == {None}


@given(snapshots(), snapshots())
def test_merging_the_same_answer_again_changes_nothing(before, answer):
    once = merge(before, answer)
    assert merge(once, answer) == once
    assert merge(None, answer) == answer


@given(snapshots(), snapshots())
def test_merging_never_loses_a_row(before, answer):
    after = merge(before, answer)
    kept = {key for key in rows(before) if key[0] is not Subject.MANDATE} | set(rows(answer))
    assert kept <= set(rows(after))
    assert after.mandate is not None or before.mandate is None
    assert list(after.refunds) == list(in_told_order(after.refunds))


@given(snapshots(), snapshots())
def test_what_the_answer_knows_is_what_is_known_after_it(before, answer):
    after = rows(merge(before, answer))
    for key, row in rows(answer).items():
        known = {name: getattr(row, name) for name in row.__slots__ if getattr(row, name) is not None}
        seen = {name: getattr(after[key], name) for name in known}
        for name in known.keys() & {"kept", "benefits"}:  # members that are merged inside
            assert set(inside(known.pop(name))) <= set(inside(seen.pop(name)))
        assert known == seen


@given(st.data(), snapshots())
def test_what_becomes_unknown_is_no_change(data, snapshot):
    answer = data.draw(masked(snapshot))
    assert diff(snapshot, merge(snapshot, answer)) == ()


@given(st.none() | snapshots(), snapshots(), st.sampled_from(EXPECTATIONS))
def test_no_two_events_of_one_version_share_an_id(before, answer, expect):
    facts = told(before, answer, expect)
    events = events_of(facts, a_sighting())
    assert len({event.id for event in events}) == len(facts)
    assert [(event.position, event.positions) for event in events] == [
        (i, len(facts)) for i in range(1, len(facts) + 1)
    ]


@given(st.none() | snapshots(), snapshots(), st.sampled_from(EXPECTATIONS))
def test_facts_come_in_the_order_in_which_they_are_told(before, answer, expect):
    after, facts = merge(before, answer), told(before, answer, expect)
    places = [TOLD_ORDER.index(fact.subject) for fact in facts]
    assert places == sorted(places)
    of_order = [
        fact.field == "status" and fact.type != "order.late_success" for fact in facts[: places.count(0)]
    ]
    assert of_order == sorted(of_order, reverse=True), "the status comes before what derives from it"
    refunds = [refund.id for refund in after.refunds]
    told_refunds = [refunds.index(fact.subject_id) for fact in facts if fact.subject is Subject.REFUND]
    assert told_refunds == sorted(told_refunds)


def test_refunds_are_told_by_instant_then_id_and_those_without_an_instant_last():
    refunds = (
        Refund(id="z"),
        Refund(id="b", created=at(1)),
        Refund(id="y"),
        Refund(id="a", created=at(1)),
        Refund(id="c", created=at(0)),
    )
    assert [refund.id for refund in in_told_order(refunds)] == ["c", "a", "b", "y", "z"]


@given(st.none() | snapshots(), snapshots())
def test_a_type_is_two_words_of_slug_letters(before, answer):
    for fact in told(before, answer):
        subject, _, word = fact.type.partition(".")
        assert subject == fact.subject
        assert word
        assert set(word) <= set("abcdefghijklmnopqrstuvwxyz0123456789_")


def test_ids_do_not_depend_on_content():
    fact = Fact(
        type="order.charged", subject=Subject.ORDER, subject_id=None, previous="NEW", current="CHARGED"
    )
    other = replace(fact, field="x", previous=None, current="Charged")
    moved = replace(a_sighting(), observed_at=at(9), not_before=None, initial=True, livemode=True)
    assert snapshot_event_id(a_sighting(), fact) == snapshot_event_id(moved, other)


def test_ids_are_the_same_in_every_release():
    fact = Fact(type="refund.sent", subject=Subject.REFUND, subject_id="r1")
    assert snapshot_event_id(a_sighting(3), fact) == "evt_c5331c4c28884ecb548491e379fa66b2"
    assert counted_event_id("shop", "jp1", fact, 2) == "evt_25d7465eacdc0f8353200f4690b50a4c"


def test_whatever_names_an_event_makes_another_id():
    fact = Fact(type="refund.sent", subject=Subject.REFUND, subject_id="r1")
    sightings = [
        a_sighting(),
        a_sighting(2),
        a_sighting(account="other"),
        a_sighting(order_key="jp2"),
    ]
    facts = [fact, replace(fact, type="refund.success"), replace(fact, subject_id="r2")]
    ids = [snapshot_event_id(sighting, each) for sighting in sightings for each in facts]
    ids += [counted_event_id("shop", key, each, n) for key in ("jp1", None) for each in facts for n in (1, 2)]
    assert len(set(ids)) == len(ids)


def test_parts_of_an_id_do_not_run_into_each_other():
    one = Fact(type="a", subject=Subject.REFUND, subject_id='b",null,"c')
    assert counted_event_id('x","y', "z", one, 1) != counted_event_id("x", 'y","z', one, 1)


def test_first_sight_then_another_then_the_first_again_are_three_events():
    def event(version: int, before: str | None, status: str) -> Event:
        facts = told(a_snapshot(before) if before else None, a_snapshot(status))
        (event,) = events_of(facts, a_sighting(version))
        return event

    events = [
        event(1, None, "AUTHORIZING"),
        event(2, "AUTHORIZING", "PENDING_VBV"),
        event(3, "PENDING_VBV", "AUTHORIZING"),
    ]
    assert [each.type for each in events] == ["order.authorizing", "order.pending_vbv", "order.authorizing"]
    assert len({each.id for each in events}) == 3


@given(st.none() | snapshots(), snapshots(), st.sampled_from(EXPECTATIONS), st.booleans())
def test_an_answer_is_stale_doubtful_or_told_and_told_once(before, answer, expect, is_silent):
    known = a_known(before, expect=expect, is_silent=is_silent, doubted=True)
    seen = observe(known, answer, now=at(0), policy=PollingPolicy())
    if isinstance(seen, Stale):
        assert before is not None
        return
    assert isinstance(seen, Observation), "what was doubted once is believed now"
    again = replace(known, snapshot=seen.snapshot, deadlines=seen.deadlines)
    repeated = observe(again, answer, now=at(5), policy=PollingPolicy())
    assert isinstance(repeated, Observation)
    assert (repeated.is_new_version, repeated.facts) == (False, ())
    assert repeated.deadlines == seen.deadlines


@given(snapshots(), snapshots())
def test_an_answer_that_is_not_believed_tells_nothing_until_it_is_seen_again(before, answer):
    known = a_known(before)
    first = observe(known, answer, now=at(5), policy=PollingPolicy())
    second = observe(replace(known, doubted=True), answer, now=at(5), policy=PollingPolicy())
    if isinstance(first, Doubtful):
        assert isinstance(second, Observation)
        assert second.is_new_version
    else:
        assert first == second


# The vocabulary of readers


def members(text: str) -> frozenset[str]:
    return frozenset(text.split())


VOCABULARY_1 = members("""
    Chargeback.amount Chargeback.id Chargeback.status Mandate.amount_rule Mandate.end_date
    Mandate.frequency Mandate.id Mandate.mandate_type Mandate.max_amount Mandate.start_date
    Mandate.status Offer.id Offer.offer_code Offer.status Order.amount Order.amount_refunded
    Order.attempt Order.auth_type Order.bank_error_code Order.currency Order.date_created
    Order.effective_amount Order.gateway Order.gateway_id Order.maximum_eligible_refund_amount
    Order.order_expiry Order.payer_app_name Order.payer_handle Order.payment_method
    Order.payment_method_type Order.refunded Order.resp_category Order.resp_code Order.status
    Order.txn_flow_type Order.txn_id Refund.amount Refund.arn Refund.created Refund.error_code
    Refund.expected_refund_credit_time Refund.gateway_refund_id Refund.id Refund.ref Refund.refund_source
    Refund.refund_type Refund.sent_to_gateway Refund.status Txn.amount Txn.gateway Txn.id
    Txn.payment_method Txn.payment_method_type Txn.status
""")
VOCABULARY_2 = VOCABULARY_1 | members("""
    Benefit.amount Benefit.calculation_rule Benefit.id Benefit.max_amount Benefit.value
    Chargeback.date_created Chargeback.date_resolved Credit.amount Credit.currency Credit.date_created
    Credit.order_status Loan.amount Loan.application_id Loan.created Loan.gateway_reference_id Loan.id
    Loan.intent_amount Loan.payment_method Loan.payment_method_type Loan.status Loan.sub_status
    Mandate.block_fund Mandate.response_code
    Mandate.revokable_by_customer Mandate.rule_type Mandate.rule_value Offer.benefits Offer.error_code
    Order.auth_id_code Order.conflicted Order.epg_txn_id Order.gateway_reference_id Order.kept
    Order.network_error_code Order.offer_deduction_amount Order.pg_discount_amount Order.pg_offer_availed
    Order.pg_offer_type Order.pg_resp_code Order.risk_flagged Order.risk_recommended_action
    Order.risk_status Order.rrn Order.surcharge_amount Order.tax_amount Order.txn_amount Order.txn_created
    Order.txn_error_code Order.txn_object_type Order.txn_status Order.txn_uuid Order.upstream_id
    Refund.bank_processed_at Refund.pg_declined_at Refund.pg_processed_at Refund.reversal_type
    Txn.auth_type Txn.bank_error_code Txn.epg_txn_id Txn.payer_app_name Txn.resp_category Txn.resp_code
    Txn.rrn Txn.txn_uuid
""")


def test_the_vocabulary_of_this_reader_is_the_one_of_its_number():
    assert members_of() == VOCABULARY_2, (
        "A member of the snapshot was added, renamed or dropped. Raise SCHEMA in notifier/domain/change.py, keep the "
        "old number there with the frozen set below as its vocabulary, then freeze the new set here: without that, "
        "an upgrade tells every order's new members as changes."
    )
    assert VOCABULARIES == {1: VOCABULARY_1, 2: VOCABULARY_2}


def test_readers_share_what_both_know(monkeypatch):
    monkeypatch.setitem(VOCABULARIES, 0, frozenset({"Order.status", "Order.gone"}))
    assert common_vocabulary(0, 1) == common_vocabulary(1, 0) == {"Order.status"}
    assert common_vocabulary(1, 2) == common_vocabulary(1, 1) == VOCABULARY_1
    assert common_vocabulary(99, 2) == VOCABULARY_2, "a newer reader knows all that we know"


@given(snapshots(), snapshots())
def test_what_the_same_reader_saw_is_adopted_as_it_is(before, after):
    assert adopt(before, after) is before


@pytest.mark.parametrize("missing", ["Refund", "Offer", "Txn", "Mandate", "Chargeback", "Loan"])
@given(before=snapshots(replace(READER, schema=0)), after=snapshots())
def test_a_subject_unknown_to_the_old_reader_is_never_told(missing, before, after):
    with pytest.MonkeyPatch.context() as patch:
        gone = (f"{missing}.", "Credit.") if missing == "Loan" else (f"{missing}.",)
        patch.setitem(VOCABULARIES, 0, frozenset(m for m in VOCABULARY_2 if not m.startswith(gone)))
        merged = merge(before, after)
        subjects = {change.subject for change in diff(adopt(before, merged), merged)}
    assert missing.lower() not in subjects


@given(before=rows_of(Order), after=rows_of(Order))
def test_a_member_unknown_to_the_old_reader_is_never_told(before, after):
    old = a_snapshot(before, reader=replace(READER, schema=0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(VOCABULARIES, 0, VOCABULARY_2 - {"Order.amount"})
        adopted = adopt(old, a_snapshot(after))
    assert adopted.order == replace(before, amount=after.amount)

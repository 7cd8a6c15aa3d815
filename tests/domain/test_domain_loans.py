"""What loans and mandates tell, how they lie beside the order, and when a watch of them alone is over."""

from dataclasses import replace

import pytest

from notifier.domain.deadline import Deadlines
from notifier.domain.document import order_document
from notifier.domain.observation import Observation, judge, observe
from notifier.domain.order import OrderId, Phase, Source, WatchState
from notifier.domain.polling import PollingPolicy
from notifier.domain.snapshot import Mandate
from notifier.domain.standing import LOAN_STAGES, loan_slug, order_phase, standing
from support.builders import (
    NOW,
    a_credit,
    a_known,
    a_loan,
    a_mandate,
    a_snapshot,
    an_expectation,
    an_order,
    at,
    inr,
)

POLICY = PollingPolicy(settle_failed_after_s=5000, settle_charged_after_s=50_000)
OW1 = OrderId("OW1")


def look(known, answer):
    seen = observe(known, answer, now=NOW, policy=POLICY)
    assert isinstance(seen, Observation)
    return seen


def told(before, answer, **known):
    return [
        (fact.type, fact.subject_id, fact.previous, fact.current)
        for fact in look(a_known(before, **known), answer).facts
    ]


# Loans


def test_each_stage_of_an_application_is_told_by_its_word():
    seen = look(a_known(a_credit("Offer Selected")), a_credit("KYC Verified"))
    (fact,) = seen.facts
    assert (fact.type, fact.subject, fact.subject_id) == ("loan.kyc_verified", "loan", "l1")
    assert (fact.field, fact.previous, fact.current) == ("sub_status", "Offer Selected", "KYC Verified")


def test_a_misspelt_stage_has_the_right_type_and_its_own_word():
    assert told(a_credit("KYC Verified"), a_credit("Agreement Singed")) == [
        ("loan.agreement_signed", "l1", "KYC Verified", "Agreement Singed")
    ]


@pytest.mark.parametrize("again", ["Agreement Signed", "AGREEMENT SINGED", "agreement-signed"])
def test_the_same_stage_in_another_spelling_is_no_news(again):
    seen = look(a_known(a_credit("Agreement Singed")), a_credit(again))
    assert (seen.facts, seen.is_new_version) == ((), True)


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        ("Offer Received", "Loan Active", "loan.loan_active"),
        ("Mandate Completed", "KYC Verified", "loan.kyc_verified"),
        ("Loan Rejected", "Offer Received", "loan.offer_received"),
        ("Loan Granted", "Under Write-Off!", "loan.under_write_off_"),
    ],
)
def test_stages_may_be_skipped_come_back_or_be_unheard_of(old, new, kind):
    assert told(a_credit(old), a_credit(new)) == [(kind, "l1", old, new)]


def test_of_two_applications_each_tells_for_itself():
    first, second = a_loan("l1", "Loan Rejected"), a_loan("l2", "Offer Selected")
    assert told(a_credit(first), a_credit(first, second)) == [
        ("loan.offer_selected", "l2", None, "Offer Selected")
    ]
    moved = replace(second, sub_status="Loan Active")
    assert told(a_credit(first, second), a_credit(moved, first)) == [
        ("loan.loan_active", "l2", "Offer Selected", "Loan Active")
    ]
    assert told(None, a_credit(first, second)) == [
        ("loan.loan_rejected", "l1", None, "Loan Rejected"),
        ("loan.offer_selected", "l2", None, "Offer Selected"),
    ]


def test_an_application_that_is_gone_or_masked_tells_nothing():
    before = a_credit("Offer Selected")
    assert told(before, a_credit()) == []
    assert told(before, a_credit(a_loan(sub_status=None))) == []
    assert look(a_known(before), a_credit()).is_new_version is False


def test_the_order_as_hypercredit_has_it_tells_nothing():
    before = a_credit()
    after = replace(before, credit=replace(before.credit, order_status="CHARGED"))
    seen = look(a_known(before, expect=an_expectation("1")), after)
    assert (seen.facts, seen.is_new_version, seen.deadlines.stuck_at) == ((), True, None)


# Mandates, one subject whoever speaks of it


def with_block(status, mandate_id="m1"):
    return a_snapshot(mandate=Mandate(id=mandate_id, status=status))


def test_the_mandate_call_tells_its_mandate():
    assert told(a_mandate("ACTIVE"), a_mandate("REVOKED")) == [("mandate.revoked", "m1", "ACTIVE", "REVOKED")]
    assert told(a_mandate("PAUSED"), a_mandate("ACTIVE")) == [("mandate.resumed", "m1", "PAUSED", "ACTIVE")]
    assert told(None, a_mandate("ACTIVE")) == [("mandate.active", "m1", None, "ACTIVE")]


def test_once_the_call_was_seen_the_block_of_that_mandate_tells_nothing():
    beside = (a_mandate("ACTIVE"),)
    assert told(with_block("CREATED"), with_block("ACTIVE"), beside=beside) == []
    assert told(None, with_block("CREATED"), beside=beside) == [("order.charged", None, None, "CHARGED")]
    other = told(with_block("CREATED", "m2"), with_block("ACTIVE", "m2"), beside=beside)
    assert other == [("mandate.active", "m2", "CREATED", "ACTIVE")]


def test_a_silent_first_call_still_tells_what_changed_since_the_block():
    """A mandate revoked before the call's first answer was once never told: that answer passed for a first sight."""
    silent = told(None, a_mandate("REVOKED"), beside=(with_block("ACTIVE"),), is_silent=True)
    assert silent == [("mandate.revoked", "m1", "ACTIVE", "REVOKED")]


def test_what_the_block_told_is_not_told_again_by_the_first_call():
    assert told(None, a_mandate("ACTIVE"), beside=(with_block("ACTIVE"),)) == []
    assert told(None, a_mandate("REVOKED"), beside=(with_block("ACTIVE"),)) == [
        ("mandate.revoked", "m1", "ACTIVE", "REVOKED")
    ]
    assert told(None, a_mandate("ACTIVE"), beside=(a_snapshot(),)) == [
        ("mandate.active", "m1", None, "ACTIVE")
    ]


def test_another_mandate_id_is_another_subject():
    assert told(a_mandate("REVOKED"), a_mandate("ACTIVE", "m2")) == [("mandate.active", "m2", None, "ACTIVE")]


# The document


def test_every_version_shows_the_order_as_all_sources_have_it():
    order = a_snapshot(mandate=Mandate(id="m1", status="ACTIVE"), observed_at=at(1))
    credit = a_credit(a_loan(amount=inr("80000")), observed_at=at(2))
    whole = replace(credit, beside=(order,))
    document = order_document(OW1, whole)
    assert (document["order_id"], document["status"], document["amount"]) == ("OW1", "CHARGED", "386.00")
    assert document["loan"] == {
        "observed_at": "2026-03-02T06:15:02.000Z",
        "currency": "INR",
        "txn_list": [{"txn_id": "l1", "sub_status": "Offer Selected", "amount": "80000.00"}],
    }
    assert document["mandate"] == {
        "observed_at": "2026-03-02T06:15:01.000Z", "mandate_id": "m1", "mandate_status": "ACTIVE",
    }  # fmt: skip
    assert document == order_document(OW1, replace(order, beside=(credit,)))
    assert order_phase(whole) is Phase.SUCCEEDED


def test_the_mandate_calls_word_stands_in_place_of_the_blocks():
    call = replace(a_mandate("REVOKED"), observed_at=at(9))
    document = order_document(OW1, a_snapshot(mandate=Mandate(id="m1", status="ACTIVE"), beside=(call,)))
    assert document["mandate"]["mandate_status"] == "REVOKED"
    assert document["mandate"]["observed_at"] == "2026-03-02T06:15:09.000Z"


def test_without_the_order_status_only_the_id_and_the_blocks_are_shown():
    assert set(order_document(OW1, a_credit("Loan Active"))) == {"order_id", "loan"}
    assert order_phase(a_credit("Loan Active")) is Phase.UNKNOWN


# How far each is, and when a watch is over


def test_every_documented_stage_has_its_phase():
    assert {standing(a_credit(word)) for word in LOAN_STAGES} == {Phase.OPEN, Phase.SUCCEEDED, Phase.FAILED}
    assert len({loan_slug(word) for word in LOAN_STAGES}) == len(LOAN_STAGES)


@pytest.mark.parametrize(
    ("snapshot", "phase"),
    [
        (a_credit(), Phase.OPEN),
        (a_credit("Agreement Singed"), Phase.OPEN),
        (a_credit(a_loan("l1", "Loan Rejected"), a_loan("l2", "No Offers")), Phase.FAILED),
        (a_credit(a_loan("l1", "Loan Rejected"), a_loan("l2", "KYC Verified")), Phase.OPEN),
        (a_credit(a_loan("l1", "Loan Active"), a_loan("l2", "KYC Verified")), Phase.SUCCEEDED),
        (a_credit(a_loan("l1", "Loan Rejected"), a_loan("l2", "Strange")), Phase.UNKNOWN),
        (a_mandate("CREATED"), Phase.OPEN),
        (a_mandate("PAUSED"), Phase.SUCCEEDED),
        (a_mandate("EXPIRED"), Phase.FAILED),
        (a_mandate(None), Phase.UNKNOWN),
        (a_snapshot(an_order("PENDING_VBV")), Phase.OPEN),
    ],
)
def test_of_what_a_source_says_the_furthest_counts(snapshot, phase):
    assert standing(snapshot) is phase


@pytest.mark.parametrize(
    ("answer", "over_after_s", "state"),
    [
        (a_credit("Loan Rejected"), 5000, WatchState.SETTLED),
        (a_credit("Loan Active"), 50_000, WatchState.SETTLED),
        (a_credit("Offer Selected"), 50_000, WatchState.ABANDONED),
        (a_mandate("REVOKED"), 5000, WatchState.SETTLED),
        (a_mandate("CREATED"), 50_000, WatchState.ABANDONED),
        (a_mandate("ACTIVE", end_date=at(70_000)), 120_000, WatchState.SETTLED),
        (a_mandate("ACTIVE", end_date=at(-70_000)), 50_000, WatchState.SETTLED),
    ],
)
def test_a_watch_without_the_order_status_ends_by_what_it_watches(answer, over_after_s, state):
    deadlines = look(a_known(), answer).deadlines
    assert deadlines.settle_at == at(over_after_s)
    judged = judge(answer, deadlines, None, looked_at=at(over_after_s), policy=POLICY)
    assert (judged.state, [fact.type for fact in judged.facts]) == (state, [f"watch.{state}"])


@pytest.mark.parametrize("status", ["ACTIVE", "PAUSED"])
def test_a_mandate_without_an_end_is_watched_for_ever(status):
    assert look(a_known(), a_mandate(status)).deadlines == Deadlines()


def test_a_snapshot_finds_what_another_source_said():
    order, credit = a_snapshot(), a_credit()
    whole = replace(order, beside=(credit,))
    assert (whole.of(Source.ORDER), whole.of(Source.HYPERCREDIT)) == (whole, credit)
    assert whole.of(Source.MANDATE) is None

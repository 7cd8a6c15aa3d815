"""Which answers are believed, and what an upgrade of the reader tells."""

from dataclasses import replace

import pytest

from notifier.domain.cadence.plan import SECOND_LOOK, is_confirmed
from notifier.domain.change import VOCABULARIES
from notifier.domain.deadline import Deadlines
from notifier.domain.observation import Doubtful, Known, Observation, Stale, observe
from notifier.domain.polling import PollingPolicy
from notifier.domain.snapshot import Mandate, Offer, Order, Snapshot
from support.builders import READER, a_known, a_refund, a_snapshot, an_expectation, an_order, at, inr

POLICY = PollingPolicy()
ATTEMPT_2 = {"txn_id": "shop-JP1-2", "attempt": 2}
UNNUMBERED = {"txn_id": None, "attempt": None}


def look(known: Known, answer: Snapshot):
    return observe(known, answer, now=at(0), policy=POLICY)


def kinds(observation: object) -> list[str]:
    assert isinstance(observation, Observation)
    return [fact.type for fact in observation.facts]


# Offers whose id comes or goes

NAMED = Offer(id="o1", offer_code="CHAI10", status="AVAILED")
UNNAMED = replace(NAMED, id="CHAI10")


@pytest.mark.parametrize(("before", "answer"), [(NAMED, UNNAMED), (UNNAMED, NAMED)])
def test_an_offer_whose_id_comes_or_goes_is_told_no_second_time(before, answer):
    seen = look(a_known(a_snapshot(offers=(before,))), a_snapshot(offers=(answer,)))
    assert kinds(seen) == []
    assert seen.snapshot.offers == (before,)
    refunded = replace(answer, status="REFUNDED")
    later = look(a_known(seen.snapshot), a_snapshot(offers=(refunded,)))
    assert [(fact.type, fact.subject_id) for fact in later.facts] == [("offer.refunded", before.id)]


def test_an_offer_without_its_id_is_first_told_under_its_code():
    seen = look(a_known(a_snapshot()), a_snapshot(offers=(UNNAMED,)))
    assert [(fact.type, fact.subject_id) for fact in seen.facts] == [("offer.availed", "CHAI10")]


def test_two_offers_with_one_code_stay_two():
    other = replace(NAMED, id="o2")
    both = a_snapshot(offers=(NAMED, other))
    assert kinds(look(a_known(a_snapshot(offers=(NAMED,))), both)) == ["offer.availed"]
    assert kinds(look(a_known(a_snapshot(offers=(UNNAMED,))), both)) == ["offer.availed"]


# Stale answers


@pytest.mark.parametrize(
    ("before", "answer"),
    [
        (a_snapshot("CHARGED", last_updated=at(10)), a_snapshot("PENDING_VBV", last_updated=at(9.999))),
        (a_snapshot(an_order("PENDING_VBV", **ATTEMPT_2)), a_snapshot("AUTHORIZATION_FAILED")),
        (
            a_snapshot(an_order("PENDING_VBV", **ATTEMPT_2), last_updated=at(1)),
            a_snapshot("CHARGED", last_updated=at(1)),
        ),
    ],
)
def test_an_answer_that_is_provably_older_is_dropped_even_when_seen_twice(before, answer):
    assert look(a_known(before), answer) == Stale(before)
    assert look(a_known(before, doubted=True), answer) == Stale(before)


@pytest.mark.parametrize("before_at", [None, at(10)])
@pytest.mark.parametrize("answer_at", [None, at(10), at(11)])
def test_without_proof_of_age_an_answer_counts(before_at, answer_at):
    before = a_snapshot("PENDING_VBV", last_updated=before_at)
    assert kinds(look(a_known(before), a_snapshot("CHARGED", last_updated=answer_at))) == ["order.charged"]


def test_the_proof_of_age_outlives_an_answer_that_masks_it():
    first = look(a_known(a_snapshot("NEW", last_updated=at(10))), a_snapshot("PENDING_VBV"))
    assert look(a_known(first.snapshot), a_snapshot("CHARGED", last_updated=at(9))) == Stale(first.snapshot)


# Steps back

STEPS_BACK = {
    "succeeded to open": (a_snapshot("CHARGED"), a_snapshot("PENDING_VBV")),
    "succeeded to open, attempts unknown": (
        a_snapshot(an_order("CHARGED", **UNNUMBERED)),
        a_snapshot(an_order("AUTHORIZING", **UNNUMBERED)),
    ),
    "succeeded to open, attempt unknown before": (
        a_snapshot(an_order("CHARGED", **UNNUMBERED)),
        a_snapshot(an_order("PENDING_VBV", **ATTEMPT_2)),
    ),
    "an earlier attempt that is dated later": (
        a_snapshot(an_order("PENDING_VBV", **ATTEMPT_2), last_updated=at(1)),
        a_snapshot("CHARGED", last_updated=at(2)),
    ),
    "refund success to pending": (
        a_snapshot(refunds=(a_refund("r1", "SUCCESS"),)),
        a_snapshot(refunds=(a_refund(),)),
    ),
    "refund success to pending under a retry": (
        a_snapshot(refunds=(a_refund("r1", "SUCCESS"),)),
        a_snapshot(an_order("PENDING_VBV", **ATTEMPT_2), refunds=(a_refund(),)),
    ),
}


def offers(*words: str):
    return tuple(a_snapshot(offers=(Offer(id="o1", status=word),)) for word in words)


def mandates(*words: str):
    return tuple(a_snapshot(mandate=Mandate(id="m1", status=word)) for word in words)


STEPS_BACK |= {
    "refunded to succeeded": (a_snapshot("AUTO_REFUNDED"), a_snapshot("CHARGED")),
    "refunded to failed": (a_snapshot("AUTO_REFUNDED"), a_snapshot("AUTHORIZATION_FAILED")),
    "offer availed to initiated": offers("AVAILED", "INITIATED"),
    "offer refunded to availed": offers("REFUNDED", "AVAILED"),
    "offer partially refunded to availed": offers("PARTIALLY_REFUNDED", "AVAILED"),
    "mandate revoked to active": mandates("REVOKED", "ACTIVE"),
    "mandate expired to paused": mandates("EXPIRED", "PAUSED"),
    "mandate active to created": mandates("ACTIVE", "CREATED"),
}


@pytest.mark.parametrize("name", STEPS_BACK)
def test_a_step_back_needs_a_second_look(name):
    before, answer = STEPS_BACK[name]
    assert look(a_known(before), answer) == Doubtful()
    believed = look(a_known(before, doubted=True), answer)
    assert isinstance(believed, Observation)
    assert believed.is_new_version
    assert believed.facts


@pytest.mark.parametrize(
    ("before", "answer"),
    [
        (a_snapshot("CHARGED"), a_snapshot(an_order("PENDING_VBV", **ATTEMPT_2))),
        (a_snapshot("CHARGED"), a_snapshot("AUTO_REFUNDED")),
        (a_snapshot("CHARGED"), a_snapshot("VOIDED")),
        (a_snapshot("CHARGED"), a_snapshot("A_NEW_WORD")),
        (a_snapshot("AUTHORIZATION_FAILED"), a_snapshot("PENDING_VBV")),
        (a_snapshot(refunds=(a_refund("r1", "FAILURE"),)), a_snapshot(refunds=(a_refund(),))),
        (a_snapshot(refunds=(a_refund("r1", "SUCCESS"),)), a_snapshot("VOIDED")),
        offers("AVAILED", "REFUNDED"),
        offers("REFUNDED", "CLAWED BACK"),
        mandates("PAUSED", "ACTIVE"),
        mandates("FAILURE", "ACTIVE"),
    ],
)
def test_other_ways_need_one_look(before, answer):
    assert isinstance(look(a_known(before), answer), Observation)


def test_the_second_look_comes_five_seconds_after_the_first_or_later():
    assert SECOND_LOOK.in_s == 5
    assert not is_confirmed(None, 100_000)
    assert not is_confirmed(1000, 5999)
    assert is_confirmed(1000, 6000)


# A new attempt


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"txn_id": "x-1", "attempt": 1}, {"txn_id": "x-2", "attempt": 2}),
        ({"txn_id": "x-1", "attempt": 1}, {"txn_id": None, "attempt": 2}),
        ({"txn_id": "65a1", "attempt": None}, {"txn_id": "65b2", "attempt": None}),
    ],
)
def test_a_new_attempt_inherits_nothing_of_the_one_before(old, new):
    before = an_order("AUTHORIZATION_FAILED", gateway="PAYU", resp_code="U30", **old)
    answer = Order(status="PENDING_VBV", **new)
    after = look(a_known(a_snapshot(before)), a_snapshot(answer)).snapshot.order
    assert (after.txn_id, after.attempt) == (new["txn_id"], new["attempt"])
    assert (after.gateway, after.resp_code) == (None, None)
    assert (after.amount, after.currency) == (before.amount, before.currency)


def test_the_same_attempt_keeps_what_became_unknown():
    before = an_order("PENDING_VBV", gateway="PAYU")
    after = look(a_known(a_snapshot(before)), a_snapshot(Order(status="CHARGED"))).snapshot.order
    assert after == replace(before, status="CHARGED")


# What does not change


def test_an_unchanged_answer_keeps_the_deadlines_and_adopts_the_reader():
    deadlines = Deadlines(settle_at=at(100), stuck_at=at(9))
    newer = replace(READER, version="2026-01-01")
    observation = look(a_known(a_snapshot("NEW"), deadlines=deadlines), a_snapshot("NEW", reader=newer))
    assert observation == Observation(
        snapshot=a_snapshot("NEW", reader=newer),
        is_new_version=False,
        is_initial=False,
        facts=(),
        deadlines=deadlines,
    )


def test_an_absent_row_tells_nothing_and_stays():
    before = a_snapshot(refunds=(a_refund(),), mandate=Mandate(id="m1", status="ACTIVE"))
    observation = look(a_known(before), a_snapshot("VOIDED"))
    assert kinds(observation) == ["order.voided"]
    assert observation.snapshot.refunds == before.refunds
    assert observation.snapshot.mandate == before.mandate


# Upgrades


@pytest.fixture
def old_reader(monkeypatch):
    """A reader that knew neither offers nor arns nor effective amounts."""
    unknown = {"Refund.arn", "Order.effective_amount", "Order.payer_handle"}
    everything = VOCABULARIES[1]
    monkeypatch.setitem(
        VOCABULARIES, 0, frozenset(m for m in everything - unknown if not m.startswith("Offer."))
    )
    return replace(READER, schema=0)


def before_upgrade(reader, status: str = "CHARGED", **members) -> Snapshot:
    order = an_order(status, effective_amount=None)
    given = {"refunds": (a_refund("r1", "SUCCESS", amount=inr("386")),)}
    return a_snapshot(order, reader=reader, **(given | members))


def after_upgrade(status: str = "CHARGED", refund: str = "SUCCESS", **members) -> Snapshot:
    return a_snapshot(
        an_order(status, payer_handle="okaxis"),
        refunds=(a_refund("r1", refund, amount=inr("386"), arn="741"),),
        offers=(Offer(id="o1", status="AVAILED"),),
        **members,
    )


def test_an_upgrade_tells_nothing_and_is_kept(old_reader):
    observation = look(a_known(before_upgrade(old_reader)), after_upgrade())
    assert (observation.facts, observation.is_new_version) == ((), True)
    assert observation.snapshot == after_upgrade()


def test_a_real_change_at_an_upgrade_is_told(old_reader):
    before = before_upgrade(old_reader, "AUTHORIZING", refunds=(a_refund("r1", amount=inr("386")),))
    observation = look(a_known(before), after_upgrade())
    assert kinds(observation) == ["order.charged", "order.refunded", "refund.success"]


def test_a_row_that_appears_at_an_upgrade_is_told(old_reader):
    observation = look(a_known(before_upgrade(old_reader, refunds=())), after_upgrade())
    assert [(fact.type, fact.subject_id) for fact in observation.facts] == [
        ("order.refunded", None),
        ("refund.created", "r1"),
        ("refund.success", "r1"),
        ("refund.arn_available", "r1"),
    ]


def test_a_downgrade_tells_nothing_and_loses_nothing(old_reader):
    observation = look(a_known(after_upgrade()), before_upgrade(old_reader))
    assert (observation.facts, observation.is_new_version) == ((), False)
    assert observation.snapshot == replace(after_upgrade(), reader=old_reader)


def test_another_mandate_at_an_upgrade_is_told(old_reader):
    before = before_upgrade(old_reader, mandate=Mandate(id="m1", status="ACTIVE"))
    answer = replace(after_upgrade(), mandate=Mandate(id="m2", status="ACTIVE"))
    assert kinds(look(a_known(before), answer)) == ["mandate.active"]


@pytest.mark.parametrize("other", [{"version": "2026-01-01"}, {"options": "full"}])
def test_what_the_upstream_shows_only_under_another_version_is_not_told(other):
    before = a_snapshot("PENDING_VBV", refunds=(a_refund(sent_to_gateway=None),))
    refund = a_refund("r1", arn="741", sent_to_gateway=True)
    answer = a_snapshot("CHARGED", refunds=(refund,), reader=replace(READER, **other))
    assert kinds(look(a_known(before), answer)) == ["order.charged"]


def test_an_upgrade_does_not_judge_a_late_refund_again(old_reader):
    late = a_refund(expected_refund_credit_time=at(-100))
    before = a_snapshot("CHARGED", refunds=(late,), reader=old_reader)
    answer = a_snapshot("CHARGED", refunds=(replace(late, arn="741"),))
    assert look(a_known(before), answer).deadlines.overdue_at is None


def test_a_mismatch_that_an_upgrade_reveals_is_judged_by_the_next_look(old_reader):
    known = a_known(before_upgrade(old_reader), expect=an_expectation("386", "300"))
    observation = look(known, after_upgrade())
    assert observation.facts == ()
    assert observation.deadlines.mismatch_at == at(0)


# Kept on request


def keeping(names: str, kept: dict[str, str] | None, status: str = "CHARGED") -> Snapshot:
    return a_snapshot(an_order(status, kept=kept), reader=replace(READER, options=names))


def test_a_kept_member_is_compared_and_told_never():
    observation = look(a_known(keeping("udf1", {"udf1": "table 4"})), keeping("udf1", {"udf1": "table 5"}))
    assert (observation.is_new_version, observation.facts) == (True, ())
    assert observation.snapshot.order.kept == {"udf1": "table 5"}


def test_a_kept_member_that_is_masked_stays():
    before = keeping("udf1,udf2", {"udf1": "table 4", "udf2": "tea"})
    observation = look(a_known(before), keeping("udf1,udf2", {"udf2": "milk"}))
    assert observation.snapshot.order.kept == {"udf1": "table 4", "udf2": "milk"}
    assert look(a_known(before), keeping("udf1,udf2", None)).is_new_version is False


@pytest.mark.parametrize(
    ("before", "answer"),
    [
        (keeping("", None), keeping("udf1", {"udf1": "table 4"})),
        (keeping("udf1", {"udf1": "table 4"}), keeping("udf1,udf2", {"udf1": "table 4", "udf2": "tea"})),
        (keeping("udf1,udf2", {"udf1": "table 4", "udf2": "tea"}), keeping("udf2", {"udf2": "tea"})),
        (keeping("udf1", {"udf1": "table 4"}), keeping("", None)),
    ],
)
def test_what_an_account_keeps_may_change_and_tells_nothing(before, answer):
    observation = look(a_known(before), answer)
    assert (observation.is_new_version, observation.facts) == (True, ())
    assert observation.snapshot.order.kept == answer.order.kept, "what is not kept any more is forgotten"
    assert kinds(
        look(a_known(before), replace(answer, order=replace(answer.order, status="AUTO_REFUNDED")))
    ) == ["order.auto_refunded"]

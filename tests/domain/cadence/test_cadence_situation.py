"""What there is to wait for in what a source said, what it is worth, and what is believed of it at first."""

from datetime import timedelta

import pytest
from hypothesis import given

from notifier.domain.cadence.ages import BINS
from notifier.domain.cadence.law import Law
from notifier.domain.cadence.prior import prior_of
from notifier.domain.cadence.situation import Kind, Situation, parts_of
from notifier.domain.cadence.stakes import Stake, ceiling_s, stake_of, weight_of
from notifier.domain.order import Phase, Source, known_statuses
from notifier.domain.polling import PollingPolicy
from notifier.domain.snapshot import Snapshot, Subject
from notifier.domain.standing import LOAN_STAGES, loan_slug
from support.builders import (
    NOW,
    a_credit,
    a_loan,
    a_mandate,
    a_refund,
    a_snapshot,
    an_order,
    at,
    snapshots,
)

POLICY = PollingPolicy()
TWO_HOURS_S = 7200.0


def seen(snapshot: Snapshot, seen_at=NOW):
    return parts_of(snapshot, account="shop", seen_at=seen_at)


def words(snapshot: Snapshot) -> list[tuple[str, str, str]]:
    return [(part.situation.kind, part.situation.word, part.id) for part in seen(snapshot)]


def a_situation(word: str, kind: Kind = Kind.ORDER) -> Situation:
    return Situation(Source.ORDER, kind, word, "", "shop")


# Parts


def test_the_order_status_is_always_a_part():
    assert words(a_snapshot("NEW")) == [("order", "NEW", "")]
    assert words(a_snapshot("AUTO_REFUNDED")) == [("order", "AUTO_REFUNDED", "")]


def test_each_open_refund_is_a_part_by_its_stage():
    refunds = (
        a_refund("r1"),
        a_refund("r2", sent_to_gateway=True),
        a_refund("r3", "SUCCESS"),
        a_refund("r4", "MANUAL_REVIEW"),
        a_refund("r5", "FAILURE"),
        a_refund("r6", sent_to_gateway=None),
    )
    assert words(a_snapshot("CHARGED", refunds=refunds))[1:] == [
        ("refund", "PENDING_QUEUED", "r1"),
        ("refund", "PENDING_SENT", "r2"),
        ("refund", "MANUAL_REVIEW", "r4"),
        ("refund", "PENDING_SENT", "r6"),
    ]


@pytest.mark.parametrize(("status", "is_live"), [("CREATED", True), ("ACTIVE", True), ("REVOKED", False)])
def test_a_mandate_is_a_part_until_its_end(status, is_live):
    assert words(a_mandate(status)) == ([("mandate", status, "m1")] if is_live else [])


def test_hypercredit_has_its_open_applications_and_itself():
    credit = a_credit(a_loan("l1", "Loan Rejected"), a_loan("l2", "Agreement Singed"))
    assert words(credit) == [("credit", "open", ""), ("loan", "agreement_signed", "l2")]
    assert words(a_credit()) == [("credit", "open", "")]


@pytest.mark.parametrize(
    ("members", "method"),
    [
        ({}, ""),
        ({"payment_method_type": "UPI"}, "UPI"),
        ({"payment_method_type": "UPI", "txn_flow_type": "INTENT"}, "UPI_INTENT"),
        ({"payment_method_type": "CARD", "txn_flow_type": "CARD_TRANSACTION"}, "CARD"),
    ],
)
def test_a_payment_method_is_joined_with_its_flow(members, method):
    (part,) = seen(a_snapshot(an_order("PENDING_VBV", **members)))
    assert part.situation == ("order", "order", "PENDING_VBV", method, "shop")


def test_a_new_refund_is_a_change_of_its_order():
    (before,), (after, _) = seen(a_snapshot()), seen(a_snapshot(refunds=(a_refund(),)))
    assert not before.is_still(after)
    assert before.is_still(before)


def test_a_new_attempt_is_a_change_of_its_order():
    one, two = (seen(a_snapshot(an_order("AUTHORIZATION_FAILED", attempt=n)))[0] for n in (1, 2))
    assert not one.is_still(two)


def test_the_upstream_dates_what_it_can():
    new = a_snapshot(an_order("NEW", date_created=at(-60)))
    pending = a_snapshot(an_order("PENDING_VBV", txn_created=at(-30)))
    charged = a_snapshot(refunds=(a_refund(created=at(-20)),), last_updated=at(-10))
    ages_s = [NOW.timestamp() - part.since_s for each in (new, pending, charged) for part in seen(each)]
    assert ages_s == [60, 30, 10, 20]


def test_a_date_in_the_future_is_now():
    (part,) = seen(a_snapshot(an_order("NEW", date_created=at(60))))
    assert part.since_s == NOW.timestamp()


@given(snapshots())
def test_every_part_has_one_name_and_a_prior(snapshot):
    parts = seen(snapshot, NOW + timedelta(days=3000))
    assert len({(part.situation.kind, part.id) for part in parts}) == len(parts)
    for part in parts:
        assert all(0 < hazard <= 1 for hazard in prior_of(part.situation))


# What it is worth


def test_a_failed_order_is_open_for_two_hours():
    failed = a_situation("AUTHENTICATION_FAILED")
    assert stake_of(failed, TWO_HOURS_S - 1) is Stake.OPEN
    assert stake_of(failed, TWO_HOURS_S) is Stake.DONE


@pytest.mark.parametrize("word", known_statuses())
def test_what_is_open_has_the_ceiling_that_the_operator_set_and_what_is_done_a_day(word):
    is_open = a_situation(word).phase is Phase.OPEN
    assert ceiling_s(stake_of(a_situation(word), 1e6), POLICY) == (3600 if is_open else 86_400)


def test_no_ceiling_is_below_that_of_what_is_open():
    assert ceiling_s(Stake.DONE, PollingPolicy(max_interval_s=200_000)) == 200_000


def test_a_refund_weighs_less_than_a_payment():
    refund = a_situation("PENDING_SENT", Kind.REFUND)
    order = a_situation("PENDING_VBV")
    assert weight_of(refund, stake_of(refund, 0)) == 0.2 * weight_of(order, stake_of(order, 0))


def test_a_change_that_nobody_would_hear_weighs_nothing():
    refund = a_situation("PENDING_SENT", Kind.REFUND)
    assert weight_of(refund, Stake.REFUND, frozenset({Subject.ORDER, Subject.WATCH})) == 0
    assert weight_of(refund, Stake.REFUND, frozenset({Subject.REFUND})) > 0
    assert weight_of(a_situation("NEW"), Stake.OPEN, frozenset({Subject.WATCH})) == 0


def looks(word: str, since_s: float, until_s: float) -> int:
    """Return how often an order is looked at between two ages without having learned anything."""
    situation, age_s, count = a_situation(word), since_s, 0
    law = Law(prior_of(situation))
    while age_s < until_s:
        stake = stake_of(situation, age_s)
        price_s = POLICY.price_s / weight_of(situation, stake)
        age_s = law.next_age(age_s, price_s, ceiling_s(stake, POLICY))
        count += age_s < until_s
    return count


def test_a_million_orders_that_are_done_but_not_settled_cost_at_most_sixty_requests_a_second():
    paid_s, failed_s = POLICY.settle_charged_after_s, POLICY.settle_failed_after_s
    paid = looks("CHARGED", 0, paid_s) / paid_s
    assert paid * 1e6 <= 60
    late = looks("AUTHORIZATION_FAILED", TWO_HOURS_S, failed_s) / (failed_s - TWO_HOURS_S)
    assert late * 1e6 <= 60
    assert looks("AUTO_REFUNDED", 0, failed_s) / failed_s * 1e6 <= 60


def test_a_million_of_all_that_come_stay_below_sixty_though_failed_ones_are_young_too():
    lives_s = {"CHARGED": POLICY.settle_charged_after_s, "AUTHORIZATION_FAILED": POLICY.settle_failed_after_s}
    shares = {"CHARGED": 0.7, "AUTHORIZATION_FAILED": 0.3}
    live = sum(shares[word] * lives_s[word] for word in shares)
    assert sum(shares[word] * looks(word, 0, lives_s[word]) for word in shares) / live * 1e6 <= 60


# What is believed at first


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize(
    "word", [*known_statuses(), "PENDING_QUEUED", "ACTIVE", *map(loan_slug, LOAN_STAGES), "ODD", *Phase]
)
def test_a_hazard_falls_with_age_until_something_is_learned(kind, word):
    if kind is Kind.CREDIT and word not in list(Phase):
        return
    prior = prior_of(a_situation(word, kind))
    assert len(prior) == BINS
    assert list(prior) == sorted(prior, reverse=True)


def test_a_payment_is_believed_to_move_sooner_than_a_refund_and_a_refund_than_a_paid_order():
    order, refund, paid = (
        prior_of(each)[0]
        for each in (
            a_situation("PENDING_VBV"),
            a_situation("PENDING_SENT", Kind.REFUND),
            a_situation("CHARGED"),
        )
    )
    assert order > 10 * refund > 100 * paid

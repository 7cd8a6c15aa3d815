"""Each change an order can go through, and exactly what it tells."""

from dataclasses import replace

import pytest
from told import ATTEMPT_2, SENT, status
from told_of_orders import ORDERS
from told_of_refunds import REFUNDS

from notifier.domain.event import present_facts
from notifier.domain.observation import Known, Observation, observe
from notifier.domain.polling import PollingPolicy
from notifier.domain.snapshot import Mandate, Snapshot, Subject
from support.builders import a_known, a_refund, a_snapshot, an_expectation, an_order, at, inr

SCENARIOS = ORDERS | REFUNDS


def seen(known: Known, answer: Snapshot) -> Observation:
    observation = observe(known, answer, now=at(0), policy=PollingPolicy())
    assert isinstance(observation, Observation)
    return observation


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_change_tells(name):
    (before, answer), expect, expected = SCENARIOS[name]
    observation = seen(a_known(before, expect=expect), answer)
    facts = [(f.type, f.subject_id, f.field, f.previous, f.current) for f in observation.facts]
    assert facts == expected
    assert {f.subject for f in observation.facts} == {
        Subject(kind.partition(".")[0]) for kind, *_ in expected
    }
    assert (observation.is_new_version, observation.is_initial) == (True, False)


def test_the_first_look_tells_the_present_of_each_subject_and_nothing_else():
    (_, answer), _, _ = SCENARIOS["everything at once"]
    answer = replace(
        answer,
        order=an_order("CHARGED", **ATTEMPT_2),
        refunds=(
            a_refund("r1", "SUCCESS", amount=inr("386"), arn="741"),
            a_refund("r2", created=at(1), **SENT),
            a_refund("r3", None, created=at(2)),
        ),
        mandate=Mandate(id="m1", status="PAUSED"),
    )
    observation = seen(a_known(expect=an_expectation("10")), answer)
    assert observation.is_initial
    assert [(f.type, f.subject_id, f.field, f.previous, f.current) for f in observation.facts] == [
        status("order.charged", None, "CHARGED"),
        status("txn.charged", None, "CHARGED", "t1"),
        status("refund.success", None, "SUCCESS", "r1"),
        status("refund.pending", None, "PENDING", "r2"),
        status("offer.availed", None, "AVAILED", "o1"),
        status("mandate.paused", None, "PAUSED", "m1"),
        status("chargeback.received", None, "RECEIVED", "c1"),
    ]
    assert observation.facts == present_facts(answer)


def test_a_silent_first_look_tells_nothing_and_the_next_change_is_told():
    first = seen(a_known(is_silent=True), a_snapshot("NEW"))
    assert (first.facts, first.is_initial, first.is_new_version) == ((), True, True)
    second = seen(a_known(first.snapshot, is_silent=True), a_snapshot("CHARGED"))
    assert [fact.type for fact in second.facts] == ["order.charged"]


def test_a_first_look_sets_words_like_derived_types_apart():
    snapshot = a_snapshot("REFUNDED", refunds=(a_refund("r1", "CREATED"),))
    assert [fact.type for fact in present_facts(snapshot)] == [
        "order.status_refunded",
        "refund.status_created",
    ]


TYPES = """
    order.charged order.pending_vbv order.auto_refunded order.retried order.late_success order.amount_mismatch
    order.refunded txn.charged refund.created refund.sent refund.pending refund.success refund.failure
    refund.manual_review refund.arn_available mandate.created mandate.active mandate.paused mandate.resumed
    mandate.revoked mandate.failure mandate.expired offer.initiated offer.availed offer.refunded
    offer.partially_refunded offer.failed chargeback.received
"""


@pytest.mark.parametrize("expected", TYPES.split())
def test_every_type_of_a_snapshot_is_told_by_some_change(expected):
    assert expected in {kind for _, _, told in SCENARIOS.values() for kind, *_ in told}

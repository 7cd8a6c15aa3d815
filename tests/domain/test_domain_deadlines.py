"""Look first, then judge; told once, armed again by the next change of that subject."""

from dataclasses import replace

import pytest

from notifier.domain.deadline import Deadlines, overdue_instant
from notifier.domain.event import Expectation
from notifier.domain.observation import Judgement, Observation, judge, observe
from notifier.domain.order import WatchState
from notifier.domain.polling import PollingPolicy
from notifier.domain.snapshot import Snapshot
from support.builders import NOW, a_known, a_refund, a_snapshot, an_expectation, an_order, at, inr

POLICY = PollingPolicy(
    stuck_after_s=900,
    refund_overdue_after_s=1000,
    settle_failed_after_s=5000,
    settle_charged_after_s=50_000,
)


class Watched:
    """One order, looked at and judged as the poller does it."""

    def __init__(self, expect: Expectation | None = None, deadlines: Deadlines | None = None) -> None:
        self.snapshot: Snapshot | None = None
        self.deadlines = deadlines or Deadlines()
        self.expect = expect
        self.state = WatchState.ACTIVE

    def look(self, seconds: float, answer: Snapshot) -> list[str]:
        """Start a look at an instant, have its answer a tenth of a second later; return what is told."""
        known = a_known(self.snapshot, deadlines=self.deadlines, expect=self.expect, doubted=True)
        seen = observe(known, answer, now=at(seconds + 0.1), policy=POLICY)
        assert isinstance(seen, Observation)
        judged = judge(seen.snapshot, seen.deadlines, self.expect, looked_at=at(seconds), policy=POLICY)
        self.snapshot, self.deadlines, self.state = seen.snapshot, judged.deadlines, judged.state
        return [fact.type for fact in (*seen.facts, *judged.facts)]


def test_an_open_order_is_stuck_once_for_each_status():
    watched = Watched()
    assert watched.look(0, a_snapshot("PENDING_VBV")) == ["order.pending_vbv"]
    assert watched.look(900, a_snapshot("PENDING_VBV")) == []
    assert watched.look(901, a_snapshot("PENDING_VBV")) == ["order.stuck"]
    assert watched.look(9000, a_snapshot(an_order("PENDING_VBV", gateway="PAYU"))) == []
    assert watched.look(9001, a_snapshot("AUTHORIZING")) == ["order.authorizing"]
    assert watched.look(9902, a_snapshot("AUTHORIZING")) == ["order.stuck"]


def test_a_new_attempt_has_its_own_time_to_be_stuck():
    watched = Watched()
    watched.look(0, a_snapshot("PENDING_VBV"))
    retried = a_snapshot(an_order("PENDING_VBV", txn_id="shop-JP1-2", attempt=2))
    assert watched.look(800, retried) == ["order.retried"]
    assert watched.look(1000, retried) == []
    assert watched.look(1701, retried) == ["order.stuck"]


def test_a_change_of_another_member_does_not_put_it_off():
    watched = Watched()
    watched.look(0, a_snapshot("PENDING_VBV"))
    watched.look(800, a_snapshot(an_order("PENDING_VBV", gateway="PAYU")))
    assert watched.deadlines.stuck_at == at(900.1)


def test_an_order_is_not_stuck_before_it_expires():
    watched = Watched()
    watched.look(0, a_snapshot(an_order("NEW", order_expiry=at(2000))))
    assert watched.deadlines.stuck_at == at(2000)
    watched.look(1, a_snapshot(an_order("PENDING_VBV", order_expiry=at(5))))
    assert watched.deadlines.stuck_at == at(901.1)


@pytest.mark.parametrize("status", ["CHARGED", "AUTHORIZATION_FAILED", "AUTO_REFUNDED", "NEVER_SEEN"])
def test_an_order_that_is_not_open_is_never_stuck(status):
    watched = Watched()
    watched.look(0, a_snapshot("NEW"))
    watched.look(899, a_snapshot(status))
    assert watched.deadlines.stuck_at is None


def test_a_look_that_shows_the_end_is_not_judged_as_stuck():
    watched = Watched()
    watched.look(0, a_snapshot("NEW"))
    assert watched.look(5000, a_snapshot("CHARGED")) == ["order.charged"]


def test_what_is_stuck_is_said_with_its_status():
    judged = judge(a_snapshot("NEW"), Deadlines(stuck_at=NOW), None, looked_at=NOW, policy=POLICY)
    (fact,) = judged.facts
    assert (fact.subject_id, fact.field, fact.previous, fact.current) == (None, "status", None, "NEW")
    assert judged.deadlines == Deadlines()


def test_a_deadline_of_an_order_that_went_on_is_dropped_in_silence():
    passed = Deadlines(stuck_at=NOW, mismatch_at=NOW, overdue_at=NOW)
    judged = judge(a_snapshot(), passed, an_expectation("386"), looked_at=NOW, policy=POLICY)
    assert judged == Judgement(facts=(), deadlines=Deadlines(), state=WatchState.ACTIVE)


def test_nothing_is_judged_before_its_time():
    later = Deadlines(stuck_at=at(1), overdue_at=at(1), mismatch_at=at(1), settle_at=at(1), until_at=at(1))
    judged = judge(
        a_snapshot("NEW", refunds=(a_refund(),)), later, an_expectation("1"), looked_at=NOW, policy=POLICY
    )
    assert judged == Judgement(facts=(), deadlines=later, state=WatchState.ACTIVE)


# Refunds


def test_a_refund_is_overdue_once():
    watched = Watched()
    watched.look(0, a_snapshot(refunds=(a_refund(),)))
    assert watched.deadlines.overdue_at == at(1000)
    assert watched.look(1000, a_snapshot(refunds=(a_refund(),))) == ["refund.overdue"]
    assert watched.look(1500, a_snapshot(refunds=(a_refund(),))) == []
    assert watched.look(1600, a_snapshot(an_order(gateway="PAYU"), refunds=(a_refund(),))) == []
    assert watched.deadlines.overdue_at is None


def test_a_late_refund_that_changes_is_judged_anew():
    watched = Watched()
    watched.look(0, a_snapshot(refunds=(a_refund(),)))
    watched.look(1000, a_snapshot(refunds=(a_refund(),)))
    moved = a_refund(expected_refund_credit_time=at(3000))
    assert watched.look(1500, a_snapshot(refunds=(moved,))) == []
    assert watched.look(2999, a_snapshot(refunds=(moved,))) == []
    assert watched.look(3000, a_snapshot(refunds=(moved,))) == ["refund.overdue"]


def test_each_refund_is_judged_at_its_own_time():
    refunds = (a_refund("r1"), a_refund("r2", created=at(500)), a_refund("r3", created=at(501)))
    watched = Watched()
    watched.look(0, a_snapshot(refunds=refunds))
    assert watched.look(1000, a_snapshot(refunds=refunds)) == ["refund.overdue"]
    assert watched.deadlines.overdue_at == at(1500)
    assert watched.look(1600, a_snapshot(refunds=refunds)) == ["refund.overdue"] * 2
    assert watched.deadlines.overdue_at is None


def test_a_refund_that_appears_does_not_judge_the_late_one_again():
    watched = Watched()
    watched.look(0, a_snapshot(refunds=(a_refund("r1"),)))
    watched.look(1000, a_snapshot(refunds=(a_refund("r1"),)))
    both = (a_refund("r1"), a_refund("r2", created=at(1100)))
    assert watched.look(1100, a_snapshot(refunds=both)) == ["refund.created"]
    assert watched.look(2000, a_snapshot(refunds=both)) == []
    assert watched.look(2100, a_snapshot(refunds=both)) == ["refund.overdue"]


def test_a_change_elsewhere_does_not_lose_a_refund_that_waits():
    watched = Watched()
    watched.look(0, a_snapshot(refunds=(a_refund("r1"), a_refund("r2", created=at(200)))))
    settled = (a_refund("r1", "SUCCESS"), a_refund("r2", created=at(200)))
    assert watched.look(900, a_snapshot(refunds=settled)) == ["refund.success"]
    assert watched.deadlines.overdue_at == at(1200)


def test_a_refund_that_ended_is_not_overdue():
    watched = Watched()
    watched.look(0, a_snapshot(refunds=(a_refund(),)))
    assert watched.look(2000, a_snapshot(refunds=(a_refund("r1", "FAILURE"),))) == ["refund.failure"]
    assert watched.look(2001, a_snapshot(refunds=(a_refund("r1", "FAILURE"),))) == []


def test_a_refund_late_at_first_sight_is_told_once():
    watched = Watched()
    late = a_snapshot(refunds=(a_refund(created=at(-2000)),))
    told = [*watched.look(0, late), *watched.look(5, late), *watched.look(10, late)]
    assert told == ["order.charged", "refund.pending", "refund.overdue"]


def test_a_refund_is_late_by_the_instant_it_was_promised_for_if_there_is_one():
    promised = a_refund("r1", expected_refund_credit_time=at(7))
    snapshot = a_snapshot(
        refunds=(promised, a_refund("r2"), a_refund("r3", created=None), a_refund("r4", "SUCCESS"))
    )
    instants = [overdue_instant(snapshot, f"r{n}", POLICY) for n in (1, 2, 3, 4, 5)]
    assert instants == [at(7), at(1000), None, None, None]


def test_what_is_overdue_is_said_with_its_refund():
    snapshot = a_snapshot(refunds=(a_refund("r1", "MANUAL_REVIEW"),))
    judged = judge(snapshot, Deadlines(overdue_at=at(1000)), None, looked_at=at(1000), policy=POLICY)
    (fact,) = judged.facts
    assert (fact.subject, fact.subject_id, fact.field) == ("refund", "r1", "status")
    assert (fact.previous, fact.current) == ("MANUAL_REVIEW", "MANUAL_REVIEW")


# Amounts


def test_a_mismatch_at_first_sight_is_told_by_the_look_after_it_and_once():
    watched = Watched(an_expectation("10"))
    assert watched.look(0, a_snapshot("NEW")) == ["order.new"]
    assert watched.look(5, a_snapshot("NEW")) == ["order.amount_mismatch"]
    assert watched.look(10, a_snapshot("NEW")) == []
    assert watched.look(15, a_snapshot("CHARGED")) == ["order.charged"]


def test_a_mismatch_at_first_sight_is_not_lost_when_the_next_look_shows_a_change():
    watched = Watched(an_expectation("10"))
    watched.look(0, a_snapshot("NEW"))
    assert watched.look(5, a_snapshot("CHARGED")) == ["order.charged", "order.amount_mismatch"]
    assert watched.look(10, a_snapshot("AUTO_REFUNDED")) == ["order.auto_refunded"]


def test_a_mismatch_at_first_sight_that_is_set_right_is_not_told():
    watched = Watched(an_expectation("10"))
    watched.look(0, a_snapshot("NEW"))
    right = a_snapshot(an_order("NEW", amount=inr("10")))
    assert watched.look(5, right) == []
    assert watched.deadlines.mismatch_at is None


def test_an_expectation_that_changes_is_judged_if_its_deadline_is_set():
    watched = Watched()
    watched.look(0, a_snapshot("NEW"))
    watched.expect, watched.deadlines = an_expectation("10"), replace(watched.deadlines, mismatch_at=at(3))
    assert watched.look(5, a_snapshot("CHARGED")) == ["order.charged", "order.amount_mismatch"]
    assert watched.look(9, a_snapshot("CHARGED")) == []


def test_a_mismatch_that_a_change_tells_is_not_judged_besides():
    watched = Watched(an_expectation("386"))
    watched.look(0, a_snapshot("NEW"))
    watched.deadlines = replace(watched.deadlines, mismatch_at=at(3))
    wrong = a_snapshot(an_order("NEW", amount=inr("1")))
    assert watched.look(5, wrong) == ["order.amount_mismatch"]
    assert watched.look(9, wrong) == []


# The end of a watch


@pytest.mark.parametrize(
    ("status", "settles_at", "state"),
    [
        ("CHARGED", 50_000.1, "settled"),
        ("AUTHORIZATION_FAILED", 5000.1, "settled"),
        ("AUTO_REFUNDED", 5000.1, "settled"),
        ("PENDING_VBV", 50_000.1, "abandoned"),
        ("NEVER_SEEN", 50_000.1, "abandoned"),
    ],
)
def test_a_silent_order_settles_and_an_open_one_is_abandoned(status, settles_at, state):
    watched = Watched()
    watched.look(0, a_snapshot(status))
    watched.deadlines = replace(watched.deadlines, stuck_at=None)
    assert watched.deadlines.settle_at == at(settles_at)
    assert watched.look(settles_at - 0.1, a_snapshot(status)) == []
    assert watched.state is WatchState.ACTIVE
    assert watched.look(settles_at, a_snapshot(status)) == [f"watch.{state}"]
    assert (watched.state, watched.deadlines) == (WatchState(state), Deadlines())


def test_a_change_puts_the_end_off():
    watched = Watched()
    watched.look(0, a_snapshot("CHARGED"))
    watched.look(40_000, a_snapshot(an_order(gateway="PAYU")))
    assert watched.deadlines.settle_at == at(90_000.1)


def test_a_failed_order_whose_refund_is_open_settles_as_late_as_a_charged_one():
    watched = Watched()
    watched.look(0, a_snapshot("AUTO_REFUNDED", refunds=(a_refund(),)))
    assert watched.deadlines.settle_at == at(50_000.1)


def test_no_watch_ends_before_its_open_refunds_are_late():
    watched = Watched()
    watched.look(0, a_snapshot(refunds=(a_refund(expected_refund_credit_time=at(80_000)),)))
    assert watched.deadlines.settle_at == at(80_000)
    answer = a_snapshot(refunds=(a_refund(expected_refund_credit_time=at(80_000)),))
    assert watched.look(80_000, answer) == ["refund.overdue", "watch.settled"]


def test_the_wish_to_look_until_an_instant_ends_the_watch_after_a_last_look():
    watched = Watched(deadlines=Deadlines(until_at=at(60)))
    watched.look(0, a_snapshot("NEW"))
    assert watched.deadlines.until_at == at(60)
    assert watched.deadlines.soonest == at(60)
    assert watched.look(61, a_snapshot("CHARGED")) == ["order.charged", "watch.settled"]


def test_a_watch_that_rises_again_ends_again_though_nothing_changes():
    watched = Watched()
    watched.look(0, a_snapshot("NEW", refunds=(a_refund(),)))
    watched.deadlines = Deadlines()
    assert watched.look(90_000, a_snapshot("NEW", refunds=(a_refund(),))) == []
    assert watched.deadlines == Deadlines(settle_at=at(140_000.1))
    watched.deadlines = Deadlines(mismatch_at=at(100_000), until_at=at(99_999))
    watched.look(95_000, a_snapshot("NEW", refunds=(a_refund(),)))
    assert (watched.deadlines.mismatch_at, watched.deadlines.until_at) == (at(100_000), at(99_999))


def test_the_end_is_said_with_its_state():
    judged = judge(a_snapshot(), Deadlines(settle_at=NOW), None, looked_at=NOW, policy=POLICY)
    (fact,) = judged.facts
    assert (fact.subject, fact.subject_id, fact.field) == ("watch", None, "state")
    assert (fact.previous, fact.current) == (None, "settled")


def test_no_deadline_has_no_soonest():
    assert Deadlines().soonest is None

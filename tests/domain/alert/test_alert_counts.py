from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain.alert.counts import Counts, minute_of, start_of
from notifier.domain.alert.detect import tallies
from notifier.domain.alert.outcome import Family, Outcome, counted, outcomes_of
from notifier.domain.alert.rule import Rule
from notifier.domain.alert.slices import WHOLE, are_apart, heaviest, is_within, overlap, parents_of, places_of
from notifier.domain.order import OrderKey, Source
from notifier.domain.snapshot import Order, Reader, Snapshot

AT = datetime(2026, 3, 2, 6, 15, tzinfo=UTC)
RULE = Rule(name="failures")
WHERE = (("gateway", "RAZORPAY"), ("payment_method_type", "NB"), ("bank", "HDFC"))


def ended(word, *, after_s=0, dimensions=WHERE):
    return Outcome(
        account="shop",
        order_key=OrderKey("o1"),
        family=Family.ORDER,
        subject_id=None,
        ended_at=AT + timedelta(seconds=after_s),
        word=word,
        is_failed=word != "CHARGED",
        dimensions=dimensions,
    )


def snapshot(status, *, attempt=1, last_updated=None, **members):
    reader = Reader(schema=2, version="2023-06-30")
    order = Order(status=status, attempt=attempt, **members)
    return Snapshot(source=Source.ORDER, reader=reader, order=order, last_updated=last_updated)


def seen(before, after, **more):
    return outcomes_of(before, after, account="shop", order_key=OrderKey("o1"), observed_at=AT, **more)


def sums(history):
    """What is counted of one order after all of its outcomes came in one by one."""
    cells, before = {}, None
    for length in range(1, len(history) + 1):
        now = counted(history[:length], RULE.fails)
        for tally in tallies(RULE, before, now):
            for place in places_of(tally.dimensions, RULE.dimensions):
                cell = cells.setdefault((tally.minute, place), [0, 0])
                cell[0] += tally.orders
                cell[1] += tally.failed
        before = now
    return {key: cell for key, cell in cells.items() if cell != [0, 0]}


def test_a_first_look_counts_nothing():
    assert seen(None, snapshot("AUTHORIZATION_FAILED")) == ()


def test_an_end_is_counted_where_it_happened():
    before = snapshot("PENDING_VBV", gateway="RAZORPAY")
    (outcome,) = seen(
        before,
        snapshot(
            "AUTHORIZATION_FAILED", gateway="RAZORPAY", payment_method_type="NB", payment_method="NB_HDFC"
        ),
    )
    assert (outcome.word, outcome.is_failed, outcome.ended_at) == ("AUTHORIZATION_FAILED", True, AT)
    assert dict(outcome.dimensions) == {
        "gateway": "RAZORPAY",
        "payment_method_type": "NB",
        "payment_method": "NB_HDFC",
        "bank": "HDFC",
    }


def test_an_end_that_was_known_is_no_end_again_but_that_of_the_next_attempt_is():
    before = snapshot("AUTHORIZATION_FAILED")
    assert seen(before, snapshot("AUTHORIZATION_FAILED", gateway="PAYU")) == ()
    assert len(seen(before, snapshot("AUTHORIZATION_FAILED", attempt=2))) == 1


def test_the_upstreams_instant_is_believed_between_our_two_looks_only():
    looked_at = AT - timedelta(minutes=3)
    inside, before_it = AT - timedelta(minutes=2), AT - timedelta(minutes=9)
    for last_updated, expected in ((inside, inside), (before_it, AT), (AT + timedelta(seconds=1), AT)):
        after = snapshot("CHARGED", last_updated=last_updated)
        (outcome,) = seen(snapshot("AUTHORIZING"), after, not_before=looked_at)
        assert outcome.ended_at == expected


def test_an_open_order_has_not_ended():
    assert seen(snapshot("NEW"), snapshot("PENDING_VBV")) == ()


@given(st.integers(1, 10), st.integers(1, 600))
def test_any_number_of_attempts_of_one_order_count_once(attempts, apart_s):
    history = [ended("AUTHORIZATION_FAILED", after_s=apart_s * each) for each in range(attempts)]
    assert sums(history) == sums(history[:1])
    assert all(cell == [1, 1] for cell in sums(history).values())


@given(st.integers(1, 5), st.integers(1, 1800))
def test_a_late_success_undoes_the_failure_exactly(attempts, paid_after_s):
    failures = [ended("AUTHORIZATION_FAILED", dimensions=WHERE[:2])] * attempts
    paid = ended("CHARGED", after_s=paid_after_s)
    assert sums([*failures, paid]) == sums([paid])


def test_a_success_after_more_than_half_an_hour_changes_nothing():
    failure = ended("AUTHORIZATION_FAILED")
    assert sums([failure, ended("CHARGED", after_s=1801)]) == sums([failure])


def test_a_failure_of_the_rules_words_counts_after_one_of_others():
    history = [ended("AUTHENTICATION_FAILED"), ended("AUTHORIZATION_FAILED", after_s=60)]
    assert sums(history) == sums(history[1:])


def test_what_a_rule_does_not_look_at_has_no_tally():
    narrow = Rule(name="payu", where={"gateway": frozenset({"PAYU"})})
    assert list(tallies(narrow, None, ended("CHARGED"))) == []


def test_a_code_narrows_what_counts_as_failed():
    rule = Rule(name="bank down", where={"resp_code": frozenset({"BANK_DOWN"})})
    other = ended("AUTHORIZATION_FAILED", dimensions=(*WHERE, ("resp_code", "U30")))
    own = ended("AUTHORIZATION_FAILED", dimensions=(*WHERE, ("resp_code", "BANK_DOWN")))
    assert [(tally.orders, tally.failed) for each in (other, own) for tally in tallies(rule, None, each)] == [
        (1, 0),
        (1, 1),
    ]


def test_an_order_belongs_to_the_whole_its_values_and_their_pairs():
    places = list(places_of(WHERE, RULE.dimensions))
    assert places[0] == WHOLE
    assert [len(place) for place in places] == [0, 1, 1, 1, 2, 2, 2]
    assert all(is_within(WHERE, place) for place in places)
    assert all(parent in places for place in places for parent in parents_of(place))


def test_a_method_is_no_pair_with_the_type_that_it_implies():
    dimensions = (("payment_method_type", "NB"), ("payment_method", "NB_HDFC"))
    assert max(len(place) for place in places_of(dimensions, RULE.dimensions)) == 1


def test_places_overlap_unless_they_name_two_values_of_one_dimension():
    gateway, bank, other = WHERE[:1], WHERE[2:], (("bank", "ICICI"),)
    assert overlap(bank, gateway) == (*gateway, *bank)
    assert are_apart(bank, other)
    assert not are_apart(gateway, bank)


def test_the_lightest_pairs_are_left_to_their_parents():
    weights = {WHOLE: 900.0, WHERE[:1]: 1.0, WHERE[:2]: 70.0, (WHERE[0], WHERE[2]): 80.0}
    assert heaviest(weights, limit=3, least=50) == [WHOLE, WHERE[:1], (WHERE[0], WHERE[2])]
    assert heaviest(weights, limit=9, least=75) == [WHOLE, WHERE[:1], (WHERE[0], WHERE[2])]


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=400))
def test_running_sums_are_the_sums_of_their_minutes(minutes):
    counts = Counts([WHOLE])
    for at, (well, failed) in enumerate(minutes):
        counts.close(at, [well + failed], [failed])
    for window in (3, 15, 360):
        late = minutes[-window:]
        assert counts.over(window) == ([sum(map(sum, late))], [sum(failed for _, failed in late)])


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 1)), min_size=4, max_size=40), st.integers(0, 39))
def test_restating_a_minute_is_as_if_it_had_been_so(minutes, which):
    which %= len(minutes)
    restated, right = Counts([WHOLE]), Counts([WHOLE])
    for at, (orders, failed) in enumerate(minutes):
        restated.close(at, [orders + (at == which)], [failed + (at == which)])
        right.close(at, [orders], [failed])
    restated.restate(which, WHOLE, orders=-1, failed=-1)
    assert [restated.over(window) for window in (3, 5, 60)] == [right.over(window) for window in (3, 5, 60)]
    assert restated.runs == right.runs


def test_a_run_ends_with_any_success_of_its_minute():
    counts = Counts([WHOLE])
    for at, (orders, failed) in enumerate([(1, 1), (2, 2), (0, 0), (3, 3)]):
        counts.close(at, [orders], [failed])
    assert counts.runs == [6]
    counts.close(4, [4], [3])
    assert counts.runs == [0]


@pytest.mark.parametrize("age", [-1, 500])
def test_a_minute_that_is_not_there_is_not_restated(age):
    counts = Counts([WHOLE])
    counts.close(700, [5], [1])
    counts.restate(700 - age, WHOLE, orders=1, failed=1)
    assert counts.over(360) == ([5], [1])


def test_minutes_are_counted_from_1970():
    assert start_of(minute_of(AT)) == AT
    assert minute_of(AT + timedelta(seconds=59.9)) == minute_of(AT)

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain.backoff import growing, jittered, wait_before_attempt
from notifier.domain.cadence.law import wait_s
from notifier.domain.cadence.learning import Hazards
from notifier.domain.cadence.plan import (
    AFTER_ASKED,
    SECOND_LOOK,
    Bound,
    Plan,
    Terms,
    Why,
    after_error,
    after_not_found,
    after_wait,
    outlook,
    regret_s,
    wait_for,
)
from notifier.domain.cadence.situation import Kind, Part, Situation
from notifier.domain.cadence.stakes import EVERYTHING, ceiling_s, stake_of
from notifier.domain.order import Phase, Source, known_statuses
from notifier.domain.polling import PollingPolicy
from notifier.domain.snapshot import Subject
from support.builders import NOW, at

POLICY = PollingPolicy()
HIGHEST_ROLL = 1 - 2**-53
phases = st.sampled_from(Phase)
rolls = st.floats(0, HIGHEST_ROLL)
silences = st.floats(-3600, 30 * 86_400)
policies = st.tuples(st.floats(0.5, 60), st.floats(60, 86_400)).map(
    lambda bounds: PollingPolicy(min_interval_s=bounds[0], max_interval_s=bounds[1])
)


# By what was learned

ORDERED = Situation(Source.ORDER, Kind.ORDER, "PENDING_VBV", "UPI_INTENT", "shop")
situations = st.tuples(
    st.sampled_from([*Kind][:3]), st.sampled_from([*known_statuses(), "PENDING_QUEUED", "ACTIVE", "ODD"])
).map(lambda pair: ORDERED._replace(kind=pair[0], word=pair[1]))
lives = st.lists(st.tuples(situations, st.floats(-60, 40 * 86_400)), max_size=4).map(
    lambda rows: tuple(
        Part(situation=situation, id=str(number), mark="", since_s=NOW.timestamp() - age_s)
        for number, (situation, age_s) in enumerate(rows)
    )
)
heards = st.frozensets(st.sampled_from(Subject))
prices = st.floats(0.1, 1000)
terms = st.builds(Terms, price_s=prices, policy=policies, heard=heards)


def _taught(looks) -> Hazards:
    hazards = Hazards()
    for situation, age_s, width_s, changed in looks:
        hazards.credit(situation, age_s, age_s + width_s, changed=changed)
    return hazards


taught = st.lists(
    st.tuples(situations, st.floats(0, 1e5), st.floats(0, 1e5), st.booleans()), max_size=10
).map(_taught)


def looked(
    parts, hazards, *, price_s=3.0, policy=POLICY, heard=EVERYTHING, deadline_s=None, roll=0.5
) -> Plan:
    terms = Terms(price_s=price_s, policy=policy, heard=heard)
    wait = wait_for(parts, terms, hazards=hazards, now_s=NOW.timestamp())
    return after_wait(wait, least_s=policy.min_interval_s, until_deadline_s=deadline_s, roll=roll)


@given(lives, taught, terms, rolls)
def test_nobody_starves_and_nobody_is_asked_too_often(parts, hazards, terms, roll):
    policy = terms.policy
    plan = looked(parts, hazards, price_s=terms.price_s, policy=policy, heard=terms.heard, roll=roll)
    interval_s = plan.in_s
    ages_s = [(part.situation, NOW.timestamp() - part.since_s) for part in parts]
    longest_s = min(
        (ceiling_s(stake_of(*each), policy) for each in ages_s), default=policy.longest_interval_s
    )
    assert policy.min_interval_s - 1e-6 <= interval_s <= longest_s + 1e-6
    assert plan.why is Why.CADENCE


@given(lives, taught, prices, rolls, st.floats(-86_400, 86_400))
def test_no_learned_look_is_past_a_deadline_that_can_be_met(parts, hazards, price_s, roll, deadline_s):
    free = looked(parts, hazards, price_s=price_s, roll=roll)
    plan = looked(parts, hazards, price_s=price_s, roll=roll, deadline_s=deadline_s)
    assert plan.in_s == min(free.in_s, max(POLICY.min_interval_s, deadline_s))
    assert plan.why is (Why.CADENCE if plan.in_s == free.in_s else Why.DEADLINE)


@given(lives, taught, prices, st.floats(1, 50), rolls)
def test_a_dearer_request_is_a_later_learned_look(parts, hazards, price_s, factor, roll):
    cheap, dear = (looked(parts, hazards, price_s=each, roll=roll) for each in (price_s, price_s * factor))
    assert dear.in_s >= cheap.in_s - 0.01


@given(lives, taught, prices)
def test_another_part_never_makes_the_look_later(parts, hazards, price_s):
    for number in range(len(parts)):
        fewer = looked(parts[:number], hazards, price_s=price_s)
        more = looked(parts[: number + 1], hazards, price_s=price_s)
        assert more.in_s <= fewer.in_s + 0.01


@given(lives, taught, terms)
def test_a_part_alone_is_waited_for_as_one_of_many(parts, hazards, terms):
    for part in parts[:1]:
        age_s = max(NOW.timestamp() - part.since_s, 0.0)
        weight, longest_s = terms.stance(part.situation, age_s)
        among_many_s = wait_s([(hazards.law(part.situation), age_s, weight)], terms.price_s, longest_s)
        wait = wait_for((part,), terms, hazards=hazards, now_s=NOW.timestamp())
        assert wait.seconds == min(max(among_many_s, terms.policy.min_interval_s), longest_s)
        assert wait.longest_s == longest_s


@given(lives, taught, rolls)
def test_dice_move_a_learned_look_by_at_most_a_fifth(parts, hazards, roll):
    middle = looked(parts, hazards).in_s
    assert abs(looked(parts, hazards, roll=roll).in_s - middle) <= 0.2 * middle


@given(lives, taught, prices, heards)
def test_the_outlook_accounts_for_the_wait(parts, hazards, price_s, heard):
    terms = Terms(price_s=price_s, policy=POLICY, heard=heard)
    seen = outlook(parts, terms, hazards=hazards, now_s=NOW.timestamp())
    assert seen.wait == wait_for(parts, terms, hazards=hazards, now_s=NOW.timestamp())
    assert len(seen.shares) == len(parts)
    total_s = sum(share.regret_s for share in seen.shares)
    match seen.wait.bound:
        case Bound.PRICE:
            assert total_s == pytest.approx(price_s, rel=1e-3)
        case Bound.CEILING:
            assert total_s <= price_s * (1 + 1e-3)
        case Bound.FLOOR:
            assert total_s >= price_s * (1 - 1e-3)


def test_the_index_of_the_due_reaches_the_price_at_the_look():
    now_s = NOW.timestamp()
    parts = (Part(situation=ORDERED, id="", mark="", since_s=now_s - 20),)
    terms, hazards = Terms(price_s=3.0, policy=POLICY), Hazards()
    wait = wait_for(parts, terms, hazards=hazards, now_s=now_s)
    grown_s = [
        regret_s(parts, terms, hazards=hazards, looked_s=now_s, now_s=now_s + share * wait.seconds)
        for share in (0.0, 0.5, 1.0, 2.0)
    ]
    assert grown_s[0] == 0
    assert grown_s[2] == pytest.approx(3.0, rel=1e-3)
    assert grown_s == sorted(grown_s)


def test_an_order_that_nobody_hears_of_is_looked_at_once_an_hour_all_the_same():
    parts = (Part(situation=ORDERED, id="", mark="", since_s=NOW.timestamp()),)
    assert looked(parts, Hazards(), heard=frozenset()).in_s == 3600


# Looks that are owed


def test_the_looks_that_are_owed_have_fixed_waits():
    assert Plan(5, Why.SECOND_LOOK) == SECOND_LOOK
    assert Plan(2, Why.AFTER_ASKED) == AFTER_ASKED


# Errors


def error_wait_s(failures: int, *, retry_after_s: float | None = None, roll: float = 0.5) -> float:
    plan = after_error(failures, retry_after_s=retry_after_s, roll=roll, policy=POLICY)
    assert plan.why is Why.SOURCE_ERROR
    return plan.in_s


def test_waits_after_errors_double_up_to_a_ceiling():
    waits = [error_wait_s(failures) for failures in range(1, 60)]
    assert waits[:4] == [2, 4, 8, 16]
    assert waits == sorted(waits)
    assert waits[-1] == 300


@pytest.mark.parametrize(
    ("min_interval_s", "max_interval_s", "longest_s"), [(1, 3600, 300), (1, 60, 60), (400, 3600, 400)]
)
def test_waits_after_errors_keep_the_bounds_and_end_at_five_minutes(
    min_interval_s, max_interval_s, longest_s
):
    policy = PollingPolicy(min_interval_s=min_interval_s, max_interval_s=max_interval_s)
    assert after_error(50, retry_after_s=None, roll=0.5, policy=policy).in_s == longest_s


@given(st.integers(1, 10_000), rolls, st.none() | st.floats())
def test_an_error_never_brings_the_next_look_forward(failures, roll, retry_after_s):
    wait = error_wait_s(failures, retry_after_s=retry_after_s, roll=roll)
    assert wait >= error_wait_s(failures, roll=roll)
    assert wait <= max(86_400, error_wait_s(failures, roll=roll))


def test_the_upstream_is_given_the_time_it_asks_for_up_to_a_day():
    assert error_wait_s(1, retry_after_s=120) == 120
    assert error_wait_s(1, retry_after_s=1e9) == 86_400
    assert error_wait_s(1, retry_after_s=-5) == error_wait_s(1, retry_after_s=float("nan")) == 2


@pytest.mark.parametrize(
    ("age_s", "expected_s"), [(-10, 2), (0, 2), (100, 22), (299, 61.8), (300, None), (999, None)]
)
def test_an_order_not_found_yet_has_five_minutes_of_grace(age_s, expected_s):
    plan = after_not_found(registered_at=at(-age_s), now=NOW, roll=0.5)
    assert plan == (None if expected_s is None else Plan(pytest.approx(expected_s), Why.NOT_FOUND_GRACE))


# Backoff


@given(st.floats(0, 1e6), rolls)
def test_jitter_is_a_tenth_to_either_side(seconds, roll):
    assert 0.9 * seconds * (1 - 1e-12) <= jittered(seconds, roll) <= 1.1 * seconds * (1 + 1e-12)


def test_jitter_spans_its_whole_width():
    assert (jittered(100, 0), jittered(100, 0.5), jittered(100, HIGHEST_ROLL)) == pytest.approx(
        (90, 100, 110)
    )


def test_each_attempt_but_the_last_has_a_wait_after_it():
    waits = [wait_before_attempt((5, 60), attempts, 0.5) for attempts in range(5)]
    assert waits == [None, 5, 60, None, None]


def test_growth_stops_at_its_ceiling_however_many_failures():
    assert [growing(n, first_s=2, ceiling_s=50, roll=0.5) for n in (1, 2, 5, 6, 10**6)] == [2, 4, 32, 50, 50]

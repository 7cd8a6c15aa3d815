"""What is learned from looks alone: intervals in which something changed, never the instant itself."""

import json
from collections.abc import Callable
from math import exp, log
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain.cadence.learning import Hazards, follow, stay
from notifier.domain.cadence.memory import added, summed
from notifier.domain.cadence.situation import Kind, Part, Situation
from notifier.domain.order import Source

PENDING = Situation(Source.ORDER, Kind.ORDER, "PENDING_VBV", "UPI_INTENT", "shop")
CARD = PENDING._replace(method="CARD")
CHARGED = PENDING._replace(word="CHARGED")
PRICE_S = 3.0

ages = st.floats(0, 1e6)
credits_ = st.lists(st.tuples(ages, st.floats(0.001, 1e4), st.booleans()), min_size=1, max_size=30)


def teach(
    hazards: Hazards, draw: Callable[[], float], orders: int, situation: Situation = PENDING
) -> Hazards:
    """Poll so many orders by what is known so far; `draw` gives the age at which the next one changes."""
    for _ in range(orders):
        changes_s, age_s = draw(), 0.0
        while age_s < changes_s:
            wait_s = max(hazards.law(situation).next_age(age_s, PRICE_S, 3600) - age_s, 1.0)
            hazards.credit(situation, age_s, age_s + wait_s, changed=age_s + wait_s >= changes_s)
            age_s += wait_s
    return hazards


def exponential(rate: float, seed: int = 1) -> Callable[[], float]:
    dice = Random(seed)
    return lambda: dice.expovariate(rate)


def a_part(situation: Situation = PENDING, **members: object) -> Part:
    return Part(**({"situation": situation, "id": "", "mark": "1", "since_s": 0.0} | members))


def test_an_exponential_law_is_learned_from_looks():
    law = teach(Hazards(), exponential(0.02), 3000).law(PENDING)
    for start_s, end_s in [(0, 15), (15, 40), (40, 80), (80, 130)]:
        assert law.cumulated(start_s, end_s) == pytest.approx(0.02 * (end_s - start_s), rel=0.15)


def test_a_sharp_timeout_is_learned_from_looks():
    dice = Random(2)
    law = teach(Hazards(), lambda: min(dice.expovariate(0.02), 300.0) if dice.random() < 0.5 else 300.0, 2000)
    law = law.law(PENDING)
    assert law.survival(290, 330) < 0.05
    assert law.cumulated(130, 280) == pytest.approx(-_log_share(130, 280), rel=0.3)
    assert law.hazard(305) > 20 * law.hazard(240)


def _log_share(start_s: float, end_s: float) -> float:
    """Return the logarithm of the share of those waiting at the start that wait at the end, of the law above."""
    return log((1 + exp(-0.02 * end_s)) / (1 + exp(-0.02 * start_s)))


def test_an_hour_without_looks_does_not_distort():
    hazards = teach(Hazards(), exponential(0.02), 2000)
    before = hazards.law(PENDING).cumulated(0, 100)
    for _ in range(100):
        hazards.credit(PENDING, 5.0, 3605.0, changed=True)
    for _ in range(2000):
        hazards.credit(CHARGED, 1e5, 1e5 + 3600, changed=False)
    assert hazards.law(PENDING).cumulated(0, 100) == pytest.approx(before, rel=0.1)


def test_what_changed_is_learned_anew_though_much_is_known():
    hazards = teach(Hazards(most_events=500), exponential(0.02), 4000)
    teach(hazards, exponential(0.005, seed=3), 1500)
    assert hazards.law(PENDING).cumulated(0, 100) == pytest.approx(0.5, rel=0.2)


def test_evidence_is_capped():
    hazards = teach(Hazards(most_events=200), exponential(0.05), 1000)
    assert sum(sum(row["events"]) for row in hazards.document()["situations"]) <= 3 * 200 * 1.1 + 3


def test_one_method_learns_from_the_others_until_it_knows_better():
    hazards = teach(Hazards(), exponential(0.02), 1000)
    assert hazards.law(CARD).cumulated(10, 60) == pytest.approx(1.0, rel=0.25)
    teach(hazards, exponential(0.005), 1000, CARD)
    assert hazards.law(CARD).cumulated(10, 60) == pytest.approx(0.25, rel=0.25)
    assert hazards.law(PENDING).cumulated(10, 60) == pytest.approx(1.0, rel=0.15)


def test_words_without_end_do_not_fill_memory():
    hazards = Hazards()
    for number in range(3000):
        hazards.credit(PENDING._replace(method=f"ODD{number}"), 0, 10, changed=True)
    assert len(hazards.document()["situations"]) <= 2000
    assert hazards.law(PENDING._replace(method="ODD2999")).hazard(5) > 0


def test_nothing_learned_is_the_prior_and_little_hardly_moves_it():
    hazards = Hazards()
    assert hazards.law(PENDING).hazard(0.5) == pytest.approx(1 / 30.5)
    hazards.credit(PENDING, 0.0, 0.5, changed=False)
    assert hazards.law(PENDING).cumulated(100, 200) == pytest.approx(
        Hazards().law(PENDING).cumulated(100, 200)
    )


@given(ages, st.floats(0.001, 1e5))
def test_a_change_is_expected_inside_the_interval_that_holds_it(age_s, width_s):
    ago_s = Hazards().credit(PENDING, age_s, age_s + width_s, changed=True)
    assert 0 <= ago_s <= width_s * (1 + 1e-6) + 1e-3
    assert Hazards().credit(PENDING, age_s, age_s + width_s, changed=False) == 0


@given(credits_)
def test_events_and_exposure_are_counted_once_at_each_level(looks):
    hazards = Hazards()
    for age_s, width_s, changed in looks:
        hazards.credit(PENDING, age_s, age_s + width_s, changed=changed)
    most_s = sum(width_s for _, width_s, _ in looks)
    rows = hazards.document()["situations"]
    assert [len(row["path"]) for row in rows] == [3, 4, 5]
    for row in rows:
        assert sum(row["events"]) == pytest.approx(sum(changed for *_, changed in looks), abs=0.02)
        assert min(row["exposure_s"]) >= 0
        assert sum(row["exposure_s"]) <= most_s * (1 + 1e-6) + 1


@given(credits_)
def test_survived_seconds_are_exposure_to_the_last_one(looks):
    hazards = Hazards()
    for age_s, width_s, _ in looks:
        hazards.credit(PENDING, age_s, age_s + width_s, changed=False)
    for row in hazards.document()["situations"]:
        assert sum(row["exposure_s"]) == pytest.approx(sum(width_s for _, width_s, _ in looks), abs=0.1)


# Storage


def test_what_is_stored_comes_back():
    hazards = teach(Hazards(), exponential(0.02), 200)
    document = json.loads(json.dumps(hazards.document()))
    again = Hazards()
    again.rebase(document)
    assert again.document() == document
    assert again.law(PENDING).next_age(10, 3) == pytest.approx(hazards.law(PENDING).next_age(10, 3), rel=0.05)


def test_a_document_of_another_schema_teaches_nothing():
    hazards = Hazards()
    hazards.rebase(teach(Hazards(), exponential(0.02), 50).document() | {"schema": 0})
    assert hazards.document()["situations"] == []


def test_two_workers_learn_for_each_other():
    one, other = (teach(Hazards(), exponential(0.02, seed), 600) for seed in (1, 2))
    total = added(added({}, one.drain()), other.drain())
    for worker in (one, other):
        worker.rebase(total)
    assert one.document() == other.document() == total
    assert one.law(PENDING).hazard(20) == other.law(PENDING).hazard(20)
    assert one.drain() == {}
    both = sum(sum(row["events"]) for row in total["situations"] if len(row["path"]) == 3)
    assert both == pytest.approx(1200, abs=1)


def test_what_was_learned_while_storage_wrote_is_kept():
    hazards = teach(Hazards(), exponential(0.02), 50)
    stored = added({}, hazards.drain())
    hazards.credit(PENDING, 0, 10, changed=True)
    hazards.rebase(stored)
    assert [tally.total for tally in hazards.drain().values()] == [1, 1, 1]


def test_a_sum_forgets_what_is_past_the_cap():
    evidence = teach(Hazards(), exponential(0.05), 300).drain()
    stored = added({}, evidence)
    for row in added(stored, evidence, most_events=100)["situations"]:
        assert sum(row["events"]) == pytest.approx(100, abs=0.1)


@given(credits_, credits_)
def test_it_is_all_one_whether_evidence_is_added_at_once_or_by_and_by(some, more):
    hazards, parts = Hazards(), []
    for looks in (some, more):
        for age_s, width_s, changed in looks:
            hazards.credit(PENDING, age_s, age_s + width_s, changed=changed)
        parts.append(hazards.drain())
    by_and_by, at_once = added(added({}, parts[0]), parts[1]), added({}, summed(*parts))
    for one, other in zip(by_and_by["situations"], at_once["situations"], strict=True):
        assert one["events"] == pytest.approx(other["events"], abs=2e-4)
        assert one["exposure_s"] == pytest.approx(other["exposure_s"], abs=2e-3)


def test_what_nothing_is_added_to_is_neither_written_anew_nor_read_again():
    """All of it was, each minute, and held everything up: more than a second with two thousand situations."""
    hazards = teach(teach(Hazards(), exponential(0.02), 200), exponential(0.02), 200, CHARGED)
    stored = added({}, hazards.drain())
    hazards.rebase(stored)
    law, other_law = hazards.law(PENDING), hazards.law(CHARGED)
    hazards.credit(CHARGED, 0, 10, changed=True)
    later = added(json.loads(json.dumps(stored)), hazards.drain())
    assert [row for row in later["situations"] if row in stored["situations"]] == [
        row for row in stored["situations"] if "CHARGED" not in row["path"]
    ]
    hazards.rebase(later)
    assert hazards.law(PENDING) is law
    assert hazards.law(CHARGED) is not other_law
    assert hazards.document() == later


def test_what_another_worker_learned_of_its_like_is_heeded_by_all_of_them():
    hazards, sibling = teach(Hazards(), exponential(0.02), 20), PENDING._replace(account="other")
    stored = added({}, hazards.drain())
    hazards.rebase(stored)
    before = hazards.law(PENDING).hazard(3)
    hazards.rebase(added(stored, teach(Hazards(), exponential(0.5), 500, sibling).drain()))
    assert hazards.law(PENDING).hazard(3) > before


# Parts


def test_a_part_that_stays_keeps_its_date():
    part = a_part(since_s=5.0)
    assert follow(Hazards(), [part], [a_part(since_s=60.0)], looked_s=50, now_s=60) == (part,)


def test_to_learn_the_payment_method_is_no_change():
    unknown, known = a_part(PENDING._replace(method="")), a_part(since_s=60.0)
    assert follow(Hazards(), [unknown], [known], looked_s=50, now_s=60) == (known.since(0.0),)


def test_a_change_is_dated_between_the_looks():
    (part,) = follow(Hazards(), [a_part()], [a_part(CHARGED, since_s=60.0)], looked_s=50, now_s=60)
    assert part.since_s == pytest.approx(55, abs=0.5)


def test_another_attempt_in_the_same_status_is_a_change():
    (part,) = follow(Hazards(), [a_part()], [a_part(mark="2", since_s=60.0)], looked_s=50, now_s=60)
    assert 50 < part.since_s < 60


@pytest.mark.parametrize(("said_s", "expected_s"), [(52.0, 52.0), (49.0, None), (60.0, None)])
def test_the_upstream_dates_a_change_when_it_falls_between_the_looks(said_s, expected_s):
    (part,) = follow(Hazards(), [a_part()], [a_part(CHARGED, since_s=said_s)], looked_s=50, now_s=60)
    assert part.since_s == (pytest.approx(55, abs=0.5) if expected_s is None else expected_s)


def test_a_refund_begins_when_the_order_is_thought_to_have_changed():
    refund = a_part(PENDING._replace(kind=Kind.REFUND, word="PENDING_SENT"), id="r1", since_s=60.0)
    before, after = a_part(CHARGED, mark="1/0"), a_part(CHARGED, mark="1/1", since_s=60.0)
    order, new = follow(Hazards(), [before], [after, refund], looked_s=50, now_s=60)
    assert 50 < new.since_s == order.since_s < 60


def test_at_first_sight_the_dates_stand_as_given():
    parts = (a_part(since_s=3.0),)
    assert follow(Hazards(), [], parts, looked_s=60, now_s=60) == parts


def test_an_unchanged_look_teaches_what_following_it_would():
    one, other, part = Hazards(), Hazards(), a_part()
    stay(one, [part], looked_s=50, now_s=60)
    follow(other, [part], [part], looked_s=50, now_s=60)
    assert one.document() == other.document()
    assert one.document()["situations"]


def test_words_without_end_are_learned_with_their_like():
    """They are the upstream's: each had a memory of its own once, for ever."""
    hazards = Hazards()
    for number in range(2500):
        hazards.credit(PENDING._replace(word=f"W{number}"), 0.0, 10.0, changed=True)
    rows = hazards.document()["situations"]
    assert len(rows) <= 2001
    assert hazards.events == pytest.approx(2500)


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"path": ["order"], "first": 170, "events": [1.0] * 9, "exposure_s": [1.0] * 9},
        {"path": ["order", "order", "X"], "first": 0, "events": [None], "exposure_s": [1.0]},
        {"path": ["order", "order", "X"], "first": 0, "events": [1.0], "exposure_s": [-1.0]},
        {"path": 3, "first": "x", "events": 1, "exposure_s": 1},
        "row",
    ],
)
def test_a_document_that_cannot_be_understood_teaches_nothing(row):
    hazards = teach(Hazards(), exponential(0.02), 5)
    whole = hazards.document()
    broken = {**whole, "situations": [*whole["situations"], row]}
    assert added(broken, hazards.drain()) == whole
    fresh = Hazards()
    fresh.rebase(broken)
    assert fresh.events == 0

"""What a poller pays and how late it is."""

import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifier.domain.cadence.learning import Hazards
from notifier.simulation.learned import Learned, frozen
from notifier.simulation.lives import Life, Sight
from notifier.simulation.making import USUAL, made_lives
from notifier.simulation.paced import PhaseSearch, backoff
from notifier.simulation.world import arrivals, follow, follow_paced

WINDOW_S = 7200.0


def life_of(*times):
    words = ("NEW", *(f"S{number}" for number in range(len(times))))
    return Life("A", tuple(sorted(times)), tuple(Sight(word, "", "") for word in words))


LIVES = st.lists(st.floats(0.01, 20_000), max_size=6, unique=True).map(lambda times: life_of(*times))


@dataclass
class Every:
    """Looks at a steady pace and remembers what it saw."""

    interval_s: float
    seen: list = field(default_factory=list)

    def begin(self, sight):
        return sight

    def look(self, belief, sight, *, before_s, now_s):
        self.seen.append((before_s, now_s, sight))
        return sight or belief

    def next_s(self, belief, now_s):
        return now_s + self.interval_s


def test_a_fixed_interval_costs_the_window_over_it_and_is_half_of_it_late():
    dice = random.Random(1)
    lives = [life_of(dice.uniform(1, 7000)) for _ in range(4000)]
    tally = follow_paced(lives, backoff(24, 1, 3600, window_s=WINDOW_S), window_s=WINDOW_S)
    assert tally.requests / tally.orders == pytest.approx(WINDOW_S / 24, rel=0.01)
    assert sum(tally.delays) / len(tally.delays) == pytest.approx(12, rel=0.03)


def test_the_first_look_is_free_and_no_bound_is_passed():
    tally = follow_paced([life_of()], backoff(0.1, 1, 3600, window_s=10), window_s=10)
    assert tally.requests == 9
    tally = follow_paced([life_of()], backoff(99_999, 2, 99_999, window_s=WINDOW_S), window_s=WINDOW_S)
    assert tally.requests == 1


@given(life=LIVES, interval_s=st.floats(1, 3600))
@settings(max_examples=60, deadline=None)
def test_every_change_of_the_window_is_counted_once_and_never_before_it_happened(life, interval_s):
    tally = follow_paced([life], backoff(interval_s, 1, 3600, window_s=WINDOW_S), window_s=WINDOW_S)
    assert len(tally.delays) == sum(at_s < WINDOW_S for at_s in life.times)
    assert all(0 <= delay_s <= interval_s + 1e-6 for delay_s in tally.delays)


@given(life=LIVES, interval_s=st.floats(20, 3600))
@settings(max_examples=40, deadline=None)
def test_looks_that_are_taken_cost_what_looks_that_are_found_cost(life, interval_s):
    steady = Every(interval_s)
    tally = follow([life], steady, starts=[0.0])
    assert tally.requests == sum(now_s < WINDOW_S for _, now_s, _ in steady.seen)
    assert len(tally.delays) == sum(at_s < WINDOW_S for at_s in life.times)
    assert [sight for _, _, sight in steady.seen if sight] == [
        life.sights[sum(at_s <= now_s for at_s in life.times)]
        for before_s, now_s, _ in steady.seen
        if any(before_s < at_s <= now_s for at_s in life.times)
    ]


def test_two_changes_between_two_looks_each_count_their_own_delay():
    tally = follow([life_of(10, 15)], Every(20), starts=[0.0])
    assert sorted(tally.delays) == [5, 10]


def test_a_change_before_the_windows_end_is_followed_past_it_for_nothing():
    tally = follow([life_of(7190, 7300)], Every(1000), starts=[0.0])
    assert tally.delays == [810]
    assert tally.requests == 7


def test_only_the_judged_are_counted():
    tally = follow([life_of(10), life_of(30)], Every(20), starts=[0.0, 5.0], judged_from=1)
    assert (tally.orders, tally.delays) == (1, [10])


def test_learning_is_the_same_for_the_same_seed_and_stops_when_frozen():
    lives = made_lives(USUAL, random.Random(1), 300)

    def run(seed):
        hazards = Hazards()
        tally = follow(lives, Learned(hazards, 5.0), starts=arrivals(len(lives), random.Random(seed)))
        return hazards, tally

    (hazards, one), (_, same), (_, other) = run(1), run(1), run(2)
    assert one == same
    assert one != other
    still = frozen(hazards)
    before = still.document()
    follow(lives, Learned(still, 5.0), starts=[0.0] * len(lives))
    assert still.document() == before


def test_what_was_learned_costs_less_than_what_was_believed():
    lives = made_lives(USUAL, random.Random(1), 1600)
    hazards = Hazards()
    follow(lives[:800], Learned(hazards, 10.0), starts=arrivals(800, random.Random(1)))

    def cost(known):
        tally = follow(lives[800:], Learned(frozen(known), 10.0), starts=[0.0] * 800)
        return 10 * tally.requests + sum(tally.delays)

    assert cost(hazards) < 0.9 * cost(Hazards())


def test_a_backoff_for_each_phase_is_no_dearer_than_one_for_all():
    lives = made_lives(USUAL, random.Random(1), 600)
    best = PhaseSearch(lives, WINDOW_S).best(10.0)

    def cost(policy):
        tally = follow_paced(lives, policy, window_s=WINDOW_S)
        return 10 * tally.requests + sum(tally.delays)

    assert cost(best) < min(
        cost(backoff(*each, 3600, window_s=WINDOW_S)) for each in ((4, 1.2), (8, 1.3), (15, 1.5))
    )

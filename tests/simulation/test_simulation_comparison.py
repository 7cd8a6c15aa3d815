"""Policies by their names, and what they are judged on."""

import random

import pytest

from notifier.errors import InvalidValue
from notifier.simulation.comparison import SWEEP, Comparison, policies
from notifier.simulation.making import USUAL, made_lives
from notifier.simulation.plot import draw_frontier


def judged(text, **members):
    comparison = Comparison(made_lives(USUAL, random.Random(1), 400), 200, **members)
    return [comparison.judge(policy) for policy in policies(text)]


def test_without_a_price_there_is_one_policy_for_each_of_the_sweep():
    assert [str(each) for each in policies("hazard")] == [f"hazard:{price:g}" for price in SWEEP]
    assert [str(each) for each in policies("backoff:2,1.25,900")] == ["backoff:2,1.25,900"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "random",
        "fixed",
        "fixed:",
        "fixed:soon",
        "fixed:0",
        "fixed:nan",
        "backoff:1,2",
        "backoff:1,0.5,9",
        "hazard:1,2",
    ],
)
def test_what_is_no_policy_is_refused(text):
    with pytest.raises(InvalidValue, match="--policy"):
        policies(text)


@pytest.mark.parametrize("family", ["phase", "hazard", "optimal"])
def test_a_higher_price_buys_fewer_requests_for_more_delay(family):
    (cheap,), (dear,) = judged(f"{family}:2"), judged(f"{family}:50")
    assert dear.requests_per_order < cheap.requests_per_order / 1.5
    assert dear.delay_mean_s > cheap.delay_mean_s * 1.5
    assert judged(f"{family}:2") == [cheap]


def test_learning_on_is_another_policy_than_learning_no_more():
    assert judged("hazard:5", live=True) != judged("hazard:5")


def test_some_orders_must_be_left_to_judge_on_and_some_to_learn_from():
    lives = made_lives(USUAL, random.Random(1), 10)
    with pytest.raises(InvalidValue, match="--train"):
        Comparison(lives, 10)
    for text in ("phase:1", "optimal:1"):
        with pytest.raises(InvalidValue, match="--train"):
            Comparison(lives, 0).judge(policies(text)[0])


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_the_same_figures_draw_the_same_picture(tmp_path, ending):
    results = [*judged("fixed:60"), *judged("fixed:30"), *judged("hazard:5")]
    pictures = [tmp_path / f"{name}.{ending}" for name in "ab"]
    for picture in pictures:
        draw_frontier(results, picture)
    assert pictures[0].read_bytes() == pictures[1].read_bytes()
    assert len(pictures[0].read_bytes()) > 4000
    with pytest.raises(InvalidValue, match=r"neither \.png nor \.svg"):
        draw_frontier(results, tmp_path / "a.gif")

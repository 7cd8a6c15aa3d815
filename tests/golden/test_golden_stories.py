"""Each life of `lives.py` as a story: what the first look at each step tells, and what every pair of steps tells.

A difference fails; `GOLDEN=write` writes the stories anew, to be read before they are committed.
"""

import os
from itertools import permutations
from pathlib import Path

import pytest
from lives import EXPECTED, LIVES

from notifier.domain.observation import Doubtful, Observation, Stale, observe
from notifier.domain.polling import PollingPolicy
from support.beside import seen
from support.builders import NOW, a_known

STORIES = Path(__file__).parent / "stories"


def look(before, body, expect, *, doubted=False):
    known = a_known(before, expect=expect, doubted=doubted)
    return observe(known, seen(body), now=NOW, policy=PollingPolicy())


def lines_of(observation):
    """Return what an observation tells, an indented line an event."""
    if not isinstance(observation, Observation):
        return []
    lines = [
        f"    {fact.type}{f' ({fact.subject_id})' if fact.subject_id else ''}: "
        f"{fact.field} {fact.previous or '?'} -> {fact.current or '?'}"
        for fact in observation.facts
    ]
    return lines or [f"    ({'nothing to tell' if observation.is_new_version else 'nothing new'})"]


def undated(body):
    return {name: value for name, value in body.items() if name != "last_updated"}


def told(before, body, expect):
    """Return what the later step tells whoever knows the earlier one."""
    match look(before, body, expect):
        case Stale():
            return ["    (older than what is known: dropped)"]
        case Doubtful():
            second = lines_of(look(before, body, expect, doubted=True))
            return ["    (a step back: told when a second look shows it, too)", *second]
        case observation:
            return lines_of(observation)


def story(name):
    life, expect = LIVES[name], EXPECTED.get(name)
    known = {step: look(None, body, expect).snapshot for step, body in life.items()}
    lines = [f"{name.replace('_', ' ').capitalize()}", "", "First looks", ""]
    for step, body in life.items():
        lines += [step, *lines_of(look(None, body, expect)), ""]
    lines += ["From each step to each other, where nothing dates the answer", ""]
    for one, other in permutations(life, 2):
        lines += [f"{one} -> {other}", *told(known[one], undated(life[other]), expect), ""]
    return "\n".join(lines)


@pytest.mark.parametrize("name", LIVES)
def test_a_life_is_told_as_its_story_says(name):
    path = STORIES / f"{name}.txt"
    if os.environ.get("GOLDEN") == "write":
        path.write_text(story(name), encoding="utf-8")
    assert story(name) == path.read_text(encoding="utf-8")


def test_every_story_has_its_life():
    assert {path.stem for path in STORIES.iterdir()} == set(LIVES)


@pytest.mark.parametrize("name", LIVES)
def test_an_answer_dated_before_what_is_known_is_dropped(name):
    for one, other in permutations(LIVES[name].values(), 2):
        before, after = look(None, one, None).snapshot, seen(other)
        dates = [after.last_updated, before.last_updated]
        if None not in dates and dates[0] < dates[1]:
            assert isinstance(look(before, other, None), Stale)


@pytest.mark.parametrize("name", LIVES)
def test_a_step_told_twice_is_told_once(name):
    for one, other in permutations(LIVES[name].values(), 2):
        first = look(look(None, one, None).snapshot, undated(other), None, doubted=True)
        if isinstance(first, Observation):
            again = look(first.snapshot, undated(other), None, doubted=True)
            assert (again.is_new_version, again.facts) == (False, ())

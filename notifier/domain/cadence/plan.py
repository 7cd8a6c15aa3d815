"""When to look again: soon after a change, ever later while nothing changes, never past a deadline.

The odds rule of `law` says how long it pays to wait; operators' bounds, deadlines, errors and doubts come before it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from math import inf
from typing import NamedTuple

from notifier.domain.backoff import growing, jittered
from notifier.domain.cadence.law import wait_alone_s, wait_s
from notifier.domain.cadence.learning import Hazards
from notifier.domain.cadence.situation import Part, Situation
from notifier.domain.cadence.stakes import EVERYTHING, RECENT_S, Heard, Stance, stance_of
from notifier.domain.polling import PollingPolicy


class Why(StrEnum):
    """What set the next poll."""

    REGISTERED = "registered"
    CADENCE = "cadence"
    BUDGET = "budget"
    SUSPECTED = "suspected"
    DEADLINE = "deadline"
    ASKED = "asked"
    AFTER_ASKED = "after_asked"
    SECOND_LOOK = "second_look"
    SOURCE_ERROR = "source_error"
    NOT_FOUND_GRACE = "not_found_grace"


class Bound(StrEnum):
    """What held the wait that the cadence chose."""

    PRICE = "price"
    FLOOR = "floor"
    CEILING = "ceiling"


# A member that is named through its class is looked up by a call, thousands of times a second.
_PRICE, _FLOOR, _CEILING = Bound.PRICE, Bound.FLOOR, Bound.CEILING
_CADENCE, _DEADLINE = Why.CADENCE, Why.DEADLINE


class Plan(NamedTuple):
    """In how many seconds after a look the next one is, and what set it."""

    in_s: float
    why: Why


_SECOND_LOOK_S = 5.0
SECOND_LOOK = Plan(_SECOND_LOOK_S, Why.SECOND_LOOK)
"""When to confirm a step back that nothing but the answer itself speaks for (6.6)."""
AFTER_ASKED = Plan(2.0, Why.AFTER_ASKED)
"""The one more look that a request without a change is owed: the status can lag (6.14)."""
_NOT_FOUND_GRACE_S = 300.0
_LONGEST_ERROR_WAIT_S = 300.0
_MOST_STANCES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """On which terms to look: what a request costs in seconds of delay, the operator's bounds, and who listens."""

    price_s: float
    policy: PollingPolicy
    heard: Heard = EVERYTHING
    _stances: dict[Situation, tuple[Stance, Stance]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    """Of situations met before, while they are recent and later: asked for at every look."""

    def stance(self, situation: Situation, age_s: float) -> Stance:
        """Return what a part's delay weighs at an age, and how long we may stay away from it at most."""
        known = self._stances.get(situation)
        if known is None:
            if len(self._stances) >= _MOST_STANCES:
                self._stances.clear()
            recent, later = (stance_of(situation, age, self.policy, self.heard) for age in (0.0, RECENT_S))
            known = self._stances[situation] = recent, later
        return known[age_s >= RECENT_S]


class Wait(NamedTuple):
    """How long to wait, before the dice, at most how long, and which bound it is."""

    seconds: float
    longest_s: float
    bound: Bound


def wait_for(parts: Sequence[Part], terms: Terms, *, hazards: Hazards, now_s: float) -> Wait:
    """Return how long the odds rule waits after a look at `now_s` that showed these parts."""
    price_s, least_s = terms.price_s, terms.policy.min_interval_s
    if len(parts) == 1:  # nearly all are, thousands of times a second
        (part,) = parts
        age_s = max(now_s - part.since_s, 0.0)
        weight, longest_s = terms.stance(part.situation, age_s)
        seconds = wait_alone_s(hazards.law(part.situation), age_s, weight, price_s, longest_s)
    else:
        longest_s, aged = inf if parts else terms.policy.longest_interval_s, []
        for part in parts:
            age_s = max(now_s - part.since_s, 0.0)
            weight, part_longest_s = terms.stance(part.situation, age_s)
            longest_s = min(longest_s, part_longest_s)
            aged.append((hazards.law(part.situation), age_s, weight))
        seconds = wait_s(aged, price_s, longest_s)
    if seconds >= longest_s:
        return Wait(longest_s, longest_s, _CEILING)
    return Wait(seconds, longest_s, _PRICE) if seconds > least_s else Wait(least_s, longest_s, _FLOOR)


def after_wait(wait: Wait, *, least_s: float, until_deadline_s: float | None, roll: float) -> Plan:
    """Return the next look after a wait, with the dice: no deadline later, and never in the past."""
    interval_s = max(min(jittered(wait.seconds, roll), wait.longest_s), least_s)
    if until_deadline_s is not None and (soonest_s := max(until_deadline_s, least_s)) < interval_s:
        return Plan(soonest_s, _DEADLINE)
    return Plan(interval_s, _CADENCE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one part adds to the regret. Units: `hazard_per_s` 1/s at its age, the regret weighted seconds."""

    situation: Situation
    age_s: float
    hazard_per_s: float
    weight: float
    regret_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """Why the next look is when it is: at the end of the wait the regrets sum to the price, or a bound held."""

    wait: Wait
    price_s: float
    shares: tuple[Share, ...]
    stretch: float = 1.0
    """By how much the wait is longer, since the account's budget cannot carry even the longest ones."""


def outlook(parts: Sequence[Part], terms: Terms, *, hazards: Hazards, now_s: float) -> Outlook:
    """Return what `wait_for` is made of, for people to read."""
    wait = wait_for(parts, terms, hazards=hazards, now_s=now_s)
    return Outlook(
        wait=wait,
        price_s=terms.price_s,
        shares=tuple(
            _share(part, terms, hazards=hazards, looked_s=now_s, now_s=now_s + wait.seconds) for part in parts
        ),
    )


def regret_s(
    parts: Sequence[Part], terms: Terms, *, hazards: Hazards, looked_s: float, now_s: float
) -> float:
    """Return the weighted regret that has grown since the last look: the index by which the due are served."""
    return sum(
        _share(part, terms, hazards=hazards, looked_s=looked_s, now_s=now_s).regret_s for part in parts
    )


def _share(part: Part, terms: Terms, *, hazards: Hazards, looked_s: float, now_s: float) -> Share:
    age_s = max(looked_s - part.since_s, 0.0)
    law = hazards.law(part.situation)
    weight = terms.stance(part.situation, age_s).weight
    return Share(
        situation=part.situation,
        age_s=age_s,
        hazard_per_s=law.hazard(age_s),
        weight=weight,
        regret_s=weight * law.regret_s(age_s, age_s + max(now_s - looked_s, 0.0)) if weight else 0.0,
    )


def is_confirmed(doubted_ms: int | None, started_ms: int) -> bool:
    """Return whether a doubted answer was seen again at least five seconds later; instants in milliseconds."""
    return doubted_ms is not None and started_ms - doubted_ms >= _SECOND_LOOK_S * 1000


def after_error(failures: int, *, retry_after_s: float | None, roll: float, policy: PollingPolicy) -> Plan:
    """Return the next look after a source error: exponential, at least what the upstream asked for."""
    first_s = max(2.0, policy.min_interval_s)
    ceiling_s = max(first_s, min(policy.max_interval_s, _LONGEST_ERROR_WAIT_S))
    wait_s = growing(failures, first_s=first_s, ceiling_s=ceiling_s, roll=roll)
    return Plan(max(wait_s, min(retry_after_s or 0.0, 86_400.0)), Why.SOURCE_ERROR)


def after_not_found(*, registered_at: datetime, now: datetime, roll: float) -> Plan | None:
    """Return the next look for an order the upstream does not know yet, or None when its grace is over."""
    age_s = max(0.0, (now - registered_at).total_seconds())
    if age_s >= _NOT_FOUND_GRACE_S:
        return None
    return Plan(jittered(2.0 + 0.2 * age_s, roll), Why.NOT_FOUND_GRACE)

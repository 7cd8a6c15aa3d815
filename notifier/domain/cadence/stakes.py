"""What a second of delay is worth, and how long we may stay away at most: by class, and by who listens."""

from enum import StrEnum
from typing import NamedTuple

from notifier.domain.cadence.situation import Kind, Situation
from notifier.domain.order import Phase
from notifier.domain.polling import PollingPolicy
from notifier.domain.snapshot import Subject

Heard = frozenset[Subject]
"""Subjects of which some live subscription would hear a change."""
EVERYTHING: Heard = frozenset(Subject)

RECENT_S = 7200.0
_OPEN_REFUND = 0.2
_DONE = 0.1


class Stake(StrEnum):
    """Classes of situations by what hangs on a change."""

    OPEN = "open"
    REFUND = "refund"
    DONE = "done"

    __hash__ = str.__hash__  # An enumeration's own takes longer than all that is looked up by it.


def stake_of(situation: Situation, age_s: float) -> Stake:
    """Return the class: a failed order is open for two hours, since its customer may try again."""
    if situation.kind is Kind.REFUND:
        return Stake.REFUND
    phase = situation.phase
    if phase is Phase.OPEN or phase is Phase.UNKNOWN or (phase is Phase.FAILED and age_s < RECENT_S):
        return Stake.OPEN
    return Stake.DONE


_WEIGHTS = {Stake.OPEN: 1.0, Stake.REFUND: _OPEN_REFUND, Stake.DONE: _DONE}
_OF_ORDER = frozenset({Subject.ORDER, Subject.TXN, Subject.OFFER, Subject.REFUND, Subject.CHARGEBACK})
_TOLD_AS: dict[Kind, Heard] = {
    Kind.ORDER: _OF_ORDER,
    Kind.REFUND: frozenset({Subject.REFUND}),
    Kind.MANDATE: frozenset({Subject.MANDATE}),
    Kind.CREDIT: frozenset({Subject.LOAN}),
    Kind.LOAN: frozenset({Subject.LOAN}),
}


def weight_of(situation: Situation, stake: Stake, heard: Heard = EVERYTHING) -> float:
    """Return what a second of delay of a change weighs; a change that nobody would hear weighs nothing."""
    return 0.0 if heard.isdisjoint(_TOLD_AS[situation.kind]) else _WEIGHTS[stake]


def ceiling_s(stake: Stake, policy: PollingPolicy) -> float:
    """Return how long we may stay away at most; what is done is looked at once a day all the same."""
    return policy.longest_interval_s if stake is Stake.DONE else policy.max_interval_s


class Stance(NamedTuple):
    """What a second of a part's delay weighs, and how many seconds we may stay away from it at most."""

    weight: float
    longest_s: float


def stance_of(situation: Situation, age_s: float, policy: PollingPolicy, heard: Heard) -> Stance:
    """Return both for a part at an age."""
    stake = stake_of(situation, age_s)
    return Stance(weight_of(situation, stake, heard), ceiling_s(stake, policy))

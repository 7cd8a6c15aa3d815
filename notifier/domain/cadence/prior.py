"""What we believe before we have seen anything: hazards that err on the high side, since a high one mends sooner."""

from functools import lru_cache

from notifier.domain.cadence.ages import BINS, middle_s
from notifier.domain.cadence.situation import Kind, Situation
from notifier.domain.order import Phase

_SETUP_S = 30.0
_LONG_S = 300.0
_SETTLING_S = 172_800.0
_YEARS_PER_S = 3e-8


def prior_of(situation: Situation) -> tuple[float, ...]:
    """Return the hazard of each bin of ages before anything was learned, in 1/s; docs/cadence.md argues each."""
    return _of(situation.kind, situation.word, situation.phase)


@lru_cache(maxsize=256)
def _of(kind: Kind, word: str, phase: Phase) -> tuple[float, ...]:
    return tuple(_hazard(kind, word, phase, middle_s(number)) for number in range(BINS))


def _hazard(kind: Kind, word: str, phase: Phase, age_s: float) -> float:
    match kind, phase:
        case Kind.REFUND, _:
            return 1 / (age_s + (86_400 if word == "MANUAL_REVIEW" else 1800))
        case Kind.ORDER, Phase.OPEN if word not in _SLOW:
            return 1 / (age_s + _SETUP_S)
        case (_, Phase.OPEN) | (_, Phase.UNKNOWN):
            return 1 / (age_s + _LONG_S)
        case _, Phase.FAILED:
            # A customer tries again within minutes; a late success may come within hours.
            return 20 / (age_s + 60) ** 2 + 0.01 / (age_s + 7200)
        case Kind.MANDATE, _:
            return _YEARS_PER_S
        case _:
            return 0.05 / (age_s + _SETTLING_S)


_SLOW = frozenset({"AUTHORIZED", "PARTIAL_CHARGED", "TO_BE_CHARGED", "VOID_FAILED"})

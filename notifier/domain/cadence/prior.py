"""What we believe before we have seen anything: hazards that err on the high side, since a high one mends sooner."""

from functools import lru_cache
from math import exp

from notifier.domain.cadence.ages import BINS, middle_s
from notifier.domain.cadence.situation import Kind, Situation
from notifier.domain.order import Phase

_SLOW = frozenset({"AUTHORIZED", "PARTIAL_CHARGED", "TO_BE_CHARGED", "VOID_FAILED"})
_FOR_GOOD = frozenset({"VOIDED", "AUTO_VOIDED", "MERCHANT_VOIDED"})
_RARELY_PER_S = 1e-7
_HARDLY_EVER_PER_S = 3e-8


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
            return 1 / (age_s + 30)
        case _, Phase.OPEN | Phase.UNKNOWN:
            return 1 / (age_s + 300)
        case Kind.ORDER | Kind.CREDIT, Phase.FAILED if word not in _FOR_GOOD:
            return 0.3 / (age_s + 60) * exp(-age_s / 900) + 0.004 / (age_s + 7200)
        case Kind.MANDATE, _:
            return _HARDLY_EVER_PER_S
        case _, Phase.SUCCEEDED:
            return 0.05 / (age_s + 172_800)
        case _:
            return _RARELY_PER_S

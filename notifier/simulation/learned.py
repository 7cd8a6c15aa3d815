"""The daemon's own cadence in the make-believe world: its parts, its learning, its rule for when to look."""

from collections.abc import Sequence
from dataclasses import dataclass

from notifier.domain.cadence.law import wait_s
from notifier.domain.cadence.learning import Hazards, stay
from notifier.domain.cadence.learning import follow as learn
from notifier.domain.cadence.situation import Kind, Part, Situation
from notifier.domain.order import Source
from notifier.simulation.lives import Sight
from notifier.simulation.world import LONGEST_S, SHORTEST_S

ACCOUNT = "simulated"
_CLOSED = frozenset({"", "SUCCESS", "FAILURE"})
_QUEUED = {"PENDING": "PENDING_QUEUED"}

Parts = Sequence[Part]


class Frozen(Hazards):
    """What was learned, and no more."""

    def credit(self, situation: Situation, since_age_s: float, age_s: float, *, changed: bool) -> float:
        """Return how many seconds ago it changed, as expected, and learn nothing."""
        if not changed:
            return 0.0
        shares = self.law(situation).spread(since_age_s, age_s)
        return max(age_s - since_age_s - sum(awaited_s for _, _, awaited_s in shares), 0.0)


def frozen(hazards: Hazards) -> Frozen:
    """Return a copy that learns no more."""
    copy = Frozen()
    copy.rebase(hazards.document())
    return copy


@dataclass(frozen=True, slots=True)
class Learned:
    """The odds rule on learned hazards. Every second of delay weighs the same here, that policies compare."""

    hazards: Hazards
    price_s: float

    def begin(self, sight: Sight) -> Parts:
        return _parts(sight, 0.0)

    def look(self, belief: Parts, sight: Sight | None, *, before_s: float, now_s: float) -> Parts:
        if sight is None:
            stay(self.hazards, belief, looked_s=before_s, now_s=now_s)
            return belief
        return learn(self.hazards, belief, _parts(sight, now_s), looked_s=before_s, now_s=now_s)

    def next_s(self, belief: Parts, now_s: float) -> float:
        aged = [(self.hazards.law(part.situation), now_s - part.since_s, 1.0) for part in belief]
        return now_s + max(wait_s(aged, self.price_s, LONGEST_S), SHORTEST_S)


def _parts(sight: Sight, since_s: float) -> Parts:
    """Return the live parts of a sight, all dated alike; a refund that ended leaves its mark on the order's part."""
    parts = [_part(Kind.ORDER, sight.status, sight.method, mark="1" if sight.refund else "", since_s=since_s)]
    if sight.refund not in _CLOSED:
        word = _QUEUED.get(sight.refund, sight.refund)
        parts.append(_part(Kind.REFUND, word, sight.method, mark="", since_s=since_s))
    return parts


def _part(kind: Kind, word: str, method: str, *, mark: str, since_s: float) -> Part:
    situation = Situation(Source.ORDER, kind, word, method, ACCOUNT)
    return Part(situation=situation, id=kind, mark=mark, since_s=since_s)

"""What the looks teach: events and exposure by age, for each situation and its parents.

Three things make it work. A change is spread over the interval in which it must have happened, never booked at the
look that saw it. Exposure is credited at every look. What little is known is drawn to the parent in pseudo-events.
"""

from collections.abc import Iterator, Sequence

from notifier.domain.cadence.law import Law
from notifier.domain.cadence.memory import (
    MOST_EVENTS,
    Document,
    Evidence,
    Path,
    Row,
    rows_of,
    tally_of,
    written,
)
from notifier.domain.cadence.prior import prior_of
from notifier.domain.cadence.situation import Part, Situation
from notifier.domain.cadence.tally import Tally, span_of

_LEVELS = (3, 4, 5)
"""How many members of a situation are learned by: source, kind and word; the method; the account."""
_PSEUDO_EVENTS = 0.3
_PSEUDO_EVENTS_TO_PRIOR = 0.05
_SLACK = 1.1
_MOST_NODES = 2000
_SHORTEST_S = 1e-3


class _Node:
    """What is known of one path: what was stored, what was seen since, and the law made of it all."""

    __slots__ = ("base", "drained", "due", "fresh", "law", "root_due", "seen")

    def __init__(self) -> None:
        self.base, self.fresh = Tally(), Tally()
        self.law: Law | None = None
        self.seen = self.due = self.root_due = self.drained = 0

    def forget(self, most_events: float) -> None:
        """Let old evidence weigh less once there is plenty; time alone teaches nothing, so it forgets nothing."""
        total = self.base.total + self.fresh.total
        if total > most_events * _SLACK:
            self.base = self.base.times(most_events / total)
            self.fresh = self.fresh.times(most_events / total)


class Hazards:
    """The learned laws of all situations. Not for several threads."""

    def __init__(self, *, most_events: float = MOST_EVENTS) -> None:
        self._most_events = most_events
        self._nodes: dict[Path, _Node] = {}
        self._chains: dict[Situation, tuple[_Node, ...]] = {}
        self._rows: dict[Path, Row] = {}

    def law(self, situation: Situation) -> Law:
        """Return the law of a situation, made anew when what it rests on has grown by some percent."""
        chain = self._chain(situation)
        root, leaf = chain[0], chain[-1]
        if leaf.law is None or leaf.seen >= leaf.due or root.seen >= leaf.root_due:
            leaf.law = Law(_shrunk(prior_of(situation), chain))
            leaf.due = leaf.seen + min(max(leaf.seen // 16, 4), 1000)
            leaf.root_due = root.seen + min(max(root.seen // 4, 4), 10_000)
        return leaf.law

    def credit(self, situation: Situation, since_age_s: float, age_s: float, *, changed: bool) -> float:
        """Learn from a look at an age, after one at an earlier age that showed the same situation.

        Returns: how many seconds ago it changed, as expected: the age of what came after it; 0 for no change.
        """
        if since_age_s < 0 or age_s < since_age_s + _SHORTEST_S:
            since_age_s = max(since_age_s, 0.0)
            age_s = max(age_s, since_age_s + _SHORTEST_S)
        chain = self._chain(situation)
        if not changed:
            span = span_of(since_age_s, age_s)
            for node in chain:
                node.seen += 1
                node.fresh.expose(span)
            return 0.0
        shares = self.law(situation).spread(since_age_s, age_s)
        for node in chain:
            node.fresh.book(shares)
            node.seen += 1
            node.forget(self._most_events)
        return max(age_s - since_age_s - sum(awaited_s for _, _, awaited_s in shares), 0.0)

    @property
    def events(self) -> float:
        """How many changes it all rests on."""
        roots = (node for path, node in self._nodes.items() if len(path) == _LEVELS[0])
        return sum(node.base.total + node.fresh.total for node in roots)

    def document(self) -> Document:
        """Return everything that is known, for storage: plain values that JSON can hold."""
        return written({path: node.base.plus(node.fresh) for path, node in self._nodes.items()})

    def drain(self) -> Evidence:
        """Return what was learned since the last call; it goes on counting here."""
        evidence = {}
        for path, node in self._nodes.items():
            if node.seen > node.drained:
                evidence[path] = node.fresh
                node.base, node.fresh, node.drained = node.base.plus(node.fresh), Tally(), node.seen
        return evidence

    def rebase(self, document: Document) -> None:
        """Take what is stored for what was known; what was learned since `drain` is kept.

        A row that is as it was the last time is passed by, with the laws of its like: nobody learned anything there.
        """
        stored = rows_of(document)
        taken = {path: tally_of(row) for path, row in stored.items() if self._rows.get(path) != row}
        taken |= {path: Tally() for path in self._nodes.keys() - stored.keys()}
        for path, tally in taken.items():
            self._nodes.setdefault(path, _Node()).base = tally
        roots = {path[: _LEVELS[0]] for path in taken}
        for path, node in self._nodes.items():
            if path[: _LEVELS[0]] in roots:
                node.law = None
        self._rows = stored

    def _chain(self, situation: Situation) -> tuple[_Node, ...]:
        chain = self._chains.get(situation)
        if chain is None:
            chain = tuple(self._nodes_of(situation))
            if len(self._chains) < _MOST_NODES:
                self._chains[situation] = chain
        return chain

    def _nodes_of(self, situation: Situation) -> Iterator[_Node]:
        """Words and methods are the upstream's: once there are very many, new ones are learned with their like."""
        for level in _LEVELS:
            path = situation[:level]
            if path not in self._nodes and len(self._nodes) >= _MOST_NODES:
                if level > _LEVELS[0]:
                    return
                path = (situation.source, situation.kind, "")
            yield self._nodes.setdefault(path, _Node())


def follow(
    hazards: Hazards, before: Sequence[Part], after: Sequence[Part], *, looked_s: float, now_s: float
) -> tuple[Part, ...]:
    """Learn what the look at `now_s` shows of the parts known since `looked_s`; return the parts, dated.

    A new part is dated by the upstream's word where that falls between the two looks, else by what the laws expect.
    """
    if not before:
        return tuple(after)
    given = {(part.situation.kind, part.id): part for part in after}
    since: dict[tuple[str, str], float] = {}
    changed_s = now_s
    for part in before:
        key = part.situation.kind, part.id
        is_still = part.is_still(given.get(key))
        ago_s = hazards.credit(
            part.situation, looked_s - part.since_s, now_s - part.since_s, changed=not is_still
        )
        if is_still:
            since[key] = part.since_s
        else:
            changed_s = min(changed_s, now_s - ago_s)
    return tuple(
        part.since(since[key])
        if key in since
        else (part if looked_s < part.since_s < now_s else part.since(changed_s))
        for key, part in given.items()
    )


def stay(hazards: Hazards, parts: Sequence[Part], *, looked_s: float, now_s: float) -> None:
    """Learn that nothing changed between two looks."""
    for part in parts:
        hazards.credit(part.situation, looked_s - part.since_s, now_s - part.since_s, changed=False)


def _shrunk(prior: Sequence[float], chain: Sequence[_Node]) -> Sequence[float]:
    hazards, k = prior, _PSEUDO_EVENTS_TO_PRIOR
    for node in chain:
        known = node.base.plus(node.fresh)
        hazards = [
            (events + k) / (exposure_s + k / parent)
            for events, exposure_s, parent in zip(known.events, known.exposure, hazards, strict=True)
        ]
        k = _PSEUDO_EVENTS
    return hazards

"""What the looks teach: events and exposure by age, for each situation and its parents.

Three things make it work. A change is spread over the interval in which it must have happened, never booked at the
look that saw it. Exposure is credited at every look. What little is known is drawn to the parent in pseudo-events.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from notifier.domain.cadence.ages import BINS
from notifier.domain.cadence.law import Law
from notifier.domain.cadence.prior import prior_of
from notifier.domain.cadence.situation import Part, Situation
from notifier.domain.cadence.tally import Tally, span_of

SCHEMA = 1
_LEVELS = (3, 4, 5)
"""How many members of a situation are learned by: source, kind and word; the method; the account."""
_PSEUDO_EVENTS = 0.3
_PSEUDO_EVENTS_TO_PRIOR = 0.05
_MOST_EVENTS = 3000.0
_SLACK = 1.1
_MOST_NODES = 2000
_SHORTEST_S = 1e-3

Document = Mapping[str, Any]
_Path = tuple[str, ...]


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

    def __init__(self, *, most_events: float = _MOST_EVENTS) -> None:
        self._most_events = most_events
        self._nodes: dict[_Path, _Node] = {}
        self._chains: dict[Situation, tuple[_Node, ...]] = {}

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
        return _document({path: node.base.plus(node.fresh) for path, node in self._nodes.items()})

    def drain(self) -> Document:
        """Return what was learned since the last call; it goes on counting here."""
        fresh = {path: node for path, node in self._nodes.items() if node.seen > node.drained}
        document = _document({path: node.fresh for path, node in fresh.items()})
        for node in fresh.values():
            node.base, node.fresh, node.drained = node.base.plus(node.fresh), Tally(), node.seen
        return document

    def rebase(self, document: Document) -> None:
        """Take what is stored for what was known; what was learned since `drain` is kept."""
        stored = _tallies(document)
        for path in [*stored, *self._nodes]:
            node = self._nodes.setdefault(path, _Node())
            node.base, node.law = stored.get(path, Tally()), None

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


def merged(*documents: Document, most_events: float = _MOST_EVENTS) -> Document:
    """Return the sum of what several workers learned, forgetting what is past the cap."""
    total: dict[_Path, Tally] = {}
    for document in documents:
        for path, tally in _tallies(document).items():
            total[path] = total[path].plus(tally) if path in total else tally
    return _document(
        {
            path: tally.times(most_events / tally.total) if tally.total > most_events else tally
            for path, tally in total.items()
        }
    )


def _document(tallies: Mapping[_Path, Tally]) -> Document:
    """Only bins that hold something are written, from the first to the last of them."""
    rows = []
    for path, tally in tallies.items():
        events = [round(each, 4) for each in tally.events]
        exposure = [round(each, 3) for each in tally.exposure]
        held = [number for number in range(BINS) if events[number] or exposure[number]]
        if held:
            span = slice(held[0], held[-1] + 1)
            rows.append(
                {
                    "path": [str(word) for word in path],
                    "first": held[0],
                    "events": events[span],
                    "exposure_s": exposure[span],
                }
            )
    return {"schema": SCHEMA, "bins": BINS, "situations": rows}


def _tallies(document: Document) -> dict[_Path, Tally]:
    """Read a document; one of another schema, or that is broken, teaches nothing."""
    if (document.get("schema"), document.get("bins")) != (SCHEMA, BINS):
        return {}
    try:
        return {
            tuple(row["path"]): Tally(
                _placed(row["first"], row["events"]), _placed(row["first"], row["exposure_s"])
            )
            for row in document["situations"]
        }
    except (LookupError, TypeError, ValueError):
        return {}


def _placed(first: int, values: Sequence[float]) -> list[float]:
    if first + len(values) > BINS or min(values) < 0:
        raise ValueError("this was not written by us")
    return [*[0.0] * first, *values, *[0.0] * (BINS - first - len(values))]


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

"""Who wants which events: patterns of types, filters over the event's document, tags (interface 3 and 4)."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from math import isfinite
from typing import Any, NewType

from notifier.domain.order import OrderKey
from notifier.domain.snapshot import Subject
from notifier.errors import InvalidValue

SubscriptionId = NewType("SubscriptionId", str)

OPERATORS = "operators"
"""Who manages the subscription that `[operators]` of the configuration stands for."""

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")
_NAMED_ONLY = frozenset(
    {
        Subject.WATCH,
        Subject.SOURCE,
        Subject.INCIDENT,
        Subject.SUBSCRIPTION,
        Subject.DELIVERY,
        Subject.HEARTBEAT,
        Subject.TEST,
    }
)


class SubscriptionState(StrEnum):
    """Paused and disabled subscriptions are still owed what happens: their deliveries are held."""

    ACTIVE = "active"
    PAUSED = "paused"
    DISABLED = "disabled"


class DisabledBy(StrEnum):
    """Who or what switched a subscription off."""

    OPERATOR = "operator"
    RECIPIENT = "recipient"
    """By the link in a mail; nobody but a hand brings it back."""
    FAILURES = "failures"
    CONFIGURATION = "configuration"


class Mode(StrEnum):
    """`latest` collapses what is still owed of one subject."""

    ALL = "all"
    LATEST = "latest"


class Ordering(StrEnum):
    """How long a later event of an order waits for an earlier one."""

    HOLD = "hold"
    STRICT = "strict"


class Op(StrEnum):
    """Comparisons of a filter; numbers compare as decimals, everything else as text."""

    EQ = "eq"
    NE = "ne"
    GT = "gt"
    GE = "ge"
    LT = "lt"
    LE = "le"
    IN = "in"
    EXISTS = "exists"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One comparison; `path` is dotted into the event's document, `value` JSON."""

    path: str
    op: Op
    value: Any = None

    def holds(self, document: Mapping[str, Any]) -> bool:
        """Return whether it holds; a missing member satisfies only `ne` and `exists: false`."""
        found = _at(document, self.path)
        if self.op is Op.EXISTS:
            return (found is not None) == (self.value is not False)
        if self.op is Op.NE:
            return not _equal(found, self.value)
        if found is None:
            return False
        if self.op is Op.EQ:
            return _equal(found, self.value)
        if self.op is Op.IN:
            return isinstance(self.value, list | tuple) and any(_equal(found, each) for each in self.value)
        return _ordered(self.op, found, self.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """One wish to be told. Its secrets and the true address of its target stay in storage."""

    id: SubscriptionId
    account: str
    name: str | None
    channel: str
    target: str
    events: tuple[str, ...]
    conditions: tuple[Condition, ...] = ()
    tags: tuple[str, ...] = ()
    template: str | None = None
    mode: Mode = Mode.ALL
    ordering: Ordering = Ordering.HOLD
    schedule: tuple[float, ...] | None = None
    expires_after_s: float | None = None
    rate_per_s: float | None = None
    digest_s: float | None = None
    """Gather news of orders for so long; 0 not at all, None as its channel does."""
    state: SubscriptionState = SubscriptionState.ACTIVE
    order_key: OrderKey | None = None
    managed: str | None = None
    disabled_by: DisabledBy | None = None
    """None unless it is disabled; then None where it was disabled before this was kept."""

    def wants(
        self, event_type: str, order_key: str | None, tags: Sequence[str], document: Mapping[str, Any]
    ) -> bool:
        """Return whether this subscription is to be told of the event."""
        if self.order_key is not None and self.order_key != order_key:
            return False
        if self.tags and not set(self.tags) & set(tags):
            return False
        return any(matches(pattern, event_type) for pattern in self.events) and all(
            condition.holds(document) for condition in self.conditions
        )


def check_pattern(pattern: str) -> str:
    """Return the pattern.

    Raises: InvalidValue naming `events` when it is neither `*` nor dotted lower-case words and stars.
    """
    parts = pattern.split(".")
    subjects = {*Subject, "*"}
    length = 1 if parts[0] == Subject.HEARTBEAT else 2
    if pattern == "*" or (parts[0] in subjects and len(parts) == length and all(map(_is_part, parts))):
        return pattern
    raise InvalidValue(
        "events", f"{pattern!r} is no pattern; write `order.*`, `refund.failure` or `*`", "pattern"
    )


def matches(pattern: str, event_type: str) -> bool:
    """Return whether the type fits: `*` is one dotted part; alone it is every type but the system's own."""
    subject = event_type.partition(".")[0]
    if pattern == "*":
        return subject not in _NAMED_ONLY
    wanted, given = pattern.split("."), event_type.split(".")
    if wanted[0] == "*" and subject in _NAMED_ONLY:
        return False
    return len(wanted) == len(given) and all(w in ("*", g) for w, g in zip(wanted, given, strict=True))


def subjects_of(patterns: Iterable[str]) -> frozenset[Subject]:
    """Return every subject of which an event may fit one of the patterns."""
    plain = frozenset(Subject) - _NAMED_ONLY
    found: set[Subject] = set()
    for pattern in patterns:
        subject = pattern.partition(".")[0]
        found |= plain if subject == "*" else {Subject(subject)}
    return frozenset(found)


def _is_part(part: str) -> bool:
    return part == "*" or (part != "" and part.replace("_", "").isalnum() and part == part.lower())


def _at(document: Mapping[str, Any], path: str) -> Any:
    found: Any = document
    for part in path.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return None
        found = found[part]
    return found


def _number(value: Any) -> Decimal | None:
    """Return what is written as a plain decimal; `007` and `1e5` are ids and codes, so they stay text."""
    match value:
        case bool():
            return None
        case int():
            return Decimal(value)
        case float() if isfinite(value):
            return Decimal(str(value))
        case str() if _NUMBER.fullmatch(value):
            return Decimal(value)
    return None


def _equal(found: Any, value: Any) -> bool:
    if isinstance(found, bool) or isinstance(value, bool):
        return found is value
    one, other = _number(found), _number(value)
    if one is not None and other is not None:
        return one == other
    return bool(found == value)


def _ordered(op: Op, found: Any, value: Any) -> bool:
    one, other = _number(found), _number(value)
    if one is None or other is None:
        if not isinstance(found, str) or not isinstance(value, str):
            return False
        sign = (found > value) - (found < value)
    else:
        sign = (one > other) - (one < other)
    return {Op.GT: sign > 0, Op.GE: sign >= 0, Op.LT: sign < 0, Op.LE: sign <= 0}[op]

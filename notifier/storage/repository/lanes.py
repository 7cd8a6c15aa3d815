"""The lanes of interface 6.11: what is owed to one subscription about one order goes in the order of its events.

A delivery behind an earlier one has the reason `behind` and the instant at which it may go by age alone as its due
time, so that it stays out of the way; the end of the earlier one brings it forward. That due time is only a hint:
whether a delivery may go is asked again when it is taken up.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal_column,
    or_,
    select,
    type_coerce,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.domain.delivery import DeliveryId, DeliveryState, Reason
from notifier.domain.event import EventId
from notifier.domain.instant import seconds, to_ms
from notifier.domain.subscription import Ordering
from notifier.storage.records import Lanes
from notifier.storage.repository.direct import Statement, Values
from notifier.storage.repository.setwise import any_of, as_parameter
from notifier.storage.tables import Instant, Whole, deliveries, subscriptions

# Written out: bound lists cannot be executed for many rows at once, and the index speaks of these very words.
_OWED_STATES: tuple[ColumnElement[str], ...] = (literal_column("'pending'"), literal_column("'held'"))
OWED = deliveries.c.state.in_(_OWED_STATES)
PENDING = deliveries.c.state == _OWED_STATES[0]

_earlier = deliveries.alias("earlier")
_is_earlier = and_(
    _earlier.c.subscription_id == deliveries.c.subscription_id,
    _earlier.c.watch_id == deliveries.c.watch_id,
    _earlier.c.seq < deliveries.c.seq,
    _earlier.c.state.in_(_OWED_STATES),
)
# Said by hand: inside the condition below, the layer would not find the outer delivery by itself.
_ordering = (
    select(subscriptions.c.ordering)
    .where(subscriptions.c.id == deliveries.c.subscription_id)
    .correlate(deliveries)
    .scalar_subquery()
)

HAS_AHEAD = exists().where(_is_earlier)
"""Whether an earlier one of its lane is still owed."""


def _is_blocked() -> ColumnElement[bool]:
    """Whether an earlier one stands in the way; an attempt in flight has not been had yet."""
    in_flight = case((_earlier.c.lease_until > bindparam("lane_now", type_=Instant), 1), else_=0)
    is_young = and_(
        _earlier.c.attempts - in_flight < bindparam("hold_attempts", type_=Whole),
        _earlier.c.created_at > bindparam("young_since", type_=Instant),
    )
    return exists().where(_is_earlier, or_(_ordering == Ordering.STRICT, is_young))


BLOCKED = _is_blocked()
"""Takes the parameters of `lane_parameters`."""


def lane_parameters(lanes: Lanes, now: datetime) -> dict[str, Any]:
    """Return what `BLOCKED` is asked with."""
    return {
        "lane_now": now,
        "hold_attempts": lanes.hold_attempts,
        "young_since": now - seconds(lanes.hold_s),
    }


def raw(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters as the driver takes them: numbers for instants."""
    return {name: to_ms(each) if isinstance(each, datetime) else each for name, each in values.items()}


_later = deliveries.alias("later")
HAS_BEHIND = exists().where(
    _later.c.subscription_id == deliveries.c.subscription_id,
    _later.c.watch_id == deliveries.c.watch_id,
    _later.c.seq > deliveries.c.seq,
    _later.c.state.in_(_OWED_STATES),
)
"""Whether a later one of its lane is owed, so that there is somebody to let go."""

_lapses = (
    select(type_coerce(func.max(_earlier.c.created_at), Whole) + bindparam("hold_ms", type_=Whole))
    .where(_is_earlier)
    .scalar_subquery()
)
_expires = type_coerce(deliveries.c.expires_at, Whole)
_own_due = type_coerce(deliveries.c.due_at, Whole)  # later than now where news are gathered
_by_age = case((_own_due > _lapses, _own_due), else_=_lapses)
_hint = case((or_(_ordering == Ordering.STRICT, _lapses > _expires), _expires), else_=_by_age)
# `OWED` besides the state itself: without it SQLite does not see that the index of lanes will do.
_free = and_(OWED, deliveries.c.state == DeliveryState.PENDING, deliveries.c.lease_until.is_(None))
_WAIT = (
    update(deliveries)
    .where(deliveries.c.id.in_(any_of("new_ids")), _free, BLOCKED)
    .values(reason=Reason.BEHIND, due_at=_hint)
)
_WAIT_AGAIN = (
    update(deliveries)
    .where(deliveries.c.subscription_id == bindparam("of_subscription"), _free, exists().where(_is_earlier))
    .values(reason=Reason.BEHIND, due_at=_hint)
)
_LET_GO = (
    update(deliveries)
    .where(
        deliveries.c.subscription_id == bindparam("of_subscription"),
        deliveries.c.watch_id == bindparam("of_watch"),
        _free,
        deliveries.c.reason == Reason.BEHIND,
        ~BLOCKED,
    )
    .values(reason=Reason.NEW, due_at=bindparam("lane_now", type_=Instant))
)
_RESUME = (
    update(deliveries)
    .where(
        deliveries.c.subscription_id == bindparam("of_subscription"),
        OWED,
        deliveries.c.state == DeliveryState.HELD,
    )
    .values(
        state=DeliveryState.PENDING,
        reason=Reason.NEW,
        due_at=func.coalesce(deliveries.c.lease_until, bindparam("lane_now", type_=Instant)),
    )
)
_AHEAD = (
    select(deliveries.c.seq, _earlier.c.event_id)
    .select_from(deliveries)
    .join(_earlier, _is_earlier)
    .where(deliveries.c.seq.in_(bindparam("seqs", expanding=True)))
    .order_by(deliveries.c.seq, _earlier.c.seq)
)


def waiting(
    new_ids: Collection[DeliveryId], *, lanes: Lanes, now: datetime
) -> tuple[Statement, list[Values]]:
    """Return the step that puts new deliveries behind the earlier ones of their lanes."""
    own = {"new_ids": as_parameter(list(new_ids)), "hold_ms": int(lanes.hold_s * 1000)}
    return _WAIT, [raw(lane_parameters(lanes, now)) | own]


async def let_next_go(
    connection: AsyncConnection, touched: Collection[tuple[str, int]], *, lanes: Lanes, now: datetime
) -> int:
    """Make due what nothing blocks any more in these lanes of (subscription, watch); return how many."""
    if not touched:
        return 0
    rule = lane_parameters(lanes, now)
    rows = [rule | {"of_subscription": of, "of_watch": watch} for of, watch in sorted(set(touched))]
    return (await connection.execute(_LET_GO, rows)).rowcount


async def release_held(connection: AsyncConnection, subscription_id: str, *, now: datetime) -> int:
    """Make all that is held pending again, the first of each lane due at once; return how many."""
    released = await connection.execute(_RESUME, {"of_subscription": subscription_id, "lane_now": now})
    if released.rowcount:
        hold_ms = int(Lanes().hold_s * 1000)
        await connection.execute(_WAIT_AGAIN, {"of_subscription": subscription_id, "hold_ms": hold_ms})
    return released.rowcount


async def events_ahead(
    connection: AsyncConnection, seqs: Collection[int]
) -> Mapping[int, tuple[EventId, ...]]:
    """Return, by delivery, the events of earlier deliveries of its lane that are still owed, in order."""
    ahead: dict[int, tuple[EventId, ...]] = {}
    for seq, event_id in await connection.execute(_AHEAD, {"seqs": list(seqs)}):
        ahead[seq] = (*ahead.get(seq, ()), event_id)
    return ahead

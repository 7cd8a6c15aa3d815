"""The audit's checks, each one statement that walks what is kept by its indexes and gives only what is wrong.

Of the log it asks for what stands behind `accounts.pruned_through`: what is older may have lost rows to retention.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import (
    Select,
    and_,
    exists,
    func,
    literal,
    not_,
    or_,
    select,
    type_coerce,
)

from notifier.domain.delivery import DeliveryState
from notifier.domain.instant import from_ms, iso, to_ms
from notifier.domain.juspay_names import TEMPLATE as ONE_A_VERSION
from notifier.domain.order import WatchState
from notifier.domain.snapshot import Subject
from notifier.domain.subscription import SubscriptionState, matches
from notifier.storage.records import Check, Finding, Sign
from notifier.storage.repository.base import Rows
from notifier.storage.repository.lanes import OWED, PENDING
from notifier.storage.repository.replays import IS_REPLAYED
from notifier.storage.repository.setwise import WORD
from notifier.storage.tables import accounts, deliveries, events, looks, meta, subscriptions, watches

_TO_SOME_ONLY = frozenset({Subject.HEARTBEAT, Subject.TEST, Subject.SUBSCRIPTION, Subject.DELIVERY})
_COUNT = "findings"
_STATE, _EVENTS, _CONDITIONS, _TAGS, _TEMPLATE = (
    func.json_extract(type_coerce(subscriptions.c.document, WORD), f"$.{member}")
    for member in ("state", "events", "conditions", "tags", "template")
)
_Row = Mapping[str, str | int | None]


class Audits(Rows):
    async def note(self, sign: Sign, *, at: datetime) -> None:
        value = str(to_ms(at)).encode()
        await self._upsert(meta, {"name": sign, "value": value}, {"value": value})

    async def noted(self, sign: Sign) -> datetime | None:
        value = await self._connection.scalar(select(meta.c.value).where(meta.c.name == sign))
        return None if value is None else from_ms(int(value))

    async def audit(
        self, check: Check, *, accounts: Collection[str], overdue_before: datetime, limit: int = 100
    ) -> Finding | None:
        if check is Check.DELIVERY_MISSING:
            return await self._missing(limit)
        return _finding(check, await self._found(_CHECKS[check](accounts, overdue_before), limit))

    async def _found(self, wrong: Select[Any], limit: int) -> list[_Row]:
        counted = wrong.add_columns(func.count().over().label(_COUNT)).limit(limit)
        rows = (await self._connection.execute(counted)).mappings()
        return [{str(name): _plain(value) for name, value in row.items()} for row in rows]

    async def _missing(self, limit: int) -> Finding | None:
        """Ask again who should have been told, of all who listen as they did when the event was written.

        Who listens alike is asked for together. Filters and tags are not: the documents and tags
        of then are gone; nor is a template that takes one event of several.
        """
        types = list(await self._connection.scalars(select(events.c.type).distinct()))
        alike = select(_EVENTS).distinct().where(subscriptions.c.deleted_at.is_(None))
        rows: list[_Row] = []
        count = 0
        for text in list(await self._connection.scalars(alike)):
            patterns = msgspec.json.decode(text, type=list[str])
            wanted = [each for each in types if _is_for_all(each) and any(matches(p, each) for p in patterns)]
            for is_bound in (False, True):
                found = await self._found(_untold(text, wanted, is_bound=is_bound), limit) if wanted else []
                count += _count(found)
                rows += found
        return _finding(Check.DELIVERY_MISSING, rows[:limit], count)


def _is_for_all(event_type: str) -> bool:
    return event_type.partition(".")[0] not in _TO_SOME_ONLY


def _finding(check: Check, rows: Iterable[_Row], count: int | None = None) -> Finding | None:
    found = list(rows)
    if not found:
        return None
    shown = tuple({name: value for name, value in row.items() if name != _COUNT} for row in found)
    return Finding(check=check, count=_count(found) if count is None else count, rows=shown)


def _count(rows: list[_Row]) -> int:
    return int(rows[0][_COUNT] or 0) if rows else 0


def _plain(value: Any) -> str | int | None:
    return iso(value) if isinstance(value, datetime) else value


_WHOLE_LOG = accounts.join(
    events,
    and_(events.c.account == accounts.c.name, events.c.sequence > accounts.c.pruned_through),
)


def _event_lost(_: Collection[str], __: datetime) -> Select[Any]:
    """Select the gaps in the numbers of each account's log, its end included."""
    numbered = (
        select(
            accounts.c.name.label("account"),
            events.c.sequence.label("upto"),
            func.lag(events.c.sequence)
            .over(partition_by=accounts.c.name, order_by=events.c.sequence)
            .label("last"),
            accounts.c.pruned_through,
        )
        .select_from(_WHOLE_LOG)
        .subquery("numbered")
    )
    before = func.coalesce(numbered.c.last, numbered.c.pruned_through)
    within = select(
        numbered.c.account, (before + 1).label("first_sequence"), (numbered.c.upto - 1).label("last_sequence")
    ).where(numbered.c.upto > before + 1)
    newest = (
        select(func.max(events.c.sequence))
        .where(events.c.account == accounts.c.name, events.c.sequence > accounts.c.pruned_through)
        .correlate(accounts)
        .scalar_subquery()
    )
    end = func.coalesce(newest, accounts.c.pruned_through)
    at_the_end = select(accounts.c.name, end + 1, accounts.c.sequence).where(accounts.c.sequence > end)
    gaps = within.union_all(at_the_end).subquery("gaps")
    return select(gaps.c.account, gaps.c.first_sequence, gaps.c.last_sequence)


def _delivery_lost(_: Collection[str], __: datetime) -> Select[Any]:
    kept = (
        select(func.count())
        .select_from(deliveries)
        .where(deliveries.c.event_id == events.c.id, not_(IS_REPLAYED))
        .correlate(events)
        .scalar_subquery()
    )
    told = select(
        events.c.account,
        events.c.id.label("event_id"),
        events.c.type,
        events.c.order_id,
        events.c.sequence,
        events.c.owed,
        kept.label("kept"),
    ).select_from(_WHOLE_LOG)
    counted = told.where(events.c.owed.is_not(None)).subquery("counted")
    return select(counted).where(counted.c.kept != counted.c.owed)


def _untold(patterns: str, types: list[str], *, is_bound: bool) -> Select[Any]:
    """Select the events that subscriptions with these patterns should have had and had not."""
    is_its_order = events.c.order_key == subscriptions.c.order_key
    heard = and_(
        events.c.account == accounts.c.name,
        events.c.sequence > subscriptions.c.listens_after,
        events.c.sequence > accounts.c.pruned_through,
        events.c.type.in_(types),
        is_its_order if is_bound else subscriptions.c.order_key.is_(None),
    )
    had = exists().where(
        deliveries.c.subscription_id == subscriptions.c.id,
        deliveries.c.event_id == events.c.id,
        deliveries.c.replay_id == "",
    )
    return (
        select(
            events.c.account,
            subscriptions.c.id.label("subscription_id"),
            events.c.id.label("event_id"),
            events.c.type,
            events.c.order_id,
            events.c.sequence,
        )
        .select_from(
            subscriptions.join(accounts, accounts.c.name == subscriptions.c.account).join(events, heard)
        )
        .where(
            subscriptions.c.deleted_at.is_(None),
            subscriptions.c.order_key.is_not(None) if is_bound else subscriptions.c.order_key.is_(None),
            literal(patterns) == _EVENTS,
            _CONDITIONS == "[]",
            _TAGS == "[]",
            _TEMPLATE.is_distinct_from(ONE_A_VERSION),
            ~had,
        )
    )


_OF_DELIVERY = (
    deliveries.c.account,
    deliveries.c.id.label("delivery_id"),
    deliveries.c.subscription_id,
    deliveries.c.event_id,
    deliveries.c.state,
    deliveries.c.reason,
    deliveries.c.due_at,
    deliveries.c.expires_at,
)


def _delivery_astray(_: Collection[str], __: datetime) -> Select[Any]:
    """Select what is owed to a deleted subscription, or held for an active one: nobody will ever send it."""
    is_held = and_(deliveries.c.state == DeliveryState.HELD, _STATE == SubscriptionState.ACTIVE)
    lost = or_(subscriptions.c.deleted_at.is_not(None), is_held)
    found = deliveries.join(subscriptions, subscriptions.c.id == deliveries.c.subscription_id)
    return select(*_OF_DELIVERY).select_from(found).where(OWED, lost)


def _delivery_without_time(_: Collection[str], __: datetime) -> Select[Any]:
    return select(*_OF_DELIVERY).where(PENDING, deliveries.c.due_at.is_(None))


def _delivery_overdue(names: Collection[str], overdue_before: datetime) -> Select[Any]:
    late = or_(
        and_(deliveries.c.state == DeliveryState.PENDING, deliveries.c.due_at < overdue_before),
        deliveries.c.expires_at < overdue_before,
    )
    return select(*_OF_DELIVERY).where(OWED, late, deliveries.c.account.in_(names))


_OF_WATCH = (watches.c.account, watches.c.id.label("watch_id"), watches.c.order_id)


def _watch_without_time(_: Collection[str], __: datetime) -> Select[Any]:
    is_due = exists().where(looks.c.watch_id == watches.c.id, looks.c.next_poll_at.is_not(None))
    return select(*_OF_WATCH).where(watches.c.state == WatchState.ACTIVE, ~is_due)


def _watch_overdue(names: Collection[str], overdue_before: datetime) -> Select[Any]:
    late = and_(looks.c.account.in_(names), looks.c.next_poll_at < overdue_before)
    return (
        select(*_OF_WATCH, looks.c.source, looks.c.next_poll_at)
        .join_from(looks, watches, watches.c.id == looks.c.watch_id)
        .where(late)
    )


_CHECKS: dict[Check, Callable[[Collection[str], datetime], Select[Any]]] = {
    Check.EVENT_LOST: _event_lost,
    Check.DELIVERY_LOST: _delivery_lost,
    Check.DELIVERY_ASTRAY: _delivery_astray,
    Check.DELIVERY_WITHOUT_TIME: _delivery_without_time,
    Check.DELIVERY_OVERDUE: _delivery_overdue,
    Check.WATCH_WITHOUT_TIME: _watch_without_time,
    Check.WATCH_OVERDUE: _watch_overdue,
}

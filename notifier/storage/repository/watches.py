"""The watchlist: registering merges, removing leaves a tombstone."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import Select, bindparam, case, delete, exists, func, insert, literal, select, update

from notifier.domain.cadence.plan import Why
from notifier.domain.order import OrderKey, Phase, Source, WatchState, order_key
from notifier.errors import NotFound
from notifier.storage.records import Initial, Registration, Watch
from notifier.storage.repository.base import AnyRow, Rows
from notifier.storage.repository.looks import soonest, stored_parts
from notifier.storage.tables import looks, watch_tags, watches

_OF_LOOK = (
    "source",
    "last_polled_at",
    "last_changed_at",
    "next_poll_at",
    "why",
    "polls",
    "failures",
    "error",
    "parts",
)
WATCH = (
    select(watches, *(looks.c[name].label(f"look_{name}") for name in _OF_LOOK))
    .join(looks, looks.c.watch_id == watches.c.id)
    .order_by(watches.c.id, looks.c.id)
)
"""Watches, each with its looks, as `folded` reads them."""
_BY_ID = WATCH.where(watches.c.id == bindparam("watch"))
_BY_KEY = WATCH.where(watches.c.account == bindparam("account"), watches.c.order_key == bindparam("key"))
_ADD = insert(watches).returning(watches.c.id)
_ADD_LOOK = insert(looks)
_ADD_TAG = insert(watch_tags)
_ENDED = frozenset({WatchState.SETTLED, WatchState.NOT_FOUND, WatchState.ABANDONED, WatchState.REMOVED})
_ALIVE_AGAIN = (_ENDED | {WatchState.ACTIVE}) - {WatchState.REMOVED}


class Watches(Rows):
    async def register(self, wish: Registration, *, now: datetime) -> tuple[Watch, bool]:
        key = order_key(wish.order_id)
        old = await self._find(wish.account, key)
        self.woken.looks = True
        if old is None:
            return await self._new(wish, key, now), True
        rises = old.state is WatchState.REMOVED
        watch = _risen(old, wish, now) if rises else _merged(old, wish, now)
        await self._write(old, watch)
        await self._add_looks(watch, watch.sources - old.sources, now)
        if rises:
            fresh = update(looks).where(looks.c.watch_id == watch.id)
            await self._connection.execute(fresh.values(failures=0, error=None))
        # A look in flight began before this wish: it owes one more. Nobody asked of a watch that has just risen.
        asked_at = None if rises else now
        await self._schedule(watch, now, why=Why.REGISTERED, asked_at=asked_at)
        return watch, rises

    async def watch(self, account: str, order_key: OrderKey) -> Watch:
        watch = await self._find(account, order_key)
        if watch is None or watch.state is WatchState.REMOVED:
            raise NotFound(f"order {order_key!r} of account {account!r} is not watched; register it first")
        return watch

    async def watch_by_id(self, watch_id: int) -> Watch:
        found = folded(await self._connection.execute(_BY_ID, {"watch": watch_id}))
        if not found:
            raise NotFound(f"there is no watch {watch_id}")
        return found[0]

    async def watches(
        self,
        account: str,
        *,
        state: WatchState | None = None,
        tag: str | None = None,
        status: str | None = None,
        after: int = 0,
        limit: int = 50,
    ) -> list[Watch]:
        page: Select[Any] = select(watches.c.id).where(watches.c.account == account, watches.c.id > after)
        page = page.where(
            watches.c.state == state if state is not None else watches.c.state != WatchState.REMOVED
        )
        if status is not None:
            page = page.where(watches.c.status == status)
        if tag is not None:
            tagged = (watch_tags.c.account == account) & (watch_tags.c.tag == tag)
            page = page.where(watches.c.id.in_(select(watch_tags.c.watch_id).where(tagged)))
        if state is WatchState.REMOVED:
            return []
        ids = page.order_by(watches.c.id).limit(limit)
        return folded(await self._connection.execute(WATCH.where(watches.c.id.in_(ids))))

    async def watches_of_mandate(self, account: str, mandate_id: str, *, limit: int = 50) -> list[Watch]:
        named = (watches.c.account == account, watches.c.mandate_id == mandate_id)
        ids = select(watches.c.id).where(*named, watches.c.state != WatchState.REMOVED)
        newest = ids.order_by(watches.c.id.desc()).limit(limit)
        return folded(await self._connection.execute(WATCH.where(watches.c.id.in_(newest))))

    async def is_removed(self, account: str, order_key: OrderKey) -> bool:
        found = await self._find(account, order_key)
        return found is not None and found.state is WatchState.REMOVED

    async def amend_watch(self, watch: Watch, *, now: datetime) -> Watch:
        old = await self.watch(watch.account, watch.order_key)
        new = replace(old, state=watch.state, tags=watch.tags, until_at=watch.until_at, expect=watch.expect)
        await self._write(old, new)
        if new.state in {WatchState.ACTIVE, WatchState.PAUSED}:
            await self._schedule(new, now, why=Why.ASKED, asked_at=now)
        return await self.watch_by_id(old.id)

    async def remove_watch(self, account: str, order_key: OrderKey) -> None:
        watch = await self.watch(account, order_key)
        await self._write(watch, replace(watch, state=WatchState.REMOVED, tags=frozenset()))
        await self._unschedule(watch.id)

    async def end_watch(self, watch_id: int, state: WatchState, *, unless_asked_after: datetime) -> bool:
        asked = exists().where(looks.c.watch_id == watches.c.id, looks.c.asked_at > unless_asked_after)
        # One that was paused or removed meanwhile stays so.
        ended = update(watches).where(watches.c.id == watch_id, watches.c.state == WatchState.ACTIVE, ~asked)
        is_over = bool((await self._connection.execute(ended.values(state=state))).rowcount)
        if is_over:
            await self._unschedule(watch_id)
        return is_over

    async def ask(
        self, account: str, order_key: OrderKey, *, now: datetime, source: Source | None = None
    ) -> Watch:
        old = await self.watch(account, order_key)
        if old.state in _ALIVE_AGAIN:
            is_revived = old.state in _ENDED
            registered_at = now if is_revived else old.registered_at
            new = replace(old, state=WatchState.ACTIVE, registered_at=registered_at)
            await self._write(old, new)
            await self._schedule(
                new, now, why=Why.ASKED, asked_at=now, only=None if is_revived else _best(source, old.sources)
            )
        else:
            remembered = update(looks).where(looks.c.watch_id == old.id).values(asked_at=now)
            await self._connection.execute(remembered)
        return await self.watch_by_id(old.id)

    async def _find(self, account: str, key: OrderKey) -> Watch | None:
        found = folded(await self._connection.execute(_BY_KEY, {"account": account, "key": key}))
        return found[0] if found else None

    async def _new(self, wish: Registration, key: OrderKey, now: datetime) -> Watch:
        members: dict[str, Any] = {
            "account": wish.account,
            "order_id": wish.order_id,
            "order_key": key,
            "state": WatchState.ACTIVE,
            "version": 0,
            "status": None,
            "phase": None,
            "mandate_id": wish.mandate_id,
            "routing_id": wish.routing_id,
            "expect": wish.expect,
            "tags": wish.tags,
            "until_at": wish.until_at,
            "initial": wish.initial,
            "registered_at": now,
        }
        row = await self._connection.execute(_ADD, members)
        watch = Watch(
            id=row.scalar_one(),
            sources=wish.sources,
            next_poll_at=now,
            next_poll_why=Why.REGISTERED,
            **members,
        )
        await self._tag(watch)
        await self._add_looks(watch, wish.sources, now)
        return watch

    async def _write(self, old: Watch, new: Watch) -> None:
        members = (
            "state",
            "tags",
            "until_at",
            "expect",
            "initial",
            "routing_id",
            "mandate_id",
            "registered_at",
        )
        changed = {name: getattr(new, name) for name in members if getattr(new, name) != getattr(old, name)}
        if not changed:
            return
        await self._connection.execute(update(watches).where(watches.c.id == new.id).values(changed))
        if "tags" in changed:
            await self._connection.execute(delete(watch_tags).where(watch_tags.c.watch_id == new.id))
            await self._tag(new)
        if "until_at" in changed or "expect" in changed:
            await self._bound(new, is_judged_anew="expect" in changed)
        if old.state is not WatchState.ACTIVE and new.state is WatchState.ACTIVE:
            # Deadlines of its earlier life are spent; the next answer is looked at thoroughly and sets new ones.
            revived = update(looks).where(looks.c.watch_id == new.id)
            spent = dict.fromkeys(("digest", "stuck_at", "overdue_at", "settle_at"))
            # A mismatch to be judged is due already, and so comes before any end.
            soon = func.coalesce(looks.c.mismatch_at, literal(new.until_at, looks.c.until_at.type))
            await self._connection.execute(revived.values(**spent, deadline_at=soon))

    async def _tag(self, watch: Watch) -> None:
        rows = [{"account": watch.account, "tag": tag, "watch_id": watch.id} for tag in sorted(watch.tags)]
        await self._each(_ADD_TAG, rows)

    async def _bound(self, watch: Watch, *, is_judged_anew: bool) -> None:
        """Let the looks' deadlines follow a new `until_at`, and a new expectation be judged by the next look."""
        for look in await self._connection.execute(select(looks).where(looks.c.watch_id == watch.id)):
            mismatch_at = self._clock.now() if is_judged_anew and watch.expect else look.mismatch_at
            deadline = soonest(look.stuck_at, look.overdue_at, mismatch_at, look.settle_at, watch.until_at)
            bound = update(looks).where(looks.c.id == look.id)
            await self._connection.execute(
                bound.values(until_at=watch.until_at, mismatch_at=mismatch_at, deadline_at=deadline)
            )

    async def _add_looks(self, watch: Watch, new_sources: Iterable[Source], now: datetime) -> None:
        rows = [
            {
                "watch_id": watch.id,
                "account": watch.account,
                "source": source,
                "phase": Phase.UNKNOWN,
                "next_poll_at": watch.next_poll_at,
                "why": Why.REGISTERED,
                "last_changed_at": now,
                "polls": 0,
                "failures": 0,
                "until_at": watch.until_at,
                "deadline_at": watch.until_at,
            }
            for source in sorted(new_sources)
        ]
        await self._each(_ADD_LOOK, rows)

    async def _schedule(
        self, watch: Watch, now: datetime, *, why: Why, asked_at: datetime | None, only: Source | None = None
    ) -> None:
        """Make the looks of an active watch (or `only` one) due; those of a paused one remember that somebody asked.

        A look that is due already keeps its place in the line, however often somebody asks.
        """
        is_active = watch.state is WatchState.ACTIVE
        due = update(looks).where(looks.c.watch_id == watch.id)
        if only is not None:
            due = due.where(looks.c.source == only)
        due_at = looks.c.next_poll_at
        at = case((due_at < now, due_at), else_=literal(now, due_at.type)) if is_active else None
        await self._connection.execute(
            due.values(next_poll_at=at, why=why if is_active else None, asked_at=asked_at)
        )
        self.woken.looks |= is_active

    async def _unschedule(self, watch_id: int) -> None:
        stop = update(looks).where(looks.c.watch_id == watch_id)
        await self._connection.execute(stop.values(next_poll_at=None, why=None, asked_at=None))


def _best(source: Source | None, sources: frozenset[Source]) -> Source | None:
    """Return the one source to ask: the one that is meant, else the order's, else None, which means all."""
    return next((each for each in (source, Source.ORDER) if source and each in sources), None)


def _risen(old: Watch, wish: Registration, now: datetime) -> Watch:
    return replace(
        old,
        state=WatchState.ACTIVE,
        sources=old.sources | wish.sources,
        tags=wish.tags,
        until_at=wish.until_at,
        expect=wish.expect,
        initial=wish.initial,
        routing_id=wish.routing_id,
        mandate_id=wish.mandate_id,
        registered_at=now,
        next_poll_at=now,
        next_poll_why=Why.REGISTERED,
        failures=0,
        last_error=None,
    )


def _merged(old: Watch, wish: Registration, now: datetime) -> Watch:
    is_paused = old.state is WatchState.PAUSED
    is_revived = old.state in _ENDED
    # An end that has passed is spent: it would abandon the watch again at its next look.
    ends = [at for at in (old.until_at, wish.until_at) if at is not None and at > now]
    return replace(
        old,
        state=WatchState.PAUSED if is_paused else WatchState.ACTIVE,
        sources=old.sources | wish.sources,
        tags=old.tags | wish.tags,
        until_at=max(ends, default=wish.until_at),
        expect=wish.expect or old.expect,
        routing_id=wish.routing_id or old.routing_id,
        mandate_id=wish.mandate_id or old.mandate_id,
        # A grace for orders that the upstream does not know yet begins anew.
        registered_at=now if is_revived else old.registered_at,
        next_poll_at=None if is_paused else min(old.next_poll_at or now, now),
        next_poll_why=None if is_paused else Why.REGISTERED,
    )


def folded(rows: Iterable[AnyRow]) -> list[Watch]:
    """Read watches from rows of (watch, look), which stand watch by watch."""
    return [_watch(list(group)) for _, group in groupby(rows, key=lambda row: row.id)]


def _watch(group: list[AnyRow]) -> Watch:
    row = group[0]
    due = min((each for each in group if each.look_next_poll_at), key=_due_at, default=None)
    polled = [each.look_last_polled_at for each in group if each.look_last_polled_at]
    return Watch(
        id=row.id,
        account=row.account,
        order_id=row.order_id,
        order_key=row.order_key,
        state=WatchState(row.state),
        version=row.version,
        status=row.status,
        phase=Phase(row.phase) if row.phase else None,
        sources=frozenset(Source(each.look_source) for each in group),
        mandate_id=row.mandate_id,
        routing_id=row.routing_id,
        expect=row.expect,
        tags=row.tags,
        until_at=row.until_at,
        initial=Initial(row.initial),
        registered_at=row.registered_at,
        last_polled_at=max(polled, default=None),
        last_changed_at=max(each.look_last_changed_at for each in group) if row.version else None,
        next_poll_at=due.look_next_poll_at if due else None,
        next_poll_why=Why(due.look_why) if due and due.look_why else None,
        next_parts=stored_parts(row.account, due.look_source, due.look_parts) if due else None,
        polls=sum(each.look_polls for each in group),
        failures=max(each.look_failures for each in group),
        last_error=next((each.look_error for each in group if each.look_error), None),
    )


def _due_at(row: AnyRow) -> datetime:
    at: datetime = row.look_next_poll_at
    return at

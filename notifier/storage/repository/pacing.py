"""What the cadence asks beside the looks themselves: who comes first, who is put off, what was learned, who listens."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Text, bindparam, case, func, literal, select, type_coerce, update

from notifier.domain.cadence.plan import Why
from notifier.domain.instant import to_ms
from notifier.domain.order import OrderKey, Source
from notifier.storage.looking import Look
from notifier.storage.pacing import PutOff
from notifier.storage.repository.base import Rows
from notifier.storage.repository.looks import NOW, looks_where, read_looks, wanted_looks
from notifier.storage.repository.setwise import any_of, as_parameter, given
from notifier.storage.tables import Whole, is_urgent, learned, looks, subscriptions, watches

_URGENT = looks_where(
    looks.c.next_poll_at <= NOW,
    is_urgent,
    looks.c.asked_at.is_not(None) | (type_coerce(looks.c.attended_until, Whole) > NOW),
)
_LATER = looks_where(looks.c.next_poll_at > NOW, looks.c.why == Why.BUDGET.value)

_moved = given("rows", {"id": Whole, "was_due_at": Whole, "due_at": Whole})
_PUT_OFF = (
    update(looks)
    .where(
        looks.c.id == _moved.c.id,
        type_coerce(looks.c.next_poll_at, Whole) == _moved.c.was_due_at,
        looks.c.asked_at.is_(None),
    )
    .values(next_poll_at=_moved.c.due_at, why=Why.BUDGET.value)
)
_PACES = (
    select(looks.c.pace, func.count())
    .where(looks.c.account == bindparam("account"), looks.c.next_poll_at.is_not(None))
    .group_by(looks.c.pace)
)
_patterns = func.json_each(type_coerce(subscriptions.c.document, Text), "$.events").table_valued("value")
_PATTERNS = (
    select(_patterns.c.value)
    .distinct()
    .select_from(subscriptions)
    .join(_patterns, literal(1) == literal(1))
    .where(subscriptions.c.account == bindparam("account"), subscriptions.c.deleted_at.is_(None))
)


class Pacing(Rows):
    async def urgent_looks(
        self,
        account: str,
        *,
        now: datetime,
        limit: int,
        in_flight: Collection[int] = (),
        sources: Collection[Source] = tuple(Source),
    ) -> list[Look]:
        wanted = wanted_looks(account, now=now, limit=limit, in_flight=in_flight, sources=sources)
        return read_looks(account, await self._ask(_URGENT, wanted))

    async def looks_put_off(
        self,
        account: str,
        *,
        now: datetime,
        limit: int,
        in_flight: Collection[int] = (),
        sources: Collection[Source] = tuple(Source),
    ) -> list[Look]:
        wanted = wanted_looks(account, now=now, limit=limit, in_flight=in_flight, sources=sources)
        return read_looks(account, await self._ask(_LATER, wanted))

    async def put_off(self, looks: Sequence[PutOff]) -> None:
        if looks:
            rows = [(each.look_id, to_ms(each.was_due_at), to_ms(each.due_at)) for each in looks]
            self._put((_PUT_OFF, [{"rows": as_parameter(rows)}]))

    async def bring_forward(self, account: str, *, now: datetime) -> int:
        later = update(looks).where(
            looks.c.account == account,
            looks.c.next_poll_at > now,
            looks.c.why.in_([Why.CADENCE, Why.BUDGET, Why.DEADLINE]),
        )
        self.woken.looks = True
        return (await self._connection.execute(later.values(next_poll_at=now))).rowcount

    async def attend(
        self, account: str, order_keys: Collection[OrderKey], *, until: datetime, now: datetime
    ) -> int:
        spent = update(looks).where(is_urgent, looks.c.account == account, looks.c.attended_until <= now)
        await self._connection.execute(spent.values(attended_until=None))
        named = select(watches.c.id).where(
            watches.c.account == account, watches.c.order_key.in_(any_of("keys"))
        )
        suspects = update(looks).where(looks.c.watch_id.in_(named), looks.c.next_poll_at.is_not(None))
        due_at = looks.c.next_poll_at
        soon = case((due_at < now, due_at), else_=literal(now, due_at.type))
        values = suspects.values(next_poll_at=soon, why=Why.SUSPECTED, attended_until=until)
        self.woken.looks = True
        return (await self._connection.execute(values, {"keys": as_parameter(list(order_keys))})).rowcount

    async def paces(self, account: str) -> dict[int | None, int]:
        rows = await self._connection.execute(_PACES, {"account": account})
        return {row[0]: row[1] for row in rows}

    async def learned(self, name: str) -> dict[str, Any] | None:
        written = select(learned.c.document).where(learned.c.name == name)
        try:
            document: dict[str, Any] | None = await self._connection.scalar(written)
        except msgspec.MsgspecError:
            return None
        return document

    async def keep_learned(self, name: str, document: Mapping[str, Any], *, now: datetime) -> None:
        members = {"document": dict(document), "saved_at": now}
        await self._upsert(learned, {"name": name} | members, members)

    async def patterns_listened_to(self, account: str) -> set[str]:
        return set(await self._connection.scalars(_PATTERNS, {"account": account}))

"""How attempts ended, and the rules that judge it."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from notifier.domain.alert.alert import Alert, AlertId
from notifier.domain.alert.ledger import SeenOutcome
from notifier.domain.alert.outcome import Family, Outcome
from notifier.domain.money import Money
from notifier.domain.order import OrderId, OrderKey, Phase, Source
from notifier.domain.snapshot import Snapshot
from notifier.errors import Conflict, NotFound
from notifier.storage.alert_tables import alerts, ends
from notifier.storage.alerting import Learned
from notifier.storage.repository.base import AnyRow, Rows
from notifier.storage.tables import looks, snapshots, watches

_ADD = insert(ends)
_KEYS_AT_ONCE = 500


class Alerts(Rows):
    async def add_outcomes(
        self, outcomes: Sequence[Outcome], *, observed_at: datetime, is_dated: bool
    ) -> None:
        await self._each(_ADD, [_row(each, observed_at, is_dated) for each in outcomes])

    async def outcomes(
        self, account: str, *, after: int, before: datetime | None = None, limit: int
    ) -> list[SeenOutcome]:
        page = select(ends).where(ends.c.account == account, ends.c.seq > after)
        if before is not None:
            page = page.where(ends.c.observed_at < before)
        rows = await self._connection.execute(page.order_by(ends.c.seq).limit(limit))
        return [_seen(row) for row in rows]

    async def histories(
        self, account: str, order_keys: Collection[OrderKey], *, through: int | None = None
    ) -> dict[tuple[OrderKey, Family, str | None], list[SeenOutcome]]:
        found: dict[tuple[OrderKey, Family, str | None], list[SeenOutcome]] = defaultdict(list)
        keys = sorted(set(order_keys))
        for start in range(0, len(keys), _KEYS_AT_ONCE):
            some = select(ends).where(
                ends.c.account == account,
                ends.c.order_key.in_(keys[start : start + _KEYS_AT_ONCE]),
            )
            if through is not None:
                some = some.where(ends.c.seq <= through)
            for row in await self._connection.execute(some.order_by(ends.c.ended_at, ends.c.seq)):
                seen = _seen(row)
                found[seen.outcome.order_key, seen.outcome.family, seen.outcome.subject_id].append(seen)
        return found

    async def last_outcome(self, account: str, *, before: datetime | None = None) -> int:
        last = select(ends.c.seq).where(ends.c.account == account)
        if before is None:
            last = last.order_by(ends.c.seq.desc())
        else:
            last = last.where(ends.c.observed_at < before).order_by(
                ends.c.observed_at.desc(), ends.c.seq.desc()
            )
        return await self._connection.scalar(last.limit(1)) or 0

    async def order_ids(self, account: str, order_keys: Sequence[OrderKey]) -> list[OrderId]:
        found = select(watches.c.order_key, watches.c.order_id).where(
            watches.c.account == account, watches.c.order_key.in_(order_keys)
        )
        spelled = {row.order_key: row.order_id for row in await self._connection.execute(found)}
        return [OrderId(spelled[key]) for key in order_keys if key in spelled]

    async def in_flight(self, account: str, *, limit: int) -> list[tuple[OrderKey, Snapshot]]:
        last = (
            select(snapshots.c.document)
            .where(snapshots.c.watch_id == looks.c.watch_id, snapshots.c.source == looks.c.source)
            .order_by(snapshots.c.version.desc())
            .limit(1)
            .correlate(looks)
            .scalar_subquery()
        )
        soonest = (
            select(watches.c.order_key, last)
            .join_from(looks, watches, watches.c.id == looks.c.watch_id)
            .where(
                looks.c.account == account,
                looks.c.next_poll_at.is_not(None),
                looks.c.source == Source.ORDER,
                looks.c.phase == Phase.OPEN,
            )
            .order_by(looks.c.next_poll_at)
            .limit(limit)
        )
        rows = await self._connection.execute(soonest)
        return [(OrderKey(key), snapshot) for key, snapshot in rows if snapshot is not None]

    async def prune_outcomes(self, *, before: datetime, limit: int = 1000) -> int:
        # The last one stays: SQLite would give its number again, and who reads by numbers would miss what follows.
        last = select(func.max(ends.c.seq)).scalar_subquery()
        old = select(ends.c.seq).where(ends.c.observed_at < before, ends.c.seq < last).limit(limit)
        return (await self._connection.execute(delete(ends).where(ends.c.seq.in_(old)))).rowcount

    async def save_alert(self, alert: Alert) -> None:
        changed = {"name": alert.name, "document": alert}
        fixed = {"id": alert.id, "account": alert.account, "state_schema": 0}
        try:
            await self._upsert(alerts, fixed | changed, changed)
        except IntegrityError:
            raise Conflict(f"account {alert.account} has an alert {alert.name!r} already") from None

    async def alert(self, account: str, alert_id: AlertId) -> Alert:
        found = select(alerts.c.document).where(alerts.c.account == account, alerts.c.id == alert_id)
        alert: Alert | None = await self._connection.scalar(found)
        if alert is None:
            raise NotFound(f"there is no alert {alert_id!r}")
        return alert

    async def alerts(self, account: str, *, after: str = "", limit: int = 50) -> list[Alert]:
        page = select(alerts.c.document).where(alerts.c.account == account, alerts.c.id > after)
        return list(await self._connection.scalars(page.order_by(alerts.c.id).limit(limit)))

    async def remove_alert(self, account: str, alert_id: AlertId) -> None:
        gone = delete(alerts).where(alerts.c.account == account, alerts.c.id == alert_id)
        if not (await self._connection.execute(gone)).rowcount:
            raise NotFound(f"there is no alert {alert_id!r}")

    async def alert_learned(self, alert_id: AlertId) -> Learned:
        row = (await self._connection.execute(select(alerts).where(alerts.c.id == alert_id))).one()
        return Learned(
            judged_through=row.judged_through,
            schema=row.state_schema,
            state=row.state,
        )

    async def save_alert_learned(self, alert_id: AlertId, learned: Learned) -> None:
        await self._connection.execute(
            update(alerts)
            .where(alerts.c.id == alert_id)
            .values(
                judged_through=learned.judged_through,
                state_schema=learned.schema,
                state=learned.state,
            )
        )


def _row(outcome: Outcome, observed_at: datetime, is_dated: bool) -> dict[str, Any]:
    return {
        "account": outcome.account,
        "order_key": outcome.order_key,
        "family": outcome.family,
        "subject_id": outcome.subject_id,
        "word": outcome.word,
        "is_failed": int(outcome.is_failed),
        "is_dated": int(is_dated),
        "dimensions": outcome.dimensions,
        "minor": outcome.amount.minor if outcome.amount else None,
        "currency": outcome.amount.currency if outcome.amount else None,
        "ended_at": outcome.ended_at,
        "observed_at": observed_at,
    }


def _seen(row: AnyRow) -> SeenOutcome:
    outcome = Outcome(
        account=row.account,
        order_key=OrderKey(row.order_key),
        family=Family(row.family),
        subject_id=row.subject_id,
        ended_at=row.ended_at,
        word=row.word,
        is_failed=bool(row.is_failed),
        dimensions=row.dimensions,
        amount=None if row.minor is None else Money(row.minor, row.currency),
    )
    return SeenOutcome(seq=row.seq, outcome=outcome, is_dated=bool(row.is_dated), observed_at=row.observed_at)

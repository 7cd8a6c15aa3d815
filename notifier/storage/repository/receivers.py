"""How receivers stand; only those that are not well have a row."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import delete, select, update

from notifier.domain.health import HEARD, WELL, ListenerHealth, TargetHealth
from notifier.domain.subscription import SubscriptionId
from notifier.storage.repository.base import Rows
from notifier.storage.tables import listeners, targets


class Receivers(Rows):
    async def unwell_targets(self) -> dict[str, TargetHealth]:
        rows = await self._connection.execute(select(targets))
        return {
            row.id: TargetHealth(
                failures=row.failures,
                trips=row.trips,
                rests_until=row.rests_until,
                is_tried=bool(row.is_tried),
            )
            for row in rows
        }

    async def save_target(self, target_id: str, health: TargetHealth) -> None:
        if health == WELL:
            await self._connection.execute(delete(targets).where(targets.c.id == target_id))
            return
        members = {
            "failures": health.failures,
            "trips": health.trips,
            "rests_until": health.rests_until,
            "is_tried": int(health.is_tried),
        }
        await self._upsert(targets, {"id": target_id} | members, members)

    async def wake_target(self, target_id: str, *, now: datetime) -> None:
        rests = (targets.c.id == target_id, targets.c.trips > 0, targets.c.is_tried == 0)
        woken = await self._connection.execute(update(targets).where(*rests).values(rests_until=now))
        self.woken.subscriptions |= woken.rowcount > 0
        self.woken.deliveries |= woken.rowcount > 0

    async def failing_listeners(
        self, of: Collection[SubscriptionId] | None = None
    ) -> dict[SubscriptionId, ListenerHealth]:
        found = select(listeners)
        if of is not None:
            found = found.where(listeners.c.subscription_id.in_(of))
        rows = await self._connection.execute(found)
        return {row.subscription_id: ListenerHealth(failures=row.failures, since=row.since) for row in rows}

    async def save_listener(self, subscription_id: SubscriptionId, health: ListenerHealth) -> None:
        if health == HEARD:
            await self._connection.execute(
                delete(listeners).where(listeners.c.subscription_id == subscription_id)
            )
            return
        members = {"failures": health.failures, "since": health.since}
        await self._upsert(listeners, {"subscription_id": subscription_id} | members, members)

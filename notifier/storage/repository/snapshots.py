"""What orders were, version by version."""

from sqlalchemy import func, select

from notifier.errors import NotFound
from notifier.storage.records import StoredSnapshot
from notifier.storage.repository.base import Rows
from notifier.storage.tables import snapshots


class Snapshots(Rows):
    async def snapshots(self, watch_id: int, *, after: int = 0, limit: int = 50) -> list[StoredSnapshot]:
        page = (
            select(snapshots)
            .where(snapshots.c.watch_id == watch_id, snapshots.c.version > after)
            .order_by(snapshots.c.version)
            .limit(limit)
        )
        return [
            StoredSnapshot(
                version=row.version,
                snapshot=row.document,
                observed_at=row.observed_at,
                not_before=row.not_before,
            )
            for row in await self._connection.execute(page)
        ]

    async def snapshot_at(self, watch_id: int, version: int | None = None) -> StoredSnapshot:
        if version is None:
            last = select(func.max(snapshots.c.version)).where(snapshots.c.watch_id == watch_id)
            version = await self._connection.scalar(last) or 0
        found = await self.snapshots(watch_id, after=version - 1, limit=1)
        if not found or found[0].version != version:
            raise NotFound(f"watch {watch_id} has no version {version}")
        return found[0]

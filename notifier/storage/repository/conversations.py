"""The messages that live on: by which handle a channel finds what it said of a subject before."""

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import select, tuple_

from notifier.domain.snapshot import Subject
from notifier.storage.records import Talk
from notifier.storage.repository.base import Rows
from notifier.storage.tables import conversations

_KEY = (conversations.c.subscription_id, conversations.c.subject, conversations.c.subject_id)


class Conversations(Rows):
    async def handles(self, talks: Collection[Talk]) -> dict[Talk, str]:
        if not talks:
            return {}
        found = select(*_KEY, conversations.c.handle).where(tuple_(*_KEY).in_(list(talks)))
        rows = await self._connection.execute(found)
        return {Talk(row.subscription_id, Subject(row.subject), row.subject_id): row.handle for row in rows}

    async def keep_handles(self, handles: Mapping[Talk, str], *, now: datetime) -> None:
        for talk, handle in handles.items():
            members = {"handle": handle, "updated_at": now}
            await self._upsert(conversations, talk._asdict() | members, members)

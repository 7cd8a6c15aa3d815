"""Incidents and silences."""

from datetime import datetime

from sqlalchemy import delete, func, or_, select

from notifier.domain.alert.incident import Incident
from notifier.domain.alert.report import IncidentState
from notifier.domain.alert.silence import Silence, SilenceId
from notifier.errors import NotFound
from notifier.storage.alert_tables import incidents, silences
from notifier.storage.repository.base import Rows


class Incidents(Rows):
    async def save_incident(self, incident: Incident) -> None:
        report = incident.report
        changed = {
            "state": report.state,
            "resolved_at": report.resolved_at,
            "restate_at": incident.restate_at,
            "document": incident,
        }
        fixed = {
            "id": incident.id,
            "account": incident.account,
            "number": report.number,
            "rule_id": incident.rule_id,
            "opened_at": report.opened_at,
        }
        await self._upsert(incidents, fixed | changed, changed)

    async def incident(self, account: str, incident_id: str) -> Incident:
        found = select(incidents.c.document).where(
            incidents.c.account == account, incidents.c.id == incident_id
        )
        incident: Incident | None = await self._connection.scalar(found)
        if incident is None:
            raise NotFound(f"there is no incident {incident_id!r}")
        return incident

    async def incidents(
        self, account: str, *, state: IncidentState | None = None, before: int = 0, limit: int = 50
    ) -> list[Incident]:
        page = select(incidents.c.document).where(incidents.c.account == account)
        if state is not None:
            page = page.where(incidents.c.state == state)
        if before:
            page = page.where(incidents.c.number < before)
        rows = await self._connection.scalars(page.order_by(incidents.c.number.desc()).limit(limit))
        return list(rows)

    async def living_incidents(self, account: str, *, ended_after: datetime) -> list[Incident]:
        lives = or_(incidents.c.resolved_at.is_(None), incidents.c.resolved_at >= ended_after)
        rows = await self._connection.scalars(
            select(incidents.c.document)
            .where(incidents.c.account == account, lives)
            .order_by(incidents.c.number)
        )
        return list(rows)

    async def incidents_between(
        self, account: str, since: datetime, until: datetime, *, limit: int
    ) -> list[Incident]:
        lived = or_(incidents.c.resolved_at.is_(None), incidents.c.resolved_at >= since)
        rows = await self._connection.scalars(
            select(incidents.c.document)
            .where(incidents.c.account == account, lived, incidents.c.opened_at <= until)
            .order_by(incidents.c.number)
            .limit(limit)
        )
        return list(rows)

    async def open_incidents(self, account: str) -> int:
        still_open = select(func.count()).where(
            incidents.c.account == account, incidents.c.resolved_at.is_(None)
        )
        return await self._connection.scalar(still_open) or 0

    async def accounts_with_incidents(self) -> set[str]:
        still_open = select(incidents.c.account).where(incidents.c.resolved_at.is_(None)).distinct()
        return set(await self._connection.scalars(still_open))

    async def prune_incidents(self, *, before: datetime, limit: int = 1000) -> int:
        gone = 0
        for table, ended_at in ((incidents, incidents.c.resolved_at), (silences, silences.c.until_at)):
            old = select(table.c.id).where(ended_at < before).limit(limit)
            gone += (await self._connection.execute(delete(table).where(table.c.id.in_(old)))).rowcount
        return gone

    async def add_silence(self, silence: Silence) -> None:
        row = {
            "id": silence.id,
            "account": silence.account,
            "until_at": silence.until_at,
            "document": silence,
        }
        await self._connection.execute(silences.insert(), row)

    async def silences(self, account: str, *, now: datetime) -> list[Silence]:
        lasts = or_(silences.c.until_at.is_(None), silences.c.until_at > now)
        rows = await self._connection.scalars(
            select(silences.c.document).where(silences.c.account == account, lasts).order_by(silences.c.id)
        )
        return list(rows)

    async def drop_silence(self, account: str, silence_id: SilenceId) -> None:
        gone = delete(silences).where(silences.c.account == account, silences.c.id == silence_id)
        if not (await self._connection.execute(gone)).rowcount:
            raise NotFound(f"there is no silence {silence_id!r}")

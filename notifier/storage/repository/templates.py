"""Templates that were handed in over REST."""

import msgspec
from sqlalchemy import delete, select

from notifier.domain.handed import HandedTemplate
from notifier.storage.repository.base import Rows
from notifier.storage.tables import templates

_READ = msgspec.json.Decoder(dict[str, str])


class HandedTemplates(Rows):
    async def handed_templates(self) -> list[HandedTemplate]:
        rows = await self._connection.execute(
            select(templates).order_by(templates.c.account, templates.c.name)
        )
        return [
            HandedTemplate(
                account=row.account,
                name=row.name,
                channel=row.channel,
                parts=_READ.decode(row.parts),
                updated_at=row.updated_at,
            )
            for row in rows
        ]

    async def keep_template(self, template: HandedTemplate) -> None:
        key = {"account": template.account, "name": template.name}
        members = {
            "channel": template.channel,
            "parts": msgspec.json.encode(dict(template.parts)).decode(),
            "updated_at": template.updated_at,
        }
        await self._upsert(templates, key | members, members)

    async def drop_template(self, account: str, name: str) -> None:
        await self._connection.execute(
            delete(templates).where(templates.c.account == account, templates.c.name == name)
        )

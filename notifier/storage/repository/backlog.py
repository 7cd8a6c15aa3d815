"""How subscriptions stand: the numbers they gave, and those they are still owed."""

from sqlalchemy import Text, bindparam, func, select, type_coerce

from notifier.domain.event import Backlog
from notifier.domain.subscription import Subscription, SubscriptionId
from notifier.storage.repository.base import Rows
from notifier.storage.repository.lanes import OWED
from notifier.storage.tables import Whole, counters, deliveries, subscriptions

_OWED_OF_ONE = (deliveries.c.subscription_id == bindparam("of"), OWED)
_NUMBERS = (
    select(deliveries.c.sequence)
    .distinct()
    .where(*_OWED_OF_ONE, deliveries.c.sequence.is_not(None))
    .order_by(deliveries.c.sequence)
    .limit(bindparam("limit", type_=Whole))
)
_STANDING = select(
    select(subscriptions.c.sequence)
    .where(subscriptions.c.id == bindparam("of"))
    .scalar_subquery()
    .label("last"),
    func.count(deliveries.c.sequence.distinct()).label("numbered"),
    (func.count() - func.count(deliveries.c.sequence)).label("unnumbered"),
).where(*_OWED_OF_ONE)


class Backlogs(Rows):
    async def counter(self, account: str, subject: str, subject_id: str) -> int:
        of_subject = (counters.c.account == account, counters.c.subject == subject)
        found = select(counters.c.value).where(*of_subject, counters.c.subject_id == subject_id)
        return await self._connection.scalar(found) or 0

    async def naming(self, account: str, word: str) -> list[Subscription]:
        # As the document has it; a name or a tag of that word is sorted out below.
        is_named = type_coerce(subscriptions.c.document, Text).contains(f'"{word}"', autoescape=True)
        live = (subscriptions.c.account == account, subscriptions.c.deleted_at.is_(None))
        rows = await self._connection.execute(select(subscriptions.c.document).where(*live, is_named))
        return [row.document for row in rows if word in row.document.events]

    async def backlog(self, subscription_id: SubscriptionId, *, limit: int = 500) -> Backlog:
        of = {"of": subscription_id}
        standing = (await self._connection.execute(_STANDING, of)).one()
        numbers = await self._connection.scalars(_NUMBERS, of | {"limit": limit})
        return Backlog(
            last_sequence=standing.last or 0,
            owed=tuple(numbers),
            owed_count=standing.numbered,
            unnumbered=standing.unnumbered,
        )

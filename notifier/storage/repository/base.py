"""What every part of the repository stands on: a connection, and what it leaves for after the commit."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Table, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.clock import Clock
from notifier.storage.repository.direct import Statement, Values, ask, put
from notifier.storage.repository.setwise import as_parameter
from notifier.storage.tables import accounts
from notifier.storage.vault import Vault

AnyRow = Row[*tuple[Any, ...]]


@dataclass(slots=True)
class Woken:
    """What a transaction made due sooner."""

    looks: bool = False
    deliveries: bool = False
    subscriptions: bool = False

    def clear(self) -> None:
        """Forget it all: nothing was committed."""
        self.looks = self.deliveries = self.subscriptions = False


class Rows:
    """A part of the repository, living as long as its transaction."""

    def __init__(self, connection: AsyncConnection, *, vault: Vault, clock: Clock) -> None:
        self._connection = connection
        self._vault = vault
        self._clock = clock
        self.woken = Woken()

    async def last_sequence(self, account: str) -> int:
        """Return the sequence of the account's newest event, 0 before the first."""
        last = await self._connection.scalar(select(accounts.c.sequence).where(accounts.c.name == account))
        return last or 0

    async def _upsert(self, table: Table, row: Mapping[str, Any], changed: Mapping[str, Any]) -> Any:
        """Insert the row or, where its key is there, write `changed`; return the whole row as it stands then."""
        insert = postgresql.insert if self._connection.dialect.name == "postgresql" else sqlite.insert
        statement = (
            insert(table)
            .values(row)
            .on_conflict_do_update(index_elements=list(table.primary_key), set_=dict(changed))
            .returning(table)
        )
        return (await self._connection.execute(statement)).one()

    async def _each(self, statement: Any, rows: Sequence[Mapping[str, Any]]) -> None:
        """Execute once per row, in one round; nothing for no rows, where the layer would execute once."""
        if rows:
            await self._connection.execute(statement, list(rows))

    async def _ask(self, statement: Statement, values: Values) -> list[tuple[Any, ...]]:
        return await ask(self._connection, statement, values)

    async def _of(self, statement: Statement, ids: Collection[str]) -> list[tuple[Any, ...]]:
        """Ask for the rows of these `ids`."""
        return await self._ask(statement, {"ids": as_parameter(list(ids))})

    def _put(self, *steps: tuple[Statement, Sequence[Values]]) -> None:
        """Have these executed on the next trip, at the latest that of the commit, which raises what goes wrong."""
        put(self._connection, *steps)

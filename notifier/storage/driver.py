"""SQLite's connection in its thread, asked once per statement.

The driver's own cursor goes to the thread and back to be made, to execute, to fetch and to be closed. Each of these
trips costs more than most of our statements, so this one does all four in one.
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self

import aiosqlite


class Cursor:
    """A statement and its whole answer: as much of a driver's cursor as the layer above uses."""

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection
        self._rows: list[Any] = []
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, sql: str, parameters: Sequence[Any] = ()) -> Self:
        """Execute and fetch."""
        await self._connection.trip(lambda sqlite: self._keep(sqlite.execute(sql, parameters)))
        return self

    async def executemany(self, sql: str, parameters: Iterable[Sequence[Any]]) -> Self:
        """Execute for each."""
        await self._connection.trip(lambda sqlite: self._keep(sqlite.executemany(sql, parameters)))
        return self

    async def fetchall(self) -> list[Any]:
        """Return what the statement gave."""
        return self._rows

    async def close(self) -> None:
        """Forget it; the thread has closed its own cursor long since."""
        self._rows = []

    def _keep(self, cursor: sqlite3.Cursor) -> None:
        self.description = cursor.description
        self._rows = cursor.fetchall() if cursor.description else []
        # After the rows: a statement that changes some and returns them has counted them all only then.
        self.rowcount, self.lastrowid = cursor.rowcount, cursor.lastrowid
        cursor.close()


class Connection(aiosqlite.Connection):
    """The driver's connection, with cursors of one trip per statement."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        super().__init__(connect, iter_chunk_size=64)
        self._thread.daemon = True  # a process that must die does not wait for it

    def cursor(self) -> Cursor:  # type: ignore[override]  # the layer above enters it, as it would the driver's own
        return Cursor(self)

    async def trip(self, work: Callable[[sqlite3.Connection], None]) -> None:
        """Do some work in the connection's thread."""
        await self._execute(work, self._conn)  # type: ignore[no-untyped-call]


def opened(path: Path, *, busy_timeout_s: float) -> Connection:
    """Return a connection to be awaited; transactions begin and end by our own words alone."""
    return Connection(partial(sqlite3.connect, path, timeout=busy_timeout_s, isolation_level=None))

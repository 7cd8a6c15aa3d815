"""SQLite's connection in its thread, asked once per statement.

The driver's own cursor goes to the thread and back to be made, to execute, to fetch and to be closed. Each of these
trips costs more than most of our statements, so this one does all four in one. A transaction begins on the trip of
its first statement, and what is written without an answer goes along with the next trip, at the latest the commit's;
what ends without having changed anything ends here, without a trip.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar, cast

import aiosqlite

T = TypeVar("T")
Step = tuple[str, Sequence[Sequence[Any]]]
"""A statement, and the parameters of each of its executions."""


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

    def __init__(self, connect: Callable[[], sqlite3.Connection], *, read_only: bool) -> None:
        super().__init__(connect, iter_chunk_size=64)
        self._thread.daemon = True  # a process that must die does not wait for it
        self._is_read_only = read_only
        # A deferred BEGIN that reads and then writes fails at once, whatever the busy timeout.
        self._words = "BEGIN" if read_only else "BEGIN IMMEDIATE"
        self._is_to_begin = False
        self._may_be_at_work = False
        self._left: list[Step] = []

    def cursor(self) -> Cursor:  # type: ignore[override]  # the layer above enters it, as it would the driver's own
        return Cursor(self)

    def begin(self) -> None:
        """Begin a transaction with the next trip."""
        self._is_to_begin = True

    async def ask(self, sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Return the rows that a statement gives."""
        return await self.trip(lambda sqlite: sqlite.execute(sql, parameters).fetchall())

    def put(self, steps: Sequence[Step]) -> None:
        """Have each statement executed for each of its parameters on the next trip, before that trip's own work.

        What goes wrong is raised there, at the latest by the commit. A rollback forgets what was put.
        """
        self._left += steps

    async def trip(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do some work in the connection's thread, and before it begin what is to begin and do what was left."""
        begins, self._is_to_begin = self._is_to_begin, False
        before, self._left = self._left, []

        def job() -> T:
            if begins:
                self._conn.execute(self._words)
            for sql, parameters in before:
                self._conn.executemany(sql, parameters)
            return work(self._conn)

        try:
            return cast(T, await self._execute(job))  # type: ignore[no-untyped-call]
        except asyncio.CancelledError:
            self._may_be_at_work = True
            raise

    async def commit(self) -> None:
        """Commit. A writer's first proves, if no statement did, that the database can be written to."""
        if self._is_read_only and not self._left:  # what was left is refused, not forgotten
            await self.rollback()
        elif self._is_to_begin or self._left or self._is_open:
            await self.trip(sqlite3.Connection.commit)

    async def rollback(self) -> None:
        """Undo what has begun, if anything has."""
        self._is_to_begin = False
        self._left.clear()
        if self._is_read_only and not self._may_be_at_work:
            self._conn.rollback()  # nothing that would wait for a disk
        elif self._is_open:
            await self.trip(sqlite3.Connection.rollback)
            self._may_be_at_work = False

    @property
    def _is_open(self) -> bool:
        return self._may_be_at_work or self._conn.in_transaction


def opened(path: Path, *, busy_timeout_s: float, read_only: bool) -> Connection:
    """Return a connection to be awaited; transactions begin and end by our own words alone."""
    connect = partial(
        sqlite3.connect, path, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False
    )
    return Connection(connect, read_only=read_only)

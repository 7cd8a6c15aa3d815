"""Opening the database: the one place where SQLite and PostgreSQL differ."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from notifier.clock import Clock
from notifier.config.secret import Secret
from notifier.errors import Conflict, StorageError
from notifier.storage.driver import opened
from notifier.storage.keyring import Keyring, Rotation
from notifier.storage.lock import RunLock
from notifier.storage.migrations.running import HERE, revisions, upgrade
from notifier.storage.repository.transaction import Repository
from notifier.storage.resealing import reseal
from notifier.storage.signals import Signals
from notifier.storage.vault import Vault

_READERS = 4
_BUSY_TIMEOUT_S = 5.0
_WRITER_CACHE_KIB = 32_768
_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",  # NORMAL may lose the last commits with the power: an answer given, a claim
    f"busy_timeout={int(_BUSY_TIMEOUT_S * 1000)}",
    "foreign_keys=ON",
    "temp_store=MEMORY",
    "wal_autocheckpoint=8192",  # pages, 32 MB: the same rows are written over and over
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Where a database stands. `revision` is None for an empty one."""

    revision: str | None
    newest: str | None
    counts: dict[str, int]


class SqlStorage:
    """One database, opened and migrated; made by `open_storage`."""

    def __init__(
        self, writer: AsyncEngine, reader: AsyncEngine, lock: RunLock, *, vault: Vault, clock: Clock
    ) -> None:
        self._engines = (writer, reader)
        self._lock = lock
        self._vault = vault
        self._clock = clock
        # The pool's own queue times out and forgets waiters whose connection failed to open; these do neither.
        self._doors = (asyncio.Semaphore(1), asyncio.Semaphore(_READERS))
        # Whoever gives one back to the pool pays as much as for a statement or two.
        self._idle: tuple[list[AsyncConnection], list[AsyncConnection]] = ([], [])
        self._signals = Signals()
        self._is_writable = True

    @property
    def signals(self) -> Signals:
        return self._signals

    @property
    def is_writable(self) -> bool:
        return self._is_writable

    def key_for(self, purpose: str) -> bytes:
        return self._vault.derived(purpose)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Repository]:
        async with self._transaction(0) as transaction:
            try:
                yield transaction
                if not self._is_writable:
                    await transaction.prove_writable()
            except BaseException:
                transaction.woken.clear()
                raise
        self._is_writable = True

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Repository]:
        async with self._transaction(1) as transaction:
            yield transaction

    @asynccontextmanager
    async def _transaction(self, door: int) -> AsyncIterator[Repository]:
        repository: Repository | None = None
        try:
            async with self._doors[door], self._begun(door) as connection:
                repository = Repository(connection, vault=self._vault, clock=self._clock)
                yield repository
        except IntegrityError as error:
            raise Conflict(f"the row exists already or points nowhere: {_said(error)}") from error
        except SQLAlchemyError as error:
            if door == 0:
                self._is_writable = False
            raise StorageError(f"the database refused: {_said(error)}") from error
        finally:
            # Also when the commit was cancelled: whether it took place is not known, and waking for nothing is cheap.
            if repository is not None:
                self._wake(repository)

    @asynccontextmanager
    async def _begun(self, door: int) -> AsyncIterator[AsyncConnection]:
        """Begin a transaction on a connection that stays for the next one, unless something went wrong in it."""
        idle = self._idle[door]
        async with AsyncExitStack() as stack:
            connection = idle.pop() if idle else await self._engines[door].connect()
            stack.push_async_exit(connection.__aexit__)
            async with connection.begin():
                yield connection
            stack.pop_all()
            idle.append(connection)

    def _wake(self, repository: Repository) -> None:
        if repository.woken.looks:
            self._signals.looks.ring()
        if repository.woken.deliveries:
            self._signals.deliveries.ring()
        if repository.woken.subscriptions:
            self._signals.subscriptions.ring()

    async def close(self) -> None:
        """Close every connection and give the lock back."""
        for connection in (*self._idle[0], *self._idle[1]):
            await connection.close()
        for engine in self._engines:
            await engine.dispose()
        self._lock.release()


async def open_storage(
    url: str | Path,
    *,
    clock: Clock,
    master_key: Secret | None = None,
    next_master_key: Secret | None = None,
    holder: str = "notifier run",
) -> SqlStorage:
    """Open and migrate the database at "sqlite:FILE" (or a path), alone.

    `master_key` is 32 bytes in base64; without one, SQLite keeps its own in `FILE.key`. `next_master_key` opens it,
    too, once a rotation has put it in its place.
    Raises: StorageLocked, SchemaMismatch, StorageError.
    """
    path = _path(url)
    async with AsyncExitStack() as stack:
        lock = _locked(path, clock, holder)
        stack.callback(lock.release)
        _made_private(path)
        writer, reader = _engine(path, read_only=False), _engine(path, read_only=True)
        for engine in (writer, reader):
            stack.push_async_callback(engine.dispose)
        try:
            async with writer.begin() as connection:
                await connection.run_sync(upgrade)
                vault = await Keyring(path, master_key, next_master_key).opened(connection)
        except SQLAlchemyError as error:
            raise StorageError(f"cannot open {path}: {_said(error)}") from error
        stack.pop_all()
        return SqlStorage(writer, reader, lock, vault=vault, clock=clock)


async def migrate(
    url: str | Path, *, clock: Clock, holder: str = "notifier db migrate", scripts: Path = HERE
) -> str | None:
    """Bring a database to the present version; return the revision it is at.

    Raises: StorageLocked, SchemaMismatch, StorageError.
    """
    async with _alone(_path(url), clock, holder) as engine, engine.begin() as connection:
        await connection.run_sync(upgrade, scripts)
        revision, _ = await connection.run_sync(revisions, scripts)
        return revision


async def status(url: str | Path, *, clock: Clock, holder: str = "notifier db status") -> Status:
    """Return where a database stands, changing nothing.

    Raises: StorageLocked, StorageError when there is none.
    """
    path = _path(url)
    if not path.exists():
        raise StorageError(f"there is no database at {path}; `notifier run` makes one")
    async with _alone(path, clock, holder) as engine, engine.begin() as connection:
        revision, newest = await connection.run_sync(revisions)
        repository = Repository(connection, vault=Vault(bytes(32)), clock=clock)
        counts = await repository.counts() if revision == newest else {}
        return Status(revision=revision, newest=newest, counts=counts)


async def rotate_master(
    url: str | Path,
    *,
    clock: Clock,
    master_key: Secret | None = None,
    next_master_key: Secret | None = None,
    holder: str = "notifier keys rotate-master",
) -> Rotation:
    """Seal everything anew, in one transaction, under the next key, or one that is made and kept in `FILE.key`.

    Whatever instant a crash chooses, the next opening finds a key that fits. Raises: StorageLocked, SchemaMismatch,
    StorageError.
    """
    path = _path(url)
    if not path.exists():
        raise StorageError(f"there is no database at {path}; `notifier run` makes one")
    keyring = Keyring(path, master_key, next_master_key)
    async with _alone(path, clock, holder) as engine:
        async with engine.begin() as connection:
            await connection.run_sync(upgrade)
            old = await keyring.opened(connection)
            new = keyring.prepared()
            sealed = await reseal(connection, old=old, new=new) if new.key_id != old.key_id else 0
        return keyring.rotated(old, sealed)


@asynccontextmanager
async def _alone(path: Path, clock: Clock, holder: str) -> AsyncIterator[AsyncEngine]:
    lock = _locked(path, clock, holder)
    engine = _engine(path, read_only=False)
    try:
        yield engine
    except SQLAlchemyError as error:
        raise StorageError(f"cannot use {path}: {_said(error)}") from error
    finally:
        await engine.dispose()
        lock.release()


def _path(url: str | Path) -> Path:
    text = str(url)
    scheme, colon, rest = text.partition(":")
    if isinstance(url, Path) or not colon:
        return Path(url)
    if scheme == "sqlite" and rest.lstrip("/"):
        return Path(rest.removeprefix("//"))
    if scheme.startswith("postgres"):
        raise StorageError('PostgreSQL is not supported yet; set storage.url to "sqlite:notifier.db"')
    raise StorageError(
        f'{scheme!r} is no database this version knows; set storage.url to "sqlite:notifier.db"'
    )


def _locked(path: Path, clock: Clock, holder: str) -> RunLock:
    try:
        return RunLock(path, holder=holder, now=clock.now())
    except OSError as error:
        raise StorageError(f"cannot write beside {path}: {error.strerror}; check the folder") from error


def _made_private(path: Path) -> None:
    """Create the file for its owner's eyes only; SQLite gives its log the same mode."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


def _engine(path: Path, *, read_only: bool) -> AsyncEngine:
    engine = create_async_engine(
        f"sqlite+aiosqlite:///{path}",
        pool_size=_READERS if read_only else 1,
        max_overflow=0,
        hide_parameters=True,
        async_creator=partial(opened, path, busy_timeout_s=_BUSY_TIMEOUT_S, read_only=read_only),
    )
    own = "query_only=ON" if read_only else f"cache_size=-{_WRITER_CACHE_KIB}"

    def prepare(connection: Any, _: Any) -> None:
        _run(connection, [f"PRAGMA {pragma}" for pragma in (*_PRAGMAS, own)])

    def start(connection: Any) -> None:
        connection.connection.driver_connection.begin()

    event.listen(engine.sync_engine, "connect", prepare)
    event.listen(engine.sync_engine, "begin", start)
    return engine


def _run(connection: Any, statements: Sequence[str]) -> None:
    cursor = connection.cursor()
    for statement in statements:
        cursor.execute(statement)
    cursor.close()


def _said(error: SQLAlchemyError) -> str:
    """Return the driver's own words, without the statement."""
    return str(getattr(error, "orig", None) or type(error).__name__)

"""An empty database of the newest schema, made once a process: migrating takes longer than most tests."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import create_engine, text

from notifier.clock import Clock
from notifier.storage.engine import SqlStorage, open_storage
from notifier.storage.migrations.running import upgrade


async def open_empty(path: Path, *, clock: Clock) -> SqlStorage:
    """Open a new database, as the first start does, but for the migrations."""
    write_empty(path)
    return await open_storage(path, clock=clock)


def write_empty(path: Path) -> None:
    """Write a database that is migrated and has never been opened: its first opening makes the master key."""
    path.touch(mode=0o600, exist_ok=False)
    path.write_bytes(_migrated())


@cache
def _migrated() -> bytes:
    with TemporaryDirectory() as directory:
        path = Path(directory, "empty.db")
        engine = create_engine(f"sqlite:///{path}")
        with engine.begin() as connection:
            upgrade(connection)
        with engine.connect() as connection:
            connection.execute(text("PRAGMA journal_mode=WAL"))
        engine.dispose()
        assert list(Path(directory).iterdir()) == [path]
        return path.read_bytes()

"""`notifier db`: the database while no daemon runs on it; each verb takes its lock and names who holds it."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from cyclopts import App

from notifier.cli.failure import FAILED
from notifier.cli.options import COMMON, Common, Failed, Misuse
from notifier.cli.screen import note, safe, show_json, show_members, show_table

if TYPE_CHECKING:
    from datetime import datetime

    from notifier.config.model import Config
    from notifier.storage.engine import SqlStorage
    from notifier.storage.records import Finding

db = App(name="db", help="The database, while no daemon runs on it.")


@db.command
async def migrate(*, options: Common = COMMON) -> None:
    """Bring the database to the present version; an absent one is made."""
    from notifier.clock import SystemClock
    from notifier.storage.engine import migrate as migrate_storage

    _, path = configured(options)
    revision = await migrate_storage(path, clock=SystemClock())
    tell(
        {"database": str(path), "revision": revision},
        f"{safe(path)} is at revision {safe(revision)}",
        options,
    )


@db.command
async def status(*, options: Common = COMMON) -> None:
    """Show which version the database is of, and how many rows it holds."""
    from notifier.clock import SystemClock
    from notifier.storage.engine import status as storage_status

    _, path = configured(options)
    found = await storage_status(path, clock=SystemClock())
    members = {"database": str(path), "revision": found.revision, "newest": found.newest}
    if options.json:
        show_json(members | {"counts": found.counts})
        return
    show_members(members | found.counts)
    if found.revision != found.newest:
        note("[yellow]The database is of another version; `notifier db migrate` brings an older one up.[/]")


@db.command
async def backup(file: Path, /, *, options: Common = COMMON) -> None:
    """Copy the database into one file; the key that seals its secrets is kept apart and not in it.

    :param file: The copy; it must not exist yet.
    """
    from notifier.clock import SystemClock
    from notifier.storage.engine import status as storage_status

    _, path = configured(options)
    if await asyncio.to_thread(file.exists):
        raise Misuse(f"{file} exists already; name another file")
    clock, holder = SystemClock(), "notifier db backup"
    await storage_status(path, clock=clock, holder=holder)  # its last connection folds the log into the file
    size = await asyncio.to_thread(_copy, path, file, holder)
    tell({"backup": str(file), "bytes": size}, f"{safe(file)} holds {safe(path)}, {size} bytes", options)


def _copy(path: Path, file: Path, holder: str) -> int:
    from notifier.clock import SystemClock
    from notifier.storage.lock import RunLock

    lock = RunLock(path, holder=holder, now=SystemClock().now())
    fresh = file.with_name(f"{file.name}.part")
    try:
        log = path.with_name(f"{path.name}-wal")
        if log.exists() and log.stat().st_size:
            raise Failed(f"{path} is being read by another program; close it and try again")
        shutil.copyfile(path, fresh)
        fresh.chmod(0o600)
        fresh.rename(file)
    finally:
        fresh.unlink(missing_ok=True)
        lock.release()
    return file.stat().st_size


@db.command
async def prune(*, options: Common = COMMON) -> None:
    """Delete history older than storage.retention_days, as the daemon does every hour; nothing owed goes."""
    from notifier.clock import SystemClock
    from notifier.workers.janitor import forget_some

    config, path = configured(options)
    clock = SystemClock()
    retention = timedelta(days=config.storage.retention_days)
    total, gone = 0, 1
    async with _opened(config, path, "prune") as storage:
        while gone:
            async with storage.writing() as tx:
                gone = await forget_some(tx, now=clock.now(), retention=retention)
            total += gone
    tell({"database": str(path), "deleted": total}, f"{total} rows deleted from {safe(path)}", options)


@db.command
async def audit(*, options: Common = COMMON) -> int:
    """Ask whether anything is lost: events, deliveries, due times; exit status 1 with the rows if so.

    Things are overdue by the instant at which the daemon lived last, not by now.
    """
    from notifier.app.playground import ACCOUNT
    from notifier.domain.instant import EPOCH
    from notifier.storage.auditing import audit as audit_storage
    from notifier.storage.records import Sign

    config, path = configured(options)
    async with _opened(config, path, "audit") as storage:
        async with storage.reading() as tx:
            alive_at = await tx.noted(Sign.ALIVE)
        accounts = list(config.accounts) or [ACCOUNT]
        findings = await audit_storage(storage, accounts=accounts, at=alive_at or EPOCH)
    _tell_findings(path, findings, alive_at, options)
    return FAILED if findings else 0


@db.command
async def lifecycles(file: Path, /, *, options: Common = COMMON) -> None:
    """Write how orders went, as far as they were seen, for `notifier simulate --lifecycles FILE`.

    Orders that were over when they were first seen are left out: nobody knows when they changed.

    :param file: A CSV file; it must not exist yet.
    """
    from notifier.app.playground import ACCOUNT
    from notifier.simulation.history import seen_lives
    from notifier.simulation.lives import COLUMNS, write_rows

    config, path = configured(options)
    if await asyncio.to_thread(file.exists):
        raise Misuse(f"{file} exists already; name another file")
    orders = 0
    async with _opened(config, path, "lifecycles") as storage:
        with _whole(file) as written:
            written.write(",".join(COLUMNS) + "\n")
            for account in list(config.accounts) or [ACCOUNT]:
                async for rows in seen_lives(storage, account):
                    write_rows(written, rows)
                    orders += 1
    tell(
        {"lifecycles": str(file), "orders": orders},
        f"{safe(file)} holds {orders} orders of {safe(path)}",
        options,
    )


@contextmanager
def _whole(file: Path) -> Iterator[TextIO]:
    """Open a new file, which is gone again unless all of it was written."""
    written = file.open("x", encoding="utf-8", newline="")
    try:
        with written:  # Its end writes, too.
            yield written
    except BaseException:
        file.unlink()
        raise


def _tell_findings(
    path: Path, findings: "list[Finding]", alive_at: "datetime | None", options: Common
) -> None:
    from notifier.domain.instant import iso

    if options.json:
        listed = [{"check": each.check, "count": each.count, "rows": each.rows} for each in findings]
        show_json(
            {
                "database": str(path),
                "clean": not findings,
                "as_of": alive_at and iso(alive_at),
                "findings": listed,
            }
        )
        return
    for finding in findings:
        note(f"[red]{finding.check}[/]: {finding.count}")
        show_table(tuple(finding.rows[0]), finding.rows)
        if finding.count > len(finding.rows):
            note(f"[dim]The first {len(finding.rows)} of them.[/]")
    if not findings:
        note(f"{safe(path)}: nothing is lost and nothing overdue")


@asynccontextmanager
async def _opened(config: "Config", path: Path, verb: str) -> "AsyncIterator[SqlStorage]":
    """Hold a database that is there already.

    Raises: Failed where there is none; StorageError.
    """
    from notifier.clock import SystemClock
    from notifier.storage.engine import open_storage

    if not await asyncio.to_thread(path.exists):
        raise Failed(f"there is no database at {path}; `notifier run` makes one")
    storage = await open_storage(
        path,
        clock=SystemClock(),
        master_key=config.server.master_key,
        next_master_key=config.server.next_master_key,
        holder=f"notifier db {verb}",
    )
    try:
        yield storage
    finally:
        await storage.close()


def configured(options: Common) -> "tuple[Config, Path]":
    """Return the configuration and the database file that it names.

    Raises: ConfigError; Misuse when it names no file.
    """
    from notifier.cli.where import database_of
    from notifier.config.load import load
    from notifier.logs import configure

    config = load(options.config, os.environ)
    configure("warning", config.logging.format)  # before the first line: standard output is for the result
    path = database_of(config.storage, has_account=bool(config.accounts))
    if path is None:
        raise Misuse(
            "storage.url names PostgreSQL, which this version does not support; set it to sqlite:FILE"
        )
    return config, path


def tell(document: Mapping[str, object], text: str, options: Common) -> None:
    """Say what was done, as a document or in a line."""
    if options.json:
        show_json(document)
    else:
        note(text)

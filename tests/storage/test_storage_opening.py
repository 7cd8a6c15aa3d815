"""The lock, the key and the way to the present version."""

import base64
import os
import sqlite3
import stat
import textwrap

import pytest
from given import SECRETS, subscribed
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine, text

from notifier.config.secret import Secret
from notifier.errors import SchemaMismatch, StorageError, StorageLocked
from notifier.storage import tables
from notifier.storage.engine import migrate, open_storage, status
from notifier.storage.migrations.running import HERE, upgrade
from notifier.storage.vault import Vault, parse_master_key

KEY = Secret(base64.b64encode(b"k" * 32).decode())


@pytest.fixture
def path(tmp_path):
    return tmp_path / "notifier.db"


def tables_of(path):
    disk = sqlite3.connect(path)
    try:
        return {name for (name,) in disk.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    finally:
        disk.close()


async def test_a_second_process_is_told_who_holds_the_database(path, clock):
    storage = await open_storage(path, clock=clock, holder="notifier run")
    try:
        with pytest.raises(StorageLocked, match=rf"process {os.getpid()} \(notifier run\) since 2026-03-02T"):
            await open_storage(path, clock=clock)
        with pytest.raises(StorageLocked):
            await status(path, clock=clock)
    finally:
        await storage.close()
    assert (await status(path, clock=clock)).revision == "0010"


async def test_failing_to_open_gives_the_lock_back(path, clock):
    with pytest.raises(StorageError):
        await open_storage(path, clock=clock, master_key=Secret("short"))
    storage = await open_storage(path, clock=clock, master_key=KEY)
    await storage.close()


async def test_sqlite_writes_its_own_key_for_its_owner_only(path, clock):
    storage = await open_storage(path, clock=clock)
    await subscribed(storage)
    await storage.close()
    key_file = path.with_name("notifier.db.key")
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    again = await open_storage(path, clock=clock, master_key=Secret(key_file.read_text()))
    async with again.reading() as tx:
        assert await tx.secrets("sub_hook") == SECRETS
    await again.close()


async def test_another_key_is_refused_at_the_start(path, clock):
    await (await open_storage(path, clock=clock, master_key=KEY)).close()
    other = Secret(base64.b64encode(b"o" * 32).decode())
    with pytest.raises(StorageError, match="another master key"):
        await open_storage(path, clock=clock, master_key=other)
    with pytest.raises(StorageError, match="is gone"):
        await open_storage(path, clock=clock)
    assert not path.with_name("notifier.db.key").exists()


@given(st.binary(max_size=200), st.integers(0, 10_000))
def test_what_is_sealed_opens_only_whole_and_in_its_place(clear, spot):
    vault = Vault(b"k" * 32)
    sealed = vault.seal(clear, "subscriptions:a:secrets")
    assert vault.unseal(sealed, "subscriptions:a:secrets") == clear
    assert vault.seal(clear, "subscriptions:a:secrets") != sealed
    with pytest.raises(StorageError):
        vault.unseal(sealed, "subscriptions:b:secrets")
    spot %= len(sealed)
    bent = sealed[:spot] + bytes([sealed[spot] ^ 1]) + sealed[spot + 1 :]
    with pytest.raises(StorageError):
        vault.unseal(bent, "subscriptions:a:secrets")


@pytest.mark.parametrize("text_", ["", "short", "!" * 44, base64.b64encode(b"x" * 31).decode()])
def test_a_master_key_is_32_bytes_of_base64(text_):
    with pytest.raises(StorageError, match="32 bytes") as caught:
        parse_master_key(Secret(text_))
    assert len(text_) < 6 or text_ not in str(caught.value)


async def test_an_unknown_revision_is_refused(path, clock):
    await (await open_storage(path, clock=clock)).close()
    disk = sqlite3.connect(path)
    disk.execute("UPDATE alembic_version SET version_num = '9999'")
    disk.commit()
    disk.close()
    with pytest.raises(SchemaMismatch, match="9999"):
        await open_storage(path, clock=clock)


async def test_a_failing_migration_leaves_no_table_behind_and_the_next_start_works(path, tmp_path, clock):
    scripts = tmp_path / "scripts"
    (scripts / "versions").mkdir(parents=True)
    (scripts / "versions" / "0001_broken.py").write_text(
        textwrap.dedent(
            """
            from alembic import op

            revision, down_revision, branch_labels, depends_on = "0001", None, None, None

            def upgrade():
                op.execute("CREATE TABLE half (id INTEGER PRIMARY KEY)")
                op.execute("INSERT INTO half VALUES (1)")
                raise RuntimeError("the disk is full")
            """
        )
    )
    with pytest.raises(RuntimeError, match="the disk is full"):
        await migrate(path, clock=clock, scripts=scripts)
    assert tables_of(path) == set()
    storage = await open_storage(path, clock=clock)
    await storage.close()
    assert tables_of(path) > {"watches", "deliveries"}


async def test_migrating_again_changes_nothing(path, clock):
    assert await migrate(path, clock=clock) == "0010"
    assert await migrate(path, clock=clock) == "0010"


async def test_status_of_no_database_makes_none(path, clock):
    with pytest.raises(StorageError, match="no database"):
        await status(path, clock=clock)
    assert not path.exists()


def _shape(engine):
    """Columns, keys and indexes of every table, in no order: a column added later stands at the end."""
    with engine.connect() as connection:
        told = connection.execute(text("SELECT type, name, tbl_name, sql FROM sqlite_master")).all()
        shape = {}
        for kind, name, table, sql in told:
            if table == "alembic_version":
                continue
            if kind == "table":
                columns = connection.execute(text(f"PRAGMA table_info({name})")).all()
                keys = connection.execute(text(f"PRAGMA foreign_key_list({name})")).all()
                shape[name] = {tuple(row)[1:] for row in columns}
                shape[f"{name} points to"] = {tuple(row)[2:] for row in keys}
                shape[f"{name} is strict"] = sql.rstrip().endswith("STRICT")
            else:
                shape[name] = " ".join((sql or "").replace(f"{table}.", "").split())
        return shape


_OLD_ROWS = """
INSERT INTO accounts VALUES ('main', 1);
INSERT INTO events (id, account, sequence, order_version, type, observed_at, document)
VALUES ('evt_1', 'main', 1, 1, 'order.charged', 0, '{}');
INSERT INTO subscriptions (id, account, ordering, document, sequence, created_at)
VALUES ('sub_1', 'main', 'hold', '{}', 1, 0);
INSERT INTO deliveries
(id, account, subscription_id, event_id, replay_id, state, reason, attempts, created_at, expires_at, body)
VALUES ('dlv_1', 'main', 'sub_1', 'evt_1', '', 'pending', 'new', 1, 0, 9, x'7b7d');
INSERT INTO attempts (delivery_id, number, started_at, duration_ms, reason, answer)
VALUES ('dlv_1', 1, 0, 5, 'http_status', x'ff00')
"""


def test_bodies_and_answers_of_the_first_version_are_kept(tmp_path):
    engine = create_engine(f"sqlite:///{tmp_path}/old.db")
    with engine.begin() as connection:
        upgrade(connection, _only_the_first(tmp_path))
        for statement in _OLD_ROWS.strip().split(";"):
            connection.execute(text(statement))
    with engine.begin() as connection:
        upgrade(connection, HERE)
        body = "SELECT content FROM bodies JOIN deliveries ON body_id = bodies.id"
        assert connection.execute(text(body)).all() == [(b"{}",)]
        assert connection.execute(text("SELECT answer FROM attempts")).all() == [("/wA=",)]
    engine.dispose()


def _only_the_first(tmp_path):
    versions = tmp_path / "scripts" / "versions"
    versions.mkdir(parents=True)
    first = next((HERE / "versions").glob("0001_*.py"))
    (versions / first.name).write_text(first.read_text())
    return versions.parent


def test_the_migrations_lead_to_the_tables_that_the_code_knows():
    migrated, declared = create_engine("sqlite://"), create_engine("sqlite://")
    try:
        with migrated.begin() as connection:
            upgrade(connection, HERE)
        with declared.begin() as connection:
            tables.metadata.create_all(connection)
        assert _shape(migrated) == _shape(declared)
    finally:
        migrated.dispose()
        declared.dispose()

"""One master key for another: everything is sealed anew, and whatever instant a crash chooses, the database opens."""

import asyncio
import base64
import os
import re
import sqlite3
import stat
import sys
from pathlib import Path

import pytest
from given import SECRETS, subscribed

from notifier.config.secret import Secret
from notifier.errors import StorageError, StorageLocked
from notifier.storage import engine, resealing, tables
from notifier.storage.engine import open_storage, rotate_master
from notifier.storage.records import Sign
from notifier.storage.vault import Vault, parse_master_key

OLD, NEW, OTHER = (Secret(base64.b64encode(letter * 32).decode()) for letter in (b"o", b"n", b"x"))
KILLS = Path(__file__).with_name("rotation_kills.py")
SOURCES = Path(engine.__file__).parents[1]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "notifier.db"


@pytest.fixture
def key_file(path):
    return path.with_name("notifier.db.key")


@pytest.fixture
def made(path, clock):
    """Make a database with three subscriptions, one of them removed, and the notes that every daemon makes."""

    async def make(**keys):
        storage = await open_storage(path, clock=clock, **keys)
        for name in ("a", "b", "gone"):
            await subscribed(storage, name)
        async with storage.writing() as tx:
            await tx.remove_subscription("main", "sub_gone", now=clock.now())
            for sign in Sign:
                await tx.note(sign, at=clock.now())
            await tx.prove_writable()
        await storage.close()

    return make


async def secrets_of(path, clock, **keys):
    storage = await open_storage(path, clock=clock, **keys)
    try:
        async with storage.reading() as tx:
            return [await tx.secrets(each) for each in ("sub_a", "sub_b")]
    finally:
        await storage.close()


def sealed_under(path, key):
    """Return every value in the whole file that says it is sealed under this key."""
    prefix = bytes.fromhex(Vault(key).key_id)
    disk = sqlite3.connect(path)
    try:
        values = [
            value
            for table in tables.metadata.sorted_tables
            for column in table.columns
            for (value,) in disk.execute(f'SELECT "{column.name}" FROM "{table.name}"')
        ]
    finally:
        disk.close()
    return [value for value in values if isinstance(value, bytes) and value.startswith(prefix)]


def key_in(file):
    return parse_master_key(Secret(file.read_text()))


async def test_a_made_key_is_replaced_and_the_old_one_kept_for_older_backups(path, key_file, made, clock):
    await made()
    before = key_in(key_file)
    assert len(sealed_under(path, before)) == 3
    done = await rotate_master(path, clock=clock)
    after, kept = key_in(key_file), key_file.with_name(f"notifier.db.key.{Vault(before).key_id}")
    assert (done.sealed, done.key_file, done.old_key_file) == (3, key_file, kept)
    assert after != before
    assert key_in(kept) == before
    assert {stat.S_IMODE(file.stat().st_mode) for file in (key_file, kept)} == {0o600}
    assert (len(sealed_under(path, before)), len(sealed_under(path, after))) == (0, 3)
    assert await secrets_of(path, clock) == [SECRETS, SECRETS]
    assert sorted(each.name for each in path.parent.glob("*.key*")) == [key_file.name, kept.name]


async def test_each_of_many_rotations_leaves_its_own_old_key(path, made, clock):
    await made()
    kept = {(await rotate_master(path, clock=clock)).old_key_file for _ in range(3)}
    assert len(kept) == 3
    assert all(file.exists() for file in kept)
    assert await secrets_of(path, clock) == [SECRETS, SECRETS]


async def test_a_given_key_is_replaced_by_a_given_key(path, key_file, made, clock):
    await made(master_key=OLD)
    done = await rotate_master(path, clock=clock, master_key=OLD, next_master_key=NEW)
    assert (done.sealed, done.key_file, done.old_key_file) == (3, None, None)
    assert await secrets_of(path, clock, master_key=NEW) == [SECRETS, SECRETS]
    assert await secrets_of(path, clock, master_key=OLD, next_master_key=NEW) == [SECRETS, SECRETS]
    assert await secrets_of(path, clock, next_master_key=NEW) == [SECRETS, SECRETS]
    with pytest.raises(StorageError, match="another master key"):
        await open_storage(path, clock=clock, master_key=OLD)
    assert not key_file.exists()


async def test_with_both_keys_given_the_database_opens_before_a_rotation_too(path, made, clock):
    await made(master_key=OLD)
    assert await secrets_of(path, clock, master_key=OLD, next_master_key=NEW) == [SECRETS, SECRETS]
    assert len(sealed_under(path, parse_master_key(OLD))) == 3


async def test_a_rotation_told_twice_is_done_once(path, made, clock):
    await made(master_key=OLD)
    counts = [
        (await rotate_master(path, clock=clock, master_key=OLD, next_master_key=NEW)).sealed for _ in range(2)
    ]
    assert counts == [3, 0]


async def test_a_key_beside_the_database_is_replaced_by_a_given_one(path, key_file, made, clock):
    await made()
    before = key_in(key_file)
    done = await rotate_master(path, clock=clock, next_master_key=NEW)
    assert (done.sealed, done.key_file, done.old_key_file) == (3, None, key_file)
    assert key_in(key_file) == before
    assert await secrets_of(path, clock, master_key=NEW) == [SECRETS, SECRETS]


async def test_a_given_key_is_not_replaced_by_one_that_nobody_gave(path, key_file, made, clock):
    await made(master_key=OLD)
    with pytest.raises(StorageError, match="give the one that takes its place"):
        await rotate_master(path, clock=clock, master_key=OLD)
    assert await secrets_of(path, clock, master_key=OLD) == [SECRETS, SECRETS]


async def test_a_wrong_key_rotates_nothing(path, made, clock):
    await made(master_key=OLD)
    with pytest.raises(StorageError, match="another master key"):
        await rotate_master(path, clock=clock, master_key=OTHER, next_master_key=NEW)
    assert await secrets_of(path, clock, master_key=OLD) == [SECRETS, SECRETS]


async def test_one_value_that_does_not_open_leaves_all_as_they_were(path, key_file, made, clock):
    await made()
    disk = sqlite3.connect(path)
    disk.execute("UPDATE subscriptions SET secrets = substr(secrets, 1, 40) WHERE id = 'sub_b'")
    disk.commit()
    disk.close()
    before = key_in(key_file)
    with pytest.raises(StorageError, match="subscriptions:sub_b:secrets was changed"):
        await rotate_master(path, clock=clock)
    assert key_in(key_file) == before
    assert len(sealed_under(path, before)) == 3


async def test_more_rows_than_one_step_are_all_sealed_anew(path, made, clock, monkeypatch):
    monkeypatch.setattr(resealing, "_STEP", 2)
    storage = await open_storage(path, clock=clock, master_key=OLD)
    for number in range(7):
        await subscribed(storage, f"n{number}")
    await storage.close()
    done = await rotate_master(path, clock=clock, master_key=OLD, next_master_key=NEW)
    assert done.sealed == 8
    assert sealed_under(path, parse_master_key(OLD)) == []


async def test_a_database_that_was_in_use_is_rotated(path, made, clock):
    """What is remembered beside the sealed word is not sealed."""
    await made()
    storage = await open_storage(path, clock=clock)
    async with storage.writing() as tx:
        await tx.note(Sign.ALIVE, at=clock.now())
        await tx.prove_writable()
    await storage.close()
    assert (await rotate_master(path, clock=clock)).sealed == 3
    assert await secrets_of(path, clock) == [SECRETS, SECRETS]


async def test_who_holds_the_database_is_named(path, made, clock):
    await made()
    storage = await open_storage(path, clock=clock, holder="notifier run")
    try:
        with pytest.raises(StorageLocked, match=rf"process {os.getpid()} \(notifier run\)"):
            await rotate_master(path, clock=clock)
    finally:
        await storage.close()


async def test_no_database_is_made_to_be_rotated(path, clock):
    with pytest.raises(StorageError, match="no database"):
        await rotate_master(path, clock=clock)
    assert not path.exists()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("given", [(), (OLD, NEW)], ids=["made", "given"])
async def test_a_rotation_killed_before_any_line_leaves_a_database_that_opens(path, key_file, made, given):
    await made(**({"master_key": OLD} if given else {}))
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(KILLS), str(path), *(each.reveal() for each in given),
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    assert int(out.splitlines()[-1]) > (25 if given else 45)
    assert key_file.exists() == (not given)


@pytest.mark.parametrize("torn", ["", "AAAA", "\x00" * 20])
async def test_a_new_key_that_was_half_written_does_no_harm(path, key_file, made, clock, torn):
    await made()
    key_file.with_name("notifier.db.key.new").write_text(torn)
    assert await secrets_of(path, clock) == [SECRETS, SECRETS]
    assert (await rotate_master(path, clock=clock)).sealed == 3
    assert await secrets_of(path, clock) == [SECRETS, SECRETS]


async def test_a_first_start_cut_short_while_it_wrote_its_key_does_no_harm(path, key_file, made, clock):
    key_file.with_name("notifier.db.key.new").write_text("AAAA")
    await made()
    assert await secrets_of(path, clock) == [SECRETS, SECRETS]
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600


def test_nothing_is_sealed_that_a_rotation_does_not_know():
    """Who calls `seal` is listed here; a new place needs its column in `resealing.SEALED`."""
    callers = {
        str(file.relative_to(SOURCES))
        for file in SOURCES.rglob("*.py")
        if re.search(r"vault\.seal\(|new\.seal\(", file.read_text(encoding="utf-8"))
    }
    assert callers == {
        "storage/keyring.py",
        "storage/repository/subscriptions.py",
        "storage/resealing.py",
    }
    assert {str(value) for _, value, _ in resealing.SEALED} == {"subscriptions.secrets", "meta.value"}

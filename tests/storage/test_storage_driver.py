"""The connection in its thread: what is left for the next trip is done before it, or not at all."""

import sqlite3

import pytest

from notifier.storage.driver import opened

_ADD = "INSERT INTO words VALUES (?)"
_ALL = "SELECT word FROM words ORDER BY rowid"


@pytest.fixture
async def connection(tmp_path):
    async with opened(tmp_path / "words.db", busy_timeout_s=1, read_only=False) as connection:
        await connection.ask("CREATE TABLE words (word TEXT PRIMARY KEY)", ())
        connection.begin()
        yield connection
        await connection.rollback()


async def test_what_is_left_is_done_before_what_follows_it(connection):
    connection.put([(_ADD, [("a",), ("b",)])])
    connection.put([(_ADD, [("c",)])])
    assert await connection.ask(_ALL, ()) == [("a",), ("b",), ("c",)]
    await connection.rollback()
    assert await connection.ask(_ALL, ()) == []


async def test_what_is_left_is_done_before_the_commit(connection):
    connection.put([(_ADD, [("a",)])])
    await connection.commit()
    await connection.rollback()
    assert await connection.ask(_ALL, ()) == [("a",)]


async def test_what_is_left_is_forgotten_by_a_rollback(connection):
    connection.put([(_ADD, [("a",)])])
    await connection.rollback()
    connection.begin()
    await connection.commit()
    assert await connection.ask(_ALL, ()) == []


async def test_what_was_left_and_cannot_be_done_fails_the_commit(connection):
    connection.put([(_ADD, [("a",)])])
    connection.put([(_ADD, [("a",)])])
    with pytest.raises(sqlite3.IntegrityError):
        await connection.commit()
    await connection.rollback()
    assert await connection.ask(_ALL, ()) == []

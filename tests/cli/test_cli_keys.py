import base64
from pathlib import Path

import pytest

from notifier.config.secret import Secret
from notifier.storage.engine import open_storage
from support.clock import FakeClock

DATABASE = Path("notifier-sandbox.db")
KEY_FILE = Path("notifier-sandbox.db.key")
OLD, NEW = (base64.b64encode(letter * 32).decode() for letter in (b"o", b"n"))


@pytest.fixture(autouse=True)
def _configured(tmp_path):
    (tmp_path / "config.toml").write_text("")


def key_in(path=KEY_FILE):
    return Path(path).read_text() if Path(path).exists() else None


async def opens(key=None):
    storage = await open_storage(DATABASE, clock=FakeClock(), master_key=key and Secret(key))
    await storage.close()


async def test_a_key_beside_the_database_is_replaced(cli):
    await opens()
    before = key_in()
    ran = await cli("keys", "rotate-master", "--json")
    assert (ran.status, ran.err) == (0, "")
    assert ran.json == {
        "database": str(DATABASE),
        "sealed": 1,
        "key_file": str(KEY_FILE),
        "old_key_file": ran.json["old_key_file"],
    }
    assert key_in(ran.json["old_key_file"]) == before
    assert key_in() != before
    assert before.strip() not in ran.out
    await opens()


async def test_people_are_told_what_becomes_of_the_old_key(cli):
    await opens()
    ran = await cli("keys", "rotate-master")
    assert (ran.status, ran.out) == (0, "")
    assert "backups made until now open with it alone" in " ".join(ran.err.split())


async def test_a_given_key_is_replaced_by_that_of_the_other_variable(cli, monkeypatch):
    await opens(OLD)
    monkeypatch.setenv("NOTIFIER_MASTER_KEY", OLD)
    ran = await cli("keys", "rotate-master")
    assert ran.status == 2
    assert "set NOTIFIER_MASTER_KEY_NEW" in ran.err
    monkeypatch.setenv("NOTIFIER_MASTER_KEY_NEW", OLD)
    assert (await cli("keys", "rotate-master")).status == 2
    monkeypatch.setenv("NOTIFIER_MASTER_KEY_NEW", NEW)
    ran = await cli("keys", "rotate-master", "--json")
    assert ran.json == {"database": str(DATABASE), "sealed": 1, "key_file": None, "old_key_file": None}
    again = await cli("keys", "rotate-master", "--json")
    assert (again.status, again.json["sealed"]) == (0, 0)
    assert (await cli("db", "prune")).status == 0
    assert (await cli("db", "audit")).status == 0
    await opens(NEW)
    assert key_in() is None


async def test_a_running_daemon_is_named_and_nothing_is_rotated(cli):
    storage = await open_storage(DATABASE, clock=FakeClock(), holder="notifier run")
    try:
        before = key_in()
        ran = await cli("keys", "rotate-master")
    finally:
        await storage.close()
    assert ran.status == 1
    assert "in use by process" in ran.err
    assert "notifier run" in ran.err
    assert key_in() == before


async def test_there_must_be_a_database(cli):
    ran = await cli("keys", "rotate-master")
    assert ran.status == 1
    assert "there is no database" in ran.err
    assert key_in(DATABASE) is None

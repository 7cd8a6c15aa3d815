"""Verbs that work without a daemon: render and db."""

import resource
import sqlite3
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from notifier.cli.database import _whole
from notifier.domain.document import sample_event_document
from notifier.domain.order import OrderId
from notifier.storage.engine import open_storage
from notifier.storage.records import Registration, Sign
from support.builders import a_snapshot, an_order
from support.clock import FakeClock


@pytest.fixture(autouse=True)
def _configured():
    Path("config.toml").write_text("")


async def test_a_webhook_is_rendered_as_it_would_be_sent(cli):
    ran = await cli("render", "webhook/default")
    assert ran.json == sample_event_document("order.charged")


async def test_another_sample_may_be_chosen(cli):
    assert (await cli("render", "webhook/default", "--type", "refund.failure")).json[
        "type"
    ] == "refund.failure"
    ran = await cli("render", "slack/default", "--type", "refund.failur")
    assert ran.status == 2
    assert "did you mean refund.failure?" in ran.err


async def test_an_event_of_ones_own_is_rendered(cli, tmp_path):
    event = sample_event_document("order.charged")
    event["data"]["order_id"] = event["data"]["order"]["order_id"] = "MINE-1"
    (tmp_path / "event.json").write_bytes(msgspec.json.encode(event))
    assert "MINE-1" in (await cli("render", "slack/default", "--event", "event.json")).out
    assert (await cli("render", "slack/default", "--event", "event.json", "--type", "order.new")).status == 2


@pytest.mark.parametrize("text", ["{", "[]", '{"type": "order.new"}', '{"type": "order.new", "data": {}}'])
async def test_a_file_that_is_no_event_is_wrong_use(cli, text, tmp_path):
    (tmp_path / "event.json").write_text(text)
    assert (await cli("render", "slack/default", "--event", "event.json")).status == 2


async def test_a_mail_is_shown_with_subject_and_both_bodies(cli):
    out = (await cli("render", "email/default")).out
    assert out.startswith("Subject: ")
    assert "<html" in out
    body = (await cli("render", "email/default", "--json")).json["body"]
    assert set(msgspec.json.decode(body)) == {"subject", "text", "html", "entry"}


@pytest.mark.parametrize("name", ["slack", "slack/default.json.j2", "slack/default.j2"])
async def test_a_template_may_be_named_as_its_file_or_by_its_channel_alone(cli, name):
    assert (await cli("render", name)).json == (await cli("render", "slack/default")).json


@pytest.mark.parametrize(("name", "status"), [("fax", 2), ("fax/default", 2), ("webhook/absent", 1)])
async def test_a_template_that_is_not_there_is_told(cli, name, status):
    assert (await cli("render", name)).status == status


async def test_a_database_is_made_shown_and_copied(cli, tmp_path):
    assert (await cli("db", "status")).status == 1
    made = (await cli("db", "migrate", "--json")).json
    shown = (await cli("db", "status", "--json")).json
    assert (shown["database"], shown["revision"]) == ("notifier-sandbox.db", made["revision"])
    assert shown["revision"] == shown["newest"]
    assert (await cli("db", "backup", "copy.db")).status == 0
    assert (tmp_path / "copy.db").read_bytes()[:15] == b"SQLite format 3"
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600
    assert (await cli("db", "backup", "copy.db")).status == 2


async def test_a_backup_holds_what_was_committed(cli, monkeypatch, tmp_path):
    storage = await open_storage(Path("notifier-sandbox.db"), clock=FakeClock())
    async with storage.writing() as tx:
        await tx.add_api_key(b"d" * 32, "kept", now=FakeClock().now())
    await storage.close()
    await cli("db", "backup", "copy.db")
    (tmp_path / "copy.db.key").write_bytes((tmp_path / "notifier-sandbox.db.key").read_bytes())
    (tmp_path / "copy.db.key").chmod(0o600)
    copy = await open_storage(Path("copy.db"), clock=FakeClock())
    async with copy.reading() as tx:
        assert await tx.api_key(b"d" * 32) == "kept"
    await copy.close()


async def test_an_account_has_its_own_database(cli, monkeypatch, tmp_path):
    monkeypatch.setenv("KEY", "k")
    (tmp_path / "config.toml").write_text('[accounts.a]\nmerchant_id = "m"\napi_key_env = "KEY"')
    assert (await cli("db", "migrate", "--json")).json["database"] == "notifier.db"


async def test_history_is_pruned(cli):
    assert (await cli("db", "prune")).status == 1
    await cli("db", "migrate")
    ran = await cli("db", "prune", "--json")
    assert (ran.status, ran.json["deleted"]) == (0, 0)


async def test_an_audit_of_a_sound_database_finds_nothing(cli):
    assert (await cli("db", "audit")).status == 1
    await cli("db", "migrate")
    ran = await cli("db", "audit")
    assert (ran.status, ran.out) == (0, "")
    assert "nothing is lost" in ran.err
    assert (await cli("db", "audit", "--json")).json == {
        "database": "notifier-sandbox.db",
        "clean": True,
        "as_of": None,
        "findings": [],
    }


async def test_an_audit_shows_what_is_lost_and_fails(cli):
    clock = FakeClock()
    storage = await open_storage(Path("notifier-sandbox.db"), clock=clock)
    async with storage.writing() as tx:
        order = Registration(account="sandbox", order_id=OrderId("JP1"))
        await tx.register(order, now=clock.now() - timedelta(seconds=301))
        await tx.note(Sign.ALIVE, at=clock.now())
    await storage.close()
    ran = await cli("db", "audit")
    assert ran.status == 1
    assert "watch_overdue: 1" in ran.err
    assert "JP1" in ran.out
    told = await cli("db", "audit", "--json")
    assert told.status == 1
    assert [(each["check"], each["count"]) for each in told.json["findings"]] == [("watch_overdue", 1)]
    assert told.json["as_of"] == "2026-03-02T06:15:00.000Z"


async def test_what_was_seen_is_written_for_the_simulator(cli, tmp_path):
    assert (await cli("db", "lifecycles", "orders.csv")).status == 1
    clock = FakeClock()
    storage = await open_storage(Path("notifier-sandbox.db"), clock=clock)
    async with storage.writing() as tx:
        for number in range(40):
            order = Registration(account="sandbox", order_id=OrderId(f"JP{number}"))
            watch, _ = await tx.register(order, now=clock.now())
            for version, status in enumerate(("NEW", "PENDING_VBV", "CHARGED")):
                seen_at = clock.now() + timedelta(seconds=20 * version)
                not_before = seen_at - timedelta(seconds=10) if version else None
                now = replace(watch, version=version)
                await tx.add_snapshot(
                    now, a_snapshot(an_order(status)), observed_at=seen_at, not_before=not_before
                )
    await storage.close()
    ran = await cli("db", "lifecycles", "orders.csv", "--json")
    assert ran.json == {"lifecycles": "orders.csv", "orders": 40}
    assert (tmp_path / "orders.csv").read_text().splitlines()[:4] == [
        "order_id,payment_method_type,at_s,subject,status",
        "sandbox:JP0,,0.00,order,NEW",
        "sandbox:JP0,,15.00,order,PENDING_VBV",
        "sandbox:JP0,,35.00,order,CHARGED",
    ]
    simulated = await cli("simulate", "--lifecycles", "orders.csv", "--policy", "fixed:60", "--json")
    assert simulated.json["results"][0]["delay_mean_s"] > 0
    assert (await cli("db", "lifecycles", "orders.csv")).status == 2


async def test_half_of_what_was_seen_is_not_left_behind(cli, tmp_path):
    clock = FakeClock()
    storage = await open_storage(Path("notifier-sandbox.db"), clock=clock)
    async with storage.writing() as tx:
        watch, _ = await tx.register(
            Registration(account="sandbox", order_id=OrderId("JP1")), now=clock.now()
        )
        await tx.add_snapshot(watch, a_snapshot(an_order()), observed_at=clock.now(), not_before=None)
    await storage.close()
    with sqlite3.connect("notifier-sandbox.db") as database:
        database.execute("update snapshots set document = '{'")
    database.close()
    assert (await cli("db", "lifecycles", "orders.csv")).status != 0
    assert not (tmp_path / "orders.csv").exists()


def test_half_of_what_was_seen_is_not_left_behind_by_a_full_disk(tmp_path):
    present = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill():
        with _whole(tmp_path / "orders.csv") as written:
            written.write("order_id\n")
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, present[1]))

    try:
        with pytest.raises(OSError, match="too large"):
            fill()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, present)
    assert not (tmp_path / "orders.csv").exists()


@pytest.mark.parametrize(
    "verb",
    [("migrate",), ("status",), ("backup", "copy.db"), ("prune",), ("audit",), ("lifecycles", "orders.csv")],
)
async def test_who_holds_the_database_is_named(cli, verb, tmp_path):
    storage = await open_storage(Path("notifier-sandbox.db"), clock=FakeClock(), holder="notifier run")
    try:
        ran = await cli("db", *verb)
    finally:
        await storage.close()
    assert ran.status == 1
    assert "in use by process" in ran.err
    assert "notifier run" in ran.err
    assert not (tmp_path / "copy.db").exists()

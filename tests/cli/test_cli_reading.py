import asyncio

import msgspec
import pytest

from notifier.cli.options import Failed
from notifier.cli.reading import Log
from notifier.domain.instant import seconds
from support.clock import START, FakeClock, settle

HOOK = (
    "subscription",
    "add",
    "--channel",
    "webhook",
    "--target",
    "https://shop.example/hooks",
    "--event",
    "order.*",
)


@pytest.fixture
async def story(cli, url, seen):
    """One order that was paid, and somebody who is owed the news."""
    await cli(*HOOK)
    await cli("watch", "add", "JP1")
    await seen("JP1", "NEW")
    await seen("JP1", "CHARGED", at=START + seconds(4))


async def test_explain_tells_each_step_with_its_reason(cli, story):
    told = (await cli("explain", "JP1")).out
    for words in ("registered", "version 2: CHARGED", "status: NEW → CHARGED", "order.charged NEW → CHARGED",
                  "the present at the first look", "webhook       order.new pending", "(new)"):  # fmt: skip
        assert words in told
    assert told.index("version 1: NEW") < told.index("version 2: CHARGED")


async def test_explain_speaks_json(cli, story):
    kinds = {entry["kind"] for entry in (await cli("explain", "jp1", "--json")).json["items"]}
    assert {"registered", "snapshot", "event", "delivery"} <= kinds


async def test_an_order_nobody_watches_cannot_be_explained(cli, url):
    ran = await cli("explain", "JP9")
    assert ran.status == 1
    assert "order 'JP9'" in ran.err


async def test_events_are_one_json_document_a_line(cli, story):
    assert [each["type"] for each in (await cli("events", "--json")).lines] == ["order.new", "order.charged"]
    assert [each["type"] for each in (await cli("events", "--after", "1", "--json")).lines] == [
        "order.charged"
    ]


async def test_events_begin_with_the_latest(cli, story):
    ran = await cli("events", "--limit", "1")
    assert "order.charged  NEW → CHARGED" in ran.out
    assert "order.new" not in ran.out
    assert "(not live)" in ran.out
    assert "order.new  · → NEW" in (await cli("events", "--after", "0")).out


@pytest.mark.parametrize("held", [(), (1,), (3, 4, 9), tuple(range(2, 90, 3)), tuple(range(1, 1001))])
@pytest.mark.parametrize("count", [1, 3, 20])
async def test_the_last_events_are_found_in_a_log_that_reads_forwards_only(held, count):
    log = Log(Pages(*held), FakeClock())
    after = await log.before_last(count)
    assert [event["n"] async for event in log.read(after, follow=False)] == list(held[-count:])
    assert await log.end() == max(held, default=0)


async def test_deliveries_are_listed_by_state(cli, story):
    pending = (await cli("deliveries", "--state", "pending", "--json")).json["items"]
    assert [each["event_type"] for each in pending] == ["order.charged", "order.new"]
    assert (await cli("deliveries", "--state", "failed", "--json")).json["items"] == []
    assert "order.charged" in (await cli("deliveries")).out
    assert (await cli("deliveries", "--state", "lost")).status == 2


class Pages:
    """Answers GET /v1/events from a list that grows."""

    def __init__(self, *sequences: int) -> None:
        self.sequences = list(sequences)
        self.is_down = False

    async def get(self, path, *, after, limit, **narrowed):
        if self.is_down:
            raise Failed("no daemon answers")
        items = [{"n": n} for n in self.sequences if n > after][:limit]
        return {"items": items, "next_after": items[-1]["n"] if items else after}


async def test_following_waits_and_goes_on_with_what_is_new():
    pages, clock, got = Pages(1, 2), FakeClock(), []

    async def follow():
        async for event in Log(pages, clock).read(0, follow=True):
            got.append(event["n"])  # noqa: PERF401 - watched while it grows

    task = asyncio.create_task(follow(), name="follow")
    await settle()
    assert got == [1, 2]
    pages.sequences.append(3)
    await clock.advance(1)
    assert got == [1, 2, 3]
    pages.is_down = True
    await clock.advance(1)
    with pytest.raises(Failed, match="--after 3 goes on from here"):
        await task


async def test_reading_stops_at_the_end_of_the_log():
    log = Log(Pages(*range(1, 1001)), FakeClock())
    assert [event["n"] async for event in log.read(0, follow=False)] == list(range(1, 1001))


async def test_a_subscription_is_made_shown_and_told_its_secret_once(cli, url):
    made = await cli(
        *HOOK,
        "--name",
        "orders",
        "--filter",
        '{"all": [{"path": "data.order.amount", "op": "ge", "value": "5"}]}',
        "--json",
    )
    assert made.json["secret"].startswith("whsec_")
    assert made.json["filter"]["all"][0]["op"] == "ge"
    shown = (await cli("subscription", "show", made.json["id"], "--json")).json
    assert "secret" not in shown
    assert "orders" in (await cli("subscription", "list")).out
    people = await cli(*HOOK)
    assert "whsec_" in people.out
    assert "not shown again" in people.err


async def test_a_subscription_is_paused_resumed_disabled_enabled_tested_and_removed(cli, url):
    made = (await cli(*HOOK, "--json")).json["id"]
    assert (await cli("subscription", "pause", made, "--json")).json["state"] == "paused"
    assert (await cli("subscription", "resume", made, "--json")).json["state"] == "active"
    assert (await cli("subscription", "disable", made, "--json")).json["state"] == "disabled"
    assert (await cli("subscription", "enable", made, "--held", "drop", "--json")).json["state"] == "active"
    assert (await cli("subscription", "test", made)).status == 0
    assert (await cli("deliveries", "--json")).json["items"][0]["event_type"] == "test.ping"
    assert (await cli("subscription", "remove", made)).err == f"{made}: removed\n"
    assert (await cli("subscription", "show", made)).status == 1


async def test_a_secret_is_rotated_and_shown_once(cli, url):
    made = (await cli(*HOOK, "--json")).json
    rotated = (await cli("subscription", "rotate-secret", made["id"], "--overlap-s", "60", "--json")).json
    assert rotated["secret"] not in ("", made["secret"])
    assert rotated["old_secrets_until"] == ["2026-03-02T06:16:00.000Z"]
    people = await cli("subscription", "rotate-secret", made["id"])
    assert "whsec_" in people.out
    assert "2026-03-03T06:15:00.000Z" in people.out
    assert "not shown again" in people.err
    assert "whsec_" not in (await cli("subscription", "show", made["id"])).out


@pytest.mark.parametrize("overlap_s", ["-1", "604801", "soon"])
async def test_an_overlap_out_of_bounds_is_wrong_use(cli, url, overlap_s):
    made = (await cli(*HOOK, "--json")).json
    assert (await cli("subscription", "rotate-secret", made["id"], "--overlap-s", overlap_s)).status == 2


async def test_members_without_an_option_come_from_a_file(cli, url, tmp_path):
    body = {
        "channel": "webhook",
        "target": "https://a.example/",
        "events": ["*"],
        "headers": {"X-Shop": "north"},
    }
    (tmp_path / "body.json").write_bytes(msgspec.json.encode(body))
    made = (await cli("subscription", "add", "--body", "body.json", "--event", "refund.*", "--json")).json
    assert (made["events"], made["headers"]) == (["refund.*"], {"X-Shop": "***"})
    (tmp_path / "body.json").write_text("[]")
    assert (await cli("subscription", "add", "--body", "body.json")).status == 2


async def test_what_rest_refuses_is_told_by_member(cli, url):
    ran = await cli(
        "subscription", "add", "--channel", "webhook", "--target", "https://a.example", "--event", "nonsense"
    )
    assert ran.status == 2
    assert ran.err.startswith("notifier: events")

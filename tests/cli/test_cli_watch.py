from dataclasses import replace

import pytest

from notifier.domain.cadence.plan import Bound, Outlook, Wait


@pytest.fixture
def services(services):
    found = Outlook(wait=Wait(11.25, 3600.0, Bound.PRICE), price_s=3.0, shares=())
    return replace(services, outlook=lambda _: found)


async def test_orders_are_added_shown_paused_resumed_polled_and_removed(cli, url):
    added = await cli(
        "watch", "add", "JP1", "--amount", "386.00", "--currency", "INR", "--tag", "gold", "--json"
    )
    assert added.status == 0
    assert (added.json["state"], added.json["tags"]) == ("active", ["gold"])
    assert added.json["expect"] == {"amount": "386.00", "currency": "INR"}
    assert (await cli("watch", "pause", "JP1", "--json")).json["state"] == "paused"
    assert (await cli("watch", "resume", "JP1", "--json")).json["state"] == "active"
    assert (await cli("watch", "poll", "JP1")).err == "JP1: due now\n"
    shown = await cli("watch", "show", "JP1")
    assert "next_poll_at" in shown.out
    assert (
        "cadence: 11.25 s after the look (by then the regret reaches the price of a request, 3 s)"
        in shown.out
    )
    assert (await cli("watch", "show", "JP1", "--json")).json["next_poll"]["bound"] == "price"
    assert "cadence: 11.25 s after the look" in (await cli("explain", "JP1")).out
    assert (await cli("watch", "remove", "JP1")).status == 0
    assert (await cli("watch", "list", "--json")).json["items"] == []


async def test_ids_of_any_characters_arrive_whole(cli, url):
    assert (await cli("watch", "add", "a/b%2F c?d")).status == 0
    assert (await cli("watch", "show", "a/b%2F c?d", "--json")).json["order_id"] == "a/b%2F c?d"


async def test_an_unknown_order_is_a_failure_in_one_line(cli, url):
    ran = await cli("watch", "show", "nobody")
    assert (ran.status, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert ran.err.startswith("notifier: ")


async def test_one_refused_order_does_not_stop_the_others(cli, url):
    ran = await cli("watch", "add", "JP1", "..", "JP2", "--json")
    assert ran.status == 1
    assert [each["order_id"] for each in ran.json["items"]] == ["JP1", "JP2"]
    assert ran.err.startswith("..: order_id: ")


async def test_wrong_members_are_wrong_use_and_named(cli, url):
    ran = await cli("watch", "add", "JP1", "--amount", "12,50", "--currency", "INR")
    assert ran.status == 2
    assert "expect.amount" in ran.err


async def test_lists_are_read_over_pages_up_to_the_limit(cli, url):
    await cli("watch", "add", *[f"JP{n}" for n in range(5)])
    three = (await cli("watch", "list", "--limit", "3", "--json")).json
    assert [each["order_id"] for each in three["items"]] == ["JP0", "JP1", "JP2"]
    assert three["next_cursor"] is not None
    assert len((await cli("watch", "list", "--limit", "0", "--json")).json["items"]) == 5
    table = await cli("watch", "list", "--limit", "3")
    assert "JP2" in table.out
    assert "JP3" not in table.out
    assert "--limit 0 shows all" in table.err


async def test_tags_and_states_narrow_the_list(cli, url):
    await cli("watch", "add", "JP1", "--tag", "gold")
    await cli("watch", "add", "JP2")
    assert [w["order_id"] for w in (await cli("watch", "list", "--tag", "gold", "--json")).json["items"]] == [
        "JP1"
    ]
    assert (await cli("watch", "list", "--state", "paused", "--json")).json["items"] == []
    assert (await cli("watch", "list", "--state", "gone")).status == 2


async def test_markup_in_tags_is_shown_as_it_is(cli, url):
    await cli("watch", "add", "JP1", "--tag", "[red]x[/red]")
    assert "[red]x[/red]" in (await cli("watch", "list")).out


async def test_a_wrong_key_is_told_with_what_to_do(cli, url, monkeypatch):
    monkeypatch.setenv("NOTIFIER_API_KEY", "wrong")
    ran = await cli("watch", "list")
    assert ran.status == 2
    assert "wants its API key: $NOTIFIER_API_KEY" in ran.err
    monkeypatch.delenv("NOTIFIER_API_KEY")
    ran = await cli("watch", "list")
    assert ran.status == 2
    assert "its key lies in notifier-sandbox.db.api-key" in ran.err


async def test_nobody_listening_is_a_failure_that_says_how_to_go_on(cli, monkeypatch):
    monkeypatch.setenv("NOTIFIER_URL", "http://127.0.0.1:1")
    ran = await cli("watch", "list")
    assert ran.status == 1
    assert "no daemon answers at http://127.0.0.1:1 (Connection refused)" in ran.err
    assert "--url" in ran.err


async def test_an_account_that_is_not_there_is_wrong_use(cli, url):
    ran = await cli("watch", "list", "--account", "other")
    assert ran.status == 2
    assert "account" in ran.err


@pytest.mark.parametrize("limit", ["-1", "many"])
async def test_a_limit_is_a_number(cli, limit):
    assert (await cli("watch", "list", "--limit", limit)).status == 2


async def test_an_order_is_watched_at_the_sources_that_are_named(cli, url):
    named = ("--source", "order", "--source", "mandate", "--mandate-id", "m1")
    added = await cli("watch", "add", "JP1", *named, "--json")
    assert (added.json["sources"], added.json["mandate_id"]) == (["mandate", "order"], "m1")
    refused = await cli("watch", "add", "JP2", "--source", "mandate")
    assert refused.status != 0
    assert "mandate_id" in refused.err

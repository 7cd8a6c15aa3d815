import pytest

HOOK = ("subscription", "add", "--channel", "webhook", "--target", "https://shop.example/hooks", "--json")


@pytest.fixture
async def late(cli, url, seen):
    """Somebody who came when the order was paid already."""
    await cli("watch", "add", "JP1")
    await seen("JP1", "CHARGED")
    return (await cli(*HOOK, "--event", "order.*")).json["id"]


async def test_a_range_is_counted_first_and_then_replayed(cli, late):
    ran = await cli("replay", "--subscription", late, "--since", "0", "--dry-run")
    assert (ran.status, ran.out) == (0, "")
    assert "1 event would be sent again; nothing was done" in ran.err
    begun = await cli("replay", "--subscription", late, "--since", "0", "--states", "missing", "--json")
    assert (begun.json["matched"], begun.json["id"][:4]) == (1, "rpl_")
    shown = await cli("replay", "--show", begun.json["id"], "--json")
    assert (shown.json["state"], shown.json["matched"]) == ("running", 1)


async def test_an_instant_is_passed_on_as_it_is(cli, late):
    ran = await cli("replay", "--subscription", late, "--since", "2026-03-02T06:15:00Z", "--json")
    assert ran.json["matched"] == 1
    ran = await cli("replay", "--subscription", late, "--since", "today")
    assert (ran.status, "since: should be an instant" in ran.err) == (2, True)


async def test_one_delivery_is_replayed_by_its_id(cli, late):
    await cli("subscription", "pause", late)
    await cli("subscription", "test", late)
    (owed,) = (await cli("deliveries", "--json")).json["items"]
    ran = await cli("replay", "--delivery", owed["id"])
    assert ran.status == 1
    assert "is held: it is still to be sent" in ran.err


@pytest.mark.parametrize(
    "given",
    [
        (),
        ("--delivery", "dlv_1", "--subscription", "sub_1"),
        ("--subscription", "sub_1"),
        ("--delivery", "dlv_1", "--since", "0"),
        ("--delivery", "dlv_1", "--states", "failed"),
    ],
)
async def test_wrong_use_is_refused(cli, url, given):
    assert (await cli("replay", *given)).status == 2


async def test_a_subscription_may_begin_in_the_past(cli, url, seen):
    await cli("watch", "add", "JP1")
    await seen("JP1", "CHARGED")
    made = await cli(*HOOK, "--event", "order.*", "--since", "1")
    assert (await cli("replay", "--show", made.json["replay_id"], "--json")).json["state"] == "running"
    dated = await cli(*HOOK, "--event", "order.*", "--since", "2026-03-02T06:15:00Z")
    assert dated.json["replay_id"].startswith("rpl_")

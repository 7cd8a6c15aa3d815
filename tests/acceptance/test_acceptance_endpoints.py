"""Trouble on our own side of the wire: mail servers that are down, templates that are broken, requests too large."""

import msgspec
from acceptance_home import eventually, ran

BROKEN = '{"type": {{ event.type | json }},\n "oops": {{ data.no_such_member.at_all }}}\n'


async def test_a_mail_server_out_of_reach_keeps_the_mail_owed_and_delays_no_callback(home, world):
    home.settings = {"EMAIL__PORT": "1"}
    home.more = """
[subscriptions.people]
channel = "email"
digest_s = 0
rate_per_s = 100
target = "people@shop.example"
events = ["order.*"]
schedule = [60, 60]
"""
    async with home.running() as shop:
        await shop.subscribe()
        world.sandbox.create("JP1", steps=())
        await shop.register("JP1")
        got = await shop.told("order.new")
        owed = await eventually(
            lambda: shop.items("/v1/deliveries", state="pending"),
            until=lambda items: [item["attempt_count"] for item in items] == [1],
        )
        assert (owed[0]["event_id"], owed[0]["reason"]) == (got.event_id, "connection")

    home.settings = {}
    home.more = home.more.replace("schedule = [60, 60]", "")
    async with home.running() as shop:
        assert (await shop.items("/v1/deliveries", state="pending"))[0]["id"] == owed[0]["id"]


async def template_broken(home, world, name):
    """Let a broken template stand; return what the receiver got, and what `notifier check` says."""
    folder = home.directory / "templates" / "webhook"
    folder.mkdir(parents=True)
    (folder / f"{name}.json.j2").write_text(BROKEN)
    home.more = f'[templates]\ndirectory = "{folder.parent}"\n'
    async with home.running() as shop:
        await shop.subscribe()
        world.sandbox.create("JP1", steps=())
        await shop.register("JP1")
        got = await shop.told("order.new")
        (delivery,) = await shop.all_delivered()
        assert delivery["attempt_count"] == 1
    status, output, errors = await ran("check", directory=home.directory, environ=home.environ)
    assert status == 2
    assert f"webhook/{name}.json.j2:2" in output + errors
    return got


async def test_a_broken_template_of_one_type_falls_back_to_the_default_and_check_names_it(home, world):
    got = await template_broken(home, world, "order.new")
    assert got.verified
    assert got.json()["data"]["current"] == "NEW"


async def test_a_broken_default_template_falls_back_to_the_shipped_one_and_check_names_it(home, world):
    got = await template_broken(home, world, "default")
    assert got.verified
    assert got.json()["data"]["current"] == "NEW"


async def test_a_body_beyond_the_limit_is_refused_and_the_daemon_goes_on(shop):
    url = f"{shop.url}/v1/watches"
    headers = {"Content-Type": "application/json"}
    async with shop.http.post(url, data=b'{"order_id": "' + b"x" * 300_000, headers=headers) as answer:
        assert answer.status == 413
        assert answer.content_type == "application/problem+json"
        assert (await answer.json())["detail"] == "the body is too large"
    await shop.call("GET", "/readyz", status=200)


async def test_bad_members_are_all_named_and_nothing_is_registered(shop):
    refused = await shop.call(
        "POST",
        "/v1/watches",
        {"order_id": "a\nb", "expect": {"amount": 386.0, "currency": "rupees"}, "colour": "blue"},
        status=422,
    )
    named = {each["field"] for each in refused["errors"]}
    assert {"order_id", "expect.amount", "expect.currency", "colour"} <= named
    assert await shop.items("/v1/watches") == []


async def test_bad_lines_of_a_bulk_call_stop_none_of_the_good_ones(shop):
    lines = b'{"order_id": "JP1"}\nnot json\n{"order_id": ""}\n\n{"order_id": "JP2"}\n'
    headers = {"Content-Type": "application/x-ndjson"}
    async with shop.http.post(f"{shop.url}/v1/watches/bulk", data=lines, headers=headers) as answer:
        said = [msgspec.json.decode(line) async for line in answer.content]
    assert [(each["line"], each["status"]) for each in said] == [(1, 201), (2, 400), (3, 422), (5, 201)]
    assert {each["order_id"] for each in await shop.items("/v1/watches")} == {"JP1", "JP2"}

"""Leaving by the link in a mail: a page that does nothing, a button that disables, and no way to guess a link."""

from dataclasses import replace

import pytest

from notifier.app.managed import synchronise
from notifier.config.model import Config
from notifier.domain.leaving import PURPOSE, token_of
from support.fakes import FakeChannel

ONE_CLICK = {"data": b"List-Unsubscribe=One-Click", "key": None}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
async def api(serve, services, storage):
    open_mail = {**services.channels, "email": FakeChannel(name="email", signs=False)}
    return await serve(
        replace(services, channels=open_mail, link_key=storage.key_for(PURPOSE), config=Config())
    )


@pytest.fixture
async def jane(api):
    body = {"channel": "email", "target": "jane@shop.test", "events": ["order.*"], "name": "<jane>"}
    return (await api.post("/v1/subscriptions?account=shop", body)).body["id"]


@pytest.fixture
def link(storage, jane):
    return f"/v1/unsubscribe/{token_of(storage.key_for(PURPOSE), jane)}"


async def shown(api, of):
    subscription = (await api.get(f"/v1/subscriptions/{of}")).body
    return subscription["state"], subscription["disabled_by"]


async def told(api):
    events = (await api.get("/v1/events")).body["items"]
    return [(event["type"], event["data"]["current"]) for event in events]


async def test_reading_the_link_does_nothing(api, jane, link):
    page = await api.get(link, key=None)
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert b'<form method="post"><button>' in page.raw
    assert b"&lt;jane&gt;" in page.raw
    assert b"jane@shop.test" not in page.raw
    assert await shown(api, jane) == ("active", None)
    assert await told(api) == []


async def test_one_click_disables_says_why_and_tells_the_others(api, jane, link):
    hook = {"channel": "webhook", "target": "https://shop.example/", "events": ["subscription.disabled"]}
    other = (await api.post("/v1/subscriptions?account=shop", hook)).body["id"]
    done = await api.post(link, headers=FORM, **ONE_CLICK)
    assert (done.status, b"unsubscribed" in done.raw) == (200, True)
    assert await shown(api, jane) == ("disabled", "recipient")
    assert await told(api) == [("subscription.disabled", "recipient")]
    owed = (await api.get("/v1/deliveries")).body["items"]
    assert [each["subscription"] for each in owed] == [other]


async def test_a_second_click_changes_nothing(api, jane, link):
    for _ in range(2):
        assert (await api.post(link, headers=FORM, **ONE_CLICK)).status == 200
    assert await shown(api, jane) == ("disabled", "recipient")
    assert len(await told(api)) == 1
    assert b"<form" not in (await api.get(link, key=None)).raw


async def test_who_was_disabled_already_is_out_for_good_and_nobody_is_told_twice(api, jane, link):
    await api.post(f"/v1/subscriptions/{jane}/disable")
    assert await shown(api, jane) == ("disabled", "operator")
    await api.post(link, headers=FORM, **ONE_CLICK)
    assert await shown(api, jane) == ("disabled", "recipient")
    assert await told(api) == []


async def test_enabled_by_hand_it_is_back(api, jane, link):
    await api.post(link, headers=FORM, **ONE_CLICK)
    await api.post(f"/v1/subscriptions/{jane}/enable")
    assert await shown(api, jane) == ("active", None)


@pytest.mark.parametrize("spoil", [
    lambda link: link[:-1] + ("0" if link[-1] != "0" else "1"),
    lambda link: link.partition(".")[0],
    lambda link: link.partition(".")[0] + ".",
    lambda link: link.replace("sub_", "sub_1", 1),
    lambda link: link.partition("sub_")[0] + "%FE",
    lambda link: link.partition("sub_")[0] + "%E2%82%AC.%E2%82%AC",
], ids=["proof", "no proof", "empty proof", "another's", "no text", "no ASCII"])  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_link_that_we_never_gave_out_is_not_there(api, jane, link, spoil, method):
    refused = await api.call(method, spoil(link), key=None)
    assert refused.status in {404, 422}
    assert await shown(api, jane) == ("active", None)


async def test_a_guess_learns_nothing_of_what_there_is(api, storage, jane, link):
    nobody = f"/v1/unsubscribe/{token_of(storage.key_for(PURPOSE), 'sub_nobody')}"
    await api.delete(f"/v1/subscriptions/{jane}")
    answers = [await api.get(each, key=None) for each in (nobody, link, "/v1/unsubscribe/sub_1.00")]
    assert {(each.status, each.body["detail"]) for each in answers} == {(404, answers[0].body["detail"])}


async def test_without_a_key_there_are_no_links(api, serve, services, jane):
    bare = await serve(services, link_key=b"")
    assert (
        await bare.post(f"/v1/unsubscribe/{token_of(b'', jane)}", headers=FORM, **ONE_CLICK)
    ).status == 404


async def test_links_differ_by_subscription_and_by_key(storage):
    key = storage.key_for(PURPOSE)
    tokens = {token_of(key, "sub_1"), token_of(key, "sub_2"), token_of(storage.key_for("else"), "sub_1")}
    assert len(tokens) == 3


@pytest.fixture
def start(storage, services):
    """Start with a table for jane, as the daemon does."""

    async def started(target="jane@shop.test", **tables):
        table = {"channel": "email", "target": target, "events": ["order.*"]}
        config = Config.model_validate({"subscriptions": tables or {"jane": table}}, context={})
        channels = {"email": FakeChannel(name="email", signs=False)}
        await synchronise(
            config,
            services.accounts,
            channels,
            storage,
            clock=services.clock,
            new_id=services.new_id,
            new_secret=services.new_secret,
        )
        async with storage.reading() as tx:
            subscription = await tx.subscription_by_name("shop", "jane")
        return subscription.id

    return started


async def test_who_left_stays_out_over_starts_whatever_the_configuration_says(api, start, storage):
    jane = await start()
    link = f"/v1/unsubscribe/{token_of(storage.key_for(PURPOSE), jane)}"
    await api.post(link, headers=FORM, **ONE_CLICK)
    for _ in range(2):
        assert await start() == jane
        assert await shown(api, jane) == ("disabled", "recipient")
    assert (await api.post(f"/v1/subscriptions/{jane}/enable")).status == 200
    assert await shown(api, jane) == ("active", None)
    await start()
    assert await shown(api, jane) == ("active", None)
    assert (await api.post(f"/v1/subscriptions/{jane}/disable")).status == 409


async def test_another_address_in_the_configuration_is_another_recipient(api, start, storage):
    jane = await start()
    await api.post(f"/v1/unsubscribe/{token_of(storage.key_for(PURPOSE), jane)}", headers=FORM, **ONE_CLICK)
    await start("john@shop.test")
    assert await shown(api, jane) == ("active", None)


async def test_a_table_that_is_gone_says_so_and_is_back_with_it(api, start):
    jane = await start()
    await start(john={"channel": "email", "target": "john@shop.test", "events": ["order.*"]})
    assert await shown(api, jane) == ("disabled", "configuration")
    await start()
    assert await shown(api, jane) == ("active", None)

from dataclasses import replace
from datetime import timedelta

import pytest

from notifier.domain.health import ListenerHealth, TargetHealth, target_id
from notifier.domain.instant import iso
from notifier.domain.subscription import SubscriptionId

HOOK = {"channel": "webhook", "target": "https://shop.example/hooks", "events": ["order.*"]}
WELL = {"failures": 0, "failing_since": None, "resting_until": None}
SLACK = {"channel": "slack", "target": "https://hooks.slack.example/T0/B0/very-secret", "events": ["*"]}


async def created(api, **members):
    answer = await api.post("/v1/subscriptions", HOOK | members)
    assert answer.status == 201
    return answer.body


async def test_a_signing_secret_is_shown_at_creation_and_never_again(api):
    made = await created(api)
    assert made["secret"].startswith("whsec_")
    path = f"/v1/subscriptions/{made['id']}"
    reads = [
        await api.get(path),
        await api.get("/v1/subscriptions"),
        await api.patch(path, {"name": "shop"}),
        await api.post(f"{path}/pause"),
    ]
    assert not [each for each in reads if b"whsec_" in each.raw]


async def test_a_subscription_shows_how_it_and_its_target_stand(api, storage, clock):
    made = await created(api)
    async with storage.writing() as tx:
        await tx.save_listener(made["id"], ListenerHealth(failures=5, since=clock.now()))
        key = target_id("shop", "webhook", HOOK["target"])
        rests_until = clock.now() + timedelta(seconds=30)
        await tx.save_target(key, TargetHealth(failures=5, trips=1, rests_until=rests_until))
    answer = await api.get(f"/v1/subscriptions/{made['id']}")
    assert answer.body["health"] == {
        "failures": 5,
        "failing_since": iso(clock.now()),
        "resting_until": iso(rests_until),
    }


async def test_every_member_reads_back_and_secrets_are_masked(api):
    members = {
        "name": "shop",
        "filter": {"all": [{"path": "data.order.amount", "op": "in", "value": ["1.00", 2, 3.5, True]}]},
        "tags": ["vip"],
        "template": "default",
        "mode": "latest",
        "ordering": "strict",
        "schedule": [1, 2.5],
        "expires_after_s": 60,
        "rate_per_s": 5,
        "headers": {"X-Token": "header-secret"},
        "basic_auth": {"username": "hidden-user", "password": "hidden-pass"},
    }
    made = await created(api, **members)
    answer = await api.get(f"/v1/subscriptions/{made['id']}")
    masked = {"headers": {"X-Token": "***"}, "basic_auth": {"username": "***", "password": "***"}}
    assert answer.body == HOOK | members | masked | {
        "id": made["id"],
        "account": "shop",
        "state": "active",
        "disabled_by": None,
        "digest_s": None,
        "order_id": None,
        "managed": None,
        "old_secrets_until": [],
        "health": WELL,
    }
    assert not [word for word in (b"header-secret", b"hidden-") if word in answer.raw]


async def test_what_was_given_reaches_storage_unmasked(api, storage):
    made = await created(
        api,
        headers={"X-Token": "t"},
        basic_auth={"username": "u", "password": "p:w"},
        target="https://x/?k=1",
    )
    async with storage.reading() as tx:
        secrets = await tx.secrets(SubscriptionId(made["id"]))
    assert secrets.target.reveal() == "https://x/?k=1"
    assert secrets.headers == {"X-Token": "t"}
    assert secrets.basic_auth.reveal() == "u:p:w"
    assert [each.reveal() for each in secrets.signing] == [made["secret"]]


async def test_a_slack_address_is_masked_and_has_no_secret(api):
    made = await api.post("/v1/subscriptions", SLACK)
    listed = await api.get("/v1/subscriptions")
    assert "secret" not in made.body
    assert listed.body["items"][0]["target"] == "https://hooks.slack.example/***"
    assert b"very-secret" not in made.raw + listed.raw


@pytest.mark.parametrize(
    ("member", "field", "code"),
    [
        ({"channel": "pigeon"}, "channel", "unknown_channel"),
        ({"channel": "email"}, "channel", "misconfigured"),
        ({"target": "http://shop.example"}, "target", "target"),
        ({"events": []}, "events", "invalid"),
        ({"events": ["Order.*"]}, "events.0", "pattern"),
        ({"since": -3}, "since", "invalid"),
        ({"since": "2026-03-02T06:15:01Z"}, "since", "future"),
        ({"template": "broken"}, "template", "template"),
        ({"template": "../x"}, "template", "invalid"),
        ({"mode": "some"}, "mode", "invalid"),
        ({"schedule": [0]}, "schedule.0", "invalid"),
        ({"expires_after_s": 2_592_001}, "expires_after_s", "invalid"),
        ({"digest_s": 60}, "digest_s", "unsupported"),
        ({"digest_s": -1}, "digest_s", "invalid"),
        ({"rate_per_s": "5"}, "rate_per_s", "invalid"),
        ({"secret": "whsec_x"}, "secret", "unknown"),
        ({"headers": {"Host": "evil"}}, "headers.Host", "reserved"),
        ({"headers": {"webhook-id": "x"}}, "headers.webhook-id", "reserved"),
        ({"headers": {"X-Forwarded-For": "x"}}, "headers.X-Forwarded-For", "reserved"),
        ({"headers": {"X-A": "b\r\nc: d"}}, "headers.X-A", "invalid"),
        ({"headers": {"X-A": "b", "x-a": "c"}}, "headers.x-a", "twice"),
        ({"headers": {"X Y": "b"}}, "headers.X Y", "name"),
        ({"headers": {f"X-{n}": "b" for n in range(21)}}, "headers", "length"),
        ({"headers": {f"X-{n}": "b" * 1000 for n in range(5)}}, "headers", "length"),
        ({"basic_auth": {"username": "a:b", "password": "c"}}, "basic_auth.username", "invalid"),
        ({"basic_auth": {"username": "a", "password": "c"}, "headers": {"authorization": "x"}}, "headers", "twice"),
        ({"filter": {"all": [{"path": "secret", "op": "eq", "value": 1}]}}, "filter.all.0.path", "invalid"),
        ({"filter": {"all": [{"path": "type", "op": "in", "value": 1}]}}, "filter.all.0", "invalid"),
        ({"filter": {"any": []}}, "filter.any", "unknown"),
    ],
)  # fmt: skip
async def test_a_bad_member_is_refused_by_name(api, services, member, field, code):
    services.channels["webhook"].broken_templates.add("broken")
    answer = await api.post("/v1/subscriptions", HOOK | member)
    assert answer.status == 422
    assert answer.fields.get(field) == code
    assert (await api.get("/v1/subscriptions")).body["items"] == []


async def test_refusals_show_nothing_of_what_was_sent(api):
    bad = {"headers": {"X-A": "se\ncret-1"}, "basic_auth": {"username": "secret-2", "password": "secret-3\n"}}
    answer = await api.post("/v1/subscriptions", HOOK | bad | {"target": "http://secret-4"})
    assert answer.status == 422
    assert b"cret-" not in answer.raw


async def test_headers_mean_nothing_to_a_channel_that_posts_none(api):
    answer = await api.post("/v1/subscriptions", SLACK | {"headers": {"X-A": "b"}})
    assert answer.fields == {"headers": "unsupported"}


async def test_a_taken_name_conflicts(api):
    await created(api, name="shop")
    assert (await api.post("/v1/subscriptions", HOOK | {"name": "shop"})).status == 409


async def test_a_patch_changes_what_it_names(api, storage):
    made = await created(api, name="shop", headers={"X-A": "b"}, template="default")
    path = f"/v1/subscriptions/{made['id']}"
    changed = await api.patch(path, {"target": "https://else.example/", "template": None, "events": ["*"]})
    assert (changed.body["target"], changed.body["template"]) == ("https://else.example/", None)
    assert (changed.body["name"], changed.body["headers"]) == ("shop", {"X-A": "***"})
    assert (await api.get(path)).body == changed.body | {"health": WELL}
    async with storage.reading() as tx:
        secrets = await tx.secrets(SubscriptionId(made["id"]))
    assert (secrets.target.reveal(), secrets.headers) == ("https://else.example/", {"X-A": "b"})
    assert secrets.signing[0].reveal() == made["secret"]


@pytest.mark.parametrize(
    ("member", "field"),
    [
        ({"target": "http://10.0.0.1"}, "target"), ({"target": None}, "target"), ({"events": []}, "events"),
        ({"channel": "slack"}, "channel"), ({"state": "paused"}, "state"),
    ],
)  # fmt: skip
async def test_a_patch_is_checked_like_a_new_one(api, member, field):
    made = await created(api)
    answer = await api.patch(f"/v1/subscriptions/{made['id']}", member)
    assert (answer.status, set(answer.fields)) == (422, {field})


async def test_a_deleted_subscription_is_gone(api):
    path = f"/v1/subscriptions/{(await created(api))['id']}"
    assert (await api.delete(path)).status == 204
    for method, more in [
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/test"),
        ("POST", "/pause"),
        ("POST", "/enable"),
    ]:
        assert (await api.call(method, path + more)).status == 404


async def state_after(api, path, verb, body=None):
    answer = await api.post(f"{path}/{verb}", body)
    return answer.status, answer.body.get("state")


async def test_the_verbs_move_the_state(api):
    path = f"/v1/subscriptions/{(await created(api))['id']}"
    assert await state_after(api, path, "pause") == (200, "paused")
    assert await state_after(api, path, "pause") == (200, "paused")
    assert (await state_after(api, path, "enable"))[0] == 409
    assert await state_after(api, path, "resume") == (200, "active")
    assert await state_after(api, path, "disable") == (200, "disabled")
    assert (await state_after(api, path, "resume"))[0] == 409
    assert (await state_after(api, path, "pause"))[0] == 409
    assert await state_after(api, path, "enable", {"held": "send"}) == (200, "active")
    assert (await api.get(path)).body["state"] == "active"


async def deliveries(api, subscription_id):
    answer = await api.get(f"/v1/deliveries?subscription={subscription_id}")
    return [(each["event_type"], each["state"]) for each in answer.body["items"]]


@pytest.mark.parametrize(("held", "state"), [("send", "pending"), ("drop", "cancelled")])
async def test_enabling_sends_or_drops_what_was_held(api, held, state):
    made = await created(api)
    path = f"/v1/subscriptions/{made['id']}"
    await api.post(f"{path}/disable")
    await api.post(f"{path}/test")
    assert await deliveries(api, made["id"]) == [("test.ping", "held")]
    await api.post(f"{path}/enable", {"held": held})
    assert await deliveries(api, made["id"]) == [("test.ping", state)]


async def test_enable_refuses_another_word(api):
    path = f"/v1/subscriptions/{(await created(api))['id']}/enable"
    assert (await api.post(path, {"held": "burn"})).fields == {"held": "invalid"}


async def test_a_test_reaches_this_subscription_alone_whatever_its_patterns(api):
    made = await created(api, events=["refund.failure"])
    other = await created(api, events=["test.ping"])
    path = f"/v1/subscriptions/{made['id']}/test"
    answers = [await api.post(path), await api.post(path)]
    assert [each.status for each in answers] == [202, 202]
    assert answers[0].body["event_id"] != answers[1].body["event_id"]
    assert await deliveries(api, made["id"]) == [("test.ping", "pending")] * 2
    assert await deliveries(api, other["id"]) == []
    event = (await api.get(f"/v1/events/{answers[0].body['event_id']}")).body
    assert (event["type"], event["data"]["subject_id"], event["livemode"]) == ("test.ping", made["id"], False)


async def test_what_the_configuration_manages_is_read_only(api, storage, clock):
    made = await created(api, name="orders")
    path = f"/v1/subscriptions/{made['id']}"
    async with storage.writing() as tx:
        present = await tx.subscription("shop", SubscriptionId(made["id"]))
        await tx.amend_subscription(replace(present, managed="config"), None, now=clock.now())
    assert (await api.get(path)).body["managed"] == "config"
    assert (await api.patch(path, {"name": "x"})).status == 409
    assert (await api.delete(path)).status == 409
    for verb in ("pause", "resume", "disable", "enable"):
        assert (await api.post(f"{path}/{verb}")).status == 409
    assert (await api.post(f"{path}/test")).status == 202


async def test_lists_page_to_the_end_without_loss(api):
    made = {(await created(api))["id"] for _ in range(11)}
    listed = [each["id"] for each in await api.all("/v1/subscriptions", 3)]
    assert (set(listed), len(listed)) == (made, 11)

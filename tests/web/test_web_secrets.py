"""Rotating a subscription's signing secret."""

from dataclasses import replace
from datetime import timedelta

import pytest

from notifier.domain.subscription import SubscriptionId
from support.clock import START

HOOK = {"channel": "webhook", "target": "https://shop.example/hooks", "events": ["order.*"]}
SLACK = {"channel": "slack", "target": "https://hooks.slack.example/T0/B0/x", "events": ["*"]}


@pytest.fixture
async def made(api):
    return (await api.post("/v1/subscriptions", HOOK)).body


@pytest.fixture
def path(made):
    return f"/v1/subscriptions/{made['id']}/rotate-secret"


async def live(storage, made, at_s=0):
    async with storage.reading() as tx:
        secrets = await tx.secrets(SubscriptionId(made["id"]))
    return [each.reveal() for each in secrets.live(START + timedelta(seconds=at_s))]


async def test_a_rotation_shows_the_new_secret_once_and_until_when_the_old_one_lives(
    api, storage, made, path
):
    answer = await api.post(path, {"overlap_s": 3600})
    assert answer.status == 200
    assert answer.body["secret"].startswith("whsec_")
    assert answer.body["secret"] != made["secret"]
    assert answer.body["old_secrets_until"] == ["2026-03-02T07:15:00.000Z"]
    assert await live(storage, made) == [answer.body["secret"], made["secret"]]
    shown = await api.get(f"/v1/subscriptions/{made['id']}")
    assert shown.body["old_secrets_until"] == answer.body["old_secrets_until"]
    assert b"whsec_" not in shown.raw


async def test_the_end_of_an_overlap_is_seen(api, clock, made, path):
    await api.post(path, {"overlap_s": 60})
    await clock.advance(60)
    assert (await api.get(f"/v1/subscriptions/{made['id']}")).body["old_secrets_until"] == []


@pytest.mark.parametrize("body", [None, {"overlap_s": 86_400}, {"overlap_s": 604_800}])
async def test_an_overlap_lasts_a_day_unless_told_otherwise(api, storage, made, path, body):
    overlap_s = (body or {}).get("overlap_s", 86_400)
    new = (await api.post(path, body)).body["secret"]
    assert await live(storage, made, overlap_s - 1) == [new, made["secret"]]
    assert await live(storage, made, overlap_s) == [new]


async def test_no_overlap_ends_the_old_secret_at_once(api, storage, made, path):
    answer = await api.post(path, {"overlap_s": 0})
    assert answer.body["old_secrets_until"] == []
    assert await live(storage, made) == [answer.body["secret"]]


@pytest.mark.parametrize("overlap_s", [-1, 604_801, "60", True, None])
async def test_an_overlap_out_of_bounds_is_refused_by_name(api, storage, made, path, overlap_s):
    answer = await api.post(path, {"overlap_s": overlap_s})
    assert (answer.status, set(answer.fields)) == (422, {"overlap_s"})
    assert await live(storage, made) == [made["secret"]]


async def test_more_than_five_live_secrets_are_refused(api, storage, made, path):
    for _ in range(4):
        assert (await api.post(path)).status == 200
    refused = await api.post(path)
    assert (refused.status, refused.body["code"]) == (409, "conflict")
    assert "2026-03-03T06:15:00.000Z" in refused.body["detail"]
    assert len(await live(storage, made)) == 5
    assert (await api.post(path, {"overlap_s": 0})).status == 200
    assert len(await live(storage, made)) == 1


async def test_a_channel_that_does_not_sign_has_no_secret_to_rotate(api):
    slack = (await api.post("/v1/subscriptions", SLACK)).body["id"]
    refused = await api.post(f"/v1/subscriptions/{slack}/rotate-secret")
    assert refused.status == 409
    assert "slack signs nothing" in refused.body["detail"]
    assert b"whsec_" not in refused.raw


async def test_what_the_configuration_manages_is_rotated_there(api, storage, clock, made, path):
    async with storage.writing() as tx:
        present = await tx.subscription("shop", SubscriptionId(made["id"]))
        await tx.amend_subscription(replace(present, managed="config"), None, now=clock.now())
    refused = await api.post(path)
    assert refused.status == 409
    assert "managed by config" in refused.body["detail"]
    assert await live(storage, made) == [made["secret"]]


async def test_a_repeat_under_its_key_rotates_nothing_and_shows_no_secret(api, storage, made, path):
    keyed = {"Idempotency-Key": "rotate-1"}
    first = await api.post(path, {"overlap_s": 60}, headers=keyed)
    again = await api.post(path, {"overlap_s": 60}, headers=keyed)
    assert {**again.body, "secret": first.body["secret"]} == first.body
    assert b"whsec_" not in again.raw
    assert await live(storage, made) == [first.body["secret"], made["secret"]]
    assert (await api.post(path, {"overlap_s": 0}, headers=keyed)).status == 422


async def test_a_rotation_leaves_state_and_members_alone(api, made, path):
    own = path.removesuffix("/rotate-secret")
    await api.post(f"{own}/pause")
    answer = await api.post(path)
    assert answer.body["state"] == "paused"
    changed = {"old_secrets_until", "secret", "state"}
    assert {k: v for k, v in answer.body.items() if k not in changed} == {
        k: v for k, v in made.items() if k not in changed
    }


async def test_an_edit_leaves_the_old_secrets_their_overlap(api, storage, made, path):
    new = (await api.post(path, {"overlap_s": 60})).body["secret"]
    await api.patch(path.removesuffix("/rotate-secret"), {"target": "https://else.example/"})
    assert await live(storage, made) == [new, made["secret"]]


async def test_an_unknown_subscription_has_nothing_to_rotate(api):
    assert (await api.post("/v1/subscriptions/sub_none/rotate-secret")).status == 404

import asyncio

import pytest

HOOK = {"channel": "webhook", "target": "https://shop.example/hooks", "events": ["order.*"]}


def keyed(key="k1"):
    return {"Idempotency-Key": key}


async def test_the_same_request_is_done_once_and_answered_without_secrets(api):
    first = await api.post("/v1/subscriptions", HOOK, headers=keyed())
    again = await api.post("/v1/subscriptions", HOOK, headers=keyed())
    assert (first.status, again.status) == (201, 201)
    assert {**again.body, "secret": first.body["secret"]} == first.body
    assert b"whsec_" not in again.raw
    assert len((await api.get("/v1/subscriptions")).body["items"]) == 1


async def test_secrets_of_notify_are_not_remembered_either(api):
    body = {"order_id": "JP1", "notify": [HOOK]}
    first = await api.post("/v1/watches", body, headers=keyed())
    again = await api.post("/v1/watches", body, headers=keyed())
    assert "secret" in first.body["notify"][0]
    assert (again.status, again.body["notify"]) == (201, [{"id": first.body["notify"][0]["id"]}])


async def test_another_body_under_a_used_key_is_refused(api):
    await api.post("/v1/watches", {"order_id": "a"}, headers=keyed())
    answer = await api.post("/v1/watches", {"order_id": "b"}, headers=keyed())
    assert (answer.status, answer.fields) == (422, {"Idempotency-Key": "key_reused"})
    assert (await api.get("/v1/watches/b")).status == 404


async def test_another_path_under_a_used_key_is_another_request(api):
    ids = [(await api.post("/v1/subscriptions", HOOK)).body["id"] for _ in range(2)]
    assert (await api.post(f"/v1/subscriptions/{ids[0]}/test", headers=keyed())).status == 202
    assert (await api.post(f"/v1/subscriptions/{ids[1]}/test", headers=keyed())).status == 422
    assert (await api.post(f"/v1/subscriptions/{ids[1]}/pause", headers=keyed())).status == 200


async def test_accounts_do_not_share_keys(serve, services):
    api = await serve(services, accounts={"north": True, "south": True})
    for account in ("north", "south"):
        body = {"order_id": "a", "account": account}
        assert (await api.post("/v1/watches", body, headers=keyed())).body["account"] == account


async def test_a_refused_request_is_not_remembered(api):
    assert (await api.post("/v1/subscriptions", HOOK | {"target": "ftp://x"}, headers=keyed())).status == 422
    assert (await api.post("/v1/subscriptions", HOOK, headers=keyed())).status == 201


async def test_a_conflict_is_not_remembered(api):
    made = await api.post("/v1/subscriptions", HOOK | {"name": "shop"})
    assert (await api.post("/v1/subscriptions", HOOK | {"name": "shop"}, headers=keyed())).status == 409
    await api.delete(f"/v1/subscriptions/{made.body['id']}")
    assert (await api.post("/v1/subscriptions", HOOK | {"name": "shop"}, headers=keyed())).status == 201


async def test_duplicates_at_the_same_time_are_done_once(api):
    answers = await asyncio.gather(*(api.post("/v1/subscriptions", HOOK, headers=keyed()) for _ in range(8)))
    assert {each.status for each in answers} == {201}
    assert len({each.body["id"] for each in answers}) == 1
    assert sum("secret" in each.body for each in answers) == 1
    assert len((await api.get("/v1/subscriptions")).body["items"]) == 1


async def test_a_test_repeated_under_its_key_pings_once(api):
    made = (await api.post("/v1/subscriptions", HOOK)).body
    path = f"/v1/subscriptions/{made['id']}/test"
    first, again = [await api.post(path, headers=keyed()) for _ in range(2)]
    assert first.body == again.body
    assert len((await api.get("/v1/deliveries")).body["items"]) == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "clé"])
async def test_an_odd_key_is_refused(api, key):
    answer = await api.post("/v1/watches", {"order_id": "a"}, headers=keyed(key))
    assert answer.fields == {"Idempotency-Key": "invalid"}

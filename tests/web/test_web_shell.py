import gzip
import hashlib

import aiohttp
import pytest
from structlog.testing import capture_logs

from notifier.config.secret import Secret
from notifier.web.routes import ROUTES
from notifier.web.server import MAX_BODY_BYTES, application, serving

HOOK = {"channel": "webhook", "target": "https://shop.example/hooks", "events": ["order.*"]}
KEYLESS = {"/healthz", "/readyz", "/"}


def a_path(route):
    return route.path.replace("{order_id}", "x").replace("{id}", "x")


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
async def test_every_call_but_the_keyless_ones_needs_a_key(api, route):
    statuses = set()
    for key in (None, "wrong", "operator-key-", "clé"):
        answer = await api.call(route.method, a_path(route), key=key)
        statuses.add(answer.status)
    if route.path in KEYLESS:
        assert statuses == {200}
    elif "/unsubscribe/" in route.path:
        assert statuses == {404}  # the link is the key, and this one is none
    else:
        assert statuses == {401}
        signed = {"hints": "Basic", "slack": "Slack-Signature", "incidents": "Basic", "orders": "Basic"}
        signed = {} if route.path.startswith("/v1/") and not route.is_keyless else signed
        scheme = next((signed[part] for part in route.path.split("/") if part in signed), "Bearer")
        assert answer.headers["WWW-Authenticate"].split()[0] == scheme
        assert answer.body["code"] == "unauthorized"


async def test_an_unknown_path_shows_itself_only_to_those_with_a_key(api):
    assert (await api.get("/v1/nothing", key=None)).status == 401
    assert (await api.get("/v1/nothing")).status == 404


async def test_another_scheme_is_no_key(api):
    assert (await api.get("/v1/watches", headers={"Authorization": "Basic operator-key-1"})).status == 401
    assert (await api.get("/v1/watches", headers={"Authorization": "bearer operator-key-1"})).status == 200


async def test_a_key_kept_in_storage_opens(serve, services, storage, clock):
    async with storage.writing() as tx:
        await tx.add_api_key(hashlib.sha256(b"stored-key").digest(), "ci", now=clock.now())
    api = await serve(services, operator_key=None)
    assert (await api.get("/v1/watches", key="stored-key")).status == 200
    assert (await api.get("/v1/watches")).status == 401


async def test_a_refusal_is_a_problem_document(api):
    answer = await api.post("/v1/watches", {"order_id": "a", "x": 1})
    assert answer.headers["Content-Type"] == "application/problem+json"
    body = answer.body
    assert body.pop("request_id") == answer.headers["Request-Id"]
    assert body == {
        "type": "about:blank",
        "title": "Unprocessable Entity",
        "status": 422,
        "detail": "x: is not a known member",
        "code": "unknown",
        "errors": [{"field": "x", "code": "unknown", "message": "is not a known member"}],
    }


@pytest.mark.parametrize(
    "raw", [b"{", b"\xff", b'{"order_id": "a"} x', b'{"order_id": "\\ud800"}', b"[" * 9000]
)
async def test_bad_json_is_400(api, raw):
    answer = await api.post("/v1/watches", data=raw)
    assert (answer.status, answer.body["code"]) == (400, "bad_json")


@pytest.mark.parametrize("raw", [b"", b"[]", b'"a"', b"null", b"{}"])
async def test_json_that_is_no_watch_is_422(api, raw):
    assert (await api.post("/v1/watches", data=raw)).status == 422


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "application/x-ndjson", ""]
)
async def test_another_content_type_is_415(api, kind):
    answer = await api.post("/v1/watches", data=b'{"order_id": "a"}', headers={"Content-Type": kind})
    assert answer.status == 415
    assert "application/json" in answer.body["detail"]


async def test_a_content_type_may_name_its_charset(api):
    headers = {"Content-Type": "application/json; charset=utf-8"}
    assert (await api.post("/v1/watches", data=b'{"order_id": "a"}', headers=headers)).status == 201


async def test_a_body_too_large_is_413(api):
    answer = await api.post("/v1/watches", data=b" " * (MAX_BODY_BYTES + 1))
    assert (answer.status, answer.headers["Content-Type"]) == (413, "application/problem+json")


async def test_a_small_body_that_unpacks_to_a_large_one_is_413(api):
    packed = gzip.compress(b" " * (MAX_BODY_BYTES * 20))
    answer = await api.post("/v1/watches", data=packed, headers={"Content-Encoding": "gzip"})
    assert answer.status == 413


async def test_a_wrong_method_names_the_right_ones(api):
    answer = await api.call("PUT", "/v1/watches")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET,POST")
    assert answer.body["code"] == "method_not_allowed"


async def test_a_call_without_a_body_refuses_one(api):
    assert (await api.call("GET", "/v1/watches", {"limit": 5})).status == 422


async def test_posts_without_members_take_an_empty_object_or_nothing(api):
    await api.post("/v1/watches", {"order_id": "a"})
    assert (await api.post("/v1/watches/a/poll")).status == 202
    assert (await api.post("/v1/watches/a/poll", {})).status == 202
    assert (await api.post("/v1/watches/a/poll", {"account": "shop"})).status == 202
    assert (await api.post("/v1/watches/a/poll", {"now": True})).fields == {"now": "unknown"}


async def test_the_account_must_be_named_once_there_are_several(serve, services):
    api = await serve(services, accounts={"north": True, "south": True})
    asked = await api.get("/v1/watches")
    assert (asked.status, asked.body["code"], asked.fields) == (
        422,
        "account_required",
        {"account": "account_required"},
    )
    assert (await api.get("/v1/watches?account=west")).body["code"] == "account_unknown"
    clash = await api.post("/v1/watches?account=north", {"order_id": "a", "account": "south"})
    assert clash.body["code"] == "account_mismatch"
    assert (await api.post("/v1/watches?account=north", {"order_id": "a"})).status == 201
    assert (await api.post("/v1/watches", {"order_id": "a", "account": "south"})).status == 201
    assert (await api.get("/v1/watches/a?account=south")).body["account"] == "south"


async def test_a_database_out_of_reach_is_503_and_shows_no_details(serve, services, failing):
    api = await serve(services, storage=failing)
    with capture_logs() as lines:
        answer = await api.get("/v1/watches")
    assert (answer.status, answer.body["code"], answer.headers["Retry-After"]) == (503, "storage", "1")
    assert b"/secret/place" not in answer.raw
    assert "storage.failed" in [line["event"] for line in lines]


class Broken:
    def __init__(self, message):
        self._message = message

    def reading(self):
        raise RuntimeError(self._message)


async def test_a_defect_is_500_and_logged_without_what_it_says(serve, services):
    api = await serve(services, storage=Broken("what-it-says"))
    with capture_logs() as lines:
        answer = await api.get("/v1/watches")
    assert (answer.status, answer.body["code"]) == (500, "internal")
    (failure,) = [line for line in lines if line["event"] == "request.failed"]
    assert (failure["error"], failure["request_id"]) == ("RuntimeError", answer.body["request_id"])
    assert "what-it-says" not in str(lines) + answer.raw.decode()


async def test_secrets_are_never_logged(api):
    members = {
        "headers": {"X-Token": "header-secret"},
        "basic_auth": {"username": "u1", "password": "pass-secret"},
    }
    with capture_logs() as lines:
        made = await api.post("/v1/subscriptions?account=shop", HOOK | members)
        await api.patch(f"/v1/subscriptions/{made.body['id']}", {"headers": {"Bad": "header-secret"}})
    assert {line["event"] for line in lines} == {"request.answered"}
    assert lines[0]["route"] == "/v1/subscriptions"
    for secret in ("header-secret", "pass-secret", made.body["secret"], "operator-key-1"):
        assert secret not in str(lines)


async def test_answers_are_counted_by_route_and_never_by_id(api, services):
    await api.get("/v1/watches/JP1")
    await api.get("/v1/nothing/JP1")
    text = services.metrics.render()[0].decode()
    assert 'notifier_http_requests_total{route="/v1/watches/{order_id}",status="404"} 1.0' in text
    assert 'route="unmatched",status="404"' in text
    assert "JP1" not in text


async def test_answers_are_not_to_be_cached(api):
    for path in ("/v1/watches", "/healthz", "/v1/nothing"):
        headers = (await api.get(path)).headers
        assert (headers["Cache-Control"], headers["X-Content-Type-Options"]) == ("no-store", "nosniff")


async def test_the_server_listens_while_the_block_runs(services):
    async with (
        serving(application(services), "127.0.0.1", 0) as url,
        aiohttp.ClientSession() as session,
        session.get(f"{url}/healthz") as response,
    ):
        assert response.status == 200
    with pytest.raises(aiohttp.ClientConnectorError):
        async with aiohttp.ClientSession() as session:
            await session.get(f"{url}/healthz")


def test_every_declared_path_and_method_is_declared_once():
    calls = [(route.method, route.path) for route in ROUTES]
    assert len(calls) == len(set(calls)) > 0  # which they are is held by the table in docs/api.md


def test_services_show_no_secret(services):
    assert "operator-key-1" not in repr(Secret("operator-key-1"))
    assert "operator-key-1" not in repr(services.operator_key)

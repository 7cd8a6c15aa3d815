import pytest

from notifier.config.model import Config, Metrics, Server
from notifier.domain.order import Source
from notifier.errors import StorageError
from notifier.storage.records import SourceHealth, SourceState

HOOK = {"channel": "webhook", "target": "https://shop.example/hooks", "events": ["order.*"]}


async def test_the_process_says_that_it_lives(api):
    assert (await api.get("/healthz", key=None)).body == {"status": "ok"}


async def test_a_working_daemon_is_ready(api):
    answer = await api.get("/readyz", key=None)
    assert answer.status == 200
    assert answer.body == {
        "status": "ready",
        "storage": "ok",
        "loops": {"poller": "alive", "deliverer": "alive"},
        "oldest_due_lag_s": 0.0,
        "refused_accounts": [],
        "stretched_accounts": {},
    }


async def test_intervals_that_are_stretched_are_said_and_fail_nothing(serve, services):
    api = await serve(services, stretched=lambda: {"shop": 1.5})
    answer = await api.get("/readyz", key=None)
    assert (answer.status, answer.body["stretched_accounts"]) == (200, {"shop": 1.5})


async def test_a_dead_loop_is_not_ready(serve, services):
    api = await serve(services, liveness=lambda: {"poller": False, "deliverer": True})
    answer = await api.get("/readyz", key=None)
    assert (answer.status, answer.body["loops"]["poller"]) == (503, "dead")


async def test_a_database_out_of_reach_is_not_ready(serve, services, failing):
    api = await serve(services, storage=failing)
    answer = await api.get("/readyz", key=None)
    assert (answer.status, answer.body["storage"]) == (503, "unreachable")
    assert (await api.get("/healthz", key=None)).status == 200


async def test_what_is_overdue_and_who_is_refused_is_told(api, storage, clock):
    await api.post("/v1/watches", {"order_id": "a"})
    async with storage.writing() as tx:
        await tx.save_source_health(
            SourceHealth(account="shop", source=Source.ORDER, state=SourceState.REFUSED, since=clock.now())
        )
    await clock.advance(12.5)
    answer = await api.get("/readyz")
    assert answer.status == 200
    assert (answer.body["oldest_due_lag_s"], answer.body["refused_accounts"]) == (12.5, ["shop"])


async def test_metrics_speak_to_prometheus(api, serve, services):
    answer = await api.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    assert b"# TYPE notifier_polls_total counter" in answer.raw
    off = await serve(services, config=Config(metrics=Metrics(enabled=False)))
    assert (await off.get("/metrics")).status == 404


async def test_the_page_shows_what_runs(api):
    made = await api.post("/v1/watches", {"order_id": "<b>JP1</b>", "notify": [HOOK]})
    await api.post(f"/v1/subscriptions/{made.body['notify'][0]['id']}/test")
    page = await api.get("/", key=None)
    text = page.raw.decode()
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert "notifier 0.1.0" in text
    for cells in (("shop", "sandbox"), ("active", "1"), ("owed", "1")):
        assert "".join(f"<td>{cell}</td>" for cell in cells) in text
    assert "<td>test.ping</td>" in text
    assert "<script" not in text
    assert "https://shop.example" not in text


async def test_the_page_shows_the_last_events_newest_first(api, clock):
    made = (await api.post("/v1/subscriptions", HOOK)).body
    for _ in range(23):
        await clock.advance(1)
        await api.post(f"/v1/subscriptions/{made['id']}/test")
    rows = (await api.get("/")).raw.decode().split("<td>test.ping</td>")[1:]
    assert [row.split("<td>")[2].split("<")[0] for row in rows] == [str(n) for n in range(23, 13, -1)]


async def test_beyond_loopback_the_page_needs_the_key(serve, services):
    api = await serve(services, config=Config(server=Server(host="0.0.0.0")))
    assert (await api.get("/", key=None)).status == 401
    assert (await api.get("/")).status == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_keyless_calls_refuse_unknown_parameters(api, path):
    assert (await api.get(f"{path}?verbose=1", key=None)).status == 422


@pytest.mark.parametrize("headers", [{"Host": "shop.example"}, {"X-Forwarded-For": "203.0.113.7"}])
async def test_the_status_page_is_not_open_to_guests_of_a_proxy_or_another_name(api, headers):
    assert (await api.get("/", key=None, headers=headers)).status == 401


async def test_a_database_that_reads_and_does_not_write_is_not_ready_until_it_writes_again(api, storage):
    async def allow(word):
        async with storage._engines[0].connect() as connection:
            driver = (await connection.get_raw_connection()).driver_connection
            await driver.execute(f"PRAGMA query_only={word}")

    await allow("ON")
    assert (await api.post("/v1/watches", {"order_id": "a"})).status == 503
    with pytest.raises(StorageError, match="readonly"):
        async with storage.writing() as tx:
            await (
                tx.counts()
            )  # Changes nothing, which a full disk takes: so that it proves something, it writes.
    answer = await api.get("/readyz", key=None)
    assert (answer.status, answer.body["status"], answer.body["storage"]) == (503, "not_ready", "unwritable")
    await allow("OFF")
    assert (await api.post("/v1/watches", {"order_id": "a"})).status == 201
    assert (await api.get("/readyz", key=None)).body["storage"] == "ok"

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from notifier.domain.delivery import DeliveryState, Reason
from notifier.domain.document import event_document, order_document
from notifier.domain.instant import seconds
from notifier.domain.order import Source, order_key
from notifier.storage.records import AttemptRecord, Lanes, SourceHealth, SourceState
from notifier.web.timeline import story
from notifier.web.wording import line
from support.builders import a_snapshot
from support.clock import START
from support.seeing import seeing

HOOK = {"channel": "webhook", "target": "https://shop.example/hooks", "events": ["order.*"]}
Seen = Callable[..., Awaitable[Any]]


@pytest.fixture
def seen(storage, services):
    return seeing(storage, services)


async def attempt(storage, delivery_id, answer):
    """Make one attempt at a delivery that fails, as the deliverer does."""
    now = START + seconds(1)
    async with storage.writing() as tx:
        (due,) = [
            each
            for each in await tx.due_deliveries(now=now, limit=9, lanes=Lanes())
            if each.delivery.id == delivery_id
        ]
        await tx.claim([(due, b"{}")], lease_until=now + seconds(60), token="t")
        record = AttemptRecord(
            delivery_id=due.delivery.id, number=1, started_at=now, duration_ms=12, reason=Reason.HTTP_STATUS,
            http_status=503, retry_after_s=9.5, answer=answer,
        )  # fmt: skip
        after = due.delivery._replace(
            attempts=1,
            reason=Reason.HTTP_STATUS,
            due_at=now + seconds(5),
            state=DeliveryState.PENDING,
        )
        await tx.record_attempts([(due, record, after, "t")], now=now, lanes=Lanes())


async def test_an_order_reads_as_its_present_snapshot(api, seen: Seen):
    await api.post("/v1/watches", {"order_id": "JP1"})
    assert (await api.get("/v1/orders/JP1")).status == 404
    await seen("JP1", "NEW")
    await seen("JP1", "CHARGED", at=START + seconds(4))
    order = (await api.get("/v1/orders/jp1")).body
    assert (order["version"], order["observed_at"], order["order_id"]) == (
        2,
        "2026-03-02T06:15:04.000Z",
        "JP1",
    )
    assert order["order"]["status"] == "CHARGED"
    assert order["order"]["amount"] == "386.00"


async def test_past_snapshots_are_read_one_by_one_and_as_a_list(api, seen: Seen):
    await api.post("/v1/watches", {"order_id": "JP1"})
    for number, status in enumerate(("NEW", "PENDING_VBV", "CHARGED", "AUTO_REFUNDED", "NEW")):
        await seen("JP1", status, at=START + seconds(number))
    assert (await api.get("/v1/orders/JP1/snapshots?version=2")).body["order"]["status"] == "PENDING_VBV"
    assert (await api.get("/v1/orders/JP1/snapshots?version=9")).status == 404
    assert (await api.get("/v1/orders/JP1/snapshots?version=0")).status == 422
    assert [each["version"] for each in await api.all("/v1/orders/JP1/snapshots", 2)] == [1, 2, 3, 4, 5]


async def test_a_timeline_tells_everything_in_order(api, storage, seen: Seen):
    await api.post("/v1/watches", {"order_id": "JP1", "notify": [HOOK]})
    await seen("JP1", "NEW")
    await seen("JP1", "CHARGED", at=START + seconds(4))
    first = (await api.get("/v1/deliveries")).body["items"][-1]
    await attempt(storage, first["id"], b"down")
    story = (await api.get("/v1/orders/JP1/timeline")).body
    assert story["is_complete"]
    instants = [each["at"] for each in story["items"]]
    assert instants == sorted(instants)
    told = [each["kind"] for each in story["items"] if each["kind"] != "next_poll"]
    assert told == ["registered", "snapshot", "event", "delivery", "attempt", "snapshot", "event", "delivery"]
    by_kind = {each["kind"]: each for each in story["items"]}
    assert by_kind["next_poll"]["why"] == "registered"
    changes = {each["field"]: (each["previous"], each["current"]) for each in by_kind["snapshot"]["changes"]}
    assert changes["status"] == ("NEW", "CHARGED")
    assert "amount" not in changes
    assert by_kind["attempt"]["reason"] == "http_status"
    assert by_kind["event"]["type"] == "order.charged"
    for kind in ("delivery", "attempt"):
        assert (by_kind[kind]["channel"], by_kind[kind]["subscription_name"]) == ("webhook", None)
        assert by_kind[kind]["event_type"]


@pytest.mark.parametrize(("next_poll_at", "kind"), [(START, "next_poll"), (None, "polled")])
async def test_a_timeline_of_an_order_never_found_says_why(api, storage, next_poll_at, kind):
    await api.post("/v1/watches", {"order_id": "JP1"})
    async with storage.reading() as tx:
        watch = await tx.watch("shop", order_key("JP1"))
        never = replace(watch, next_poll_at=next_poll_at, polls=4, failures=4, last_error="not_found")
        entries, _ = await story(tx, never)
    (entry,) = [each for each in entries if each["kind"] == kind]
    assert (entry["polls"], entry["failures"], entry["error"]) == (4, 4, "not_found")


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (
            SourceState.REFUSED,
            ["source order: refused since 06:15:00, so it waits until a probe is answered"],
        ),
        (SourceState.FAILING, ["source order: failing since 06:15:00"]),
        (SourceState.OK, []),
    ],
)
async def test_a_timeline_says_that_a_source_does_not_answer(api, storage, state, said):
    await api.post("/v1/watches", {"order_id": "JP1"})
    async with storage.writing() as tx:
        for source, stands in ((Source.ORDER, state), (Source.HYPERCREDIT, SourceState.REFUSED)):
            await tx.save_source_health(
                SourceHealth(account="shop", source=source, state=stands, since=START)
            )
    (_, entry) = (await api.get("/v1/orders/JP1/timeline")).body["items"]
    assert entry["kind"] == "next_poll"
    assert list(line(entry, START).changes) == said


async def test_a_timeline_says_that_nothing_is_polled_any_more(api):
    await api.post("/v1/watches", {"order_id": "JP1"})
    (registered, _) = (await api.get("/v1/orders/JP1/timeline")).body["items"]
    assert line(registered, START).reason == "first look: tell"
    await api.patch("/v1/watches/JP1", {"state": "paused"})
    (registered,) = (await api.get("/v1/orders/JP1/timeline")).body["items"]
    assert line(registered, START).reason == "first look: tell; paused now, so no polls"


async def test_a_timeline_of_an_unknown_order_is_not_found(api):
    unknown = await api.get("/v1/orders/Nope/timeline")
    assert unknown.status == 404
    assert "order 'Nope'" in unknown.body["detail"]
    assert (await api.get("/v1/orders/nope/snapshots")).status == 404


async def test_events_read_exactly_as_they_are_pushed(api, storage, seen: Seen):
    await api.post("/v1/watches", {"order_id": "JP1"})
    await seen("JP1", "CHARGED")
    answer = (await api.get("/v1/events")).body
    async with storage.reading() as tx:
        (logged,) = await tx.events("shop")
    pushed = event_document(logged.event, 1, order_document(logged.event.order_id, a_snapshot()))
    assert answer == {"items": [pushed], "next_after": 1}
    assert (await api.get(f"/v1/events/{logged.event.id}")).body == pushed


async def test_the_stream_of_events_is_said_to_be_missing_from_this_version(api):
    answer = await api.get("/v1/events/stream")
    assert (answer.status, answer.body["code"]) == (404, "not_found")
    assert "not in this version" in answer.body["detail"]


async def test_events_page_by_sequence_and_are_filtered(api, seen: Seen):
    for order_id in ("a", "b"):
        await api.post("/v1/watches", {"order_id": order_id})
        for status in ("NEW", "PENDING_VBV", "CHARGED"):
            await seen(order_id, status)
    sequences, after = [], 0
    while items := (page := (await api.get(f"/v1/events?after={after}&limit=2")).body)["items"]:
        sequences += [each["data"]["sequence"] for each in items]
        after = page["next_after"]
    assert sequences == [1, 2, 3, 4, 5, 6]
    assert page == {"items": [], "next_after": 6}
    of_b = (await api.get("/v1/events?order_id=B")).body["items"]
    assert [each["data"]["order_id"] for each in of_b] == ["b"] * 3
    charged = (await api.get("/v1/events?type=order.charged")).body["items"]
    assert [each["type"] for each in charged] == ["order.charged"] * 2
    assert (await api.get("/v1/events?order_id=unheard-of")).body["items"] == []


@pytest.mark.parametrize("query", ["after=-1", "after=x", "limit=501", "cursor=x", "order_id="])
async def test_bad_queries_for_events_are_refused(api, query):
    assert (await api.get(f"/v1/events?{query}")).status == 422


async def test_an_event_of_another_account_is_not_found(serve, services, api, seen: Seen):
    await api.post("/v1/watches", {"order_id": "JP1"})
    await seen("JP1", "CHARGED")
    event_id = (await api.get("/v1/events")).body["items"][0]["id"]
    both = await serve(services, accounts={"shop": True, "other": True})
    assert (await both.get(f"/v1/events/{event_id}?account=other")).status == 404
    assert (await both.get(f"/v1/events/{event_id}?account=shop")).status == 200
    assert (await api.get("/v1/events/evt_nope")).status == 404


async def test_a_delivery_shows_every_attempt_and_its_answer_as_text(api, storage, seen: Seen):
    await api.post("/v1/watches", {"order_id": "JP1", "notify": [HOOK]})
    await seen("JP1", "CHARGED")
    (item,) = (await api.get("/v1/deliveries")).body["items"]
    assert (item["state"], item["reason"], item["event_type"], item["order_id"]) == (
        "pending",
        "new",
        "order.charged",
        "JP1",
    )
    await attempt(storage, item["id"], b"caf\xe9 <down>")
    shown = (await api.get(f"/v1/deliveries/{item['id']}")).body
    assert shown["attempts"] == [
        {
            "number": 1,
            "started_at": "2026-03-02T06:15:01.000Z",
            "duration_ms": 12,
            "reason": "http_status",
            "http_status": 503,
            "retry_after_s": 9.5,
            "answer": "caf� <down>",
        }
    ]
    assert shown["attempt_count"] == 1
    assert (await api.get("/v1/deliveries/dlv_nope")).status == 404


async def test_deliveries_page_to_the_end_and_are_filtered(api, seen: Seen):
    for order_id in ("a", "b"):
        await api.post("/v1/watches", {"order_id": order_id, "notify": [HOOK]})
        for status in ("NEW", "PENDING_VBV", "CHARGED"):
            await seen(order_id, status)
    every = await api.all("/v1/deliveries", 4)
    assert len({each["id"] for each in every}) == len(every) == 6
    assert [each["order_id"] for each in await api.all("/v1/deliveries?order_id=A", 2)] == ["a"] * 3
    subscription = every[0]["subscription"]
    assert len((await api.get(f"/v1/deliveries?subscription={subscription}")).body["items"]) == 3
    assert (await api.get("/v1/deliveries?state=delivered")).body["items"] == []
    assert (await api.get("/v1/deliveries?state=lost")).status == 422
    assert (await api.get("/v1/deliveries?cursor=x")).status == 422

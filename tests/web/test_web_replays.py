"""Replays over REST."""

import pytest

from notifier.domain.delivery import DeliveryState, Outcome, Reason, Verdict, advance
from notifier.storage.records import AttemptRecord, Lanes

HOOK = {"channel": "webhook", "target": "https://shop.example/hooks", "events": ["order.*", "test.ping"]}


@pytest.fixture
async def hook(api):
    return (await api.post("/v1/subscriptions", HOOK)).body["id"]


async def ended(storage, clock, verdict=Verdict.REFUSED):
    """Bring the one due delivery to an end."""
    async with storage.writing() as tx:
        now = clock.now()
        [due] = await tx.due_deliveries(now=now, limit=5, lanes=Lanes())
        delivery = due.delivery
        await tx.claim([(due, b"{}")], lease_until=now, token="t")
        outcome = Outcome(verdict=verdict, reason=Reason.EXHAUSTED)
        after = advance(delivery, outcome, now=now, schedule=(), roll=0.5)
        record = AttemptRecord(
            delivery_id=delivery.id, number=1, started_at=now, duration_ms=1, reason=Reason.HTTP_STATUS
        )
        await tx.record_attempts([(due, record, after, "t")], now=now, lanes=Lanes())
    return delivery.id


@pytest.fixture
async def failed(api, hook, storage, clock):
    await api.post(f"/v1/subscriptions/{hook}/test")
    return await ended(storage, clock)


async def test_one_delivery_is_sent_again_as_often_as_it_is_asked_for(api, hook, failed):
    path = f"/v1/deliveries/{failed}/replay"
    answers = [await api.post(path) for _ in range(2)]
    assert [answer.status for answer in answers] == [202, 202]
    again = (await api.get(f"/v1/deliveries/{answers[0].body['delivery_id']}")).body
    first = (await api.get(f"/v1/deliveries/{failed}")).body
    assert (again["event_id"], again["sequence"]) == (first["event_id"], first["sequence"])
    assert (again["state"], again["reason"]) == ("pending", "replayed")
    assert again["replay_id"] == answers[0].body["id"] != answers[1].body["id"]
    assert first["state"] == "failed"


async def test_an_idempotency_key_repeats_the_answer_and_a_fresh_one_replays_anew(api, failed):
    path = f"/v1/deliveries/{failed}/replay"
    ids = [(await api.post(path, headers={"Idempotency-Key": key})).body["id"] for key in ("k1", "k1", "k2")]
    assert ids[0] == ids[1] != ids[2]


async def test_what_is_still_owed_is_not_replayed(api, hook):
    owed = (await api.post(f"/v1/subscriptions/{hook}/test")).body["delivery_id"]
    answer = await api.post(f"/v1/deliveries/{owed}/replay")
    assert (answer.status, answer.body["code"]) == (409, "conflict")


async def test_nothing_is_sent_again_to_a_deleted_subscription(api, hook, failed):
    await api.delete(f"/v1/subscriptions/{hook}")
    assert (await api.post(f"/v1/deliveries/{failed}/replay")).status == 409
    answer = await api.post(f"/v1/subscriptions/{hook}/replay", {"since": 0})
    assert answer.status == 404


async def test_a_paused_subscription_is_owed_its_replay_as_held(api, hook, failed):
    await api.post(f"/v1/subscriptions/{hook}/pause")
    made = (await api.post(f"/v1/deliveries/{failed}/replay")).body["delivery_id"]
    assert (await api.get(f"/v1/deliveries/{made}")).body["state"] == DeliveryState.HELD


async def test_a_dry_run_counts_and_writes_nothing(api, hook, failed, storage):
    ranged = await api.post(f"/v1/subscriptions/{hook}/replay", {"since": 0, "dry_run": True})
    lone = await api.post(f"/v1/deliveries/{failed}/replay", {"dry_run": True})
    assert (ranged.status, lone.status) == (200, 200)
    assert ranged.body == {"id": None, "matched": 0, "log_begins_at": None}
    assert lone.body == {"id": None, "matched": 1}
    async with storage.reading() as tx:
        assert await tx.running_replays() == []
        assert len((await tx.deliveries("shop"))[0]) == 1


async def test_a_range_is_a_job_that_tells_how_far_it_has_come(api, hook, clock):
    begun = await api.post(f"/v1/subscriptions/{hook}/replay", {"since": "2026-01-01T00:00:00Z"})
    assert begun.status == 202
    shown = (await api.get(f"/v1/replays/{begun.body['id']}")).body
    assert shown == {
        "id": begun.body["id"],
        "account": "shop",
        "subscription": hook,
        "state": "running",
        "matched": 0,
        "made": 0,
        "pending": 0,
        "delivered": 0,
        "failed": 0,
        "cancelled": 0,
        "superseded": 0,
        "gone": 0,
        "log_begins_at": None,
        "created_at": "2026-03-02T06:15:00.000Z",
        "finished_at": None,
    }
    assert (await api.get("/v1/replays/rpl_none")).status == 404


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({}, "since", "missing"),
        ({"since": "yesterday"}, "since", "invalid"),
        ({"since": True}, "since", "invalid"),
        ({"since": "2027-01-01T00:00:00Z"}, "since", "future"),
        ({"since": 0, "states": ["pending"]}, "states.0", "invalid"),
        ({"since": 0, "states": []}, "states", "invalid"),
        ({"since": 0, "types": ["Order.*"]}, "types.0", "pattern"),
        ({"since": 5, "until": 4}, "until", "range"),
        ({"since": "2026-01-02T00:00:00Z", "until": "2026-01-02T00:00:00Z"}, "until", "range"),
        ({"since": 0, "limit": 5}, "limit", "unknown"),
    ],
)
async def test_a_bad_range_is_refused_by_its_member(api, hook, body, field, code):
    answer = await api.post(f"/v1/subscriptions/{hook}/replay", body)
    assert answer.status == 422
    assert answer.fields.get(field) == code


async def test_a_subscription_from_the_past_is_a_replay_from_the_start(api, storage):
    made = await api.post("/v1/subscriptions", HOOK | {"since": 1})
    replay = (await api.get(f"/v1/replays/{made.body['replay_id']}")).body
    assert (made.status, replay["subscription"], replay["state"]) == (201, made.body["id"], "running")
    assert replay["matched"] is None
    watched = await api.post("/v1/watches", {"order_id": "a", "notify": [HOOK | {"since": 1}]})
    (told,) = watched.body["notify"]
    async with storage.reading() as tx:
        assert {each.id for each in await tx.running_replays()} == {replay["id"], told["replay_id"]}

"""Alerts, incidents and silences over REST."""

from datetime import datetime, timedelta

import pytest

from notifier.domain.alert.alert import Acceptance, AlertId
from notifier.domain.alert.report import IncidentState, Reason
from notifier.domain.alert.rule import Plain
from notifier.storage.alerting import Learned
from support.traffic import Traffic, an_alert, told

RULE = {"name": "failures", "outcome": "AUTHORIZATION_FAILED"}
HALF = {"window_s": 300, "rate_over": 0.4, "at_least": 20}


async def test_an_alert_is_made_read_changed_and_deleted(api):
    made = await api.post("/v1/alerts", RULE)
    assert (made.status, made.body["id"][:4]) == (201, "alr_")
    assert made.body == {
        "id": made.body["id"],
        "account": "shop",
        "name": "failures",
        "outcome": ["AUTHORIZATION_FAILED"],
        "dimensions": ["gateway", "payment_method_type", "payment_method", "bank"],
        "filter": None,
        "false_pages_per_month": 1.0,
        "tiers": ["page", "run", "slow", "warn"],
        "plain": None,
        "page_budget": 2,
        "routes": [],
        "state": "active",
        "managed": None,
    }
    path = f"/v1/alerts/{made.body['id']}"
    assert (await api.get(path)).body == made.body | {"judged_through": None, "open_incidents": []}
    assert (await api.get("/v1/alerts")).body["items"] == [made.body]
    changed = await api.patch(path, {"plain": HALF, "filter": {"gateway": ["PAYU"]}, "routes": ["oncall"]})
    assert changed.body["plain"] == HALF | {"more_than": None}
    assert (changed.body["filter"], changed.body["routes"]) == ({"gateway": ["PAYU"]}, ["oncall"])
    assert (await api.post("/v1/alerts", RULE)).status == 409
    assert (await api.delete(path)).status == 204
    assert (await api.get(path)).status == 404


@pytest.mark.parametrize(
    ("outcome", "tiers"),
    [
        (["AUTHENTICATION_FAILED", "AUTHORIZATION_FAILED"], ["page", "run", "slow", "warn"]),
        (["refund"], ["page", "run", "slow", "warn"]),
        (["mandate"], ["page", "run", "slow", "warn"]),
        (["loan"], ["page", "run", "slow", "warn"]),
        (["stuck"], ["page", "run", "slow", "warn"]),
        (["silence"], ["silence"]),
    ],
)
async def test_what_is_counted_reads_as_it_was_given(api, outcome, tiers):
    made = (await api.post("/v1/alerts", {"name": "it", "outcome": outcome})).body
    assert (made["outcome"], made["tiers"]) == (outcome, tiers)
    back = (await api.patch(f"/v1/alerts/{made['id']}", {"outcome": "CAPTURE_FAILED"})).body
    assert (back["outcome"], back["tiers"]) == (["CAPTURE_FAILED"], ["page", "run", "slow", "warn"])


async def test_a_threshold_of_ones_own_stands_alone_unless_tiers_are_given(api):
    alone = (await api.post("/v1/alerts", RULE | {"plain": HALF})).body
    assert alone["tiers"] == []
    beside = (await api.post("/v1/alerts", RULE | {"name": "b", "plain": HALF, "tiers": ["page"]})).body
    assert beside["tiers"] == ["page"]


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"name": "summary"}, "name"),
        ({"outcome": "CHARGED"}, "outcome"),
        ({"outcome": ["refund", "AUTHORIZATION_FAILED"]}, "outcome"),
        ({"outcome": []}, "outcome"),
        ({"outcome": ["stuck", "AUTHORIZATION_FAILED"]}, "outcome"),
        ({"dimensions": ["shoe_size"]}, "dimensions.0"),
        ({"filter": {"shoe_size": ["9"]}}, "filter.shoe_size"),
        ({"filter": {"gateway": []}}, "filter.gateway"),
        ({"false_pages_per_month": 0}, "false_pages_per_month"),
        ({"tiers": ["stuck"]}, "tiers.0"),
        ({"tiers": []}, "tiers"),
        ({"plain": {"window_s": 90, "more_than": 3}}, "plain.window_s"),
        ({"plain": {"window_s": 300}}, "plain"),
        ({"plain": {"window_s": 300, "rate_over": 0.5}}, "plain"),
        ({"page_budget": -1}, "page_budget"),
        ({"threshold": 5}, "threshold"),
        ({"name": ""}, "name"),
    ],
)
async def test_a_wrong_member_is_named(api, members, field):
    answer = await api.post("/v1/alerts", RULE | members)
    assert (answer.status, list(answer.fields)) == (422, [field])


async def test_what_counts_something_else_learns_anew_and_else_not(api, storage, clock):
    made = (await api.post("/v1/alerts", RULE)).body
    alert_id, learned = AlertId(made["id"]), Learned(judged_through=clock.now(), schema=1, state=b"{}")
    async with storage.writing() as tx:
        await tx.save_alert_learned(alert_id, learned)
    await api.patch(f"/v1/alerts/{alert_id}", {"page_budget": 5, "name": "renamed", "tiers": ["page"]})
    async with storage.reading() as tx:
        assert await tx.alert_learned(alert_id) == learned
    await api.patch(f"/v1/alerts/{alert_id}", {"outcome": "refund"})
    async with storage.reading() as tx:
        assert await tx.alert_learned(alert_id) == Learned()


async def test_an_alert_of_the_configuration_is_read_only(api, storage):
    async with storage.writing() as tx:
        await tx.save_alert(an_alert(managed="config"))
    for refused in (
        await api.patch("/v1/alerts/alr_1", {"page_budget": 1}),
        await api.delete("/v1/alerts/alr_1"),
    ):
        assert refused.status == 409
        assert "managed by config" in refused.body["detail"]


async def test_an_incident_is_listed_shown_and_acknowledged_once(api, services, spike):
    (listed,) = (await api.get("/v1/incidents?state=open")).body["items"]
    shown = (await api.get(f"/v1/incidents/{spike.id}")).body
    assert listed == shown
    assert (shown["id"], shown["number"], shown["alert"], shown["cause"]) == (
        spike.id,
        1,
        "alr_1",
        {"gateway": "RAZORPAY"},
    )
    assert (shown["silenced_by"], shown["pages"], shown["merged_into"]) == ([], 2, None)
    acked = await api.post(f"/v1/incidents/{spike.id}/ack", {"by": "asha", "note": "on it"})
    assert (acked.status, acked.body["state"], acked.body["acknowledged_by"]) == (200, "acknowledged", "asha")
    assert acked.body["note"] == "on it"
    again = await api.post(f"/v1/incidents/{spike.id}/ack", {"by": "ravi"})
    assert (again.status, again.body["acknowledged_by"]) == (200, "asha")
    tellings = await told(services)
    assert [each for each in tellings if each[0] != "incident.updated"] == [
        ("incident.opened", "opened"),
        ("incident.acknowledged", "acknowledged"),
    ]
    assert (await api.get("/v1/incidents?state=open")).body["items"] == []
    assert (await api.get("/v1/alerts/alr_1")).body["open_incidents"] == []
    assert (await api.post(f"/v1/incidents/{spike.id}/ack", {})).fields == {"by": "missing"}
    assert (await api.get("/v1/incidents/inc_0")).status == 404


async def test_an_ended_incident_takes_no_acknowledgement(api, services, spike):
    assert (await api.delete("/v1/alerts/alr_1")).status == 204
    assert (await told(services))[-1] == ("incident.resolved", "resolved")
    async with services.storage.reading() as tx:
        (ended,) = await tx.incidents("shop")
    assert (ended.report.state, ended.report.reason) == (IncidentState.RESOLVED, Reason.RESOLVED)
    for verb, body in (("ack", {"by": "asha"}), ("silence", {"by": "asha", "for_s": 60})):
        assert (await api.post(f"/v1/incidents/{spike.id}/{verb}", body)).status == 409


async def test_an_incident_is_silenced_until_it_ends_and_the_silence_can_be_ended(api, spike):
    path = f"/v1/incidents/{spike.id}"
    made = await api.post(f"{path}/silence", {"by": "asha", "until_it_ends": True})
    assert (made.status, made.body["incident"], made.body["until"]) == (201, spike.id, None)
    assert (await api.get(path)).body["silenced_by"] == [made.body["id"]]
    assert (await api.get("/v1/silences")).body["items"] == [made.body]
    assert (await api.delete(f"/v1/silences/{made.body['id']}")).status == 204
    assert (await api.get(path)).body["silenced_by"] == []


@pytest.mark.parametrize(
    "ends", [{}, {"for_s": 60, "until_it_ends": True}, {"until": "2026-01-01T00:00:00Z"}]
)
async def test_a_silence_has_one_end_and_it_is_to_come(api, spike, ends):
    answer = await api.post(f"/v1/incidents/{spike.id}/silence", {"by": "asha"} | ends)
    assert (answer.status, list(answer.fields)) == (422, ["until"])


async def test_a_silence_may_stand_for_a_rule_and_a_cause(api, spike):
    body = {"by": "asha", "rule": "failures", "matchers": {"gateway": "RAZORPAY"}, "for_s": 600}
    made = await api.post("/v1/silences", body)
    assert (made.status, made.body["matchers"]) == (201, {"gateway": "RAZORPAY"})
    assert (await api.get(f"/v1/incidents/{spike.id}")).body["silenced_by"] == [made.body["id"]]
    assert (await api.post("/v1/silences", {"by": "asha"})).status == 422


async def test_a_backtest_finds_the_page_and_how_late_it_was_and_tells_nobody(api, services, clock, spike):
    before = await told(services)
    answer = await api.post("/v1/alerts/alr_1/backtest", {"days": 0.5})
    assert answer.status == 200
    (page,) = answer.body["pages"]
    assert page["cause"] == {"gateway": "RAZORPAY"}
    assert page["opened_at"] == (await api.get(f"/v1/incidents/{spike.id}")).body["opened_at"]
    assert 60 <= page["delay_s"] <= 240
    assert answer.body["median_delay_s"] == page["delay_s"]
    assert answer.body["pages_per_month"] == 675
    assert await told(services) == before
    assert (page["backed_by"], answer.body["doubtful_pages"]) == ("evidence", 0)
    assert answer.body["estimated_false_pages_per_month"] == {"mean": 0, "low": 0, "high": 2489.99}
    last = answer.body["course"][-1]
    assert (last["orders"], last["failed"], last["rate"]) == (900, 90, 0.1)
    assert last["normal_rate"] == pytest.approx(0.1, abs=0.01)


async def test_days_of_which_nothing_is_kept_do_not_count_as_days_without_a_false_page(api, spike):
    answers = [
        (await api.post("/v1/alerts/alr_1/backtest", {"days": days})).body["estimated_false_pages_per_month"]
        for days in (0.5, 35)
    ]
    assert answers[0] == answers[1]
    assert answers[0]["high"] > 1000, "an hour without one says little about a month"


async def test_a_backtest_of_less_than_a_minute_judges_one(api, spike):
    answer = await api.post("/v1/alerts/alr_1/backtest", {"days": 0.0001})
    assert answer.status == 200
    since, until = (datetime.fromisoformat(answer.body[end]) for end in ("since", "until"))
    assert until - since == timedelta(minutes=1)


async def test_a_page_that_somebody_took_care_of_was_no_false_one(api, spike):
    await api.post(f"/v1/incidents/{spike.id}/ack", {"by": "asha"})
    answer = await api.post("/v1/alerts/alr_1/backtest", {"days": 0.5})
    assert [each["backed_by"] for each in answer.body["pages"]] == ["people"]


async def test_a_page_that_nothing_backs_is_counted_as_false(api, services, storage, clock, spike):
    """A threshold that people wrote calls for what is usual, too."""
    async with storage.writing() as tx:
        await tx.save_alert(an_alert(tiers=frozenset(), plain=Plain(window=5, rate=0.01, least=20)))
    answer = await api.post("/v1/alerts/alr_1/backtest", {"days": 0.03})
    assert (
        [each["backed_by"] for each in answer.body["pages"]].count(None) == answer.body["doubtful_pages"] > 0
    )
    estimate = answer.body["estimated_false_pages_per_month"]
    assert 0 < estimate["low"] < estimate["mean"] < estimate["high"]


async def test_a_backtest_takes_for_normal_what_somebody_accepted_then(api, services, storage, clock):
    traffic = Traffic(services)
    await clock.advance(2700)
    async with storage.writing() as tx:
        await tx.save_alert(an_alert())
    await traffic.past(240)
    traffic.rates["RAZORPAY"] = 0.6
    await traffic.flow(65)
    wish = Acceptance(cause=(("gateway", "RAZORPAY"),), at=clock.now(), by="asha")
    async with storage.writing() as tx:
        await tx.save_alert(an_alert(accepted=(wish,)))
    await traffic.flow(15)
    (page,) = (await api.post("/v1/alerts/alr_1/backtest", {"days": 1})).body["pages"]
    assert (page["state"], page["backed_by"]) == ("resolved", "people")


async def test_a_backtest_of_nothing_finds_nothing(api):
    made = (await api.post("/v1/alerts", RULE)).body
    answer = (await api.post(f"/v1/alerts/{made['id']}/backtest", {"days": 1})).body
    assert (answer["pages"], answer["median_delay_s"], answer["course"]) == ([], None, [])
    assert (await api.post(f"/v1/alerts/{made['id']}/backtest", {"days": 99})).status == 422


async def test_a_new_normal_is_taken_with_a_minute_that_is_still_to_be_judged(api, storage, clock, spike):
    answer = await api.post("/v1/alerts/alr_1/accept", {"by": "asha", "cause": {"gateway": "RAZORPAY"}})
    assert answer.status == 202
    assert (answer.body["cause_text"], answer.body["by"]) == ("gateway RAZORPAY", "asha")
    async with storage.reading() as tx:
        (wish,) = (await tx.alert("shop", AlertId("alr_1"))).accepted
    assert clock.now() < wish.at <= clock.now() + timedelta(seconds=60)
    assert wish.cause == (("gateway", "RAZORPAY"),)
    await api.patch("/v1/alerts/alr_1", {"page_budget": 5})
    async with storage.reading() as tx:
        assert (await tx.alert("shop", AlertId("alr_1"))).accepted == (wish,)


async def test_nothing_is_accepted_of_a_place_that_is_not_judged(api, spike):
    fresh = (await api.post("/v1/alerts", RULE | {"name": "fresh"})).body["id"]
    for alert_id, cause in (("alr_1", {"gateway": "NOBODY"}), (fresh, {})):
        refused = await api.post(f"/v1/alerts/{alert_id}/accept", {"by": "asha", "cause": cause})
        assert refused.status == 409
        assert "has learned nothing of" in refused.body["detail"]
    wrong = await api.post("/v1/alerts/alr_1/accept", {"cause": {"shoe_size": "9"}})
    assert set(wrong.fields) == {"by", "cause.shoe_size"}

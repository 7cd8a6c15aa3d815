"""What happens to alerts while incidents are open, and to incidents while time does odd things."""

from datetime import timedelta

import msgspec
import pytest

from notifier.domain.alert.alert import AlertId
from notifier.domain.alert.counts import minute_of
from notifier.domain.alert.docket import held_of
from notifier.domain.alert.ledger import Ledger
from notifier.domain.alert.outcome import Family
from notifier.domain.alert.report import IncidentState, Severity, Tier
from notifier.domain.alert.rule import Plain
from notifier.domain.alert.silence import Silence, SilenceId
from notifier.domain.alert.volume import Volume
from notifier.domain.order import Source
from notifier.domain.snapshot import Subject
from notifier.storage.alarming import end_all
from notifier.storage.alerting import Learned
from notifier.storage.records import SourceHealth, SourceState
from notifier.workers.accounting import STATE_SCHEMA
from notifier.workers.cadence import Cadence
from support.traffic import Traffic, an_alert, kept, told

OPENED, RESOLVED = ("incident.opened", "opened"), ("incident.resolved", "resolved")
PLAIN = Plain(window=5, rate=0.4, least=20)


@pytest.fixture
async def traffic(house):
    """A quiet while, and one alert on its own threshold: sure to fire within a minute or two."""
    traffic = Traffic(house)
    await house.clock.advance(2700)  # to the full hour
    async with house.storage.writing() as tx:
        await tx.save_alert(an_alert(tiers=frozenset(), plain=PLAIN))
    await traffic.past(90)
    return traffic


def of_gateway(gateway, **members):
    given = {"id": AlertId(f"alr_{gateway}"), "name": gateway, "tiers": frozenset(), "plain": PLAIN}
    return an_alert(**(given | {"where": {"gateway": frozenset({gateway})}} | members))


async def test_a_cause_that_comes_back_after_it_had_grown_is_the_same_incident_with_its_number(
    house, traffic
):
    """Its id is of where it began; what it has grown to is not."""
    alerter = traffic.alerter()
    traffic.rates["RAZORPAY"] = 0.9
    await traffic.lived(alerter, 5)
    traffic.rates = dict.fromkeys(traffic.rates, 0.9)
    await traffic.lived(alerter, 6)
    assert (await kept(house))[0].report.cause == ()
    traffic.rates = dict.fromkeys(traffic.rates, 0.1)
    await traffic.lived(alerter, 22)
    ended, other = await kept(house)
    assert ended.is_over
    assert other.is_over
    traffic.rates["RAZORPAY"] = 0.9
    await traffic.lived(alerter, 5)
    back, _ = await kept(house)
    assert (back.id, back.report.number, back.report.reopened) == (ended.id, 1, 1)
    assert back.report.cause == (("gateway", "RAZORPAY"),)
    assert (await told(house)).count(OPENED) == 2


async def test_each_set_of_routes_has_a_summary_of_its_own(house, traffic):
    async with house.storage.writing() as tx:
        await tx.remove_alert("shop", AlertId("alr_1"))
        for gateway, routes in (("RAZORPAY", ("one",)), ("PAYU", ("other",))):
            await tx.save_alert(of_gateway(gateway, page_budget=0, routes=routes))
    alerter = traffic.alerter()
    await traffic.lived(alerter, 2)
    traffic.rates |= {"RAZORPAY": 0.8, "PAYU": 0.8}
    await traffic.lived(alerter, 6)
    summaries = [each for each in await kept(house) if each.rule_id == "summary"]
    assert {each.routes for each in summaries} == {("one",), ("other",)}
    traffic.rates = dict.fromkeys(traffic.rates, 0.1)
    await traffic.lived(alerter, 20)
    tellings = await told(house)
    assert (tellings.count(OPENED), tellings.count(RESOLVED)) == (2, 2)


async def test_a_summary_ends_though_the_last_alert_is_gone(house, traffic):
    async with house.storage.writing() as tx:
        await tx.save_alert(of_gateway("PAYU", id=AlertId("alr_1"), page_budget=0))
    alerter = traffic.alerter()
    await traffic.lived(alerter, 2)
    traffic.rates["PAYU"] = 0.8
    await traffic.lived(alerter, 5)
    async with house.storage.writing() as tx:
        alert = await tx.alert("shop", AlertId("alr_1"))
        await end_all(tx, alert.account, alert.id, telling=house.telling, now=house.clock.now())
        await tx.remove_alert("shop", alert.id)
    await traffic.lived(alerter, 2)
    assert [each.id for each in await kept(house) if not each.is_over] == []
    assert (await told(house))[-1] == RESOLVED


async def test_an_alert_that_goes_while_minutes_are_judged_opens_nothing(house, traffic, monkeypatch):
    alerter = traffic.alerter()
    await traffic.lived(alerter, 2)
    traffic.rates["RAZORPAY"] = 0.9
    await traffic.flow(4)
    write_down = alerter._write_down

    async def deleted_meanwhile(opened):
        await write_down(opened)
        async with house.storage.writing() as tx:
            await tx.remove_alert("shop", AlertId("alr_1"))

    monkeypatch.setattr(type(alerter), "_write_down", staticmethod(deleted_meanwhile))
    await alerter.judge()
    await alerter.judge()
    assert await kept(house) == []


async def test_what_rose_under_a_silence_calls_when_the_silence_ends(house, traffic):
    alerter = traffic.alerter()
    traffic.rates["RAZORPAY"] = 0.5
    await traffic.lived(alerter, 4)
    (incident,) = await kept(house)
    assert (incident.report.severity, incident.pages) == (Severity.P2, 1)
    async with house.storage.writing() as tx:
        await tx.add_silence(
            Silence(
                id=SilenceId("sil_1"),
                account="shop",
                by="asha",
                created_at=house.clock.now(),
                until_at=house.clock.now() + timedelta(minutes=8),
            )
        )
    traffic.rates = dict.fromkeys(traffic.rates, 0.9)
    await traffic.lived(alerter, 6)
    (risen,) = await kept(house)
    assert (risen.report.severity, risen.pages) == (Severity.P1, 1)
    await traffic.lived(alerter, 4)
    (woken,) = await kept(house)
    assert woken.pages == 2
    assert ("incident.updated", "severity_rose") in await told(house)


async def test_what_is_long_over_when_we_catch_up_calls_nobody(house, traffic):
    alerter = traffic.alerter()
    await traffic.lived(alerter, 1)
    traffic.rates["RAZORPAY"] = 0.9
    await traffic.flow(8)
    traffic.rates["RAZORPAY"] = 0.1
    await traffic.flow(60)
    await traffic.alerter().judge()
    (incident,) = await kept(house)
    assert (incident.report.state, incident.pages) == (IncidentState.RESOLVED, 0)
    assert await told(house) == []


async def test_what_still_lasts_when_we_have_caught_up_calls_once(house, traffic):
    alerter = traffic.alerter()
    await traffic.lived(alerter, 1)
    traffic.rates["RAZORPAY"] = 0.9
    await traffic.flow(68)
    await traffic.alerter().judge()
    (incident,) = await kept(house)
    assert await told(house) == [OPENED]
    assert house.clock.now() - incident.report.opened_at > timedelta(hours=1)


async def test_a_clock_that_is_set_back_by_an_hour_blinds_nobody(house, traffic):
    alerter = traffic.alerter()
    await traffic.lived(alerter, 5)
    house.clock.step(-3600)
    house.clock.follow()
    await traffic.lived(alerter, 3)
    traffic.rates = dict.fromkeys(traffic.rates, 0.9)
    await traffic.lived(alerter, 8)
    assert OPENED in await told(house)


async def test_what_an_alert_judges_is_looked_at_though_nobody_subscribes_to_it(house):
    await house.subscribe("subscription.*")
    async with house.storage.writing() as tx:
        await tx.save_alert(an_alert(family=Family.REFUND, words=frozenset({"FAILURE"})))
    cadence = Cadence(policy=house.policy, clock=house.clock)
    async with house.running(house.poller(cadence=cadence)):
        assert cadence.terms("shop").heard >= {Subject.REFUND}
        assert Subject.MANDATE not in cadence.terms("shop").heard


def quiet_weeks(alert, *, per_quarter, until):
    """What an alert has learned of a shop with so many orders each quarter of an hour of three weeks."""
    ledger = Ledger(alert.rule)
    ledger.detector._volume = Volume(minute_of(until) // 15 - 1, [per_quarter] * 3 * 672)
    return msgspec.json.encode(ledger.detector.document())


@pytest.fixture
async def hush(house):
    """An alert for silence that knows three weeks of three hundred orders a quarter, and an hour of them now."""
    traffic = Traffic(house, per_minute=7)
    await house.clock.advance(2700)
    alert = an_alert(tiers=frozenset({Tier.SILENCE}))
    state = quiet_weeks(alert, per_quarter=300, until=house.clock.now())
    async with house.storage.writing() as tx:
        await tx.save_alert(alert)
        learned = Learned(judged_through=house.clock.now(), schema=STATE_SCHEMA, state=state)
        await tx.save_alert_learned(alert.id, learned)
    return traffic


async def test_silence_that_we_watched_calls(house, hush):
    alerter = hush.alerter()
    await hush.lived(alerter, 35)
    assert await told(house) == []
    hush.rates = {}
    await hush.lived(alerter, 32)
    assert (await told(house))[:1] == [OPENED]


async def test_our_own_sleep_is_no_silence(house, hush):
    await hush.lived(hush.alerter(), 35)
    await house.clock.advance(3 * 3600)
    await hush.lived(hush.alerter(), 35)
    assert await kept(house) == []


async def test_an_upstream_that_does_not_answer_is_no_silence(house, hush):
    alerter = hush.alerter()
    await hush.lived(alerter, 35)
    async with house.storage.writing() as tx:
        failing = SourceHealth(
            account="shop",
            source=Source.ORDER,
            state=SourceState.FAILING,
            since=house.clock.now(),
            failures=9,
        )
        await tx.save_source_health(failing)
    rates, hush.rates = hush.rates, {}
    await hush.lived(alerter, 32)
    async with house.storage.writing() as tx:
        await tx.save_source_health(SourceHealth(account="shop", source=Source.ORDER))
    hush.rates = rates
    await hush.lived(alerter, 32)
    assert await kept(house) == []


async def test_a_new_normal_is_learned_after_a_day_of_an_open_incident(house, traffic):
    traffic.rates["RAZORPAY"] = 0.9
    await traffic.lived(traffic.alerter(), 4)
    (incident,) = await kept(house)
    alert, day = an_alert(), timedelta(hours=24)
    assert held_of(alert, [incident], incident.report.opened_at + day / 2) == [incident.report.cause]
    assert held_of(alert, [incident], incident.report.opened_at + day * 1.1) == []


async def test_a_summary_does_not_speak_for_what_is_silenced(house, traffic):
    async with house.storage.writing() as tx:
        await tx.save_alert(of_gateway("PAYU", id=AlertId("alr_1"), page_budget=0))
        silence = Silence(
            id=SilenceId("sil_1"),
            account="shop",
            by="asha",
            created_at=house.clock.now(),
            rule="PAYU",
            until_at=house.clock.now() + timedelta(minutes=10),
        )
        await tx.add_silence(silence)
    alerter = traffic.alerter()
    await traffic.lived(alerter, 2)
    traffic.rates["PAYU"] = 0.8
    await traffic.lived(alerter, 6)
    assert len(await kept(house)) == 1
    assert await told(house) == []
    await traffic.lived(alerter, 4)
    assert (await told(house)).count(OPENED) == 1, "told when the silence ends"


async def test_what_is_told_once_we_have_caught_up_keeps_to_the_page_budget(house, traffic):
    async with house.storage.writing() as tx:
        await tx.remove_alert("shop", AlertId("alr_1"))
        for gateway in traffic.rates:
            await tx.save_alert(of_gateway(gateway, page_budget=1))
    alerter = traffic.alerter()
    await traffic.lived(alerter, 2)
    traffic.rates = dict.fromkeys(traffic.rates, 0.8)
    await traffic.flow(30)  # and nobody judges
    await alerter.judge()
    assert (await told(house)).count(OPENED) == 2, "one, and a summary of the others"
    assert sorted(each.merged_into or "" for each in await kept(house)) == ["", "", "summary", "summary"]

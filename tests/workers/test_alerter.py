"""The alerter over real storage: what opens, what ends, and what a kill, a pause and our own lag do not do."""

from datetime import timedelta

import pytest

from notifier.domain.alert.alert import Acceptance, AlertId, watched
from notifier.domain.alert.incident import acknowledged
from notifier.domain.alert.outcome import STUCK
from notifier.domain.alert.report import IncidentState, Reason, Severity, Tier
from notifier.domain.alert.rule import Plain
from notifier.domain.alert.silence import Silence, SilenceId
from notifier.domain.order import OrderKey
from notifier.errors import StorageError
from notifier.storage.alarming import end_all
from support.traffic import Traffic, all_events, an_alert, kept, told

OPENED, RESOLVED = ("incident.opened", "opened"), ("incident.resolved", "resolved")


@pytest.fixture
async def traffic(house):
    """A quiet while, and one alert on its own threshold: sure to fire within a minute or two."""
    traffic = Traffic(house)
    await house.clock.advance(2700)  # to the full hour
    plain = Plain(window=5, rate=0.4, least=20)
    async with house.storage.writing() as tx:
        await tx.save_alert(an_alert(tiers=frozenset({Tier.PAGE}), plain=plain))
    await traffic.past(90)
    return traffic


async def amended(house, **members):
    async with house.storage.writing() as tx:
        await tx.save_alert(an_alert(tiers=frozenset({Tier.PAGE}), **members))


async def test_a_spike_opens_once_and_ends_once_and_says_what_and_where(house, traffic):
    await house.subscribe("incident.*")
    await house.subscribe("*", name="orders")
    alerter = traffic.alerter()
    await traffic.lived(alerter, 10)
    assert await kept(house) == []
    traffic.rates["RAZORPAY"] = 0.9
    await traffic.lived(alerter, 10)
    (incident,) = await kept(house)
    report = incident.report
    assert report.cause == (("gateway", "RAZORPAY"),)
    assert (report.number, report.rule, report.outcome) == (1, "failures", "AUTHORIZATION_FAILED")
    assert report.severity is Severity.P1, "a third of the money, most of it failing"
    assert 0.3 < report.rate <= 1
    assert report.normal == pytest.approx(0.1, abs=0.03)
    assert {each.currency for each in report.at_risk} == {"INR"}
    assert report.codes[0].code == "BANK_DOWN"
    assert len(report.series) == 20
    traffic.rates["RAZORPAY"] = 0.1
    await traffic.lived(alerter, 25)
    (incident,) = await kept(house)
    assert incident.report.state is IncidentState.RESOLVED
    tellings = await told(house)
    assert (tellings[0], tellings[-1]) == (OPENED, RESOLVED)
    assert tellings.count(OPENED) == tellings.count(RESOLVED) == 1
    events = [each.event for each in await all_events(house)]
    assert len({each.id for each in events}) == len(events)
    async with house.storage.reading() as tx:
        owed, _ = await tx.deliveries("shop", limit=500)
    assert {view.subscription_id for view in owed} == {"sub_shop"}, "incidents must be named"


async def test_orders_that_hang_at_one_gateway_open_an_incident_that_ends_with_them(house):
    traffic = Traffic(house, word=STUCK)
    await house.clock.advance(2700)
    family, words = watched([STUCK])
    async with house.storage.writing() as tx:
        await tx.save_alert(an_alert(family=family, words=words))
        await tx.save_alert(an_alert(id=AlertId("alr_2"), name="others"))
    await traffic.past(240)
    alerter = traffic.alerter()
    await traffic.lived(alerter, 5)
    assert await kept(house) == []
    traffic.rates["RAZORPAY"] = 0.9
    await traffic.lived(alerter, 10)
    (incident,) = await kept(house)
    assert (incident.rule_id, incident.report.outcome) == ("alr_1", "stuck")
    assert incident.report.cause == (("gateway", "RAZORPAY"),)
    traffic.rates["RAZORPAY"] = 0.1
    await traffic.lived(alerter, 25)
    (incident,) = await kept(house)
    assert incident.report.state is IncidentState.RESOLVED


@pytest.mark.parametrize("is_restarted", [False, True])
async def test_what_somebody_accepts_is_normal_from_that_minute_on(house, is_restarted):
    traffic = Traffic(house)
    await house.clock.advance(2700)
    async with house.storage.writing() as tx:
        await tx.save_alert(an_alert())
    await traffic.past(240)
    alerter = traffic.alerter()
    traffic.rates["RAZORPAY"] = 0.6
    await traffic.lived(alerter, 65)
    (incident,) = await kept(house)
    assert incident.report.state is IncidentState.OPEN
    wish = Acceptance(cause=incident.report.cause, at=house.clock.now(), by="asha")
    async with house.storage.writing() as tx:
        await tx.save_alert(an_alert(accepted=(wish,)))
    await traffic.lived(alerter, 3)
    alerter = traffic.alerter() if is_restarted else alerter
    await traffic.lived(alerter, 10)
    (incident,) = await kept(house)
    assert incident.report.state is IncidentState.RESOLVED
    assert (await told(house))[-1] == RESOLVED


async def test_a_restart_in_the_middle_opens_nothing_twice_and_loses_no_end(house, traffic):
    traffic.rates["RAZORPAY"] = 0.9
    for minutes in (1, 1, 1, 3):
        await traffic.lived(traffic.alerter(), minutes)
    traffic.rates["RAZORPAY"] = 0.1
    for minutes in (6, 6, 2, 8):
        await traffic.lived(traffic.alerter(), minutes)
    tellings = await told(house)
    assert (tellings.count(OPENED), tellings.count(RESOLVED)) == (1, 1)


async def test_a_restart_judges_as_if_there_had_been_none(house, traffic):
    traffic.rates["RAZORPAY"] = 0.5
    steady = traffic.alerter()
    await traffic.lived(steady, 6)
    before = await kept(house)
    books = steady._books["shop"]
    fresh = traffic.alerter()
    await fresh.judge()
    mine, its = (next(iter(each._books.values())) for each in (books, fresh._books["shop"]))
    assert await kept(house) == before
    assert mine.judged == its.judged
    for place in mine.ledger.detector.places:
        for window in (5, 15, 60):
            one, other = (each.ledger.detector.figures(place, window) for each in (mine, its))
            assert (one.orders, one.failed) == (other.orders, other.failed)
            assert one.normal == pytest.approx(other.normal, abs=1e-5)


async def test_what_could_not_be_written_is_judged_again(house, traffic):
    traffic.rates["RAZORPAY"] = 0.9
    alerter = traffic.alerter()
    await traffic.lived(alerter, 1)

    def refused(*_args, **_members):
        raise StorageError("the disk is full")

    await traffic.flow(4)
    house.storage.writing, writing = refused, house.storage.writing
    with pytest.raises(StorageError):
        await alerter.judge()
    house.storage.writing = writing
    await alerter.judge()
    assert (await told(house)).count(OPENED) == 1


async def test_after_a_pause_each_minute_is_judged_and_what_is_over_is_kept_untold(house, traffic):
    alerter = traffic.alerter()
    await traffic.lived(alerter, 1)
    traffic.rates["RAZORPAY"] = 0.9
    await traffic.flow(8)
    traffic.rates["RAZORPAY"] = 0.1
    await traffic.flow(30)
    await alerter.judge()
    assert await told(house) == []
    (incident,) = await kept(house)
    assert incident.is_over
    assert house.clock.now() - incident.report.opened_at > timedelta(minutes=30)


async def test_while_our_own_looks_are_late_nothing_is_judged_and_it_is_said(house, traffic):
    alerter = traffic.alerter()
    traffic.rates["RAZORPAY"] = 0.9
    await traffic.lived(alerter, 5)
    (incident,) = await kept(house)
    await house.watch("LATE")  # due from now on, and nobody looks
    traffic.rates["RAZORPAY"] = 0.1
    await traffic.lived(alerter, 8)
    (late,) = await kept(house)
    assert late.judged_through - incident.judged_through <= timedelta(minutes=8)
    assert (late.is_stale, late.report.reason, late.report.state) == (True, Reason.STALE, "open")
    assert late.report.lag_s > 300
    assert (await told(house))[-1] == ("incident.updated", "stale")
    async with house.storage.writing() as tx:
        await tx.remove_watch("shop", OrderKey("late"))
    await traffic.lived(alerter, 20)
    assert RESOLVED in await told(house)


async def test_a_late_success_takes_its_failure_back(house, traffic):
    alerter = traffic.alerter()
    traffic.rates["RAZORPAY"] = 0.9
    await traffic.lived(alerter, 4)
    detector = next(iter(alerter._books["shop"]._books.values())).ledger.detector
    before = detector.figures((("gateway", "RAZORPAY"),), 5).failed
    await _pay(house, traffic, traffic.failed[-10:])
    traffic.rates = {"PAYU": 0.1}
    await traffic.lived(alerter, 1)
    assert detector.figures((("gateway", "RAZORPAY"),), 6).failed <= before + 20 - 10


async def _pay(house, traffic, keys):
    paid = [traffic.outcome(key, "RAZORPAY", is_failed=False, at=house.clock.now()) for key in keys]
    async with house.storage.writing() as tx:
        await tx.add_outcomes(paid, observed_at=house.clock.now(), is_dated=True)


async def test_half_an_hour_after_the_end_it_is_restated_how_many_paid_after_all(house, traffic):
    alerter = traffic.alerter()
    traffic.rates["RAZORPAY"] = 0.9
    begun = len(traffic.failed)
    await traffic.lived(alerter, 6)
    bad = traffic.failed[begun:]
    traffic.rates["RAZORPAY"] = 0.1
    await traffic.lived(alerter, 22)
    (ended,) = await kept(house)
    assert ended.is_over
    await _pay(house, traffic, bad[:40])
    await traffic.lived(alerter, 31)
    (restated,) = await kept(house)
    assert (await told(house))[-1] == ("incident.updated", "restated")
    assert 0 < restated.report.later_paid <= 40
    assert restated.restate_at is None


async def test_a_silenced_incident_is_kept_and_shown_and_told_when_the_silence_ends(house, traffic):
    silence = Silence(
        id=SilenceId("sil_1"),
        account="shop",
        by="asha",
        created_at=house.clock.now(),
        until_at=house.clock.now() + timedelta(minutes=8),
    )
    async with house.storage.writing() as tx:
        await tx.add_silence(silence)
    alerter = traffic.alerter()
    traffic.rates["RAZORPAY"] = 0.9
    await traffic.lived(alerter, 6)
    (incident,) = await kept(house)
    assert (incident.told_at, incident.pages) == (None, 0)
    assert await told(house) == []
    await traffic.lived(alerter, 5)
    assert await told(house) == [OPENED]


async def test_an_acknowledgement_outlives_a_minute_and_nobody_is_reminded(house, traffic):
    alerter = traffic.alerter()
    traffic.rates["RAZORPAY"] = 0.9
    await traffic.lived(alerter, 4)
    async with house.storage.writing() as tx:
        (incident,) = await tx.incidents("shop")
        taken, _ = acknowledged(incident, by="asha", now=house.clock.now())
        await tx.save_incident(taken)
    await traffic.lived(alerter, 20)
    (incident,) = await kept(house)
    assert (incident.report.state, incident.report.acknowledged_by) == ("acknowledged", "asha")
    assert "unacknowledged" not in {reason for _, reason in await told(house)}


async def test_beyond_the_page_budget_one_summary_speaks_for_all(house, traffic):
    """Each gateway has an alert of its own here, so that there are three incidents for sure."""
    async with house.storage.writing() as tx:
        await tx.remove_alert("shop", AlertId("alr_1"))
        for gateway in traffic.rates:
            alert = an_alert(
                id=AlertId(f"alr_{gateway}"),
                name=gateway,
                tiers=frozenset(),
                plain=Plain(window=5, rate=0.4, least=20),
                where={"gateway": frozenset({gateway})},
                page_budget=1,
            )
            await tx.save_alert(alert)
    alerter = traffic.alerter()
    await traffic.lived(alerter, 2)
    traffic.rates = dict.fromkeys(traffic.rates, 0.8)
    await traffic.lived(alerter, 6)
    *incidents, summary = sorted(await kept(house), key=lambda each: each.rule_id)
    assert summary.rule_id == "summary"
    assert sorted(each.merged_into or "" for each in incidents) == ["", "summary", "summary"]
    assert len(summary.report.slices) == 2
    assert (await told(house)).count(OPENED) == 2
    traffic.rates = dict.fromkeys(traffic.rates, 0.1)
    await traffic.lived(alerter, 20)
    assert all(each.is_over for each in await kept(house))
    assert (await told(house)).count(RESOLVED) == 2


async def test_routes_narrow_who_is_told(house, traffic):
    await amended(house, plain=Plain(window=5, rate=0.4, least=20), routes=("oncall",))
    await house.subscribe("incident.*", name="oncall")
    await house.subscribe("incident.*", name="others")
    traffic.rates["RAZORPAY"] = 0.9
    await traffic.lived(traffic.alerter(), 4)
    async with house.storage.reading() as tx:
        owed, _ = await tx.deliveries("shop", limit=500)
    assert {view.subscription_id for view in owed} == {"sub_oncall"}


async def test_what_an_alert_that_goes_has_open_ends_with_it(house, traffic):
    traffic.rates["RAZORPAY"] = 0.9
    await traffic.lived(traffic.alerter(), 4)
    async with house.storage.writing() as tx:
        alert = await tx.alert("shop", AlertId("alr_1"))
        await end_all(tx, alert.account, alert.id, telling=house.telling, now=house.clock.now())
        await tx.remove_alert("shop", alert.id)
    await traffic.alerter().judge()
    assert (await told(house))[-1] == RESOLVED


async def test_what_is_open_of_an_account_that_is_configured_no_more_ends(house, traffic):
    traffic.rates["RAZORPAY"] = 0.9
    await traffic.lived(traffic.alerter(), 4)
    (incident,) = await kept(house)
    hush = Silence(
        id=SilenceId("sil_1"),
        account="shop",
        by="asha",
        created_at=house.clock.now(),
        incident_id=incident.id,
    )
    async with house.storage.writing() as tx:
        await tx.add_silence(hush)
    await traffic.alerter(accounts=("other",)).judge()
    (ended,) = await kept(house)
    assert ended.is_over
    assert (await told(house))[-1] == RESOLVED
    async with house.storage.reading() as tx:
        assert await tx.silences("shop", now=house.clock.now()) == []


async def test_open_orders_at_suspicious_places_are_looked_at_first(house, traffic):
    for order_id, gateway in (("OPEN1", "RAZORPAY"), ("OPEN2", "PAYU"), ("NEW3", None)):
        house.source.put(order_id, "PENDING_VBV", gateway=gateway)
        await house.watch(order_id)
    async with house.running(house.poller()):
        await house.pass_time(1)
    async with house.storage.writing() as tx:
        await tx.shift_due(timedelta(hours=1))  # or they were overdue, and nothing judged
    traffic.rates["RAZORPAY"] = 0.9
    alerter = traffic.alerter()
    for _ in range(6):
        await traffic.lived(alerter, 1)
        if (await house.watched("OPEN1")).next_poll_why == "suspected":
            break
    reasons = [(await house.watched(each)).next_poll_why for each in ("OPEN1", "OPEN2", "NEW3")]
    assert reasons == ["suspected", "cadence", "cadence"]

"""The alerter over real storage: what opens, what ends, and what a kill, a pause and our own lag do not do."""

import pytest
from alert_kit import Traffic, an_alert, kept, told

from notifier.domain.alert.report import IncidentState


@pytest.fixture
async def traffic(house):
    traffic = Traffic(house)
    await house.clock.advance(2700)  # to the full hour
    async with house.storage.writing() as tx:
        await tx.save_alert(an_alert())
    await traffic.flow(180)
    return traffic


async def test_a_spike_opens_once_and_ends_once(house, traffic):
    await house.subscribe("incident.*")
    alerter = traffic.alerter()
    await traffic.lived(alerter, 30)
    assert await kept(house) == []
    traffic.rates["RAZORPAY"] = 0.9
    await traffic.lived(alerter, 15)
    traffic.rates["RAZORPAY"] = 0.1
    await traffic.lived(alerter, 40)
    (incident,) = await kept(house)
    report = incident.report
    assert report.state is IncidentState.RESOLVED
    assert report.cause == (("gateway", "RAZORPAY"),)
    assert (report.number, report.rule, report.outcome) == (1, "failures", "AUTHORIZATION_FAILED")
    assert await told(house, "incident.opened") == [("incident.opened", "opened")]
    assert await told(house, "incident.resolved") == [("incident.resolved", "resolved")]

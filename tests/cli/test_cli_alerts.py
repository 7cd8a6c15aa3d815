import pytest

from notifier.domain.alert.alert import AlertId
from support.traffic import an_alert, opened_incident


@pytest.fixture
async def spike(services, clock, url):
    """One incident that is open."""
    return (await opened_incident(services, clock)).id


async def test_rules_and_open_incidents_are_listed(cli, spike):
    ran = await cli("alerts", "list")
    assert ran.status == 0
    assert "failures" in ran.out
    assert spike in ran.out
    assert "gateway RAZORPAY" in ran.out
    document = (await cli("alerts", "list", "--json")).json
    assert [each["id"] for each in document["items"]] == ["alr_1"]
    assert [each["id"] for each in document["incidents"]] == [spike]
    by_state = (await cli("alerts", "list", "--state", "resolved", "--json")).json
    assert by_state["items"] == []


async def test_an_alert_is_shown_by_name_and_an_incident_by_id(cli, spike):
    assert (await cli("alerts", "show", "failures", "--json")).json["open_incidents"] == [spike]
    ran = await cli("alerts", "show", spike)
    assert "RAZORPAY" in ran.out
    assert "of the last hour, 3 minutes each" in ran.out
    assert (await cli("alerts", "show", spike, "--json")).json["severity"] == "P1"


async def test_an_incident_is_acknowledged_and_silenced(cli, spike):
    ran = await cli("alerts", "ack", spike, "--by", "asha", "--note", "on it")
    assert (ran.status, "acknowledged by asha" in ran.err) == (0, True)
    ran = await cli("alerts", "silence", spike, "--by", "asha", "--until-it-ends")
    assert (ran.status, "silent until it ends or grows" in ran.err) == (0, True)
    shown = (await cli("alerts", "show", spike, "--json")).json
    assert (shown["acknowledged_by"], shown["note"], len(shown["silenced_by"])) == ("asha", "on it", 1)


async def test_the_place_of_an_incident_is_accepted_as_it_is(cli, spike):
    ran = await cli("alerts", "accept", spike, "--by", "asha")
    assert (ran.status, "gateway RAZORPAY: the last hour is normal from" in ran.err) == (0, True)
    assert (await cli("alerts", "accept", spike, "--by", "asha", "--json")).json["alert"] == "alr_1"


async def test_a_backtest_says_whom_it_would_have_called_and_how_late(cli, spike, tmp_path):
    plot = tmp_path / "course.svg"
    ran = await cli("alerts", "backtest", "failures", "--days", "0.5", "--plot", str(plot))
    assert ran.status == 0
    assert "gateway RAZORPAY" in ran.out
    assert "1 page in 0.0444 days (675 a month)" in ran.out
    assert (
        "None of them may be false, which is 0 a month (95 %: 0 to 2489.99); built for at most 1." in ran.out
    )
    assert "days before" in plot.read_text()
    (line,) = [each for each in ran.out.splitlines() if "·" in each]
    assert line.split()[1].endswith("·▂·")
    document = (await cli("alerts", "backtest", "alr_1", "--days", "0.5", "--json")).json
    assert [each["backed_by"] for each in document["pages"]] == ["evidence"]


async def test_without_a_name_every_alert_is_tried_on_the_past(cli, spike, services, tmp_path):
    async with services.storage.writing() as tx:
        await tx.save_alert(an_alert(id=AlertId("alr_2"), name="second"))
    ran = await cli("alerts", "backtest", "--days", "0.1")
    assert (ran.status, [each for each in ("failures", "second") if each not in ran.out]) == (0, [])
    assert len((await cli("alerts", "backtest", "--days", "0.1", "--json")).json["items"]) == 2
    ran = await cli("alerts", "backtest", "--days", "0.1", "--plot", str(tmp_path / "both.svg"))
    assert (ran.status, "name one of failures, second" in ran.err) == (2, True)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("show", "no-such"), "there is no alert 'no-such'; there are: failures"),
        (("silence", "inc_1", "--by", "asha"), "give one of --until, --for-s and --until-it-ends"),
        (("backtest", "failures", "--days", "99"), "99"),
        (("backtest", "failures", "--plot", "course.gif"), "no .png or .svg"),
    ],
)
async def test_wrong_use_is_refused(cli, spike, given, said):
    ran = await cli("alerts", *given)
    assert ran.status == 2
    assert said in ran.err

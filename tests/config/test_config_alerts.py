"""[alerts.NAME]: read as their REST bodies, and the truth at each start."""

from itertools import count
from types import SimpleNamespace

import pytest

from notifier.app.alerts import alerts_of, synchronise_alerts
from notifier.config.load import load
from notifier.domain.alert.alert import AlertState
from notifier.domain.alert.report import Tier
from notifier.errors import ConfigError
from notifier.metrics import Metrics
from notifier.storage.alerting import Learned
from support.clock import FakeClock
from support.database import open_empty
from support.traffic import Traffic, an_alert, told

ACCOUNTS = {"shop": False}
FAILURES = '[alerts.failures]\noutcome = "AUTHORIZATION_FAILED"\n'
THRESHOLD = "plain = { window_s = 300, rate_over = 0.4, at_least = 20 }\n"


def loaded(tmp_path, text):
    path = tmp_path / "config.toml"
    path.write_text(text)
    return load(path, {})


@pytest.fixture
async def storage(tmp_path):
    opened = await open_empty(tmp_path / "notifier.db", clock=FakeClock())
    yield opened
    await opened.close()


@pytest.fixture
def start(tmp_path, storage):
    numbers = count(1)

    async def synchronised(text):
        config = loaded(tmp_path, text)
        await synchronise_alerts(
            config, ACCOUNTS, storage, clock=FakeClock(), new_id=lambda: str(next(numbers))
        )
        async with storage.reading() as tx:
            return await tx.alerts("shop")

    return synchronised


def test_a_table_reads_as_its_rest_body(tmp_path):
    text = (
        '[alerts.it]\noutcome = "refund"\nplain = { window_s = 900, more_than = 20 }\nroutes = ["oncall"]\n'
    )
    (alert,) = alerts_of(loaded(tmp_path, text), ACCOUNTS)
    assert (alert.name, alert.account, alert.managed, alert.outcome) == ("it", "shop", "config", ("refund",))
    assert (alert.plain.window, alert.plain.failed, alert.tiers) == (15, 20, frozenset())
    assert alert.routes == ("oncall",)
    (alert,) = alerts_of(loaded(tmp_path, '[alerts.it]\noutcome = "silence"\n'), ACCOUNTS)
    assert alert.tiers == {Tier.SILENCE}


def test_every_problem_is_told_at_its_path(tmp_path):
    text = (
        '[alerts.one]\noutcome = "CHARGED"\ndimensions = ["moon"]\n'
        '[alerts.two]\noutcome = "loan"\naccount = "other"\n'
        '[alerts.three]\noutcome = "loan"\ntiers = []\n'
    )
    with pytest.raises(ConfigError) as refused:
        alerts_of(loaded(tmp_path, text), ACCOUNTS)
    assert [problem.path for problem in refused.value.problems] == [
        "alerts.one.outcome",
        "alerts.one.dimensions.0",
        "alerts.two.account",
        "alerts.three.tiers",
    ]


async def test_tables_are_the_truth_at_each_start(start):
    (made,) = await start(FAILURES)
    (again,) = await start(FAILURES + "page_budget = 9\n")
    assert (made.id, again.id, again.page_budget) == ("alr_1", "alr_1", 9)
    (gone,) = await start("")
    assert (gone.id, gone.state) == (made.id, AlertState.DISABLED)
    (back,) = await start(FAILURES)
    assert (back.id, back.state) == (made.id, AlertState.ACTIVE)


async def test_only_what_counts_something_else_learns_anew(start, storage):
    (alert,) = await start(FAILURES)
    learned = Learned(judged_through=FakeClock().now(), schema=1, state=b"{}")
    async with storage.writing() as tx:
        await tx.save_alert_learned(alert.id, learned)
    await start(FAILURES + "page_budget = 9\nfalse_pages_per_month = 3\n")
    async with storage.reading() as tx:
        assert await tx.alert_learned(alert.id) == learned
    await start(FAILURES + 'filter = { gateway = ["PAYU"] }\n')
    async with storage.reading() as tx:
        assert await tx.alert_learned(alert.id) == Learned()


async def test_a_name_that_was_taken_over_rest_is_refused(start, storage):
    async with storage.writing() as tx:
        await tx.save_alert(an_alert())
    with pytest.raises(ConfigError, match="an alert made over REST is named 'failures'"):
        await start(FAILURES)


@pytest.mark.parametrize("text", ["", FAILURES + THRESHOLD + 'filter = { gateway = ["PAYU"] }\n'])
async def test_what_a_table_had_open_ends_when_it_vanishes_or_judges_that_no_more(start, house, text):
    await start(FAILURES + THRESHOLD)
    traffic = Traffic(house)
    await traffic.past(60)
    traffic.rates["RAZORPAY"] = 0.9
    await traffic.lived(traffic.alerter(), 4)
    assert (await told(house))[0] == ("incident.opened", "opened")
    await start(text)
    assert (await told(house))[-1] == ("incident.resolved", "resolved")


@pytest.fixture
def house(storage):
    return SimpleNamespace(storage=storage, clock=FakeClock(), metrics=Metrics())

"""Which incidents a minute moves: warnings that become pages, page budgets, and what a backtest makes of them."""

from dataclasses import replace

import pytest

from notifier.domain.alert.alert import Alert, AlertId
from notifier.domain.alert.backtest import Backing, Backtest
from notifier.domain.alert.counts import start_of
from notifier.domain.alert.docket import moves
from notifier.domain.alert.drafting import Minute
from notifier.domain.alert.finding import Cause, Finding, Judged
from notifier.domain.alert.incident import acknowledged, told
from notifier.domain.alert.ledger import Ledger
from notifier.domain.alert.report import Reason, Severity, Tier

BEGIN = 29_000_000
HDFC, SBI, AXIS = ((("bank", name),) for name in ("HDFC", "SBI", "AXIS"))


def an_alert(**members):
    return Alert(id=AlertId("alr_1"), account="shop", name="failures", **members)


def judged(minute, *places, tier, tail=1e-12):
    causes = [
        Cause(
            place=place,
            finding=Finding(
                place=place,
                tier=tier,
                window=10,
                orders=100,
                failed=40,
                normal=0.12,
                noise=0.002,
                tail=tail,
                excess=28.0,
            ),
            share=1.0,
            inhibited=(),
            slices=(),
            normal_slices=(),
        )
        for place in places
    ]
    return Judged(minute=minute, causes=tuple(causes))


def lived(alert, *verdicts):
    """Judge the minutes; return the incidents by place, and what was told of each."""
    ledger, incidents, reasons = Ledger(alert.rule), {}, []
    for verdict in verdicts:
        minute = Minute(number=verdict.minute, ended_at=start_of(verdict.minute + 1), lag_s=0.0)
        for incident, reason in moves(alert, ledger, verdict, incidents, minute):
            moved = incident
            if reason is not None and incident.merged_into is None:
                moved = told(incident, reason, now=minute.ended_at)
                reasons.append((incident.report.cause, reason))
            incidents[moved.id] = moved
    return {each.report.cause: each for each in incidents.values()}, reasons


def test_a_warning_that_becomes_a_page_counts_against_the_budget():
    alert = an_alert(page_budget=1)
    incidents, reasons = lived(
        alert,
        judged(BEGIN, HDFC, SBI, AXIS, tier=Tier.WARN),
        judged(BEGIN + 1, HDFC, SBI, tier=Tier.PAGE),
    )
    assert [each.pages for each in incidents.values()] == [1, 0, 0]
    assert incidents[SBI].merged_into == "summary"
    assert incidents[AXIS].merged_into is None, "what is for working hours counts against no budget"
    assert [why for place, why in reasons if place == SBI] == [Reason.OPENED]


def test_a_warning_that_becomes_a_page_calls_once_where_there_is_room():
    incidents, reasons = lived(
        an_alert(), judged(BEGIN, HDFC, tier=Tier.WARN), judged(BEGIN + 1, HDFC, tier=Tier.PAGE)
    )
    assert reasons == [(HDFC, Reason.OPENED), (HDFC, Reason.SEVERITY_ROSE)]
    assert (incidents[HDFC].pages, incidents[HDFC].report.severity) == (1, Severity.P2)


def backtested(*verdicts, **members):
    test = Backtest(alert=an_alert(), judges_from=BEGIN, **members)
    by_minute = {each.minute: each for each in verdicts}
    test.ledger.step = lambda minute, _: by_minute.get(minute, Judged(minute=minute))
    test.step(range(BEGIN, BEGIN + 60))
    return test


def test_a_backtest_counts_a_warning_as_a_page_from_when_it_calls():
    test = backtested(judged(BEGIN, HDFC, SBI, tier=Tier.WARN), judged(BEGIN + 9, HDFC, tier=Tier.PAGE))
    (call,) = test.found
    assert call.called_at == start_of(BEGIN + 10)
    assert call.incident.report.cause == HDFC


@pytest.mark.parametrize(("tail", "backing"), [(2e-5, None), (1e-12, Backing.EVIDENCE)])
def test_a_page_is_backed_by_what_chance_hardly_ever_brings(tail, backing):
    test = backtested(
        judged(BEGIN, HDFC, tier=Tier.PAGE, tail=2e-5), judged(BEGIN + 1, HDFC, tier=Tier.PAGE, tail=tail)
    )
    assert [call.backing for call in test.found] == [backing]
    estimate = test.estimate(30 * 1440)
    assert (estimate.doubtful, estimate.per_month) == ((1, 1.0) if backing is None else (0, 0.0))
    assert estimate.low <= estimate.per_month < estimate.high


def test_a_page_that_somebody_took_care_of_is_backed_by_people_in_its_time_and_place_only():
    page = judged(BEGIN, HDFC, tier=Tier.PAGE, tail=2e-5)
    (live,) = backtested(page).incidents.values()
    cared_for, _ = acknowledged(live, by="asha", now=start_of(BEGIN + 2))
    over = replace(cared_for, report=replace(cared_for.report, resolved_at=start_of(BEGIN - 60)))
    elsewhere = replace(cared_for, report=replace(cared_for.report, cause=SBI))
    backings = [
        backtested(page, taken_care_of=[each]).found[0].backing for each in (cared_for, over, elsewhere)
    ]
    assert backings == [Backing.PEOPLE, None, None]

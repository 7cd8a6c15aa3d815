"""The life of an incident, minute by minute."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain.alert.incident import (
    Condition,
    acknowledged,
    advance,
    event_type,
    incident_id,
    is_related,
    is_within_budget,
    may_return,
    opening,
    restated,
    told,
)
from notifier.domain.alert.report import IncidentState, Reason, Severity, Tier, incident_document
from notifier.domain.alert.sample import sample_report
from notifier.domain.alert.silence import Silence, SilenceId
from support.builders import NOW, at

FIRING, BETWEEN, WELL, NO_TRAFFIC = Condition
PLACE = (("gateway", "RAZORPAY"), ("bank", "HDFC"))


def draft(**members):
    given = {"cause": PLACE, "severity": Severity.P2, "tier": Tier.PAGE, "rate": 0.4, "peak": 0.4}
    return replace(sample_report("incident.opened", NOW), **(given | members))


def an_incident(**members):
    opened = opening(draft(**members), account="shop", rule_id="alr_1", family="failed", routes=(), now=NOW)
    return told(opened, Reason.OPENED, now=NOW)


def lived(incident, *minutes, start=1):
    """Take minute after minute into account, each a condition or a condition with a draft; return what was told."""
    reasons = []
    for number, minute in enumerate(minutes, start):
        condition, figures = minute if isinstance(minute, tuple) else (minute, draft())
        incident, reason = advance(incident, condition, figures, now=at(60 * number))
        if reason is not None:
            incident = told(incident, reason, now=at(60 * number))
        reasons.append(reason)
    return incident, reasons


@given(st.integers(0, 59), st.integers(0, 59))
def test_a_cause_has_one_id_in_an_hour_whoever_computes_it(one, other):
    hour = NOW.replace(minute=0)
    ids = {
        incident_id("shop", "alr_1", "failed", PLACE, hour + timedelta(minutes=each)) for each in (one, other)
    }
    assert len(ids) == 1
    assert incident_id("shop", "alr_1", "failed", PLACE, hour + timedelta(hours=1)) not in ids
    assert incident_id("shop", "alr_1", "failed", PLACE[:1], hour) not in ids
    assert incident_id("shop", "alr_2", "failed", PLACE, hour) not in ids


def test_an_open_incident_is_edited_each_minute_and_wakes_nobody():
    incident, reasons = lived(an_incident(), FIRING, BETWEEN, FIRING)
    assert reasons == [Reason.FIGURES] * 3
    assert incident.pages == 1
    _, reason = advance(incident, FIRING, draft(), now=at(3 * 60 + 30))
    assert reason is None


def test_only_a_well_minute_ends_it():
    incident, reasons = lived(an_incident(), BETWEEN, NO_TRAFFIC, NO_TRAFFIC, BETWEEN, WELL)
    assert reasons == [Reason.FIGURES, Reason.STALE, None, Reason.FIGURES, Reason.RESOLVED]
    assert incident.report.resolved_at == at(300)
    assert incident.restate_at == at(300 + 1800)


def test_what_nothing_could_be_said_of_for_a_day_ends_and_says_how():
    stale, _ = lived(an_incident(), NO_TRAFFIC)
    day = at(60 * (1 + 24 * 60))
    still, reason = advance(stale, NO_TRAFFIC, None, now=day - timedelta(seconds=1))
    assert (still.is_over, reason) == (False, None)
    ended, reason = advance(still, NO_TRAFFIC, None, now=day)
    assert (ended.is_over, ended.is_stale, reason) == (True, True, Reason.RESOLVED)
    assert incident_document(ended.report)["is_stale"]
    alive, _ = advance(stale, BETWEEN, None, now=at(120))
    again, reason = advance(alive, NO_TRAFFIC, None, now=day)
    assert (again.is_over, reason) == (False, Reason.STALE), "the day begins anew with traffic"
    back, _ = advance(ended, FIRING, draft(), now=day + timedelta(minutes=5))
    assert (back.is_stale, back.report.is_stale) == (False, False)


def test_what_is_accepted_or_summed_up_while_stale_does_not_end_as_given_up():
    stale, _ = lived(an_incident(), NO_TRAFFIC)
    ended, _ = advance(stale, WELL, None, now=at(120))
    assert (ended.is_stale, incident_document(ended.report)["is_stale"]) == (False, False)


def test_the_peak_and_the_worst_severity_stay():
    risen, reasons = lived(an_incident(), (FIRING, draft(rate=0.9, severity=Severity.P1)), FIRING)
    assert reasons == [Reason.SEVERITY_ROSE, Reason.FIGURES]
    assert (risen.report.severity, risen.report.peak, risen.report.rate) == ("P1", 0.9, 0.4)
    assert risen.pages == 2


def test_a_wider_cause_is_the_same_incident_and_calls_nobody():
    grown, reasons = lived(an_incident(), (FIRING, draft(cause=PLACE[:1])))
    assert reasons == [Reason.SCOPE_GREW]
    assert (grown.report.cause, grown.id, grown.pages) == (PLACE[:1], an_incident().id, 1)
    narrower, reasons = lived(grown, FIRING, start=2)
    assert (narrower.report.cause, reasons) == (PLACE[:1], [Reason.FIGURES])
    assert incident_document(narrower.report)["first_cause"] == dict(PLACE), "what a conversation is named by"


def test_an_acknowledgement_holds_the_reminders_back_and_ends_with_the_incident():
    incident, reason = acknowledged(an_incident(), by="asha", now=at(30))
    assert reason is Reason.ACKNOWLEDGED
    assert acknowledged(incident, by="ravi", now=at(40)) == (incident, None)
    incident, reasons = lived(incident, *[FIRING] * 70, WELL)
    assert set(reasons) == {Reason.FIGURES, Reason.RESOLVED}
    again, reasons = lived(incident, FIRING, start=80)
    assert reasons == [Reason.REOPENED]
    assert again.report.acknowledged_by is None


@pytest.mark.parametrize("worse", [{"cause": PLACE[:1]}, {"severity": Severity.P1}])
def test_an_acknowledgement_breaks_when_it_grows(worse):
    incident, _ = acknowledged(an_incident(), by="asha", now=at(30))
    grown, _ = lived(incident, (FIRING, draft(**worse)))
    assert (grown.report.state, grown.report.acknowledged_by) == (IncidentState.OPEN, None)


def test_nobody_acknowledging_is_reminded_twice():
    _, reasons = lived(an_incident(), *[FIRING] * 120)
    assert [n for n, each in enumerate(reasons, 1) if each is Reason.UNACKNOWLEDGED] == [15, 60]


def test_what_is_for_working_hours_calls_nobody():
    incident, reasons = lived(
        an_incident(severity=Severity.P3), *[(FIRING, draft(severity=Severity.P3))] * 70
    )
    assert set(reasons) == {Reason.FIGURES}
    assert (incident.pages, incident.paged_at) == (0, None)
    risen, _ = lived(incident, FIRING, start=80)
    assert (risen.pages, risen.paged_at) == (1, at(80 * 60))


def test_what_comes_back_within_half_an_hour_is_the_same_incident():
    ended, _ = lived(an_incident(), WELL)
    assert may_return(ended, at(60 + 1800))
    assert not may_return(ended, at(60 + 3600))
    again, reasons = lived(ended, FIRING, start=20)
    assert (reasons, again.id, again.report.reopened) == ([Reason.REOPENED], ended.id, 1)
    assert again.restate_at is None
    assert event_type(Reason.REOPENED) == "incident.opened"


def test_within_its_own_hour_it_returns_too_since_it_would_have_the_same_id():
    opened = opening(
        draft(), account="shop", rule_id="alr_1", family="failed", routes=(), now=NOW.replace(minute=1)
    )
    ended, _ = advance(opened, WELL, draft(), now=NOW.replace(minute=5))
    assert may_return(ended, NOW.replace(minute=50))
    assert not may_return(ended, NOW.replace(minute=5) + timedelta(hours=1))


def test_after_three_returns_it_is_unstable_and_does_not_end_for_an_hour():
    flaps = [WELL, FIRING] * 3
    incident, reasons = lived(an_incident(), *flaps)
    assert reasons[1::2] == [Reason.REOPENED, Reason.REOPENED, Reason.UNSTABLE]
    _, reasons = lived(incident, *[WELL] * 60, start=7)
    assert Reason.RESOLVED not in reasons[:59]
    assert reasons[59] is Reason.RESOLVED
    assert [n for n, each in enumerate(reasons, 1) if each is Reason.UNSTABLE] == [15, 30, 45]


def test_returns_that_are_hours_apart_are_no_flapping():
    incident = an_incident()
    for hour in range(4):
        incident, _ = advance(incident, WELL, draft(), now=at(5400 * hour + 60))
        incident, reason = advance(incident, FIRING, draft(), now=at(5400 * hour + 1000))
        assert reason is Reason.REOPENED


def test_half_an_hour_after_its_end_it_says_who_paid_after_all():
    ended, _ = lived(an_incident(), WELL)
    told_again, reason = restated(ended, later_paid=31, now=at(60 + 1800))
    assert reason is Reason.RESTATED
    assert (told_again.report.later_paid, told_again.restate_at) == (31, None)
    assert told_again.report.state is IncidentState.RESOLVED


def test_two_pages_in_twelve_hours_spend_the_budget():
    paged = (at(0), at(3600))
    assert is_within_budget(paged[:1], 2, now=at(7200))
    assert not is_within_budget(paged, 2, now=at(7200))
    assert is_within_budget(paged, 2, now=at(12 * 3600))


@given(st.lists(st.sampled_from(list(Condition)), max_size=80))
def test_whatever_happens_openings_and_ends_take_turns(conditions):
    _, reasons = lived(an_incident(), *conditions)
    turns = [each for each in reasons if each in {Reason.RESOLVED, Reason.REOPENED}]
    ends_at_odd_places = [each is Reason.RESOLVED for each in turns]
    unstable_returns = Reason.UNSTABLE in reasons
    assert unstable_returns or ends_at_odd_places == [n % 2 == 0 for n in range(len(turns))]


def test_places_are_related_when_one_lies_in_the_other():
    assert is_related(PLACE, PLACE[:1])
    assert is_related((), PLACE)
    assert not is_related(PLACE[:1], PLACE[1:])


def a_silence(**members):
    return Silence(id=SilenceId("sil_1"), account="shop", by="asha", created_at=NOW, **members)


def test_a_silence_covers_what_its_matchers_name_until_its_end():
    incident = an_incident()
    for members, covers in (
        ({}, True),
        ({"rule": incident.report.rule}, True),
        ({"rule": "another"}, False),
        ({"matchers": PLACE[1:]}, True),
        ({"matchers": (("bank", "ICICI"),)}, False),
    ):
        silence = a_silence(until_at=at(60), **members)
        assert silence.covers(incident, at(59)) is covers
        assert not silence.covers(incident, at(60))


@pytest.mark.parametrize(
    "change",
    [(WELL, draft()), (FIRING, draft(cause=PLACE[:1])), (FIRING, draft(severity=Severity.P1))],
)
def test_a_silence_until_it_ends_is_broken_by_its_end_and_by_its_growth(change):
    incident = an_incident()
    silence = a_silence(incident_id=incident.id, cause=PLACE, severity=Severity.P2)
    assert silence.covers(incident, at(36_000))
    assert not silence.covers(replace(incident, report=replace(incident.report, id="inc_" + "0" * 16)), NOW)
    changed, _ = lived(incident, change)
    assert not silence.covers(changed, at(60))

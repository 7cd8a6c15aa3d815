"""Which incidents a judged minute moves, and how: the same for the live alerter and for a backtest.

Pure. What is yielded must be kept before the next is taken: whether one more may call depends on those before it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from notifier.domain.alert.alert import Alert
from notifier.domain.alert.drafting import Minute, draft_of_cause, draft_of_place
from notifier.domain.alert.finding import Cause, Judged
from notifier.domain.alert.incident import (
    Condition,
    Incident,
    advance,
    incident_id,
    is_related,
    is_within_budget,
    may_return,
    opening,
)
from notifier.domain.alert.ledger import Ledger
from notifier.domain.alert.report import IncidentReport, Place, Reason, Severity, Tier
from notifier.domain.alert.slices import is_within
from notifier.domain.alert.summary import SUMMARY

FAILING = "failing"
"""The family of incidents in which too much fails; the other is silence."""

_HELD_AT_MOST = timedelta(hours=24)

Move = tuple[Incident, Reason | None]


def moves(
    alert: Alert, ledger: Ledger, verdict: Judged, incidents: Mapping[str, Incident], minute: Minute
) -> Iterator[Move]:
    """Yield each incident of the alert that the minute opens or moves, and why it is worth telling.

    `incidents` are the account's, by id, and follow what was yielded.
    """
    causes = [*verdict.causes, *_silence(alert, ledger)]
    moved: set[str] = set()
    for cause in causes:
        draft, family = draft_of_cause(alert, ledger, cause, minute), _family(cause)
        mine = [each for each in incidents.values() if each.rule_id == alert.id and each.family == family]
        own_id = incident_id(alert.account, alert.id, family, cause.place, minute.ended_at)
        known = _the_same(mine, cause.place, minute.ended_at) or incidents.get(own_id)
        if known is not None and known.id in moved:
            continue  # A part of what was told as one trouble: one cause, one message.
        if known is None:
            incident, reason = _opened(alert, draft, family, incidents, minute.ended_at)
        else:
            incident, reason = _fired(alert, known, draft, incidents, minute.ended_at)
        moved.add(incident.id)
        yield incident, reason
    for incident in [each for each in incidents.values() if each.rule_id == alert.id]:
        if incident.id not in moved and not incident.is_over:
            waited, reason = _waited(alert, ledger, incident, causes, minute)
            yield _within_budget(alert, incident, waited, incidents, minute.ended_at), reason
    yield from _accepted(alert, verdict, incidents, minute.ended_at)


def _accepted(
    alert: Alert, verdict: Judged, incidents: Mapping[str, Incident], at: datetime
) -> Iterator[Move]:
    """End what is open at a place that somebody calls normal with this minute, unless it fires even so."""
    places = alert.accepted_with(verdict.minute)
    for incident in [each for each in incidents.values() if each.rule_id == alert.id and not each.is_over]:
        cause = incident.report.cause
        is_accepted = any(is_within(cause, place) for place in places)
        if is_accepted and not any(is_related(each.place, cause) for each in verdict.causes):
            yield advance(replace(incident, held_until=None), Condition.WELL, None, now=at)


def held_of(alert: Alert, incidents: Iterable[Incident], now: datetime) -> list[Place]:
    """Return where an alert has open incidents: nothing is learned there, for a day at most.

    What lasts longer is the new normal: a gateway that was given up must not stop all learning for ever.
    """
    return [
        each.report.cause
        for each in incidents
        if each.rule_id == alert.id
        and not each.is_over
        and now - max((each.report.opened_at, *each.reopenings)) < _HELD_AT_MOST
    ]


def _silence(alert: Alert, ledger: Ledger) -> list[Cause]:
    """Return that hardly anything ends any more."""
    finding = ledger.detector.silence() if Tier.SILENCE in alert.tiers else None
    if finding is None:
        return []
    return [Cause(place=finding.place, finding=finding, share=1.0, inhibited=(), slices=(), normal_slices=())]


def _family(cause: Cause) -> str:
    return Tier.SILENCE.value if cause.finding.tier is Tier.SILENCE else FAILING


def _opened(
    alert: Alert, draft: IncidentReport, family: str, incidents: Mapping[str, Incident], at: datetime
) -> Move:
    incident = opening(
        draft, account=alert.account, rule_id=alert.id, family=family, routes=alert.routes, now=at
    )
    if not _may_call(alert, incident, incidents, at):
        incident = replace(incident, merged_into=SUMMARY)
    return incident, Reason.OPENED


def _fired(
    alert: Alert, known: Incident, draft: IncidentReport, incidents: Mapping[str, Incident], at: datetime
) -> Move:
    incident, reason = advance(known, Condition.FIRING, draft, now=at)
    incident = _within_budget(alert, known, incident, incidents, at)
    if incident.merged_into and incident.report.severity is Severity.P1:
        incident = replace(incident, merged_into=None)
    return incident, reason


def _within_budget(
    alert: Alert, known: Incident, incident: Incident, incidents: Mapping[str, Incident], at: datetime
) -> Incident:
    """Return the incident, held back by the budget where it would call only now, and is one more page like any other.

    It was for working hours until now, or nobody was told of it: it was silenced, or opened while we were behind.
    """
    calls_first = known.told_at is None or known.report.severity is Severity.P3
    if calls_first and not incident.is_over and not _may_call(alert, incident, incidents, at):
        return replace(incident, merged_into=SUMMARY)
    return incident


def _the_same(candidates: Sequence[Incident], place: Place, at: datetime) -> Incident | None:
    """Return the incident that a cause belongs to: an open one before an ended one, the same place first."""
    known = [
        each
        for each in candidates
        if is_related(each.report.cause, place)
        and (not each.is_over or (each.report.cause == place and may_return(each, at)))
    ]
    return min(known, key=lambda each: (each.is_over, each.report.cause != place), default=None)


def _may_call(alert: Alert, incident: Incident, incidents: Mapping[str, Incident], at: datetime) -> bool:
    """Return whether the budget has room; P1 always calls, and P3 calls nobody."""
    if incident.report.severity is not Severity.P2:
        return True
    paged_at = [
        each.paged_at
        for each in incidents.values()
        if each.routes == alert.routes
        and each.rule_id != SUMMARY
        and each.report.severity is not Severity.P3
        and each.paged_at is not None
    ]
    return is_within_budget(tuple(paged_at), alert.page_budget, now=at)


def _waited(
    alert: Alert, ledger: Ledger, incident: Incident, causes: Sequence[Cause], minute: Minute
) -> Move:
    """Judge an open incident where no test fires."""
    report = incident.report
    is_covered = any(
        _family(each) == incident.family and is_within(report.cause, each.place) for each in causes
    )
    detector, is_silent = ledger.detector, incident.family == Tier.SILENCE
    is_well = detector.is_loud if is_silent else detector.is_well(report.cause, peak=report.peak)
    if is_covered or is_well is False:
        condition = Condition.BETWEEN
    else:
        condition = Condition.WELL if is_well else Condition.NO_TRAFFIC
    return advance(incident, condition, draft_of_place(alert, ledger, report, minute), now=minute.ended_at)

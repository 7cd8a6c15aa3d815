"""The life of an incident: opened, acknowledged, grown, well again, opened anew, ended and restated.

Pure: from what is kept and what a minute shows it decides what is kept now and the one thing worth telling.
"""

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from notifier.domain.alert.report import IncidentReport, IncidentState, Place, Reason, Severity, Tier

REOPENED_WITHIN = timedelta(minutes=30)
RESTATED_AFTER = timedelta(minutes=30)
UNSTABLE_HOLD = timedelta(minutes=60)
UNSTABLE_SPAN = timedelta(hours=2)
UNSTABLE_AFTER = 3
UNSTABLE_EVERY = timedelta(minutes=15)
EDITED_EVERY = timedelta(seconds=60)
REMINDED_AFTER = (timedelta(minutes=15), timedelta(minutes=60))
BUDGET_SPAN = timedelta(hours=12)
STALE_AT_MOST = timedelta(hours=24)

CALLS = frozenset({Reason.OPENED, Reason.REOPENED, Reason.SEVERITY_ROSE, Reason.UNACKNOWLEDGED})
"""Why somebody is called; everything else, and all of P3, is to be read when there is time."""

_HARDEST_FIRST = (Tier.PAGE, Tier.RUN, Tier.PLAIN, Tier.SILENCE, Tier.STUCK, Tier.SLOW, Tier.WARN)


class Condition(StrEnum):
    """What a minute shows of an incident's own place."""

    FIRING = "firing"
    BETWEEN = "between"
    """Neither bad enough to open it nor well enough to end it."""
    WELL = "well"
    NO_TRAFFIC = "no_traffic"


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """An incident as it is kept. `report` is what it says of itself as of the last judged minute."""

    account: str
    rule_id: str
    family: str
    """What kind of trouble of the rule it is; two kinds at one place are two incidents."""
    report: IncidentReport
    routes: tuple[str, ...] = ()
    """Subscriptions that are told, by id or name; empty is all that want it."""
    judged_through: datetime
    """End of the last minute that was looked at for it."""
    told_at: datetime | None = None
    """When anything of it was told last; None while nobody knows of it (silenced, or merged into another)."""
    said_at: datetime | None = None
    """When more than newer figures was told last."""
    paged_at: datetime | None = None
    """When somebody was called anew: at its opening, its return, its rise; reminders count from there."""
    pages: int = 0
    reminders: int = 0
    reopenings: tuple[datetime, ...] = ()
    held_until: datetime | None = None
    """While it is unstable it does not end."""
    is_stale: bool = False
    """There is nothing to judge it by; of one that is over, that it ended so."""
    stale_since: datetime | None = None
    restate_at: datetime | None = None
    kept_back: Reason | None = None
    """Why somebody would have been called while a silence covered it; told when it covers it no more."""
    note: str | None = None
    """What whoever acknowledged it wrote."""
    merged_into: str | None = None
    """The summary that speaks for it where the page budget was spent."""

    @property
    def id(self) -> str:
        return self.report.id

    @property
    def is_over(self) -> bool:
        return self.report.state is IncidentState.RESOLVED


def incident_id(account: str, rule_id: str, family: str, cause: Place, opened_at: datetime) -> str:
    """Return the id that this cause of this rule has in this hour, whoever computes it and however often."""
    hour = opened_at.replace(minute=0, second=0, microsecond=0).isoformat()
    text = json.dumps([account, rule_id, family, cause, hour], separators=(",", ":"))
    return "inc_" + hashlib.sha256(text.encode()).hexdigest()[:16]


def opening(
    draft: IncidentReport, *, account: str, rule_id: str, family: str, routes: tuple[str, ...], now: datetime
) -> Incident:
    """Return a new incident from a draft whose figures are right and whose id, number and state are not yet."""
    report = replace(
        draft,
        id=incident_id(account, rule_id, family, draft.cause, now),
        state=IncidentState.OPEN,
        reason=Reason.OPENED,
        opened_at=now,
        updated_at=now,
        peak=max(draft.peak, draft.rate),
        first_cause=draft.cause,
    )
    return Incident(
        account=account, rule_id=rule_id, family=family, report=report, routes=routes, judged_through=now
    )


def is_related(one: Place, other: Place) -> bool:
    """Return whether one of the two places lies within the other."""
    return set(one) <= set(other) or set(other) <= set(one)


def may_return(incident: Incident, now: datetime) -> bool:
    """Return whether the same cause seen now is this incident again: it ended a short while ago, or has its very id."""
    ended_at = incident.report.resolved_at
    if ended_at is None:
        return True
    same_hour = incident.report.opened_at.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    return now - ended_at <= REOPENED_WITHIN or now < same_hour


def advance(
    incident: Incident, condition: Condition, draft: IncidentReport | None, *, now: datetime
) -> tuple[Incident, Reason | None]:
    """Take one judged minute into account.

    `draft` has the figures of the minute, for its `cause` at this time; None where there are none. Returns: the
    incident from then on, and why it is worth telling, if it is.
    """
    incident = replace(incident, judged_through=now)
    match condition:
        case Condition.FIRING if draft is not None and incident.is_over:
            return _returned(incident, draft, now)
        case Condition.FIRING if draft is not None:
            return _fired(incident, draft, now)
        case _ if incident.is_over:
            return incident, None
        case Condition.WELL if incident.held_until is None or incident.held_until <= now:
            return _ended(_with_figures(incident, draft, now), now)
        case Condition.NO_TRAFFIC:
            return _without_traffic(incident, now)
        case _:
            return _still(_with_figures(incident, draft, now), now)


def acknowledged(
    incident: Incident, *, by: str, note: str | None = None, now: datetime
) -> tuple[Incident, Reason | None]:
    """Note who takes care of it; nobody is reminded any more until it grows."""
    if incident.report.state is not IncidentState.OPEN:
        return incident, None
    report = replace(
        incident.report,
        state=IncidentState.ACKNOWLEDGED,
        acknowledged_at=now,
        acknowledged_by=by,
        updated_at=now,
    )
    return replace(incident, report=report, note=note), Reason.ACKNOWLEDGED


def restated(incident: Incident, *, later_paid: int, now: datetime) -> tuple[Incident, Reason | None]:
    """Return the incident with how many of its failed orders were paid after all, a while after its end."""
    report = replace(incident.report, later_paid=later_paid, updated_at=now)
    return replace(incident, report=report, restate_at=None), Reason.RESTATED


def told(incident: Incident, reason: Reason, *, now: datetime) -> Incident:
    """Note that it was told, and whether that calls somebody."""
    calls = incident.report.severity is not Severity.P3 and reason in CALLS
    is_new = calls and reason is not Reason.UNACKNOWLEDGED
    return replace(
        incident,
        report=replace(incident.report, reason=reason),
        told_at=now,
        said_at=incident.said_at if reason is Reason.FIGURES else now,
        kept_back=None,
        paged_at=now if is_new else incident.paged_at,
        reminders=0 if is_new else incident.reminders,
        pages=incident.pages + calls,
    )


def event_type(reason: Reason) -> str:
    """Return the type of the event that tells it."""
    match reason:
        case Reason.OPENED | Reason.REOPENED:
            return "incident.opened"
        case Reason.ACKNOWLEDGED:
            return "incident.acknowledged"
        case Reason.RESOLVED:
            return "incident.resolved"
        case _:
            return "incident.updated"


def is_within_budget(paged_at: tuple[datetime, ...], budget: int, *, now: datetime) -> bool:
    """Return whether one more incident may call somebody, given when those before it did on the same route."""
    return sum(now - at < BUDGET_SPAN for at in paged_at) < budget


def _fired(incident: Incident, draft: IncidentReport, now: datetime) -> tuple[Incident, Reason | None]:
    before = incident.report
    rose = draft.severity < before.severity
    grew = draft.cause != before.cause and set(draft.cause) < set(before.cause)
    incident = replace(_with_figures(incident, draft, now), is_stale=False, stale_since=None)
    after = replace(
        incident.report,
        cause=draft.cause if grew else before.cause,
        severity=draft.severity if rose else before.severity,
        tier=min(before.tier, draft.tier, key=_HARDEST_FIRST.index),
    )
    if rose or grew:
        after = replace(after, state=IncidentState.OPEN, acknowledged_at=None, acknowledged_by=None)
    incident = replace(incident, report=after)
    if rose:
        return incident, Reason.SEVERITY_ROSE
    if grew:
        return incident, Reason.SCOPE_GREW
    return _still(incident, now)


def _returned(incident: Incident, draft: IncidentReport, now: datetime) -> tuple[Incident, Reason | None]:
    recent = tuple(at for at in (*incident.reopenings, now) if now - at <= UNSTABLE_SPAN)
    is_unstable = len(recent) >= UNSTABLE_AFTER
    report = replace(
        incident.report,
        state=IncidentState.OPEN,
        acknowledged_at=None,
        acknowledged_by=None,
        resolved_at=None,
        cause=draft.cause,
        later_paid=0,
        reopened=incident.report.reopened + 1,
    )
    incident = replace(
        incident,
        report=report,
        reopenings=recent,
        paged_at=None,
        restate_at=None,
        held_until=now + UNSTABLE_HOLD if is_unstable else None,
    )
    incident, _ = _fired(incident, draft, now)
    return incident, Reason.UNSTABLE if is_unstable else Reason.REOPENED


def _ended(incident: Incident, now: datetime) -> tuple[Incident, Reason | None]:
    report = replace(
        incident.report,
        state=IncidentState.RESOLVED,
        resolved_at=now,
        updated_at=now,
        loss_per_min=(),
        is_stale=False,
    )
    ended = replace(
        incident,
        report=report,
        held_until=None,
        is_stale=False,
        stale_since=None,
        restate_at=now + RESTATED_AFTER,
    )
    return ended, Reason.RESOLVED


def _without_traffic(incident: Incident, now: datetime) -> tuple[Incident, Reason | None]:
    """Say so once; after a day there is nobody left whom the end could surprise."""
    since = incident.stale_since or now
    if now - since >= STALE_AT_MOST:
        ended, reason = _ended(incident, now)
        return replace(ended, is_stale=True, report=replace(ended.report, is_stale=True)), reason
    report = replace(incident.report, updated_at=now, is_stale=True)
    stale = replace(incident, report=report, is_stale=True, stale_since=since)
    return stale, None if incident.is_stale else Reason.STALE


def _still(incident: Incident, now: datetime) -> tuple[Incident, Reason | None]:
    """Tell what time alone makes worth telling of an incident that goes on."""
    incident = replace(incident, is_stale=False, stale_since=None)
    if _is_reminder_due(incident, now):
        return replace(incident, reminders=incident.reminders + 1), Reason.UNACKNOWLEDGED
    is_held = incident.held_until is not None and now < incident.held_until
    if is_held and _since(incident.said_at, now) >= UNSTABLE_EVERY:
        return incident, Reason.UNSTABLE
    return incident, Reason.FIGURES if _since(incident.told_at, now) >= EDITED_EVERY else None


def _is_reminder_due(incident: Incident, now: datetime) -> bool:
    is_open = incident.report.state is IncidentState.OPEN
    if not is_open or incident.paged_at is None or incident.reminders >= len(REMINDED_AFTER):
        return False
    return now - incident.paged_at >= REMINDED_AFTER[incident.reminders]


def _since(at: datetime | None, now: datetime) -> timedelta:
    return timedelta.max if at is None else now - at


def _with_figures(incident: Incident, draft: IncidentReport | None, now: datetime) -> Incident:
    """Lay the minute's figures over the incident; what it is and how it stands stays its own."""
    if draft is None:
        return replace(incident, report=replace(incident.report, updated_at=now))
    own = incident.report
    report = replace(
        draft,
        id=own.id,
        number=own.number,
        cause=own.cause,
        tier=own.tier,
        severity=own.severity,
        state=own.state,
        reason=own.reason,
        opened_at=own.opened_at,
        acknowledged_at=own.acknowledged_at,
        acknowledged_by=own.acknowledged_by,
        resolved_at=own.resolved_at,
        later_paid=own.later_paid,
        reopened=own.reopened,
        first_cause=own.first_cause,
        updated_at=now,
        peak=max(own.peak, draft.rate),
    )
    return replace(incident, report=report)

"""From verdicts to incidents: what opens, goes on, ends or comes back in one minute, in the caller's transaction."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from notifier.domain.alert.alert import Alert
from notifier.domain.alert.drafting import Minute, draft_of_cause, draft_of_place
from notifier.domain.alert.finding import Cause, Judged, Verdict
from notifier.domain.alert.incident import (
    BUDGET_SPAN,
    Condition,
    Incident,
    advance,
    is_related,
    is_within_budget,
    may_return,
    opening,
    restated,
)
from notifier.domain.alert.ledger import HOUR
from notifier.domain.alert.report import IncidentReport, Place, Reason, Severity, Tier
from notifier.domain.alert.silence import Silence
from notifier.domain.alert.slices import is_within
from notifier.domain.alert.summary import SUMMARY, summary_of
from notifier.storage.alarming import Telling, keep
from notifier.storage.contract import Transaction
from notifier.workers.accounting import Book
from notifier.workers.hindsight import paid_after_all

_SAMPLES = 5
FAILING = "failing"
"""The family of incidents in which too much fails; the other is silence."""
SPAN = max(BUDGET_SPAN, timedelta(hours=1))
"""How long incidents are remembered here after their end: to return, and to count against a budget."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is known of an account's incidents while one minute is judged; `at` is the end of that minute."""

    tx: Transaction
    account: str
    at: datetime
    now: datetime
    lag_s: float
    telling: Telling
    silences: Sequence[Silence]
    incidents: dict[str, Incident]
    told: list[Reason] = field(default_factory=list)

    async def keep(self, incident: Incident, reason: Reason | None) -> Incident:
        """Write and tell."""
        known = self.incidents.get(incident.id)
        kept = await keep(
            self.tx,
            incident,
            reason,
            was=known.report.state if known else None,
            silences=self.silences,
            telling=self.telling,
            now=self.at,
        )
        if kept.told_at == self.at and kept.report.reason is not Reason.FIGURES:
            self.told.append(kept.report.reason)
        self.incidents[kept.id] = kept
        return kept

    def of(self, rule_id: str) -> list[Incident]:
        """Return a rule's incidents, oldest first."""
        return [each for each in self.incidents.values() if each.rule_id == rule_id]


async def begin(
    tx: Transaction, account: str, *, at: datetime, now: datetime, lag_s: float, telling: Telling
) -> Case:
    """Return what is known before a minute is judged."""
    living = await tx.living_incidents(account, ended_after=at - SPAN)
    silences = await tx.silences(account, now=now)
    return Case(
        tx=tx,
        account=account,
        at=at,
        now=now,
        lag_s=lag_s,
        telling=telling,
        silences=silences,
        incidents={each.id: each for each in living},
    )


async def judge(case: Case, book: Book, verdict: Verdict) -> None:
    """Move the incidents of one alert by what its minute showed."""
    if not isinstance(verdict, Judged):
        return
    minute = Minute(number=verdict.minute, ended_at=case.at, lag_s=case.lag_s)
    moved: set[str] = set()
    causes = [*verdict.causes, *_silence(book)]
    for cause in causes:
        moved.add(await _fire(case, book, cause, minute, moved))
    for incident in case.of(book.alert.id):
        if incident.id not in moved and not incident.is_over:
            await _wait(case, book, incident, causes, minute)


async def finish(case: Case, alerts: Sequence[Alert]) -> None:
    """Do what no verdict asks for: restate what ended a while ago, sum up what the budget held back."""
    by_id: dict[str, Alert] = {each.id: each for each in alerts}
    for incident in list(case.incidents.values()):
        alert = by_id.get(incident.rule_id)
        if alert is not None and incident.restate_at is not None and incident.restate_at <= case.at:
            later_paid = await paid_after_all(case.tx, alert.rule, incident)
            await case.keep(*restated(incident, later_paid=later_paid, now=case.at))
    for routes in {each.routes for each in case.incidents.values()}:
        await _sum_up(case, routes)
    for silence in case.silences:
        bound = case.incidents.get(silence.incident_id or "")
        if bound is not None and silence.until_at is None and silence.broken_by(bound):
            await case.tx.drop_silence(case.account, silence.id)


async def say_stale(case: Case) -> None:
    """Say of every open incident that our own looking is too far behind to judge it."""
    for incident in list(case.incidents.values()):
        if not incident.is_over and not incident.is_stale:
            stale, reason = advance(incident, Condition.NO_TRAFFIC, None, now=case.at)
            await case.keep(replace(stale, report=replace(stale.report, lag_s=case.lag_s)), reason)


def _silence(book: Book) -> list[Cause]:
    """Return that hardly anything ends any more; who calls has seen that our own looks are done."""
    finding = book.ledger.detector.silence() if Tier.SILENCE in book.alert.tiers else None
    if finding is None:
        return []
    return [Cause(place=finding.place, finding=finding, share=1.0, inhibited=(), slices=(), normal_slices=())]


def _family(cause: Cause) -> str:
    return Tier.SILENCE if cause.finding.tier is Tier.SILENCE else FAILING


async def _fire(case: Case, book: Book, cause: Cause, minute: Minute, moved: set[str]) -> str:
    alert = book.alert
    draft = draft_of_cause(alert, book.ledger, cause, minute)
    draft = replace(draft, samples=await _samples(case, book, cause.place, minute.number))
    family = _family(cause)
    known = _the_same(case, alert, cause.place, family, moved)
    if known is not None:
        incident, reason = advance(known, Condition.FIRING, draft, now=case.at)
        if incident.merged_into and incident.report.severity is Severity.P1:
            incident = replace(incident, merged_into=None)
        return (await case.keep(incident, reason)).id
    incident = opening(
        draft, account=case.account, rule_id=alert.id, family=family, routes=alert.routes, now=case.at
    )
    if not _may_call(case, alert, incident):
        incident = replace(incident, merged_into=SUMMARY)
    return (await case.keep(incident, Reason.OPENED)).id


def _the_same(case: Case, alert: Alert, place: Place, family: str, moved: set[str]) -> Incident | None:
    """Return the incident that this cause belongs to: the same place first, an open one before an ended one."""
    known = [
        each
        for each in case.of(alert.id)
        if each.id not in moved
        and each.family == family
        and is_related(each.report.cause, place)
        and (not each.is_over or (each.report.cause == place and may_return(each, case.at)))
    ]
    return min(known, key=lambda each: (each.is_over, each.report.cause != place), default=None)


def _may_call(case: Case, alert: Alert, incident: Incident) -> bool:
    if incident.report.severity is not Severity.P2:
        return True
    paged_at = [
        each.paged_at
        for each in case.incidents.values()
        if each.routes == alert.routes
        and each.rule_id != SUMMARY
        and each.report.severity is not Severity.P3
        and each.paged_at is not None
    ]
    return is_within_budget(tuple(paged_at), alert.page_budget, now=case.at)


async def _wait(case: Case, book: Book, incident: Incident, causes: Sequence[Cause], minute: Minute) -> None:
    """Judge an open incident where no test fires."""
    report, detector = incident.report, book.ledger.detector
    draft = draft_of_place(book.alert, book.ledger, report, minute)
    is_covered = any(
        _family(each) == incident.family and is_within(report.cause, each.place) for each in causes
    )
    is_silent = incident.family == Tier.SILENCE
    is_well = True if is_silent else detector.is_well(report.cause, peak=report.peak)
    if is_covered or is_well is False:
        condition = Condition.BETWEEN
    else:
        condition = Condition.WELL if is_well else Condition.NO_TRAFFIC
    await case.keep(*advance(incident, condition, draft, now=case.at))


async def _samples(case: Case, book: Book, place: Place, minute: int) -> tuple[str, ...]:
    keys = book.ledger.samples(place, after=minute - HOUR, most=_SAMPLES)
    return tuple(await case.tx.order_ids(case.account, keys))


async def _sum_up(case: Case, routes: tuple[str, ...]) -> None:
    """Let one summary speak for all incidents that the budget of these routes held back."""
    members = [
        each
        for each in case.incidents.values()
        if each.routes == routes and each.merged_into is not None and not each.is_over
    ]
    known = next(
        (
            each
            for each in reversed(case.of(SUMMARY))
            if each.routes == routes and (not each.is_over or may_return(each, case.at))
        ),
        None,
    )
    reports = [each.report for each in members]
    draft: IncidentReport | None = summary_of(reports, now=case.at) if reports else None
    if draft is not None and known is None:
        opened = opening(
            draft, account=case.account, rule_id=SUMMARY, family=SUMMARY, routes=routes, now=case.at
        )
        await case.keep(opened, Reason.OPENED)
    elif draft is not None and known is not None:
        incident, reason = advance(known, Condition.FIRING, draft, now=case.at)
        has_more = set(draft.slices) > set(known.report.slices) and not known.is_over
        await case.keep(incident, Reason.SCOPE_GREW if has_more else reason)
    elif known is not None and not known.is_over:
        await case.keep(*advance(known, Condition.WELL, None, now=case.at))

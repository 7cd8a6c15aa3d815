"""From verdicts to incidents that are kept and told, in the caller's transaction."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from notifier.domain.alert.alert import Alert
from notifier.domain.alert.docket import moves
from notifier.domain.alert.drafting import Minute
from notifier.domain.alert.finding import Judged
from notifier.domain.alert.incident import (
    BUDGET_SPAN,
    Condition,
    Incident,
    advance,
    may_return,
    opening,
    restated,
)
from notifier.domain.alert.ledger import HOUR
from notifier.domain.alert.report import Reason
from notifier.domain.alert.silence import Silence
from notifier.domain.alert.summary import SUMMARY, summary_of
from notifier.storage.alarming import Telling, keep
from notifier.storage.contract import Transaction
from notifier.workers.accounting import Book
from notifier.workers.hindsight import paid_after_all

_SAMPLES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is known of an account's incidents while one minute is judged; `at` is the end of that minute."""

    tx: Transaction
    account: str
    at: datetime
    lag_s: float
    telling: Telling
    silences: Sequence[Silence]
    incidents: dict[str, Incident]
    is_past: bool = False
    """Later minutes are known already: whoever was not called then need not be called for what may be over."""
    told: list[tuple[str, Reason, bool]] = field(default_factory=list)
    """Of which incident, why, and whether that calls somebody; figures left out."""

    async def keep(self, incident: Incident, reason: Reason | None) -> None:
        """Write and tell."""
        known = self.incidents.get(incident.id)
        kept = await keep(
            self.tx,
            incident,
            None if self.is_past and incident.told_at is None else reason,
            was=known.report.state if known else None,
            silences=self.silences,
            telling=self.telling,
            now=self.at,
        )
        if kept.told_at == self.at and kept.report.reason is not Reason.FIGURES:
            is_page = kept.pages > (known.pages if known else 0)
            self.told.append((kept.id, kept.report.reason, is_page))
        self.incidents[kept.id] = kept


async def begin(
    tx: Transaction, account: str, *, at: datetime, now: datetime, lag_s: float, telling: Telling
) -> Case:
    """Return what is known before a minute is judged: what is open, may return, or counts against a budget."""
    living = await tx.living_incidents(account, ended_after=at - BUDGET_SPAN)
    silences = await tx.silences(account, now=now)
    return Case(
        tx=tx,
        account=account,
        at=at,
        lag_s=lag_s,
        telling=telling,
        silences=silences,
        incidents={each.id: each for each in living},
    )


async def judge(case: Case, book: Book, verdict: Judged) -> None:
    """Move the incidents of one alert by what its minute showed."""
    minute = Minute(number=verdict.minute, ended_at=case.at, lag_s=case.lag_s)
    for incident, reason in moves(book.alert, book.ledger, verdict, case.incidents, minute):
        await case.keep(await _with_samples(case, book, incident, verdict.minute), reason)


async def _with_samples(case: Case, book: Book, incident: Incident, minute: int) -> Incident:
    keys = book.ledger.samples(incident.report.cause, after=minute - HOUR, most=_SAMPLES)
    if incident.is_over or not keys:
        return incident
    samples = tuple(await case.tx.order_ids(case.account, keys))
    return replace(incident, report=replace(incident.report, samples=samples))


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


async def _sum_up(case: Case, routes: tuple[str, ...]) -> None:
    """Let one summary speak for all incidents that the budget of these routes held back."""
    of_routes = [each for each in case.incidents.values() if each.routes == routes]
    reports = [
        each.report
        for each in of_routes
        if each.merged_into is not None
        and not each.is_over
        and not any(silence.covers(each, case.at) for silence in case.silences)
    ]
    draft = summary_of(reports, now=case.at) if reports else None
    known = next(
        (
            each
            for each in reversed(of_routes)
            if each.rule_id == SUMMARY and (not each.is_over or may_return(each, case.at))
        ),
        None,
    )
    if draft is not None and known is None:
        family = " ".join((SUMMARY, *routes))  # Its id is made of this: each set of routes has its own.
        opened = opening(
            draft, account=case.account, rule_id=SUMMARY, family=family, routes=routes, now=case.at
        )
        await case.keep(opened, Reason.OPENED)
    elif draft is not None and known is not None:
        incident, reason = advance(known, Condition.FIRING, draft, now=case.at)
        has_more = len(draft.slices) > len(known.report.slices) and not known.is_over
        await case.keep(incident, Reason.SCOPE_GREW if has_more else reason)
    elif known is not None and not known.is_over:
        await case.keep(*advance(known, Condition.WELL, None, now=case.at))

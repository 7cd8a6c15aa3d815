"""Hindsight: how many orders of an incident were paid after all."""

from notifier.domain.alert.incident import Incident
from notifier.domain.alert.rule import Rule
from notifier.domain.alert.slices import is_within
from notifier.domain.instant import seconds
from notifier.storage.contract import Transaction

_MOST = 20_000


async def paid_after_all(tx: Transaction, rule: Rule, incident: Incident) -> int:
    """Return how many orders that failed in an incident ended well since, as far as the first many tell."""
    report = incident.report
    since = report.opened_at - seconds(report.window_s)
    first = await tx.last_outcome(incident.account, before=since)
    seen = await tx.outcomes(incident.account, after=first, before=report.resolved_at, limit=_MOST)
    failed = {
        each.outcome.order_key
        for each in seen
        if rule.looks_at(each.outcome)
        and rule.fails(each.outcome)
        and is_within(each.outcome.dimensions, report.cause)
    }
    histories = await tx.histories(incident.account, failed)
    paid = {
        key
        for (key, family, _), history in histories.items()
        if family is rule.family and not history[-1].outcome.is_failed
    }
    return len(paid)

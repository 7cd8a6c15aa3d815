"""The incidents that an order was part of: as one of the samples, or by how it ended, where and when."""

from notifier.domain.alert.incident import Incident
from notifier.domain.alert.outcome import Family, Outcome
from notifier.domain.alert.slices import is_within
from notifier.domain.instant import seconds
from notifier.storage.contract import Transaction
from notifier.storage.records import Watch

_LONGEST = seconds(6 * 3600)
"""No incident looks back further than that."""
_MOST = 200


async def incidents_of(tx: Transaction, watch: Watch) -> list[Incident]:
    """Return the incidents, oldest first; of an order whose ends are forgotten there are none."""
    histories = await tx.histories(watch.account, {watch.order_key})
    ends = [each.outcome for history in histories.values() for each in history]
    if not ends:
        return []
    since, until = min(end.ended_at for end in ends), max(end.ended_at for end in ends) + _LONGEST
    then = await tx.incidents_between(watch.account, since, until, limit=_MOST)
    return [
        each
        for each in then
        if watch.order_id in each.report.samples or any(_is_part(end, each) for end in ends)
    ]


def _is_part(end: Outcome, incident: Incident) -> bool:
    """Return whether the end is one of those that the incident counts as failed."""
    report = incident.report
    counted = report.outcome.split()
    is_counted = end.word in counted and (end.family is Family.ORDER or end.family in counted)
    since = report.opened_at - seconds(report.window_s)
    is_then = since <= end.ended_at and (report.resolved_at is None or end.ended_at <= report.resolved_at)
    return is_counted and is_then and is_within(end.dimensions, report.cause)

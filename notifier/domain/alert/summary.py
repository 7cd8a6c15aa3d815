"""One page for all: the summary that speaks for the incidents for which a route's page budget was spent."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from notifier.domain.alert.report import IncidentReport, Reason, SliceFigures, place_text

SUMMARY = "summary"
"""Stands for the rule of a summary, and in `merged_into` of what it speaks for."""
_MOST_SLICES = 5


def summary_of(reports: Sequence[IncidentReport], *, now: datetime) -> IncidentReport:
    """Return the draft of a summary of some open incidents: the figures of the worst, and a line for each."""
    worst = min(reports, key=lambda report: (report.severity, -report.excess))
    rest = f" and {len(reports) - _MOST_SLICES} more" if len(reports) > _MOST_SLICES else ""
    names = ", ".join(f"{each.id} ({place_text(each.cause)})" for each in reports[:_MOST_SLICES])
    return replace(
        worst,
        id="",
        number=0,
        rule=SUMMARY,
        outcome=f"{len(reports)} more incidents" if len(reports) > 1 else "one more incident",
        reason=Reason.OPENED,
        cause=(),
        updated_at=now,
        slices=tuple(_line(each) for each in reports[:_MOST_SLICES]),
        normal_slices=(),
        hints=(f"The page budget is spent, so these are told as one: {names}{rest}.",),
    )


def _line(report: IncidentReport) -> SliceFigures:
    return SliceFigures(
        place=report.cause,
        orders=report.orders,
        failed=report.failed,
        rate=report.rate,
        normal=report.normal,
    )

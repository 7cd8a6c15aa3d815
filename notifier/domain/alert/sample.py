"""One incident as it could really come, for checking and previewing templates."""

from dataclasses import replace
from datetime import datetime, timedelta

from notifier.domain.alert.report import (
    Code,
    IncidentReport,
    IncidentState,
    Point,
    Reason,
    Severity,
    SliceFigures,
    Tier,
)
from notifier.domain.money import Money

_CAUSE = (("gateway", "RAZORPAY"), ("bank", "HDFC"))
_RATES = (
    *(0.11, 0.12, 0.12, 0.13, 0.11, 0.12, 0.14, 0.12, 0.11, 0.13),
    *(0.12, 0.12, 0.15, 0.22, 0.31, 0.38, 0.41, 0.42, 0.4, 0.41),
)
_AGE_S = 420


def sample_report(event_type: str, seen_at: datetime) -> IncidentReport:
    """Return what an incident says at an event of this type, `incident.opened` and so on."""
    opened = _opened(seen_at)
    match event_type.rpartition(".")[2]:
        case "opened":
            return opened
        case "acknowledged":
            return _acknowledged(opened, Reason.ACKNOWLEDGED)
        case "updated":
            grown = replace(
                opened, severity=Severity.P1, cause=_CAUSE[:1], failed=211, orders=402, rate=0.525
            )
            return replace(grown, peak=0.525, excess=162.8, reason=Reason.SEVERITY_ROSE)
        case _:
            told = _acknowledged(opened, Reason.RESOLVED)
            ended = replace(told, state=IncidentState.RESOLVED, resolved_at=seen_at, rate=0.121, failed=12)
            return replace(ended, orders=99, excess=0.1, loss_per_min=(), later_paid=31)


def _acknowledged(report: IncidentReport, reason: Reason) -> IncidentReport:
    at = report.opened_at + timedelta(minutes=2)
    state = IncidentState.ACKNOWLEDGED
    return replace(report, state=state, reason=reason, acknowledged_at=at, acknowledged_by="U02ABCDEF")


def _opened(seen_at: datetime) -> IncidentReport:
    return IncidentReport(
        id="inc_0123456789abcdef",
        number=42,
        rule="authorization-failures",
        outcome="AUTHORIZATION_FAILED",
        tier=Tier.PAGE,
        severity=Severity.P2,
        state=IncidentState.OPEN,
        reason=Reason.OPENED,
        cause=_CAUSE,
        first_cause=_CAUSE,
        opened_at=seen_at - timedelta(seconds=_AGE_S),
        updated_at=seen_at,
        window_s=600,
        orders=210,
        failed=86,
        rate=0.4095,
        normal=0.12,
        peak=0.42,
        excess=60.8,
        false_per_month=0.5,
        lag_s=4.0,
        at_risk=(Money(19_043_000, "INR"),),
        loss_per_min=(Money(1_904_300, "INR"),),
        codes=(Code(code="BANK_DOWN", orders=71, share=0.8256), Code(code="U30", orders=9, share=0.1047)),
        slices=(
            SliceFigures(place=_CAUSE, orders=210, failed=86, rate=0.4095, normal=0.12, share=0.94),
            SliceFigures(place=_CAUSE[:1], orders=613, failed=129, rate=0.2104, normal=0.118, share=1.0),
        ),
        normal_slices=(
            SliceFigures(place=(("gateway", "PAYU"),), orders=544, failed=64, rate=0.1176, normal=0.118),
            SliceFigures(place=(("bank", "ICICI"),), orders=188, failed=21, rate=0.1117, normal=0.115),
        ),
        series=tuple(
            Point(at=seen_at - timedelta(minutes=3 * (20 - place)), rate=rate, normal=0.12, alarm=0.27)
            for place, rate in enumerate(_RATES, 1)
        ),
        samples=("JP1636474794", "JP1636474801", "JP1636474866"),
        hints=("One bank fails at one gateway: move its traffic to another gateway.",),
    )

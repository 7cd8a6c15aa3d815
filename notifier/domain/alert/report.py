"""What an incident says of itself at one instant: the frozen facts that every message of it is made from."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from notifier.domain.instant import iso
from notifier.domain.money import Money

Document = dict[str, Any]
Place = tuple[tuple[str, str], ...]
"""A slice of the traffic: dimension and value, in the dimensions' fixed order. Empty is the whole account."""


class Tier(StrEnum):
    """The test that fired."""

    PAGE = "page"
    WARN = "warn"
    SLOW = "slow"
    RUN = "run"
    PLAIN = "plain"
    """A threshold that a person wrote: so many, or such a rate."""
    SILENCE = "silence"
    STUCK = "stuck"


class Severity(StrEnum):
    """How bad: P1 the whole merchant or much of the value, P2 a page, P3 for working hours."""

    P1 = "P1"
    P2 = "P2"
    P3 = "P3"


class IncidentState(StrEnum):
    """Where an incident stands. An acknowledgement ends with it, and breaks when it grows."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class Reason(StrEnum):
    """Why this report is told."""

    OPENED = "opened"
    REOPENED = "reopened"
    SCOPE_GREW = "scope_grew"
    SEVERITY_ROSE = "severity_rose"
    FIGURES = "figures"
    """Newer figures only: an edit, nothing to wake anybody for."""
    UNACKNOWLEDGED = "unacknowledged"
    UNSTABLE = "unstable"
    STALE = "stale"
    """No traffic to judge by; not the same as well again."""
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    RESTATED = "restated"
    """After the end: how many of the failed orders were paid after all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceFigures:
    """One slice in the incident's window. Rates are shares, 0 to 1; `share` is its part of the excess."""

    place: Place
    orders: int
    failed: int
    rate: float
    normal: float
    share: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One point of the chart. Rates are shares; `alarm` is the rate from which the test fires."""

    at: datetime
    rate: float
    normal: float
    alarm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A response code among the failed orders and its share of them."""

    code: str
    orders: int
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentReport:
    """An incident as of `updated_at`: cause, size, money, what is not affected, and how sure we are.

    Rates are shares (0.41). `at_risk` and `loss_per_min` hold one Money a currency. `lag_s` is how far our own
    looking is behind, in seconds. `false_per_month` is what this rule costs in false pages at this level.
    """

    id: str
    number: int
    rule: str
    outcome: str
    """What is counted: `AUTHORIZATION_FAILED`, `refund FAILURE`, `stuck`, `silence`."""
    tier: Tier
    severity: Severity
    state: IncidentState
    reason: Reason
    cause: Place
    opened_at: datetime
    updated_at: datetime
    window_s: float
    orders: int
    failed: int
    rate: float
    normal: float
    peak: float
    excess: float
    false_per_month: float
    lag_s: float
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    resolved_at: datetime | None = None
    at_risk: tuple[Money, ...] = ()
    loss_per_min: tuple[Money, ...] = ()
    codes: tuple[Code, ...] = ()
    slices: tuple[SliceFigures, ...] = ()
    """The slices that carry the excess, most first; at most five."""
    normal_slices: tuple[SliceFigures, ...] = ()
    """Siblings that are as ever: the proof of "only this"."""
    series: tuple[Point, ...] = ()
    """At most 20 points, oldest first."""
    samples: tuple[str, ...] = ()
    """Ids of some failed orders, at most five."""
    hints: tuple[str, ...] = ()
    """What to try first, at most two sentences."""
    later_paid: int = 0
    reopened: int = 0
    is_stale: bool = False
    """There is nothing to judge it by; of one that is over, that it was given up for that."""
    first_cause: Place | None = None
    """The cause with which it opened; None of what was kept before this was noted."""


def place_text(place: Place) -> str:
    """Return a slice in words: `gateway RAZORPAY, bank HDFC`; the empty one is all payments."""
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in place) or "all payments"


def incident_document(report: IncidentReport) -> Document:
    """Return the member `data.incident` of an event: rates as numbers of four digits, money as decimal text."""
    return {
        "id": report.id,
        "number": report.number,
        "rule": report.rule,
        "outcome": report.outcome,
        "tier": report.tier,
        "severity": report.severity,
        "state": report.state,
        "reason": report.reason,
        "cause": dict(report.cause),
        "cause_text": place_text(report.cause),
        "first_cause": dict(report.cause if report.first_cause is None else report.first_cause),
        "opened_at": iso(report.opened_at),
        "updated_at": iso(report.updated_at),
        "acknowledged_at": _instant(report.acknowledged_at),
        "acknowledged_by": report.acknowledged_by,
        "resolved_at": _instant(report.resolved_at),
        "window_s": report.window_s,
        "orders": report.orders,
        "failed": report.failed,
        "rate": _rate(report.rate),
        "normal_rate": _rate(report.normal),
        "peak_rate": _rate(report.peak),
        "excess_orders": round(report.excess, 1),
        "at_risk": [_money(each) for each in report.at_risk],
        "loss_per_minute": [_money(each) for each in report.loss_per_min],
        "codes": [
            {"code": code.code, "orders": code.orders, "share": _rate(code.share)} for code in report.codes
        ],
        "slices": [_slice(each) for each in report.slices],
        "normal_slices": [_slice(each) for each in report.normal_slices],
        "series": [
            {
                "at": iso(point.at),
                "rate": _rate(point.rate),
                "normal_rate": _rate(point.normal),
                "alarm_rate": _rate(point.alarm),
            }
            for point in report.series
        ],
        "samples": list(report.samples),
        "hints": list(report.hints),
        "false_pages_per_month": round(report.false_per_month, 3),
        "lag_s": round(report.lag_s, 1),
        "later_paid": report.later_paid,
        "reopened": report.reopened,
        "is_stale": report.is_stale,
    }


def _slice(figures: SliceFigures) -> Document:
    return {
        "cause": dict(figures.place),
        "text": place_text(figures.place),
        "orders": figures.orders,
        "failed": figures.failed,
        "rate": _rate(figures.rate),
        "normal_rate": _rate(figures.normal),
        "share": _rate(figures.share),
    }


def _rate(share: float) -> float:
    return round(share, 4)


def _instant(at: datetime | None) -> str | None:
    return iso(at) if at else None


def _money(amount: Money) -> Document:
    return {"amount": str(amount), "currency": amount.currency}

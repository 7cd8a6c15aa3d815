"""From a minute's verdict to what an incident says: figures, money, codes, the line of the last hour, what to try."""

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from datetime import datetime

from notifier.domain.alert.alert import Alert
from notifier.domain.alert.counts import start_of
from notifier.domain.alert.finding import Cause
from notifier.domain.alert.ledger import HOUR, Ledger
from notifier.domain.alert.outcome import Family
from notifier.domain.alert.report import (
    Code,
    IncidentReport,
    IncidentState,
    Place,
    Point,
    Reason,
    Severity,
    SliceFigures,
    Tier,
)
from notifier.domain.alert.rule import GATES, Rule
from notifier.domain.alert.severity import hints_of, severity_of
from notifier.domain.alert.slices import WHOLE
from notifier.domain.money import Money

_POINTS, _POINT_MINUTES = 20, 3
_WELL_WINDOW = 10
_MOST_CODES = 5
_MINUTE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Minute:
    """The minute that is drafted of, its end, and how far our own looking is behind, in seconds."""

    number: int
    ended_at: datetime
    lag_s: float


def draft_of_cause(alert: Alert, ledger: Ledger, cause: Cause, minute: Minute) -> IncidentReport:
    """Return the draft of what went wrong; `opening` and `advance` make it an incident's report."""
    finding = cause.finding
    figures = SliceFigures(
        place=cause.place,
        orders=finding.orders,
        failed=finding.failed,
        rate=_share(finding.failed, finding.orders),
        normal=min(finding.normal, 1.0) if finding.tier is not Tier.SILENCE else 0.0,
    )
    draft = _draft(alert, ledger, figures, minute, window=finding.window, tier=finding.tier)
    severity = severity_of(cause, value_share=_value_share(ledger, cause.place, minute.number))
    return replace(
        draft,
        # Of a rule that looks at a part of the traffic, nothing is known of the whole.
        severity=max(severity, Severity.P2) if alert.where else severity,
        excess=finding.excess,
        false_per_month=ledger.detector.false_per_month(finding),
        slices=cause.slices,
        normal_slices=cause.normal_slices,
    )


def draft_of_place(alert: Alert, ledger: Ledger, known: IncidentReport, minute: Minute) -> IncidentReport:
    """Return the draft of how the place of a known incident stands, when no test fires there."""
    figures = ledger.detector.figures(known.cause, _WELL_WINDOW)
    if figures is None:
        figures = SliceFigures(place=known.cause, orders=0, failed=0, rate=0.0, normal=known.normal)
    draft = _draft(alert, ledger, figures, minute, window=_WELL_WINDOW, tier=known.tier)
    return replace(
        draft,
        severity=known.severity,
        false_per_month=known.false_per_month,
        slices=(figures,),
        normal_slices=known.normal_slices,
        samples=known.samples,
    )


def outcome_text(rule: Rule) -> str:
    """Return what the rule counts, in words."""
    words = " ".join(sorted(rule.words))
    return words if rule.family is Family.ORDER else f"{rule.family} {words}"


def _draft(
    alert: Alert, ledger: Ledger, figures: SliceFigures, minute: Minute, *, window: int, tier: Tier
) -> IncidentReport:
    place = figures.place
    excess = max(0.0, figures.failed - figures.orders * figures.normal)
    at_risk = _money(ledger, place, minute.number, window, _share(excess, figures.failed))
    return IncidentReport(
        id="",
        number=0,
        rule=alert.name,
        outcome="silence" if tier is Tier.SILENCE else outcome_text(ledger.rule),
        tier=tier,
        severity=Severity.P3,
        state=IncidentState.OPEN,
        reason=Reason.OPENED,
        cause=place,
        opened_at=minute.ended_at,
        updated_at=minute.ended_at,
        window_s=window * _MINUTE_S,
        orders=figures.orders,
        failed=figures.failed,
        rate=figures.rate,
        normal=figures.normal,
        peak=figures.rate,
        excess=excess,
        false_per_month=0.0,
        lag_s=minute.lag_s,
        at_risk=at_risk,
        loss_per_min=tuple(Money(each.minor // window, each.currency) for each in at_risk),
        codes=_codes(ledger, place, minute.number, window),
        series=_series(ledger, figures, tier, minute.number),
        hints=hints_of(place, tier)[:2],
    )


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _value_share(ledger: Ledger, place: Place, minute: int) -> float:
    """Return the part of the last hour's money that the place has, in the currency that most of it is in."""
    whole, part = Counter[str](), Counter[str]()
    for total, of in ((whole, WHOLE), (part, place)):
        for _, _, cell in ledger.cells(of, after=minute - HOUR, through=minute):
            total.update(cell.minor)
    ((currency, minor),) = whole.most_common(1) or [("", 0)]
    return _share(part[currency], minor)


def _money(ledger: Ledger, place: Place, minute: int, window: int, excess_share: float) -> tuple[Money, ...]:
    """Return the part of the failed amount that is beyond the normal, one sum a currency."""
    total: Counter[str] = Counter()
    for _, _, cell in ledger.cells(place, after=minute - window, through=minute):
        total.update(cell.failed_minor)
    sums = {currency: round(minor * excess_share) for currency, minor in sorted(total.items())}
    return tuple(Money(minor, currency) for currency, minor in sums.items() if minor > 0)


def _codes(ledger: Ledger, place: Place, minute: int, window: int) -> tuple[Code, ...]:
    found: Counter[str] = Counter()
    failed = 0
    for _, dimensions, cell in ledger.cells(place, after=minute - window, through=minute):
        failed += cell.failed
        code = dict(dimensions).get("resp_code")
        if code is not None:
            found[code] += cell.failed
    most = sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))[:_MOST_CODES]
    return tuple(Code(code=code, orders=orders, share=orders / failed) for code, orders in most if orders > 0)


def _series(ledger: Ledger, figures: SliceFigures, tier: Tier, minute: int) -> tuple[Point, ...]:
    """Return the rate of each three minutes of the last hour; the alarm line is that of the tier's first gate."""
    normal = figures.normal
    gates = GATES.get(tier, ())[:1]
    alarm = max((max(normal + gate.points, normal * gate.ratio) for gate in gates), default=1.0)
    sums: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    for number, _, cell in ledger.cells(figures.place, after=minute - HOUR, through=minute):
        ago = (minute - number) // _POINT_MINUTES
        sums[ago][0] += cell.orders
        sums[ago][1] += cell.failed
    return tuple(
        Point(
            at=start_of(minute - ago * _POINT_MINUTES + 1),
            rate=min(1.0, max(0.0, _share(sums[ago][1], sums[ago][0]))),
            normal=normal,
            alarm=min(1.0, alarm),
        )
        for ago in reversed(range(_POINTS))
        if ago in sums
    )

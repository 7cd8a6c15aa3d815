"""Alerts, incidents and silences as they read."""

from datetime import datetime
from typing import Any

from notifier.domain.alert.alert import Alert
from notifier.domain.alert.backtest import Backtest, Call
from notifier.domain.alert.incident import Incident
from notifier.domain.alert.report import incident_document
from notifier.domain.alert.rule import Plain
from notifier.domain.alert.silence import Silence
from notifier.domain.document import Document
from notifier.storage.alerting import Learned
from notifier.web.documents import instant

_MINUTE_S = 60
_MONTH_DAYS = 30


def alert_document(alert: Alert, learned: Learned | None = None) -> Document:
    """Return an alert; `judged_through` where it was looked up."""
    document: Document = {
        "id": alert.id,
        "account": alert.account,
        "name": alert.name,
        "outcome": alert.outcome,
        "dimensions": alert.dimensions,
        "filter": {name: sorted(values) for name, values in alert.where.items()} or None,
        "false_pages_per_month": alert.false_pages_per_month,
        "tiers": sorted(alert.tiers),
        "plain": _plain(alert.plain) if alert.plain else None,
        "page_budget": alert.page_budget,
        "routes": alert.routes,
        "state": alert.state,
        "managed": alert.managed,
    }
    return document if learned is None else document | {"judged_through": instant(learned.judged_through)}


def _plain(plain: Plain) -> dict[str, Any]:
    return {
        "window_s": plain.window * _MINUTE_S,
        "more_than": plain.failed,
        "rate_over": plain.rate,
        "at_least": plain.least or None,
    }


def kept_document(incident: Incident, silences: list[Silence], *, now: datetime) -> Document:
    """Return an incident as its events have it, and beside that how it is handled."""
    return incident_document(incident.report) | {
        "account": incident.account,
        "alert": incident.rule_id,
        "routes": incident.routes,
        "note": incident.note,
        "pages": incident.pages,
        "told_at": instant(incident.told_at),
        "judged_through": instant(incident.judged_through),
        "is_stale": incident.is_stale,
        "held_until": instant(incident.held_until),
        "merged_into": incident.merged_into,
        "silenced_by": [each.id for each in silences if each.covers(incident, now)],
    }


def silence_document(silence: Silence) -> Document:
    """Return a silence."""
    return {
        "id": silence.id,
        "account": silence.account,
        "rule": silence.rule,
        "matchers": dict(silence.matchers),
        "incident": silence.incident_id,
        "until": instant(silence.until_at),
        "by": silence.by,
        "note": silence.note,
        "created_at": instant(silence.created_at),
    }


def backtest_document(test: Backtest, *, since: datetime, until: datetime) -> Document:
    """Return what an alert would have done.

    `false_pages_per_month` is what it is built to, `estimated_false_pages_per_month` what was counted.
    """
    calls = test.found
    days = (until - since).total_seconds() / 86_400
    estimate = test.estimate(round((until - since).total_seconds() / _MINUTE_S))
    delays = sorted(call.delay_s for call in calls)
    return {
        "alert": test.alert.id,
        "since": instant(since),
        "until": instant(until),
        "pages": [_call(call) for call in calls],
        "pages_per_month": round(len(calls) * _MONTH_DAYS / days, 2),
        "false_pages_per_month": test.alert.false_pages_per_month,
        "doubtful_pages": estimate.doubtful,
        "estimated_false_pages_per_month": {
            "mean": round(estimate.per_month, 2),
            "low": round(estimate.low, 2),
            "high": round(estimate.high, 2),
        },
        "median_delay_s": delays[len(delays) // 2] if delays else None,
        "told_without_a_page": len(test.incidents) - len(calls),
        "course": [
            {
                "at": instant(at),
                "orders": whole.orders,
                "failed": whole.failed,
                "rate": round(whole.rate, 4),
                "normal_rate": round(whole.normal, 4),
            }
            for at, whole in test.course
        ],
    }


def _call(call: Call) -> Document:
    return incident_document(call.incident.report) | {
        "began_at": instant(call.began_at),
        "called_at": instant(call.called_at),
        "delay_s": call.delay_s,
        "backed_by": call.backing,
    }

"""An incident in words: what every message about it says, whatever the channel looks like.

All of it is plain text. Values from outside lose control characters and marks of direction, and are cut; escaping is
for the template, which knows its medium.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from notifier.domain.alert.report import IncidentState, Reason, Severity, Tier
from notifier.domain.alert.summary import SUMMARY

Words = dict[str, Any]
Json = Mapping[str, Any]

_LONGEST_SUMMARY = 150
_LONGEST_VALUE = 60
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86_400
_FEW = 10
_BEHIND_S = 300
# Controls, and what turns the direction of the text after it around.
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]+")
_SPACES = re.compile(r"\s+")
_FAILED = ("_FAILED", "DECLINED")
_FAILING = "failing"
_SCALES = {"INR": ((10_000_000, " Cr"), (100_000, " L"))}
_WESTERN = ((1_000_000, " M"), (1_000, " k"))
_SIGNS = {"INR": "₹", "USD": "$", "EUR": "€", "GBP": "£"}
_WAKING = frozenset(
    {Reason.OPENED, Reason.REOPENED, Reason.SCOPE_GREW, Reason.SEVERITY_ROSE, Reason.UNACKNOWLEDGED}
)
_MONTHS_A_YEAR = 12


def incident_words(incident: Json, *, public_url: str = "") -> Words:
    """Return the words of `data.incident`.

    `topic` names it alike in every message, by the cause with which it opened; `headline` says what, where, how bad;
    `summary` stands alone in 150 characters; `reply` is what a thread is told (empty for mere figures), `wakes`
    whether it should wake somebody. `facts` are pairs; `chart`, `rows` and `samples` are for their blocks; `links`
    are empty texts without a public address.
    """
    is_over = incident["state"] == IncidentState.RESOLVED
    began = place({**incident, "cause": incident.get("first_cause", incident["cause"])})
    facts = _facts_of_end(incident) if is_over else _facts(incident)
    return {
        "id": incident["id"],
        "topic": f"{began} \N{EN DASH} {_noun(incident)} #{incident['number']}",
        "mark": _mark(incident),
        "headline": headline(incident),
        "summary": summary(incident),
        "reply": _reply(incident),
        "wakes": incident["reason"] in _WAKING,
        "is_over": is_over,
        "is_open": incident["state"] == IncidentState.OPEN,
        "since": incident["opened_at"],
        "facts": tuple((label, value) for label, value in facts if value),
        "chart": None if is_over else _chart(incident),
        "rows": () if is_over else tuple(_rows(incident)),
        "not_affected": "" if is_over else _not_affected(incident),
        "hints": () if is_over else tuple(plain(each, 300) for each in incident["hints"]),
        "samples": tuple(
            (plain(each), _link(public_url, "orders", each)) for each in incident["samples"] if not is_over
        ),
        "link": _link(public_url, "incidents", incident["id"]),
        "small_print": tuple(_small_print(incident)),
    }


def headline(incident: Json) -> str:
    """Return what, where and how bad, without ids."""
    return f"{incident['severity']} {place(incident)}: {_how_bad(incident)}"


def summary(incident: Json) -> str:
    """Return the text that stands alone on a phone: mark, headline, orders, money and time, at most 150 characters."""
    told = f"{incident['failed']} orders" if incident["tier"] != Tier.SILENCE else ""
    rest = [told, _money(incident["at_risk"])]
    if incident["state"] == IncidentState.RESOLVED:
        later = f"{incident['later_paid']} paid later" if incident["later_paid"] else ""
        rest = [f"peak {percent(incident['peak_rate'])}", _money(incident["at_risk"]), later]
    ending = ", ".join(filter(None, rest))
    window = "" if incident["state"] == IncidentState.RESOLVED else f" in {duration(incident['window_s'])}"
    head, tail = f"{_mark(incident)} {incident['severity']} ", f": {_how_bad(incident)}, {ending}{window}"
    room = _LONGEST_SUMMARY - len(head) - len(tail)
    return plain(f"{head}{plain(place(incident), max(room, _FEW))}{tail}", _LONGEST_SUMMARY)


def place(incident: Json) -> str:
    """Return the slice as people say it: `HDFC via RAZORPAY`, or `all payments`; a summary is of no one place."""
    if incident["rule"] == SUMMARY:
        return "beyond the page budget"
    cause = {name: plain(value) for name, value in incident["cause"].items()}
    gateway = cause.pop("gateway", "")
    named = " ".join(cause.values()) or ("payments" if gateway else "all payments")
    return f"{named} via {gateway}" if gateway else named


def plain(text: object, longest: int = _LONGEST_VALUE) -> str:
    """Return one line without control characters or marks of direction, at most so long."""
    line = _SPACES.sub(" ", _UNSEEN.sub(" ", str(text))).strip()
    return line if len(line) <= longest else line[: longest - 1] + "…"


def percent(share: float) -> str:
    """Return a share as people write it: `41 %`, `4.2 %`."""
    points = share * 100
    return f"{points:.0f} %" if points >= _FEW or points == 0 else f"{points:.1f} %"


def duration(seconds: float) -> str:
    """Return seconds in the one or two units that matter: `45 s`, `10 min`, `2 h 5 min`, `3 d 2 h`."""
    whole = max(0, round(seconds))
    if whole < 2 * _MINUTE_S:
        return f"{whole} s"
    if whole < _HOUR_S:
        return f"{round(whole / _MINUTE_S)} min"
    big, unit, small, part = (
        (_HOUR_S, "h", _MINUTE_S, "min") if whole < _DAY_S else (_DAY_S, "d", _HOUR_S, "h")
    )
    rest = whole % big // small
    return f"{whole // big} {unit}" + (f" {rest} {part}" if rest else "")


def _mark(incident: Json) -> str:
    if incident["state"] == IncidentState.RESOLVED:
        return "⚪" if _is_given_up(incident) else "🟢"
    return "🟠" if incident["severity"] == Severity.P3 else "🔴"


def _how_bad(incident: Json) -> str:
    if incident["state"] == IncidentState.RESOLVED:
        how = "without traffic, judged no more" if _is_given_up(incident) else "over"
        return f"{how} after {duration(_lasted_s(incident))}"
    if incident["rule"] == SUMMARY:
        return f"{plain(incident['outcome'])}, the worst {_level(incident)}"
    return _level(incident)


def _level(incident: Json) -> str:
    if incident["tier"] == Tier.SILENCE:
        return f"only {incident['orders']} orders in {duration(incident['window_s'])}"
    return f"{percent(incident['rate'])} {_counted(incident)} (normal {percent(incident['normal_rate'])})"


def _is_given_up(incident: Json) -> bool:
    """Return whether it ended for want of traffic, which is not the same as well again."""
    return bool(incident.get("is_stale", False))


def _counted(incident: Json) -> str:
    outcome = str(incident["outcome"])
    if incident["rule"] == SUMMARY or all(word.endswith(_FAILED) for word in outcome.split()):
        return _FAILING
    return plain(outcome.replace("_", " ").lower())


def _noun(incident: Json) -> str:
    """Return what is counted, as a subject line names it; `refund FAILURE` says more than we could."""
    if incident["rule"] == SUMMARY:
        return "summary"
    if incident["tier"] == Tier.SILENCE:
        return "too few payments"
    counted = _counted(incident)
    return "payment failures" if counted == _FAILING else counted


def _facts(incident: Json) -> Iterator[tuple[str, str]]:
    """Give what is there by weight, at most eight with the acknowledgement."""
    now = f"{percent(incident['rate'])} {_counted(incident)}, normal {percent(incident['normal_rate'])}"
    yield (
        "The worst" if incident["rule"] == SUMMARY else "Now",
        now if incident["tier"] != Tier.SILENCE else f"{incident['orders']} orders",
    )
    yield "Window", f"{incident['failed']} of {incident['orders']} orders in {duration(incident['window_s'])}"
    more = max(0, round(incident["excess_orders"]))
    yield "Beyond normal", f"{more} orders"
    yield "At risk", _money(incident["at_risk"])
    yield "Loss per minute", _money(incident["loss_per_minute"])
    if incident["codes"]:
        top = incident["codes"][0]
        yield "Top code", f"{plain(top['code'], 300)}: {percent(top['share'])}"
    yield "Confidence", _confidence(incident["false_pages_per_month"])
    yield "Acknowledged", _acknowledged(incident)


def _facts_of_end(incident: Json) -> Iterator[tuple[str, str]]:
    yield "Lasted", duration(_lasted_s(incident))
    yield "Peak", f"{percent(incident['peak_rate'])}, normal {percent(incident['normal_rate'])}"
    yield "At risk", _money(incident["at_risk"])
    yield "Paid later", f"{incident['later_paid']} orders" if incident["later_paid"] else ""
    yield "Acknowledged", _acknowledged(incident) or "by nobody"


def _acknowledged(incident: Json) -> str:
    if not incident["acknowledged_at"]:
        return ""
    by = f"by {plain(incident['acknowledged_by'])} " if incident["acknowledged_by"] else ""
    return f"{by}after {duration(_seconds(incident['opened_at'], incident['acknowledged_at']))}"


def _confidence(false_per_month: float) -> str:
    if not false_per_month:
        return ""
    if false_per_month > 1:
        return f"{false_per_month:.0f} false pages a month at this level"
    months = round(1 / false_per_month)
    spell = f"{months} months" if months <= 2 * _MONTHS_A_YEAR else f"{months // _MONTHS_A_YEAR} years"
    return f"1 false page in {'a month' if months == 1 else spell} at this level"


def _reply(incident: Json) -> str:
    say = _REPLIES.get(incident["reason"])
    return say(incident) if say else summary(incident)


_REPLIES: Mapping[str, Callable[[Json], str]] = {
    Reason.FIGURES: lambda _: "",
    Reason.ACKNOWLEDGED: lambda incident: f"👀 Acknowledged {_acknowledged(incident)}",
    Reason.SCOPE_GREW: lambda incident: f"It has grown. {summary(incident)}",
    Reason.SEVERITY_ROSE: lambda incident: f"It is {incident['severity']} now. {summary(incident)}",
    Reason.REOPENED: lambda incident: f"It is back. {summary(incident)}",
    Reason.UNACKNOWLEDGED: lambda incident: (
        f"Nobody has acknowledged this for {duration(_age_s(incident))}. {summary(incident)}"
    ),
    Reason.UNSTABLE: lambda incident: f"It comes and goes. {summary(incident)}",
    Reason.STALE: lambda incident: f"{_why_stale(incident)}, which is not the same as well again.",
    Reason.RESTATED: lambda incident: (
        f"{incident['later_paid']} of the orders that had failed were paid after all."
    ),
}


def _why_stale(incident: Json) -> str:
    lag_s = incident["lag_s"]
    if lag_s > _BEHIND_S:
        return f"Our own polls are {duration(lag_s)} late, so nothing is judged"
    return "There is no traffic to judge by"


def _chart(incident: Json) -> Json | None:
    """Return title, categories and series for a line chart; rates in per cent."""
    points: Sequence[Json] = incident["series"]
    if not points:
        return None
    minutes = [round(_seconds(point["at"], incident["updated_at"]) / _MINUTE_S) for point in points]
    labels = [f"-{each} min" if each > 0 else "now" for each in minutes]
    if len(set(labels)) < len(labels):
        labels = [f"{place} of {len(points)}" for place in range(1, len(points) + 1)]
    lines = (("Now", "rate"), ("Normal", "normal_rate"), ("Alarm", "alarm_rate"))
    return {
        "title": f"{_counted(incident)[:30].capitalize()}, %, last {duration(max(minutes) * _MINUTE_S)}",
        "categories": labels,
        "series": [(name, [round(point[member] * 100, 1) for point in points]) for name, member in lines],
    }


def _rows(incident: Json) -> Iterator[tuple[str, ...]]:
    for each in incident["slices"][:5]:
        rates = percent(each["rate"]), percent(each["normal_rate"]), percent(each["share"])
        yield plain(each["text"]), str(each["orders"]), str(each["failed"]), *rates


def _not_affected(incident: Json) -> str:
    calm = [f"{plain(each['text'])} {percent(each['rate'])}" for each in incident["normal_slices"][:4]]
    return ", ".join(calm)


def _small_print(incident: Json) -> Iterator[str]:
    yield f"Rule {plain(incident['rule'])}"
    yield f"#{incident['number']} {incident['id']}"
    yield f"Tier {incident['tier']}"
    yield f"Polls lag {duration(incident['lag_s'])}"


def _money(amounts: Sequence[Json]) -> str:
    return " + ".join(short_money(each["amount"], each["currency"]) for each in amounts)


def short_money(amount: str, currency: str) -> str:
    """Return an amount in two or three digits, in lakh and crore for rupees: `₹1.9 L`, `EUR 12.5 k`."""
    value, sign = Decimal(amount), _SIGNS.get(currency, f"{currency} ")
    for scale, word in _SCALES.get(currency, _WESTERN):
        if abs(value) >= scale:
            return f"{sign}{_digits(value / scale)}{word}"
    return f"{sign}{value:,.0f}"


def _digits(value: Decimal) -> str:
    return f"{value:.1f}".removesuffix(".0") if value < 100 else f"{value:,.0f}"  # noqa: PLR2004 - two digits


def _age_s(incident: Json) -> float:
    return _seconds(incident["opened_at"], incident["updated_at"])


def _lasted_s(incident: Json) -> float:
    return _seconds(incident["opened_at"], incident["resolved_at"] or incident["updated_at"])


def _seconds(since: str, until: str) -> float:
    return (datetime.fromisoformat(until) - datetime.fromisoformat(since)).total_seconds()


def _link(public_url: str, kind: str, name: object) -> str:
    return f"{public_url.rstrip('/')}/{kind}/{quote(str(name), safe='')}" if public_url else ""

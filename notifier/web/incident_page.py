"""The page of an incident that messages link to: what it says of itself now, and all that was told of it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from aiohttp import web

from notifier.channels.incident import duration, headline, percent, place, plain, short_money
from notifier.domain.alert.incident import Incident
from notifier.domain.alert.report import Tier, incident_document
from notifier.domain.alert.silence import Silence
from notifier.errors import NotFound
from notifier.storage.contract import Transaction
from notifier.storage.records import LoggedEvent
from notifier.web.alert_documents import kept_document
from notifier.web.html import Html, element, joined, link, page, pairs, table
from notifier.web.routing import Call, chosen_account

Json = Mapping[str, Any]

_MOST = 500
"""So many tellings are shown at most, the last ones."""
_WIDE, _HIGH = 400, 100
_LINES = (("Now", "rate", ""), ("Normal", "normal_rate", "6 3"), ("Alarm", "alarm_rate", "1 3"))


async def show(call: Call) -> web.StreamResponse:
    """Show an incident of the account that is named, or of whichever has it."""
    now = call.services.clock.now()
    async with call.services.storage.reading() as tx:
        incident = await _found(call, tx)
        silences = await tx.silences(incident.account, now=now)
        told = await tx.tellings(incident.account, incident.id, limit=_MOST)
    document = kept_document(incident, silences, now=now)
    return page(headline(document), *_parts(incident.account, document, silences, told))


def accounts_of(call: Call) -> list[str]:
    """Return the account that a page is asked of, or all: links in messages name none."""
    if call.query.account is not None:
        return [chosen_account(call.services.accounts, call.query.account)]
    return list(call.services.accounts)


async def _found(call: Call, tx: Transaction) -> Incident:
    for account in accounts_of(call):
        try:
            return await tx.incident(account, call.id)
        except NotFound:
            continue
    raise NotFound(f"there is no incident {call.id!r}")


def _parts(
    account: str, it: Json, silences: Sequence[Silence], told: Sequence[LoggedEvent]
) -> Iterator[Html]:
    yield _small(f"#{it['number']} {it['id']} · account {account} · times are UTC")
    yield pairs("Now", _facts(it, silences))
    for hint in it["hints"]:
        yield element("p", plain(hint, 300))
    if it["series"]:
        yield _chart(it["series"])
    if it["slices"]:
        yield _slices("Where it is", it["slices"], share=True)
    if it["normal_slices"]:
        yield _slices("Not affected", it["normal_slices"])
    if it["codes"]:
        codes = ((plain(each["code"], 300), each["orders"], percent(each["share"])) for each in it["codes"])
        yield table("Codes", ("code", "orders", "share"), codes)
    if it["samples"]:
        samples = (
            element("li", link(plain(each), "orders", each, account=account)) for each in it["samples"]
        )
        yield joined(element("h2", "Some of the orders"), element("ul", *samples))
    yield _history(told)


def _facts(it: Json, silences: Sequence[Silence]) -> Iterator[tuple[str, object]]:
    yield "State", _state(it)
    yield "Where", place(it)
    anew = f", opened anew {it['reopened']} times" if it["reopened"] else ""
    yield "Since", f"{_at(it['opened_at'])}{anew}"
    yield "Ended", _at(it["resolved_at"])
    yield "Acknowledged", _acknowledged(it)
    yield "Note", plain(it["note"] or "", 500)
    yield "Silenced", ", ".join(_silence(each) for each in silences if each.id in it["silenced_by"])
    yield from _size(it)
    yield "Counted", f"{plain(it['outcome'])} by rule {plain(it['rule'])}, tier {it['tier']}"
    yield "As of", f"{_at(it['updated_at'])}, polls lag {duration(it['lag_s'])}"


def _size(it: Json) -> Iterator[tuple[str, object]]:
    if it["tier"] == Tier.SILENCE:
        yield "Orders", f"only {it['orders']} in {duration(it['window_s'])}"
        return
    rate, normal, peak = (percent(it[name]) for name in ("rate", "normal_rate", "peak_rate"))
    yield "Rate", f"{rate}, normal {normal}, peak {peak}"
    yield "Orders", f"{it['failed']} of {it['orders']} in {duration(it['window_s'])}"
    yield "Beyond normal", f"{max(0, round(it['excess_orders']))} orders"
    yield "At risk", _money(it["at_risk"])
    yield "Loss per minute", _money(it["loss_per_minute"])
    yield "Paid later", f"{it['later_paid']} orders" if it["later_paid"] else ""


def _state(it: Json) -> str:
    merged = f", told in {it['merged_into']}" if it["merged_into"] else ""
    return str(it["state"]) + (", no traffic to judge by" if it["is_stale"] else "") + merged


def _acknowledged(it: Json) -> str:
    if not it["acknowledged_at"]:
        return ""
    return f"{_at(it['acknowledged_at'])} by {plain(it['acknowledged_by'] or 'somebody')}"


def _silence(silence: Silence) -> str:
    until = f"until {silence.until_at:%Y-%m-%d %H:%M}" if silence.until_at else "until it ends or grows"
    return f"{until} by {plain(silence.by)}"


def _slices(caption: str, slices: Iterable[Json], *, share: bool = False) -> Html:
    heads = ("where", "orders", "failed", "rate", "normal", *(("share",) if share else ()))
    rows = (
        (
            plain(each["text"], 200),
            each["orders"],
            each["failed"],
            percent(each["rate"]),
            percent(each["normal_rate"]),
            *((percent(each["share"]),) if share else ()),
        )
        for each in slices
    )
    return table(caption, heads, rows)


def _chart(points: Sequence[Json]) -> Html:
    """Return the rates as lines; the top is the highest of them all."""
    top = max([each[member] for each in points for _, member, _ in _LINES] + [0.01])
    last = points[-1]
    said = ", ".join(f"{name.lower()} {percent(last[member])}" for name, member, _ in _LINES)
    lines = (_line([each[member] / top for each in points], dash) for _, member, dash in _LINES)
    box = f"-2 -2 {_WIDE + 4} {_HIGH + 4}"
    drawn = element("svg", *lines, viewBox=box, role="img", aria_label=f"rates, at last {said}")
    below = f"{_at(points[0]['at'])} to {_at(last['at'])}, 0 to {percent(top)}; at last {said}."
    key = " The full line is the rate, dashes are normal, dots the rate of alarm."
    return joined(element("h2", "Course"), drawn, element("p", element("small", below, key)))


def _line(heights: Sequence[float], dash: str) -> Html:
    step = _WIDE / max(len(heights) - 1, 1)
    points = " ".join(f"{step * at:.1f},{_HIGH * (1 - height):.1f}" for at, height in enumerate(heights))
    style = {"fill": "none", "stroke": "currentColor", "stroke_width": "1" if dash else "2"}
    return element("polyline", points=points, **style, **({"stroke_dasharray": dash} if dash else {}))


def _history(told: Sequence[LoggedEvent]) -> Html:
    documents = [incident_document(each.event.incident) for each in told if each.event.incident is not None]
    if not documents:
        return element("p", "Nothing was told of it.")
    rows = (
        (_at(it["updated_at"]), it["reason"].replace("_", " "), headline(it), _money(it["at_risk"]))
        for it in documents
    )
    return table("Told so far, the last first", ("at", "why", "how bad", "at risk"), rows)


def _money(amounts: Iterable[Json]) -> str:
    return " + ".join(short_money(each["amount"], each["currency"]) for each in amounts)


def _at(at: str | None) -> str:
    return f"{at[:10]} {at[11:19]}" if at else ""


def _small(text: str) -> Html:
    return element("p", element("small", text))

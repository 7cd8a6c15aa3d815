"""A timeline for people: each entry as one line with its reason, and what changed below it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

Entry = Mapping[str, Any]

_A_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Line:
    """One entry in words. All but `kind` may be empty; `word` is a status, state or reason that has a colour."""

    kind: str
    text: str = ""
    word: str = ""
    reason: str = ""
    changes: tuple[str, ...] = ()

    def plain(self) -> str:
        """Return the line without its changes."""
        reason = f"({self.reason})" if self.reason else ""
        return " ".join(filter(None, (f"{self.kind:<10}", self.text, self.word, reason))).rstrip()


def moment(at: str, now: datetime) -> str:
    """Return an instant of ours, such as 2026-11-22T10:15:30.123Z, as its time in UTC, and its day unless recent."""
    is_recent = abs(now - datetime.fromisoformat(at)) < _A_DAY
    return at[11:19] if is_recent else f"{at[:10]} {at[11:19]}"


def step(previous: Any, current: Any) -> str:
    """Return what was and what is, the same way everywhere; a dot where there is nothing."""
    return f"{_said(previous)} → {_said(current)}"


def _said(value: Any) -> str:
    return "·" if value in (None, "") else str(value)


def line(entry: Entry, now: datetime) -> Line:
    """Return an entry of a timeline in words."""
    get = entry.get
    match entry["kind"]:
        case "registered":
            state = get("state") or "active"
            still = "" if state == "active" else f"; {state} now, so no polls"
            return Line("registered", reason=f"first look: {get('initial')}{still}")
        case "polled" | "next_poll":
            return _poll(entry, now)
        case "snapshot":
            before = get("not_before")
            since = f"not so at {moment(before, now)}" if before else "the first look"
            changes = tuple(_changes(get("changes") or ()))
            by = "" if get("source") in {None, "order"} else f" by {get('source')}"
            word = get("status") or ("" if by else "·")
            return Line("snapshot", f"version {get('version')}{by}:", word, since, changes)
        case "event":
            first = ", the present at the first look" if get("initial") else ""
            text = f"{get('type')} {_said(get('previous'))} →"
            return Line("event", text, _said(get("current")), f"#{get('sequence')}{first}")
        case "delivery":
            return Line("delivery", _to(entry), get("state") or "", get("reason") or "")
        case "attempt":
            status = f"{get('http_status')}, " if get("http_status") else ""
            duration = f"{status}{get('duration_ms')} ms"
            return Line(f"attempt {get('number')}", _to(entry), get("reason") or "", duration)
        case "incident":
            text = f"{get('severity')} {get('cause_text')}"
            return Line("incident", text, get("state") or "", f"{get('id')}, rule {get('rule')}")
        case kind:
            return Line(str(kind).replace("_", " "), reason=str(get("reason") or ""))


def _poll(entry: Entry, now: datetime) -> Line:
    if entry["kind"] == "polled":
        return Line("polled", _polls(entry), reason=entry.get("error") or "the last look")
    told = f"{_polls(entry)}, " if entry.get("polls") else ""
    below = (*_troubles(entry.get("troubles") or (), now), *reckoned(entry.get("outlook")))
    return Line("next poll", f"{told}set by", entry.get("why") or "·", entry.get("error") or "", below)


def _troubles(troubles: Iterable[Entry], now: datetime) -> Iterator[str]:
    for each in troubles:
        waits = ", so it waits until a probe is answered" if each["state"] == "refused" else ""
        yield f"source {each['source']}: {each['state']} since {moment(each['since'], now)}{waits}"


_BOUNDS = {
    "price": "by then the regret reaches the price of a request",
    "floor": "the shortest wait, though the regret reaches the price of a request sooner",
    "ceiling": "the longest wait, though the regret stays below the price of a request",
}


def reckoned(outlook: Entry | None) -> tuple[str, ...]:
    """Say how long the cadence waits after a look, what bounds that, and what each part adds to the regret by then."""
    if outlook is None:
        return ()
    stretch = outlook.get("stretch", 1)
    stretched = f" times {stretch:g}, since the budget is too small" if stretch > 1 else ""
    bound = f"{_BOUNDS[outlook['bound']]}, {outlook['price_s']:g} s"
    told = [f"cadence: {outlook['wait_s']:g} s after the look{stretched} ({bound})"]
    told += [
        f"{part['situation']}: age {part['age_s']:g} s, hazard {part['hazard_per_s']:g} a second, "
        f"weight {part['weight']:g}, regret {part['regret_s']:g} s"
        for part in outlook["parts"]
    ]
    return tuple(told)


def _to(entry: Entry) -> str:
    """Say by which channel and to whom, as far as the subscription still has a name."""
    name, channel = entry.get("subscription_name"), entry.get("channel") or "·"
    return f"{f'{channel}/{name}' if name else channel:<13} {entry.get('event_type')}"


def _polls(entry: Entry) -> str:
    failures = entry.get("failures")
    return f"{entry.get('polls')} times" + (f", {failures} failures in a row" if failures else "")


def _changes(changes: Any) -> Iterator[str]:
    for change in changes:
        which = " ".join(filter(None, (change["subject"], change["subject_id"], change["field"])))
        yield f"{which}: {step(change['previous'], change['current'])}"

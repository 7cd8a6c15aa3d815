"""What a backtest found, for people."""

from datetime import datetime, timedelta
from typing import Any

from notifier.cli.screen import note, safe, say, show_table

_PAGES = (
    "called_at",
    "severity",
    "tier",
    "cause_text",
    "failed",
    "orders",
    "rate",
    "delay_s",
    "resolved_at",
    "backed_by",
)
_BARS = " ▁▂▃▄▅▆▇█"
_WIDTH = 60


def show_backtest(answer: dict[str, Any]) -> None:
    """Show the pages, the course, and what they come to."""
    pages = answer["pages"]
    if pages:
        show_table(_PAGES, pages)
        say("")
    since, until = safe(answer["since"]), safe(answer["until"])
    rates, highest = _course(answer)
    say(f"{'rate':>{len(since)}}  {bars(rates)}  up to {highest:.0%}")
    say(f"{since}  {_when(answer)}  {until}")
    delay = answer["median_delay_s"]
    late = "" if delay is None else f", half of them within {delay / 60:.0f} min of the first bad minute"
    count = f"{len(pages)} page{'' if len(pages) == 1 else 's'}"
    say(f"{count} in {_days(answer):.3g} days ({answer['pages_per_month']:g} a month){late}.")
    say(_how_false(answer))
    if not answer["is_complete"]:
        note(f"[dim]Judged from {safe(answer['since'])} on: there are too many orders for more at once.[/]")
    if answer["told_without_a_page"]:
        say(f"{answer['told_without_a_page']} more incidents would have called nobody.")


def _days(answer: dict[str, Any]) -> float:
    """Return how many days were judged, which may be fewer than were asked for."""
    since, until = (datetime.fromisoformat(answer[end]) for end in ("since", "until"))
    return (until - since) / timedelta(days=1)


def _how_false(answer: dict[str, Any]) -> str:
    doubtful, estimate = answer["doubtful_pages"], answer["estimated_false_pages_per_month"]
    return (
        f"{doubtful or 'None'} of them may be false, which is {estimate['mean']:g} a month"
        f" (95 %: {estimate['low']:g} to {estimate['high']:g}); built for at most"
        f" {answer['false_pages_per_month']:g}."
    )


def _course(answer: dict[str, Any]) -> tuple[list[float], float]:
    """Return the rates of the span, the highest of each part, against the highest of all; and that."""
    parts = [0.0] * _WIDTH
    for point in answer["course"]:
        at = _column(answer, point["at"])
        parts[at] = max(parts[at], point["rate"])
    highest = max(parts)
    return [part / highest if highest else 0.0 for part in parts], highest


def _column(answer: dict[str, Any], at: str) -> int:
    since, until, moment = (datetime.fromisoformat(each) for each in (answer["since"], answer["until"], at))
    return min(max(int((moment - since) / (until - since) * _WIDTH), 0), _WIDTH - 1)


def _when(answer: dict[str, Any]) -> str:
    """Return a line of the span, higher where more pages fell."""
    counts = [0] * _WIDTH
    for page in answer["pages"]:
        counts[_column(answer, page["called_at"])] += 1
    return bars([count / 4 for count in counts], empty="·")


def bars(shares: list[float], *, empty: str = _BARS[0]) -> str:
    """Return a bar for each share of the highest, `empty` for none."""
    last = len(_BARS) - 1
    return "".join(_BARS[min(max(1, round(share * last)), last)] if share > 0 else empty for share in shares)

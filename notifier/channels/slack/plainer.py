"""A message laid out more simply, for when Slack dislikes it: a page is never lost to formatting.

Charts become lines of bars, then tables lines of text, then there is text alone.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from notifier.templating import slack

Json = dict[str, Any]

_BARS = "▁▂▃▄▅▆▇█"
_LONGEST = 3000


def plainer(message: Json) -> Json | None:
    """Return the message without the most daring kind of block that it has; None when there is only text."""
    blocks: Sequence[Json] = message.get("blocks", ())
    for kind, simple in (("data_visualization", _bars), ("table", _lines)):
        if any(block["type"] == kind for block in blocks):
            simpler = [simple(block) if block["type"] == kind else block for block in blocks]
            return {**message, "blocks": simpler}
    if not blocks:
        return None
    alone = {name: value for name, value in message.items() if name != "blocks"}
    # An edit that names no blocks leaves the old ones there.
    return alone | {"blocks": []} if "ts" in message else alone


def sparkline(values: Sequence[float]) -> str:
    """Return one bar a value, the tallest for the greatest, none below nought."""
    most = max(values, default=0) or 1
    return "".join(_BARS[round(max(0, each) / most * (len(_BARS) - 1))] for each in values)


def _bars(block: Json) -> Json:
    series = block["chart"].get("series", ())
    drawn = [f"{each['name']} {_drawn([point['value'] for point in each['data']])}" for each in series[:1]]
    return _plain("\n".join([block["title"], *drawn]))


def _drawn(values: Sequence[float]) -> str:
    return f"{sparkline(values)} {values[0]:g} → {values[-1]:g}" if values else ""


def _lines(block: Json) -> Json:
    return _plain("\n".join(" · ".join(_read(cell) for cell in row) for row in block["rows"]))


def _read(cell: Mapping[str, Any]) -> str:
    if "text" in cell:
        return str(cell["text"])
    return "".join(_read(each) for each in cell.get("elements", ()))


def _plain(text: str) -> Json:
    return {
        "type": "section",
        "text": {"type": "plain_text", "emoji": False, "text": slack(text)[:_LONGEST] or "-"},
    }

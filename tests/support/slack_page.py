"""Draws messages as Slack would, roughly: from the JSON that is sent to one page of HTML without scripts."""

import re
from collections.abc import Iterable, Mapping
from html import escape, unescape
from typing import Any

Json = Mapping[str, Any]

_STYLE = (
    "body{font:15px/1.45 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}"
    ".m{border:1px solid #8886;border-radius:8px;padding:.6rem 1rem;margin:.6rem 0 1.6rem}.t{margin-left:2rem}"
    "h3{margin:.3rem 0}.f{display:grid;grid-template-columns:1fr 1fr;gap:.1rem 1rem}small,.p{color:#888}"
    "table{border-collapse:collapse;margin:.5rem 0}td,th{border:1px solid #8886;padding:.1rem .6rem}"
    ".b{display:inline-block;border:1px solid #8888;border-radius:4px;padding:.2rem .7rem;margin:.4rem .4rem .4rem 0}"
    ".primary{background:#007a5a;color:#fff}code{background:#8882}"
)
_COLOURS = ("#e01e5a", "#36c5f0", "#ecb22e")
_DATE = re.compile(r"&lt;!date\^\d+\^[^|]*\|([^&]*)&gt;")
_BOLD = re.compile(r"\*([^*]+)\*")


def page(shown: Iterable[tuple[str, Json, Iterable[Json]]]) -> str:
    """Return the page of (caption, message, replies of its thread)."""
    parts = [
        f"<h2>{escape(caption)}</h2>{_message(told)}{''.join(map(_reply, thread))}"
        for caption, told, thread in shown
    ]
    head = f'<meta charset="utf-8"><title>Messages in Slack</title><style>{_STYLE}</style>'
    body = "\n".join(parts)
    return f'<!doctype html>\n<html lang="en">{head}\n<h1>Messages in Slack</h1>\n{body}\n</html>\n'


def _message(message: Json) -> str:
    blocks = "\n".join(_DRAWN[block["type"]](block) for block in message.get("blocks", ()))
    text = _plain(message["text"])
    return f'<div class="p">on the phone: {text}</div>\n<div class="m">{blocks or text}</div>'


def _reply(reply: Json) -> str:
    also = " <small>also sent to the channel</small>" if reply["reply_broadcast"] else ""
    return f'<div class="m t">{_plain(reply["text"])}{also}</div>\n'


def _plain(text: str) -> str:
    return escape(unescape(text), quote=False)


def _text(part: Json) -> str:
    if part["type"] == "plain_text":
        return _plain(part["text"])
    read = _DATE.sub(r"\1", escape(part["text"], quote=False))
    return _BOLD.sub(r"<b>\1</b>", read)


def _section(block: Json) -> str:
    fields = "".join(f"<div>{_text(each)}</div>" for each in block.get("fields", ()))
    text = f"<p>{_text(block['text'])}</p>" if "text" in block else ""
    return f'{text}<div class="f">{fields}</div>' if fields else text


def _rich(block: Json) -> str:
    return "".join(f"<p>{''.join(_run(each) for each in part['elements'])}</p>" for part in block["elements"])


def _run(each: Json) -> str:
    text = escape(each["text"], quote=False).strip("\n")
    if each["type"] == "link":
        return f'<a href="{escape(each["url"])}">{text}</a>'
    style = each.get("style", {})
    return f"<b>{text}</b>" if style.get("bold") else f"<code>{text}</code>" if style.get("code") else text


def _table(block: Json) -> str:
    rows = ("".join(f"<td>{escape(cell['text'], quote=False)}</td>" for cell in row) for row in block["rows"])
    return "<table>" + "".join(f"<tr>{row}</tr>" for row in rows) + "</table>"


def _buttons(block: Json) -> str:
    return "".join(
        f'<span class="b {each.get("style", "")}">{_text(each["text"])}</span>' for each in block["elements"]
    )


def _chart(block: Json) -> str:
    series = block["chart"]["series"]
    most = max(point["value"] for line in series for point in line["data"]) or 1
    lines = []
    for colour, line in zip(_COLOURS, series, strict=True):
        step = 600 / max(1, len(line["data"]) - 1)
        points = " ".join(
            f"{n * step:.0f},{130 - 120 * p['value'] / most:.0f}" for n, p in enumerate(line["data"])
        )
        lines.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{points}"/>')
    names = " ".join(
        f'<tspan fill="{colour}">{escape(line["name"])}</tspan>'
        for colour, line in zip(_COLOURS, series, strict=True)
    )
    caption = f'<text y="150" font-size="12">{names}</text>'
    return f'<h4>{escape(block["title"])}</h4><svg viewBox="0 0 600 155" width="600">{"".join(lines)}{caption}</svg>'


_DRAWN = {
    "header": lambda block: f"<h3>{_text(block['text'])}</h3>",
    "section": _section,
    "context": lambda block: "<small>" + " · ".join(_text(each) for each in block["elements"]) + "</small>",
    "rich_text": _rich,
    "table": _table,
    "actions": _buttons,
    "data_visualization": _chart,
}

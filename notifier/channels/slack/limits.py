"""A message within Slack's limits: too long is cut, too many left out, wrongly shaped refused.

Source of the numbers: Slack's reference of Block Kit, page by page of each block.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models.blocks import Block

MOST_TEXT = 4000
_MOST_BLOCKS = 50
_HEADER = 150
_SECTION = 3000
_MOST_FIELDS, _FIELD = 10, 2000
_MOST_CONTEXT = 10
_MOST_ACTIONS, _LABEL, _VALUE, _URL = 25, 75, 2000, 3000
_MOST_ROWS, _MOST_CELLS, _TABLE = 100, 20, 10_000
_MOST_CHARTS, _MOST_SERIES, _MOST_POINTS, _TITLE, _POINT_LABEL = 2, 6, 20, 50, 20
_HALF_ENTITY = re.compile(r"&[a-z]{0,3}$")

Json = dict[str, Any]


def fitted(message: Any) -> Json:
    """Return the message with each text cut to its limit, links unfurled nowhere.

    Raises: ValueError when it has no `text`, or blocks that Slack would not take.
    """
    if not isinstance(message, dict) or not isinstance(message.get("text"), str) or not message["text"]:
        raise ValueError("a message needs `text` that can stand alone")
    blocks = message.get("blocks", [])
    try:
        kept = _within_sum([_fitted_block(block) for block in blocks[:_MOST_BLOCKS]])
        for model in Block.parse_all([block for block in kept if block["type"] != "data_visualization"]):
            model.to_dict()
    except (SlackObjectFormationError, AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"blocks are of unknown kind or wrongly shaped: {error}") from None
    return {
        **message,
        "text": cut(message["text"], MOST_TEXT),
        "blocks": kept,
        "unfurl_links": False,
        "unfurl_media": False,
    }


def cut(text: str, limit: int) -> str:
    """Return at most `limit` characters, the cut marked by an ellipsis and never inside `&amp;` or `<…>`."""
    if len(text) <= limit:
        return text
    kept = _HALF_ENTITY.sub("", text[: limit - 1])
    opened = kept.rfind("<")
    return (kept[:opened] if opened > kept.rfind(">") else kept) + "…"


def violations(message: Mapping[str, Any]) -> list[str]:
    """Return every documented limit that a message breaks, for tests and for people who write templates."""
    blocks: Sequence[Json] = message.get("blocks", ())
    counts = (
        ("text", len(message["text"]), MOST_TEXT),
        ("blocks", len(blocks), _MOST_BLOCKS),
        ("charts", sum(block["type"] == "data_visualization" for block in blocks), _MOST_CHARTS),
        ("characters in tables", _table_characters(blocks), _TABLE),
        *(count for block in blocks for count in _counts(block)),
    )
    return [f"{what}: {count} of {most}" for what, count, most in counts if count > most]


def _fitted_block(block: Any) -> Any:
    fit = _FITTING.get(str(block.get("type"))) if isinstance(block, dict) else None
    return {**block, **fit(block)} if fit else block


def _header(block: Json) -> Json:
    return {"text": _fitted_text(block.get("text"), _HEADER)}


def _section(block: Json) -> Json:
    fitted_members: Json = {}
    if "text" in block:
        fitted_members["text"] = _fitted_text(block["text"], _SECTION)
    if "fields" in block:
        fitted_members["fields"] = [_fitted_text(each, _FIELD) for each in block["fields"][:_MOST_FIELDS]]
    return fitted_members


def _context(block: Json) -> Json:
    return {"elements": [_fitted_text(each, _FIELD) for each in block.get("elements", ())[:_MOST_CONTEXT]]}


def _actions(block: Json) -> Json:
    # A cut address or value would lead astray: a button that does not fit is left out.
    fitting = [
        each
        for each in block.get("elements", ())
        if len(each.get("url", "")) <= _URL and len(each.get("value", "")) <= _VALUE
    ]
    return {
        "elements": [{**each, "text": _fitted_text(each.get("text"), _LABEL)} for each in fitting][
            :_MOST_ACTIONS
        ]
    }


def _table(block: Json) -> Json:
    return {"rows": [row[:_MOST_CELLS] for row in block["rows"][:_MOST_ROWS]]}


def _chart(block: Json) -> Json:
    chart = block["chart"]
    if "series" not in chart:
        return {"title": cut(block["title"], _TITLE)}
    categories = chart["axis_config"]["categories"][-_MOST_POINTS:]
    labels = {each: cut(each, _POINT_LABEL) for each in categories}
    series = [
        {
            "name": cut(each["name"], _POINT_LABEL),
            "data": [
                {**point, "label": labels[point["label"]]}
                for point in each["data"]
                if point["label"] in labels
            ],
        }
        for each in chart["series"][:_MOST_SERIES]
    ]
    axes = {**chart["axis_config"], "categories": list(labels.values())}
    return {"title": cut(block["title"], _TITLE), "chart": {**chart, "series": series, "axis_config": axes}}


_FITTING: Mapping[str, Callable[[Json], Json]] = {
    "header": _header,
    "section": _section,
    "context": _context,
    "actions": _actions,
    "table": _table,
    "data_visualization": _chart,
}


def _within_sum(blocks: Sequence[Json]) -> list[Json]:
    """Leave out what counts over the whole message: the last rows of tables, the third chart, empty actions."""
    kept, charts, left = [], 0, _TABLE
    for block in blocks:
        charts += block["type"] == "data_visualization"
        if block["type"] == "table":
            rows = []
            for row in block["rows"]:
                left -= sum(len(text) for text in _texts(row))
                if left >= 0:
                    rows.append(row)
            block = {**block, "rows": rows}  # noqa: PLW2901 - the same block, shorter
        is_empty = not block.get({"table": "rows", "actions": "elements"}.get(block["type"], ""), True)
        if not is_empty and (block["type"] != "data_visualization" or charts <= _MOST_CHARTS):
            kept.append(block)
    return kept


def _table_characters(blocks: Iterable[Json]) -> int:
    return sum(len(text) for block in blocks if block["type"] == "table" for text in _texts(block["rows"]))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("text"), str):
            yield value["text"]
        for each in value.get("elements", ()):
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)


def _counts(block: Json) -> Iterator[tuple[str, int, int]]:
    match block["type"]:
        case "header":
            yield "header", len(block["text"]["text"]), _HEADER
        case "section":
            yield "section", len(block.get("text", {}).get("text", "")), _SECTION
            yield "fields", len(block.get("fields", ())), _MOST_FIELDS
            yield "field", max((len(each["text"]) for each in block.get("fields", ())), default=0), _FIELD
        case "context":
            yield "context", len(block["elements"]), _MOST_CONTEXT
        case "actions":
            yield "actions", len(block["elements"]), _MOST_ACTIONS
            for each in block["elements"]:
                yield "button", len(each["text"]["text"]), _LABEL
                yield "value", len(each.get("value", "")), _VALUE
                yield "url", len(each.get("url", "")), _URL
        case "table":
            yield "rows", len(block["rows"]), _MOST_ROWS
            yield "cells", max(len(row) for row in block["rows"]), _MOST_CELLS
        case "data_visualization":
            yield from _counts_of_chart(block)
        case _:
            pass


def _counts_of_chart(block: Json) -> Iterator[tuple[str, int, int]]:
    chart = block["chart"]
    labels = chart["axis_config"]["categories"]
    yield "title", len(block["title"]), _TITLE
    yield "series", len(chart["series"]), _MOST_SERIES
    yield "points", len(labels), _MOST_POINTS
    yield "label", max(len(each) for each in labels), _POINT_LABEL
    yield "same labels", len(labels) - len(set(labels)), 0
    for each in chart["series"]:
        yield "name", len(each["name"]), _POINT_LABEL
        yield "labels astray", sum(point["label"] not in labels for point in each["data"]), 0


def _fitted_text(text: Any, limit: int) -> Any:
    if isinstance(text, dict) and isinstance(text.get("text"), str):
        return {**text, "text": cut(text["text"], limit)}
    return text

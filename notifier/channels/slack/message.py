"""A message within Slack's limits: too long is cut, wrongly shaped is refused."""

import re
from typing import Any

from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models.blocks import Block, ContextBlock, HeaderBlock, SectionBlock

MOST_TEXT = 4000
_MOST_BLOCKS = 50
_MOST_FIELD = 2000  # of a field; the kit's models do not check it
_HALF_ENTITY = re.compile(r"&[a-z]{0,3}$")

Json = dict[str, Any]


def fitted(message: Any) -> Json:
    """Return the message with each text cut to its limit, links unfurled nowhere.

    Raises: ValueError when it has no `text`, or blocks that Slack would not take.
    """
    if not isinstance(message, dict) or not isinstance(message.get("text"), str) or not message["text"]:
        raise ValueError("a message needs `text` that can stand alone")
    return {
        **message,
        "text": cut(message["text"], MOST_TEXT),
        "blocks": _checked(message.get("blocks", [])),
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


def _checked(blocks: Any) -> list[Any]:
    try:
        kept = [_fitted_block(block) for block in blocks[:_MOST_BLOCKS]]
        for model in Block.parse_all(kept):
            model.to_dict()
    except (SlackObjectFormationError, AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"blocks are of unknown kind or wrongly shaped: {error}") from None
    return kept


def _fitted_block(block: Any) -> Any:
    if not isinstance(block, dict):
        return block
    match block.get("type"):
        case HeaderBlock.type:
            return {**block, "text": _fitted_text(block.get("text"), HeaderBlock.text_max_length)}
        case ContextBlock.type:
            elements = block.get("elements", ())[: ContextBlock.elements_max_length]
            return {**block, "elements": [_fitted_text(each, _MOST_FIELD) for each in elements]}
        case SectionBlock.type:
            fitted_block = dict(block)
            if "text" in block:
                fitted_block["text"] = _fitted_text(block["text"], SectionBlock.text_max_length)
            if "fields" in block:
                fields = block["fields"][: SectionBlock.fields_max_length]
                fitted_block["fields"] = [_fitted_text(each, _MOST_FIELD) for each in fields]
            return fitted_block
        case _:
            return block


def _fitted_text(text: Any, limit: int) -> Any:
    if isinstance(text, dict) and isinstance(text.get("text"), str):
        return {**text, "text": cut(text["text"], limit)}
    return text

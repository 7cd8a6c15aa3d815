"""Several pieces of news of orders in one message: what each frozen body keeps of itself, and the words of all."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from notifier.errors import TemplateError

TEMPLATE = "digest"
"""The name of the templates of such messages."""

_NAMED = 3
_WORST_FIRST = ("bad", "plain", "good", "system")


def entry_of(context: Mapping[str, Any], *, public_url: str = "") -> dict[str, Any]:
    """Return what one piece of news is in a digest, from the context of its own message."""
    order_id = context["data"]["order_id"]
    return {
        "type": context["event"]["type"],
        "order_id": order_id,
        "title": context["title"],
        "amount": dict(context["facts"]).get("Amount", ""),
        "tone": str(context["tone"]),
        "livemode": context["event"]["livemode"],
        "link": f"{public_url.rstrip('/')}/orders/{quote(order_id, safe='')}" if public_url else "",
    }


def entries_in(bodies: Sequence[bytes]) -> list[Mapping[str, Any]]:
    """Return what frozen bodies keep of themselves for a digest.

    Raises: TemplateError for one that keeps nothing, as those of earlier versions.
    """
    entries = [msgspec.json.decode(body).get("entry") for body in bodies]
    if None in entries:
        raise TemplateError("a body of an earlier version can be told by itself alone")
    return entries


def context_of_fold(entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the variables of a digest's template.

    `verdict` one line; `entries` all of them in order; `groups` by type, the worst first, each with `type`, `tone`,
    `count` and `entries`; `orders` how many orders; `tone` the worst of all; `is_live` whether money can move.
    """
    by_type: dict[str, list[Mapping[str, Any]]] = {}
    for entry in entries:
        by_type.setdefault(entry["type"], []).append(entry)
    groups = [
        {"type": kind, "tone": found[0]["tone"], "count": len(found), "entries": found}
        for kind, found in by_type.items()
    ]
    groups.sort(key=lambda group: (_WORST_FIRST.index(group["tone"]), -group["count"], group["type"]))
    orders = len({entry["order_id"].lower() for entry in entries})
    return {
        "verdict": _verdict(groups, len(entries), orders),
        "entries": tuple(entries),
        "groups": tuple(groups),
        "orders": orders,
        "tone": groups[0]["tone"],
        "is_live": any(entry["livemode"] for entry in entries),
    }


def _verdict(groups: Sequence[Mapping[str, Any]], changes: int, orders: int) -> str:
    named = [f"{group['count']} {group['type']}" for group in groups[:_NAMED]]
    rest = sum(group["count"] for group in groups[_NAMED:])
    told = ", ".join([*named, f"{rest} others"] if rest else named)
    return f"{changes} changes of {orders} order{'s' if orders != 1 else ''}: {told}"

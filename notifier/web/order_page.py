"""The page of an order that messages link to: its story, the last first."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from aiohttp import web

from notifier.channels.incident import plain
from notifier.errors import NotFound
from notifier.storage.contract import Transaction
from notifier.web.html import Html, element, joined, link, page, table
from notifier.web.incident_page import accounts_of
from notifier.web.routing import Call
from notifier.web.timeline import story
from notifier.web.wording import line, moment

_LONGEST = 500


async def show(call: Call) -> web.StreamResponse:
    """Show an order of the account that is named, or of each that has it."""
    async with call.services.storage.reading() as tx:
        found = [part for account in accounts_of(call) if (part := await _story(call, tx, account))]
    if not found:
        raise NotFound(f"there is no watch of order {call.order_id!r}")
    return page(f"Order {call.order_id}", *found)


async def _story(call: Call, tx: Transaction, account: str) -> Html | None:
    try:
        watch = await tx.watch(account, call.order_key)
    except NotFound:
        return None
    entries, is_complete = await story(tx, watch, call.services.outlook(watch))
    now = call.services.clock.now()
    heads = ("at (UTC)", "what", "")
    told = table(f"Account {account}", heads, (_row(entry, account, now) for entry in reversed(entries)))
    return told if is_complete else joined(told, element("p", "There is more than is shown here."))


def _row(entry: Mapping[str, Any], account: str, now: datetime) -> tuple[object, ...]:
    told = line(entry, now)
    reason = f"({told.reason})" if told.reason else ""
    said = plain(" ".join(filter(None, (told.text, told.word, reason))), _LONGEST)
    changes = (element("div", element("small", plain(each, _LONGEST))) for each in told.changes)
    is_incident = entry["kind"] == "incident"
    kind = link(told.kind, "incidents", entry["id"], account=account) if is_incident else told.kind
    return moment(entry["at"], now), kind, joined(said, *changes)

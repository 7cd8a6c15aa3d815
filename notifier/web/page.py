"""The plain status page at `/`: what runs and what it has in hand, without scripts and without anybody's data."""

from collections.abc import Iterable, Mapping
from html import escape

from aiohttp import web

from notifier import __version__
from notifier.domain.instant import iso
from notifier.storage.contract import Transaction
from notifier.storage.records import LoggedEvent
from notifier.web.routing import Call

_SHOWN = 10
STYLE = (
    "body{font:1rem/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color-scheme:light dark}"
    "table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.2rem .8rem .2rem 0;"
    "border-bottom:1px solid #8884}caption{text-align:left;font-weight:600;padding:1rem 0 .3rem}"
)
HEADERS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"}


async def status(call: Call) -> web.StreamResponse:
    """Show version, accounts, counts and the last events.

    Asked on loopback by a name of this machine it needs no key. Else it asks for one like every call: by
    `Authorization: Bearer`, which a browser gets from the proxy in front of the daemon.
    """
    accounts = call.services.accounts
    async with call.services.storage.reading() as tx:
        counts = await tx.counts()
        events = [event for account in accounts for event in await _last_events(tx, account)]
    events.sort(key=lambda logged: logged.event.observed_at, reverse=True)
    body = _render(accounts, counts, events[:_SHOWN])
    return web.Response(text=body, content_type="text/html", charset="utf-8", headers=HEADERS)


async def _last_events(tx: Transaction, account: str) -> list[LoggedEvent]:
    """Find the end of the log by ever longer steps forward, then ever shorter ones: some dozen reads by key."""
    low, step = 0, 1
    while found := await tx.events(account, after=low + step - 1, limit=1):
        low, step = found[0].sequence, step * 2
    while step > 1:
        step //= 2
        if found := await tx.events(account, after=low + step - 1, limit=1):
            low = found[0].sequence
    return await tx.events(account, after=max(0, low - _SHOWN), limit=_SHOWN)


def _render(accounts: Mapping[str, bool], counts: Mapping[str, int], events: Iterable[LoggedEvent]) -> str:
    watches = [(name.partition(".")[2], n) for name, n in counts.items() if name.startswith("watches.")]
    owed = counts.get("deliveries.pending", 0) + counts.get("deliveries.held", 0)
    tables = (
        _table("Accounts", ("name", "mode"), ((name, _mode(live)) for name, live in accounts.items())),
        _table("Watches", ("state", "count"), sorted(watches)),
        _table("Deliveries", ("", "count"), [("owed", owed)]),
        _table(
            "Last events",
            ("at", "account", "type", "order", "sequence"),
            (
                (iso(e.event.observed_at), e.event.account, e.event.type, e.event.order_id or "", e.sequence)
                for e in events
            ),
        ),
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>notifier</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<style>{STYLE}</style></head><body><main><h1>notifier {escape(__version__)}</h1>"
        f"{''.join(tables)}</main></body></html>"
    )


def _mode(is_live: bool) -> str:
    return "live" if is_live else "sandbox"


def _table(caption: str, heads: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    head = "".join(f'<th scope="col">{escape(each)}</th>' for each in heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

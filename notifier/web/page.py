"""The plain status page at `/`: what runs and what it has in hand, without scripts and without anybody's data."""

from collections.abc import Iterable, Mapping

from aiohttp import web

from notifier import __version__
from notifier.domain.instant import iso
from notifier.storage.contract import Transaction
from notifier.storage.records import LoggedEvent
from notifier.web.html import Html, page, table
from notifier.web.routing import Call

_SHOWN = 10


async def status(call: Call) -> web.StreamResponse:
    """Show version, accounts, counts and the last events.

    Asked on loopback by a name of this machine it needs no key, else one as every page does.
    """
    accounts = call.services.accounts
    async with call.services.storage.reading() as tx:
        counts = await tx.counts()
        events = [event for account in accounts for event in await _last_events(tx, account)]
    events.sort(key=lambda logged: logged.event.observed_at, reverse=True)
    return page(f"notifier {__version__}", *_tables(accounts, counts, events[:_SHOWN]))


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


def _tables(
    accounts: Mapping[str, bool], counts: Mapping[str, int], events: Iterable[LoggedEvent]
) -> tuple[Html, ...]:
    watches = [(name.partition(".")[2], n) for name, n in counts.items() if name.startswith("watches.")]
    owed = counts.get("deliveries.pending", 0) + counts.get("deliveries.held", 0)
    return (
        table("Accounts", ("name", "mode"), ((name, _mode(live)) for name, live in accounts.items())),
        table("Watches", ("state", "count"), sorted(watches)),
        table("Deliveries", ("", "count"), [("owed", owed)]),
        table(
            "Last events",
            ("at", "account", "type", "order", "sequence"),
            (
                (iso(e.event.observed_at), e.event.account, e.event.type, e.event.order_id or "", e.sequence)
                for e in events
            ),
        ),
    )


def _mode(is_live: bool) -> str:
    return "live" if is_live else "sandbox"

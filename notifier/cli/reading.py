"""`notifier explain`, `events` and `deliveries`: what happened, and why."""

from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter, validators

from notifier.cli.options import REMOTE, Failed, Flag, Remote
from notifier.cli.screen import coloured, console, note, safe, say, show_json, show_table

if TYPE_CHECKING:
    from notifier.cli.client import Client
    from notifier.clock import Clock

State = Literal["pending", "held", "delivered", "failed", "cancelled", "superseded"]
Limit = Annotated[int, Parameter(validator=validators.Number(gte=0))]

_FOLLOW_S = 1.0
_DELIVERIES = (
    "id", "state", "reason", "attempt_count", "event_type", "order_id", "subscription", "due_at", "finished_at"
)  # fmt: skip


async def explain(order_id: str, /, *, options: Remote = REMOTE) -> None:
    """Tell the whole story of one order: polls, snapshots, changes, events, deliveries, attempts, each with its reason.

    :param order_id: The order, as the merchant names it.
    """
    from rich.table import Table

    from notifier.cli.client import connected, path_of

    async with connected(options) as client:
        story = await client.get(path_of("orders", order_id, "timeline"))
    if options.json:
        show_json(story)
        return
    table = Table("at", "what", "", "reason", box=None, header_style="bold", pad_edge=False)
    for entry in story["items"]:
        what, reason = _told(entry)
        table.add_row(f"[dim]{safe(entry['at'])}[/]", safe(entry["kind"]).replace("_", " "), what, reason)
    console().print(table)
    if story.get("is_complete") is False:
        note("[yellow]There is more than is shown here.[/]")


def _told(entry: Mapping[str, Any]) -> tuple[str, str]:
    """Return an entry of a timeline in words, and its reason, both as markup."""
    get = entry.get
    match entry["kind"]:
        case "registered":
            return f"from {safe(get('sources'))}", f"asked for; first look: {safe(get('initial'))}"
        case "polled":
            count = f"{safe(get('polls'))} times so far, {safe(get('failures'))} failures in a row"
            return count, f"[red]{safe(get('error'))}[/]" if get("error") else "the last look"
        case "next_poll":
            return "", safe(get("why"))
        case "snapshot":
            changes = "".join(f"\n{_change(each)}" for each in get("changes") or ())
            since = f"not so at {safe(get('not_before'))}" if get("not_before") else "the first look"
            return f"version {safe(get('version'))}: {coloured(get('status'))}{changes}", since
        case "event":
            step = f"{safe(get('previous'))} → " if get("previous") else ""
            reason = (
                "the present at the first look" if get("initial") else f"version {safe(get('order_version'))}"
            )
            return (
                f"{safe(get('type'))} {step}{coloured(get('current'))} [dim]#{safe(get('sequence'))}[/]",
                reason,
            )
        case "delivery":
            to = f"{safe(get('event_type'))} to {safe(get('subscription'))}"
            return f"{to}: {coloured(get('state'))} [dim]{safe(get('id'))}[/]", safe(get("reason"))
        case "attempt":
            status = f"HTTP {safe(get('http_status'))} " if get("http_status") else ""
            number = f"{safe(get('number'))} of {safe(get('delivery'))}"
            return f"{number}: {status}in {safe(get('duration_ms'))} ms", safe(get("reason"))
        case _:
            rest = {name: value for name, value in entry.items() if name not in {"at", "kind", "reason"}}
            return safe(rest), safe(get("reason"))


def _change(change: Mapping[str, Any]) -> str:
    subject = safe(change.get("subject"))
    which = f"{subject} {safe(change['subject_id'])}" if change.get("subject_id") else subject
    step = f"{safe(change.get('previous')) or '—'} → {safe(change.get('current')) or '—'}"
    return f"[dim]{which} {safe(change.get('field'))}:[/] {step}"


async def events(
    *,
    follow: Flag = False,
    after: Annotated[int, Parameter(validator=validators.Number(gte=0))] = 0,
    order_id: str | None = None,
    type: str | None = None,  # noqa: A002 - the member's own name
    limit: Limit = 50,
    options: Remote = REMOTE,
) -> None:
    """Show the log of events, which is what is pushed; with --json each event is one line.

    :param follow: Go on with every new event until interrupted.
    :param after: Begin after this sequence; 0 is the oldest event kept.
    :param order_id: Only events of this order.
    :param type: Only events of this type, such as order.charged.
    :param limit: At most so many; 0: all. Without effect on --follow.
    """
    from notifier.cli.client import connected
    from notifier.clock import SystemClock

    async with connected(options) as client:
        log = Log(client, SystemClock(), order_id=order_id, type=type)
        async for event in log.read(after, 0 if follow else limit, follow=follow):
            show_json(event) if options.json else say(_line(event))
    if log.has_more:
        note(f"[dim]There are more: --after {log.after} goes on, --limit 0 shows all.[/]")


class Log:
    """The daemon's events, read page by page."""

    def __init__(self, client: "Client", clock: "Clock", **narrowed: str | None) -> None:
        self._client = client
        self._clock = clock
        self._narrowed = narrowed
        self.after = 0
        self.has_more = False

    async def read(self, after: int, limit: int, *, follow: bool) -> AsyncIterator[dict[str, Any]]:
        """Yield events after a sequence, at most `limit` (0: all); following never ends.

        Raises: Failed naming the sequence to go on from.
        """
        from notifier.cli.client import PAGE

        self.after, count = after, 0
        while True:
            size = min(PAGE, limit - count) if limit else PAGE
            items = await self._page(size)
            for event in items:
                yield event
            count += len(items)
            is_last = len(items) < size
            if (is_last and not follow) or (limit and count >= limit):
                self.has_more = not is_last
                return
            if is_last:
                await self._clock.sleep(_FOLLOW_S)

    async def _page(self, size: int) -> list[dict[str, Any]]:
        try:
            answer = await self._client.get("/v1/events", after=self.after, limit=size, **self._narrowed)
        except Failed as error:
            if self.after == 0:
                raise
            raise Failed(f"{error}; --after {self.after} goes on from here") from error
        self.after = answer["next_after"]
        items: list[dict[str, Any]] = answer["items"]
        return items


def _line(event: Mapping[str, Any]) -> str:
    data = event["data"]
    step = f"{safe(data.get('previous'))} → " if data.get("previous") else ""
    head = f"[dim]{safe(data['sequence']):>8}  {safe(event['timestamp'])}[/]  {safe(event['type']):<28}"
    sandbox = "" if event.get("livemode", True) else "  [dim](not live)[/]"
    return f"{head} {safe(data.get('order_id'))}  {step}{coloured(data.get('current'))}{sandbox}"


async def deliveries(
    *,
    state: State | None = None,
    subscription: str | None = None,
    order_id: str | None = None,
    limit: Limit = 50,
    options: Remote = REMOTE,
) -> None:
    """List what is or was owed to subscriptions, newest first.

    :param state: Only deliveries in this state.
    :param subscription: Only deliveries to this subscription's id.
    :param order_id: Only deliveries about this order.
    :param limit: At most so many; 0: all.
    """
    from notifier.cli.client import connected

    async with connected(options) as client:
        page = await client.page(
            "/v1/deliveries", limit, state=state, subscription=subscription, order_id=order_id
        )
    if options.json:
        show_json(page)
        return
    show_table(_DELIVERIES, ([each.get(column) for column in _DELIVERIES] for each in page["items"]))
    if page["next_cursor"]:
        note(f"[dim]The newest {len(page['items'])}; --limit 0 shows all.[/]")

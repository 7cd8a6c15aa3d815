"""`notifier explain`, `events` and `deliveries`: what happened, and why."""

from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter, validators

from notifier.cli.options import REMOTE, Failed, Flag, Remote
from notifier.cli.screen import coloured, note, safe, say, show_json, show_table
from notifier.web.wording import Line, line, moment

if TYPE_CHECKING:
    from datetime import datetime

    from notifier.cli.client import Client
    from notifier.clock import Clock

State = Literal["pending", "held", "delivered", "failed", "cancelled", "superseded"]
Limit = Annotated[int, Parameter(validator=validators.Number(gte=0))]

_FOLLOW_S = 1.0
_DELIVERIES = (
    "id", "state", "order_id", "event_type", "reason", "due_at", "attempt_count", "subscription", "finished_at"
)  # fmt: skip


async def explain(order_id: str, /, *, options: Remote = REMOTE) -> None:
    """Tell the whole story of one order: polls, snapshots, changes, events, deliveries, attempts, each with its reason.

    Times are UTC.

    :param order_id: The order, as the merchant names it.
    """
    from notifier.cli.client import connected, path_of
    from notifier.clock import SystemClock

    async with connected(options) as client:
        story = await client.get(path_of("orders", order_id, "timeline"))
    if options.json:
        show_json(story)
        return
    now = SystemClock().now()
    for entry in story["items"]:
        _say_entry(moment(entry["at"], now), line(entry, now))
    if story.get("is_complete") is False:
        note("[yellow]There is more than is shown here.[/]")


def _say_entry(at: str, told: Line) -> None:
    parts = (safe(told.text), coloured(told.word), f"[dim]({safe(told.reason)})[/]" if told.reason else "")
    say(" ".join(filter(None, (f"[dim]{at}[/]  {safe(told.kind):<10}", *parts))))
    for change in told.changes:
        say(f"[dim]{' ' * len(at)}    {safe(change)}[/]")


async def events(
    *,
    follow: Flag = False,
    after: Annotated[int | None, Parameter(validator=validators.Number(gte=0))] = None,
    order_id: str | None = None,
    type: str | None = None,  # noqa: A002 - the member's own name
    limit: Annotated[int, Parameter(validator=validators.Number(gte=1, lte=500))] = 20,
    options: Remote = REMOTE,
) -> None:
    """Show the latest of the log of events, which is what is pushed; with --json each event is one line.

    :param follow: Show every new event until interrupted, beginning now, or after --after.
    :param after: Show all after this sequence instead; 0 begins with the oldest event kept.
    :param order_id: Only events of this order.
    :param type: Only events of this type, such as order.charged.
    :param limit: How many of the latest; without effect with --follow or --after.
    """
    from notifier.cli.client import connected
    from notifier.clock import SystemClock

    clock = SystemClock()
    async with connected(options) as client:
        log = Log(client, clock, order_id=order_id, type=type)
        if after is None:
            after = await (log.end() if follow else log.before_last(limit))
        async for event in log.read(after, follow=follow):
            show_json(event) if options.json else say(_line(event, clock.now()))


class Log:
    """The daemon's events, read page by page."""

    def __init__(self, client: "Client", clock: "Clock", **narrowed: str | None) -> None:
        self._client = client
        self._clock = clock
        self._narrowed = narrowed
        self.after = 0

    async def read(self, after: int, *, follow: bool) -> AsyncIterator[dict[str, Any]]:
        """Yield all events after a sequence; following never ends.

        Raises: Failed naming the sequence to go on from.
        """
        from notifier.cli.client import PAGE

        self.after = after
        while True:
            items = await self._page(PAGE)
            for event in items:
                yield event
            if len(items) == PAGE:
                continue
            if not follow:
                return
            await self._clock.sleep(_FOLLOW_S)

    async def end(self) -> int:
        """Return the sequence of the newest event, 0 when there is none."""
        before = await self.before_last(1)
        return int(
            (await self._client.get("/v1/events", after=before, limit=1, **self._narrowed))["next_after"]
        )

    async def before_last(self, count: int) -> int:
        """Return the sequence after which just the last `count` events stand; 0 when there are no more.

        REST reads the log forwards only, so the place is found by halving.
        """

        async def has_enough(after: int) -> bool:
            answer = await self._client.get("/v1/events", after=after, limit=count, **self._narrowed)
            return len(answer["items"]) == count

        low, high = 0, 1
        while await has_enough(high):
            low, high = high, high * 2
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if await has_enough(middle) else (low, middle)
        return low

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


def _line(event: Mapping[str, Any], now: "datetime") -> str:
    data = event["data"]
    head = f"[dim]{data['sequence']:>6}  {safe(moment(event['timestamp'], now))}[/]"
    before = f"{safe(data.get('previous') or '·')} → "
    sandbox = "" if event.get("livemode", True) else " [dim](not live)[/]"
    name = f"{safe(data.get('order_id') or '-')}  {safe(event['type'])}"
    return f"{head}  {name}  {before}{coloured(data.get('current') or '·')}{sandbox}"


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
    show_table(_DELIVERIES, page["items"])
    if page["next_cursor"]:
        note(f"[dim]The newest {len(page['items'])}; --limit 0 shows all.[/]")

"""`notifier watch`: which orders are looked at."""

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter, validators

from notifier.cli.failure import FAILED, lines_of
from notifier.cli.options import REMOTE, Failed, Misuse, Remote
from notifier.cli.screen import note, safe, say, show_json, show_members, show_table
from notifier.web.wording import reckoned

watch = App(name="watch", help="The watchlist: which orders are looked at.")

Initial = Literal["tell", "silent"]
Source = Literal["order", "hypercredit", "mandate"]
State = Literal["active", "paused", "settled", "not_found", "abandoned"]

_COLUMNS = ("order_id", "state", "status", "next_poll_at", "next_poll_why", "tags", "phase", "version")


@watch.command
async def add(
    order_id: list[str],
    /,
    *,
    amount: str | None = None,
    effective_amount: str | None = None,
    currency: str | None = None,
    tag: list[str] | None = None,
    until: str | None = None,
    routing_id: str | None = None,
    source: list[Source] | None = None,
    mandate_id: str | None = None,
    initial: Initial = "tell",
    options: Remote = REMOTE,
) -> int:
    """Watch orders; what is watched already is merged.

    :param order_id: The orders, as the merchant names them.
    :param amount: What the order is expected to be worth, such as 386.00; needs --currency.
    :param effective_amount: The same of the amount after offers.
    :param currency: The currency of the expected amounts, such as INR.
    :param tag: A tag to find it and to subscribe to it by; may be given again.
    :param until: Give up at this instant, such as 2026-12-01T00:00:00Z.
    :param routing_id: What the upstream routes this order by.
    :param source: What to ask, the order status unless told otherwise; may be given again.
    :param mandate_id: The mandate that source mandate asks for.
    :param initial: Whether the first look is told, or only what changes after it.
    """
    expect = {"amount": amount, "effective_amount": effective_amount, "currency": currency}
    given = {
        "expect": _given(expect),
        "tags": tag,
        "until": until,
        "routing_id": routing_id,
        "sources": source,
        "mandate_id": mandate_id,
    }
    body = {name: value for name, value in given.items() if value} | {"initial": initial}

    async def one(client: Any, each: str) -> Any:
        return await client.post("/v1/watches", body | {"order_id": each})

    return await _each(order_id, one, "watched", options)


@watch.command(name="import")
async def import_(
    file: Annotated[Path, Parameter(validator=validators.Path(exists=True, dir_okay=False))],
    /,
    *,
    initial: Initial,
    from_line: Annotated[int | None, Parameter(validator=validators.Number(gte=1))] = None,
    options: Remote = REMOTE,
) -> int:
    """Watch every order of a file of any length; a bad line is told and never stops the others.

    NDJSON has the REST body of a watch on each line. CSV begins with its columns: order_id, and as needed amount,
    effective_amount, currency, tags (several separated by ;), until, routing_id, mandate_id, sources.

    An import that broke off continues after the last confirmed line when it is run again: how far it came is kept in
    FILE.progress until the end is reached. Lines sent twice do no harm, they are merged.

    :param file: CSV or NDJSON in UTF-8.
    :param initial: Whether first looks are told, or only what changes after them; a line's own `initial` goes before.
    :param from_line: Begin at this line of the file, whatever was confirmed before.
    """
    from notifier.cli.client import connected
    from notifier.cli.importing import Import

    async with connected(options) as client:
        done = await Import(file, client, initial=initial).run(from_line)
    if options.json:
        show_json({"added": done.added, "merged": done.merged, "failed": done.failed, "last_line": done.line})
    else:
        note(
            f"{done.added} added, {done.merged} merged, {done.failed} failed; {safe(file)} is read to line {done.line}"
        )
    return FAILED if done.failed else 0


@watch.command(name="list")
async def list_(
    *,
    state: State | None = None,
    tag: str | None = None,
    status: str | None = None,
    limit: Annotated[int, Parameter(validator=validators.Number(gte=0))] = 50,
    options: Remote = REMOTE,
) -> None:
    """List watches, oldest registration first.

    :param state: Only watches in this state.
    :param tag: Only watches with this tag.
    :param status: Only orders whose status is this word of the upstream, such as CHARGED.
    :param limit: At most so many; 0: all.
    """
    from notifier.cli.client import connected

    async with connected(options) as client:
        page = await client.page("/v1/watches", limit, state=state, tag=tag, status=status)
    if options.json:
        show_json(page)
        return
    show_table(_COLUMNS, page["items"])
    if page["next_cursor"]:
        note(f"[dim]The first {len(page['items'])}; --limit 0 shows all.[/]")


@watch.command
async def show(order_id: str, /, *, options: Remote = REMOTE) -> None:
    """Show one watch: where it stands, when it is looked at next, and why then."""
    from notifier.cli.client import connected, path_of

    async with connected(options) as client:
        document = await client.get(path_of("watches", order_id))
    if options.json:
        show_json(document)
        return
    outlook = document.pop("next_poll", None)
    show_members(document)
    for each in reckoned(outlook):
        say(f"[dim]{safe(each)}[/]")


@watch.command
async def pause(order_id: list[str], /, *, options: Remote = REMOTE) -> int:
    """Stop looking at orders until they are resumed."""
    return await _set_state(order_id, "paused", options)


@watch.command
async def resume(order_id: list[str], /, *, options: Remote = REMOTE) -> int:
    """Look at paused orders again."""
    return await _set_state(order_id, "active", options)


@watch.command
async def remove(order_id: list[str], /, *, options: Remote = REMOTE) -> int:
    """Take orders off the watchlist; deliveries that are owed still go."""
    from notifier.cli.client import path_of

    async def one(client: Any, each: str) -> Any:
        return await client.call("DELETE", path_of("watches", each)) or {"order_id": each, "state": "removed"}

    return await _each(order_id, one, "removed", options)


@watch.command
async def poll(order_id: list[str], /, *, options: Remote = REMOTE) -> int:
    """Look at orders as soon as the budget allows."""
    from notifier.cli.client import path_of

    async def one(client: Any, each: str) -> Any:
        return await client.post(path_of("watches", each, "poll"))

    return await _each(order_id, one, "due now", options)


async def _set_state(order_ids: list[str], state: str, options: Remote) -> int:
    from notifier.cli.client import path_of

    async def one(client: Any, each: str) -> Any:
        return await client.call("PATCH", path_of("watches", each), body={"state": state})

    return await _each(order_ids, one, state, options)


async def _each(
    order_ids: list[str], one: Callable[[Any, str], Coroutine[Any, Any, Any]], done: str, options: Remote
) -> int:
    """Do one thing to every order; a refused one is told and does not stop the others."""
    from notifier.cli.client import connected

    answers, errors = [], []
    async with connected(options) as client:
        for order_id in order_ids:
            try:
                answers.append(await one(client, order_id))
            except (Failed, Misuse) as error:
                if len(order_ids) == 1:
                    raise
                errors.append(error)
                note(f"{safe(order_id)}: {safe(lines_of(error)[0])}")
            else:
                if not options.json:
                    note(f"{safe(order_id)}: {done}")
    if options.json:
        show_json(answers[0] if len(order_ids) == 1 else {"items": answers})
    return FAILED if errors else 0


def _given(members: dict[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in members.items() if value is not None}

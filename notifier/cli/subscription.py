"""`notifier subscription`: who is told of what."""

import asyncio
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter, validators

from notifier.cli.options import REMOTE, Misuse, Remote, place
from notifier.cli.screen import note, safe, show_json, show_members, show_table

subscription = App(name="subscription", help="Subscriptions: who is told of what.")

_COLUMNS = ("id", "channel", "name", "state", "events", "target", "managed", "order_id")


@subscription.command
async def add(
    *,
    channel: str | None = None,
    target: str | None = None,
    event: list[str] | None = None,
    name: str | None = None,
    tag: list[str] | None = None,
    filter: str | None = None,  # noqa: A002 - the member's own name
    template: str | None = None,
    mode: Literal["all", "latest"] | None = None,
    ordering: Literal["hold", "strict"] | None = None,
    rate_per_s: float | None = None,
    digest_s: float | None = None,
    since: str | None = None,
    body: Path | None = None,
    options: Remote = REMOTE,
) -> None:
    """Subscribe; the signing secret of a webhook is shown this once.

    :param channel: How it is sent: webhook, slack or email.
    :param target: An https address, a Slack channel's id or webhook address, or an e-mail address.
    :param event: A pattern of event types such as order.* or refund.failure; may be given again.
    :param name: A name of your own.
    :param tag: Only orders that carry this tag; may be given again.
    :param filter: Conditions as JSON: {"all": [{"path": "data.order.amount", "op": "ge", "value": "500.00"}]}.
    :param template: The shape of the message.
    :param mode: Every event, or only the newest of each subject.
    :param ordering: How long a later event of an order waits for an earlier one.
    :param rate_per_s: At most so many attempts a second.
    :param digest_s: Gather news of orders for so many seconds into one message; 0 for none.
    :param since: Begin with what was seen at this instant (2026-11-22T10:00:00Z) or this sequence, instead of now.
    :param body: A file with members of the REST body as JSON, for those without an option here and for targets
        that are secrets; options go before it.
    """
    from notifier.cli.client import connected

    given = {
        "channel": channel, "target": target, "events": event, "name": name, "tags": tag, "template": template,
        "mode": mode, "ordering": ordering, "rate_per_s": rate_per_s, "digest_s": digest_s,
        "since": since and place(since), "filter": _json(filter, "--filter") if filter else None,
    }  # fmt: skip
    members = _json(await asyncio.to_thread(body.read_bytes), str(body)) if body else {}
    members |= {member: value for member, value in given.items() if value is not None}
    async with connected(options) as client:
        document = await client.post("/v1/subscriptions", members)
    if options.json:
        show_json(document)
        return
    show_members(document)
    if document.get("secret"):
        note("[yellow]Keep the secret now: it signs every callback and is not shown again.[/]")


@subscription.command(name="list")
async def list_(
    *,
    limit: Annotated[int, Parameter(validator=validators.Number(gte=0))] = 50,
    options: Remote = REMOTE,
) -> None:
    """List subscriptions.

    :param limit: At most so many; 0: all.
    """
    from notifier.cli.client import connected

    async with connected(options) as client:
        page = await client.page("/v1/subscriptions", limit)
    if options.json:
        show_json(page)
        return
    show_table(_COLUMNS, page["items"])
    if page["next_cursor"]:
        note(f"[dim]The first {len(page['items'])}; --limit 0 shows all.[/]")


@subscription.command
async def show(subscription_id: str, /, *, options: Remote = REMOTE) -> None:
    """Show one subscription; secrets stay hidden."""
    from notifier.cli.client import connected, path_of

    async with connected(options) as client:
        document = await client.get(path_of("subscriptions", subscription_id))
    show_json(document) if options.json else show_members(document)


@subscription.command(name="test")
async def ping(subscription_id: str, /, *, options: Remote = REMOTE) -> None:
    """Send a test.ping to one subscription."""
    await _act(
        subscription_id, "test", options, done="a test.ping is on its way; `notifier deliveries` shows it"
    )


@subscription.command
async def pause(subscription_id: str, /, *, options: Remote = REMOTE) -> None:
    """Hold what a subscription is owed until it is resumed."""
    await _act(subscription_id, "pause", options, done="paused; what it is owed is held")


@subscription.command
async def resume(subscription_id: str, /, *, options: Remote = REMOTE) -> None:
    """Send what a paused subscription is owed, and go on."""
    await _act(subscription_id, "resume", options, done="active")


@subscription.command
async def disable(subscription_id: str, /, *, options: Remote = REMOTE) -> None:
    """Stop sending to a subscription until it is enabled; what it is owed is held."""
    await _act(subscription_id, "disable", options, done="disabled; what it is owed is held")


@subscription.command
async def enable(
    subscription_id: str, /, *, held: Literal["send", "drop"] = "send", options: Remote = REMOTE
) -> None:
    """Go on with a disabled subscription.

    :param held: What becomes of the deliveries that were held.
    """
    await _act(subscription_id, "enable", options, done="active", body={"held": held})


@subscription.command
async def rotate_secret(
    subscription_id: str,
    /,
    *,
    overlap_s: Annotated[float, Parameter(validator=validators.Number(gte=0))] = 86_400,
    options: Remote = REMOTE,
) -> None:
    """Give a subscription another signing secret, shown this once; the old one signs along for a while.

    :param overlap_s: For so many seconds, at most seven days; 0 ends every old one at once.
    """
    from notifier.cli.client import connected, path_of

    async with connected(options) as client:
        document = await client.post(
            path_of("subscriptions", subscription_id, "rotate-secret"), {"overlap_s": overlap_s}
        )
    if options.json:
        show_json(document)
        return
    show_members({name: document[name] for name in ("id", "secret", "old_secrets_until")})
    note("[yellow]Keep the secret now: it is not shown again.[/]")


@subscription.command
async def remove(subscription_id: str, /, *, options: Remote = REMOTE) -> None:
    """Delete a subscription; what it is owed is cancelled."""
    from notifier.cli.client import connected, path_of

    async with connected(options) as client:
        await client.call("DELETE", path_of("subscriptions", subscription_id))
    _told({"id": subscription_id, "state": "removed"}, subscription_id, options, done="removed")


async def _act(
    subscription_id: str, verb: str, options: Remote, *, done: str, body: dict[str, Any] | None = None
) -> None:
    from notifier.cli.client import connected, path_of

    async with connected(options) as client:
        answer = await client.post(path_of("subscriptions", subscription_id, verb), body)
    _told(answer, subscription_id, options, done=done)


def _told(answer: Any, subscription_id: str, options: Remote, *, done: str) -> None:
    if options.json:
        show_json(answer)
    else:
        note(f"{safe(subscription_id)}: {done}")


def _json(text: str | bytes, where: str) -> dict[str, Any]:
    import json

    try:
        found = json.loads(text)
    except ValueError as error:
        raise Misuse(f"{where} is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise Misuse(f"{where} should hold a JSON object")
    return found

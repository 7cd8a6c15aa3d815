"""`notifier replay`: sending again."""

from typing import Any, Literal

from notifier.cli.options import REMOTE, Flag, Misuse, Remote, place
from notifier.cli.screen import note, safe, show_json, show_members

State = Literal["delivered", "failed", "cancelled", "superseded", "missing"]


async def replay(
    *,
    delivery: str | None = None,
    subscription: str | None = None,
    since: str | None = None,
    until: str | None = None,
    states: list[State] | None = None,
    types: list[str] | None = None,
    rerender: Flag = False,
    dry_run: Flag = False,
    show: str | None = None,
    options: Remote = REMOTE,
) -> None:
    """Send again: one delivery, or all that a subscription should have of a part of the log.

    :param delivery: The one delivery to send again.
    :param subscription: The subscription that is sent again what it was owed or would have been.
    :param since: From this instant (2026-11-22T10:00:00Z) or sequence of the log on.
    :param until: Before this instant, or up to this sequence; left out, up to now.
    :param states: Only events whose last delivery ended so, or `missing` ones; may be given again.
    :param types: Only events of this pattern, such as refund.*; may be given again.
    :param rerender: Make the bodies anew instead of sending those of the first attempts.
    :param dry_run: Only count.
    :param show: Show how far the replay of this id has come.
    """
    from notifier.cli.client import connected, path_of

    if [delivery, subscription, show].count(None) != 2:  # noqa: PLR2004 - one of three
        raise Misuse("name one of --delivery, --subscription (with --since) and --show")
    async with connected(options) as client:
        if show is not None:
            _show(await client.get(path_of("replays", show)), options)
            return
        wish: dict[str, Any] = {"dry_run": dry_run, "rerender": rerender}
        if delivery is not None:
            _check_lone(since=since, until=until, states=states, types=types)
            path = path_of("deliveries", delivery, "replay")
        else:
            if since is None:
                raise Misuse("--subscription needs --since, an instant or a sequence of the log")
            path = path_of("subscriptions", str(subscription), "replay")
            ranged = {
                "since": place(since),
                "until": until and place(until),
                "states": states,
                "types": types,
            }
            wish |= {member: value for member, value in ranged.items() if value is not None}
        _tell(await client.post(path, wish), options)


def _check_lone(**given: object) -> None:
    for name, value in given.items():
        if value is not None:
            raise Misuse(f"--{name} goes with --subscription, not with --delivery")


def _tell(answer: dict[str, Any], options: Remote) -> None:
    if options.json:
        show_json(answer)
        return
    count = f"{answer['matched']} event{'' if answer['matched'] == 1 else 's'}"
    if answer["id"] is None:
        note(f"{count} would be sent again; nothing was done")
    else:
        note(f"{safe(answer['id'])}: {count} to send again; `notifier replay --show {safe(answer['id'])}`")
    if answer.get("log_begins_at"):
        note(f"[dim]Events of before {safe(answer['log_begins_at'])} are not kept any more.[/]")


def _show(document: dict[str, Any], options: Remote) -> None:
    show_json(document) if options.json else show_members(document)

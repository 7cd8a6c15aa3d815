"""`notifier alerts`: what is judged, what is wrong now, and who takes care of it."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter, validators

from notifier.cli.backtesting import bars, show_backtest
from notifier.cli.options import REMOTE, Flag, Misuse, Remote
from notifier.cli.plotting import check_plot
from notifier.cli.screen import note, safe, say, show_json, show_members, show_table

alerts = App(name="alerts", help="Alerts: rules, incidents, backtests.")

_RULES = ("id", "name", "outcome", "state", "false_pages_per_month", "managed")
_INCIDENTS = (
    "id",
    "severity",
    "state",
    "rule",
    "cause_text",
    "failed",
    "orders",
    "rate",
    "opened_at",
    "acknowledged_by",
)
_BACKTEST_S = 600.0


@alerts.command(name="list")
async def list_(
    *,
    incidents: Flag = False,
    state: str | None = None,
    limit: Annotated[int, Parameter(validator=validators.Number(gte=0))] = 50,
    options: Remote = REMOTE,
) -> None:
    """List rules, and the incidents that are open.

    :param incidents: All incidents instead, newest first.
    :param state: Only incidents in this state: open, acknowledged or resolved.
    :param limit: At most so many; 0: all.
    """
    from notifier.cli.client import connected

    async with connected(options) as client:
        if incidents or state:
            page = await client.page("/v1/incidents", limit, state=state)
            show_json(page) if options.json else show_table(_INCIDENTS, page["items"])
            return
        rules = await client.page("/v1/alerts", limit)
        found = [
            each
            for wanted in ("open", "acknowledged")
            for each in (await client.page("/v1/incidents", limit, state=wanted))["items"]
        ]
    if options.json:
        show_json(rules | {"incidents": found})
        return
    show_table(_RULES, rules["items"])
    if found:
        say("")
        show_table(_INCIDENTS, found)
    else:
        note("[dim]No incident is open.[/]")


@alerts.command
async def show(name_or_id: str, /, *, options: Remote = REMOTE) -> None:
    """Show an alert (by name or id) or an incident (inc_…)."""
    from notifier.cli.client import connected, path_of

    async with connected(options) as client:
        if name_or_id.startswith("inc_"):
            document = await client.get(path_of("incidents", name_or_id))
        else:
            document = await client.get(path_of("alerts", await _alert_id(client, name_or_id)))
    if options.json:
        show_json(document)
        return
    series = document.pop("series", [])
    show_members(document)
    if series:
        say(f"{'rate':>8}  {bars([point['rate'] for point in series])}  of the last hour, 3 minutes each")


@alerts.command
async def backtest(
    name_or_id: str | None = None,
    /,
    *,
    days: Annotated[float, Parameter(validator=validators.Number(gt=0, lte=35))] = 7,
    plot: Path | None = None,
    options: Remote = REMOTE,
) -> None:
    """Judge the last days again and show whom an alert would have called, how late, and how often for nothing.

    :param name_or_id: An alert; every one, if none is named.
    :param days: Of stored outcomes, at most 35.
    :param plot: Write the rate of failure, what was normal, and the pages to this .png or .svg file.
    """
    from notifier.cli.client import connected, path_of

    if plot is not None:
        check_plot(plot)
    answers: dict[str, dict[str, Any]] = {}
    async with connected(options, answer_s=_BACKTEST_S) as client:
        chosen = await _chosen(client, name_or_id)
        if plot is not None and len(chosen) != 1:
            names = ", ".join(name for _, name in chosen) or "none"
            raise Misuse(f"--plot draws one alert; name one of {names}")
        for alert_id, name in chosen:
            answers[name] = await client.post(path_of("alerts", alert_id, "backtest"), {"days": days})
    if plot is not None:
        from notifier.simulation.plot import draw_course

        draw_course(next(iter(answers.values())), plot)
    if options.json:
        show_json({"items": [*answers.values()]} if name_or_id is None else answers.popitem()[1])
        return
    for name, answer in answers.items():
        if name_or_id is None:
            say(f"[bold]{safe(name)}[/]")
        show_backtest(answer)


@alerts.command
async def ack(
    incident_id: str,
    /,
    *,
    by: str,
    note_: Annotated[str | None, Parameter(name="--note")] = None,
    options: Remote = REMOTE,
) -> None:
    """Take care of an incident: nobody is reminded any more, until it grows.

    :param by: Who.
    :param note_: What to tell the others.
    """
    from notifier.cli.client import connected, path_of

    body = {"by": by} | ({"note": note_} if note_ else {})
    async with connected(options) as client:
        answer = await client.post(path_of("incidents", incident_id, "ack"), body)
    show_json(answer) if options.json else note(
        f"{safe(incident_id)}: acknowledged by {safe(answer['acknowledged_by'])}"
    )


@alerts.command
async def accept(incident_id: str, /, *, by: str, options: Remote = REMOTE) -> None:
    """Take the last hour at the place of an incident for its new normal, such as after a change that is to stay.

    :param by: Who says so.
    """
    from notifier.cli.client import connected, path_of

    async with connected(options) as client:
        incident = await client.get(path_of("incidents", incident_id))
        body = {"by": by, "cause": incident["cause"]}
        answer = await client.post(path_of("alerts", incident["alert"], "accept"), body)
    show_json(answer) if options.json else note(
        f"{safe(answer['cause_text'])}: the last hour is normal from {safe(answer['at'])} on"
    )


@alerts.command
async def silence(
    incident_id: str,
    /,
    *,
    by: str,
    until: str | None = None,
    for_s: float | None = None,
    until_it_ends: Flag = False,
    options: Remote = REMOTE,
) -> None:
    """Tell nothing more of an incident for a while.

    :param by: Who wishes so.
    :param until: Up to this instant (2026-11-22T10:00:00Z).
    :param for_s: For so many seconds.
    :param until_it_ends: Until it ends or grows.
    """
    from notifier.cli.client import connected, path_of

    if [until is not None, for_s is not None, until_it_ends].count(True) != 1:
        raise Misuse("give one of --until, --for-s and --until-it-ends")
    ends = {"until": until, "for_s": for_s, "until_it_ends": until_it_ends or None}
    body: dict[str, Any] = {"by": by} | {name: value for name, value in ends.items() if value is not None}
    async with connected(options) as client:
        answer = await client.post(path_of("incidents", incident_id, "silence"), body)
    if options.json:
        show_json(answer)
    else:
        note(
            f"{safe(incident_id)}: silent until {safe(answer['until'] or 'it ends or grows')} ({safe(answer['id'])})"
        )


async def _chosen(client: Any, name_or_id: str | None) -> list[tuple[str, str]]:
    """Return id and name of the alert, or of every one."""
    if name_or_id is not None:
        return [(await _alert_id(client, name_or_id), name_or_id)]
    return [(rule["id"], rule["name"]) for rule in (await client.page("/v1/alerts", 0))["items"]]


async def _alert_id(client: Any, name_or_id: str) -> str:
    if name_or_id.startswith("alr_"):
        return name_or_id
    rules = (await client.page("/v1/alerts", 0))["items"]
    for rule in rules:
        if rule["name"] == name_or_id:
            return str(rule["id"])
    names = ", ".join(rule["name"] for rule in rules) or "none"
    raise Misuse(f"there is no alert {name_or_id!r}; there are: {names}")

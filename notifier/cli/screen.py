"""What people see on a terminal, and what programs read instead: foreign text can neither colour nor steer."""

import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from notifier.clock import SystemClock
from notifier.web.wording import moment

_PIPE_WIDTH = 200
_MOST_WIDTH, _GAP = 40, 2
_COLOURS = {
    "active": "green", "delivered": "green", "succeeded": "green", "CHARGED": "green",
    "pending": "yellow", "held": "yellow", "paused": "yellow", "open": "yellow",
    "failed": "red", "disabled": "red", "not_found": "red", "abandoned": "red",
    "settled": "dim", "cancelled": "dim", "superseded": "dim", "refunded": "magenta",
}  # fmt: skip


def console(*, to_people: bool = False) -> Console:
    """Return standard output, or standard error for what is not the result itself."""
    stream = sys.stderr if to_people else sys.stdout
    width = None if stream.isatty() else _PIPE_WIDTH
    return Console(file=stream, width=width, emoji=False, highlight=False)


def safe(value: Any) -> str:
    """Return any value as text that is shown as it is: no markup, no control characters; None is empty."""
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return ", ".join(map(safe, value))
    if isinstance(value, Mapping):
        return safe(msgspec.json.encode(value).decode())
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return escape(text if text.isprintable() else repr(text)[1:-1])


def coloured(value: Any) -> str:
    """Return a state, status or phase in the colour it is known by."""
    colour = _COLOURS.get(str(value))
    return f"[{colour}]{safe(value)}[/]" if colour else safe(value)


def say(text: str) -> None:
    """Print a line of our own markup on standard output."""
    console().print(text, soft_wrap=True)


def note(text: str) -> None:
    """Print a line of our own markup on standard error: progress and remarks."""
    console(to_people=True).print(text, soft_wrap=True)


def show_json(document: Any) -> None:
    """Print one document on one line, at once: whoever follows a pipe must not wait."""
    sys.stdout.write(msgspec.json.encode(document).decode() + "\n")
    sys.stdout.flush()


def show_table(columns: Sequence[str], items: Sequence[Mapping[str, Any]]) -> None:
    """Print members of items as rows.

    The columns stand by weight: where they do not fit, the last are left out, so that no id is cut.
    """
    out, now = console(), SystemClock().now()
    rows = [[_short(name, item.get(name), now) for name in columns] for item in items]
    widths = [
        max(len(name), *(len(safe(row[place])) for row in rows), 0) for place, name in enumerate(columns)
    ]
    shown = _fitting(columns, widths, out.width)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in columns[:shown]:
        table.add_column(name, overflow="fold", max_width=None if _is_id(name) else _MOST_WIDTH)
    for row in rows:
        table.add_row(*map(coloured, row[:shown]))
    out.print(table)
    if shown < len(columns):
        note(f"[dim]Without {', '.join(columns[shown:])}: --json has all.[/]")


def _short(name: str, value: Any, now: datetime) -> Any:
    return moment(value, now) if name.endswith("_at") and value else value


def _is_id(name: str) -> bool:
    return name == "id" or name.endswith("_id")


def _fitting(columns: Sequence[str], widths: Sequence[int], width: int) -> int:
    """Return how many columns fit a width, one at least; only ids are never folded to fit."""
    used = 0
    for count, (name, wanted) in enumerate(zip(columns, widths, strict=True)):
        used += wanted if _is_id(name) else min(wanted, _MOST_WIDTH)
        if count and used > width:
            return count
        used += _GAP
    return len(columns)


def show_members(document: Mapping[str, Any]) -> None:
    """Print a document's members one a line, those without a value left out."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(overflow="fold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in document.items():
        if value is not None and value not in ([], {}):
            table.add_row(
                f"[bold]{safe(name)}[/]", coloured(value) if isinstance(value, str) else safe(value)
            )
    console().print(table)

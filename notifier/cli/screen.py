"""What people see on a terminal, and what programs read instead: foreign text can neither colour nor steer."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

_PIPE_WIDTH = 200
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


def show_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows under their columns."""
    table = Table(*columns, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        table.add_row(*map(coloured, row))
    console().print(table)


def show_members(document: Mapping[str, Any]) -> None:
    """Print a document's members one a line, those without a value left out."""
    table = Table("", "", box=None, show_header=False, pad_edge=False)
    for name, value in document.items():
        if value is not None and value not in ([], {}):
            table.add_row(
                f"[bold]{safe(name)}[/]", coloured(value) if isinstance(value, str) else safe(value)
            )
    console().print(table)

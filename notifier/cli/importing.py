"""The watchlist from a file: read line by line, sent in pieces, continued where it broke off.

How far an import came stands in FILE.progress: the last confirmed line, the digest of everything up to it, and the
daemon it went to. A file that is another one up to that line, or another daemon, begins anew.
"""

import csv
import hashlib
import json
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from rich.progress import Progress

from notifier.cli.client import Client
from notifier.cli.options import Failed, Misuse
from notifier.cli.screen import console, note, safe

PIECE = 2000
_EXPECT = ("amount", "effective_amount", "currency")
_LISTS = ("tags", "sources")
_COLUMNS = {"order_id", *_EXPECT, *_LISTS, "until", "routing_id", "mandate_id"}
_CREATED, _REFUSED, _OUT_OF_ORDER = 201, 400, 500


@dataclass(frozen=True, slots=True)
class Record:
    """One registration: the line it ends on, how far into the file that is, and the body or why there is none."""

    line: int
    byte: int
    digest: str
    body: dict[str, Any] | str


@dataclass(slots=True)
class Done:
    """What has come of an import so far."""

    line: int = 0
    added: int = 0
    merged: int = 0
    failed: int = 0


@dataclass(slots=True)
class _Lines:
    """A file's lines as text, counted and digested on the way."""

    file: Path
    number: int = 0
    byte: int = 0
    digest: Any = field(default_factory=hashlib.sha256)

    def __iter__(self) -> Iterator[str]:
        with self.file.open("rb") as source:
            for raw in source:
                self.number += 1
                self.byte += len(raw)
                self.digest.update(raw)
                try:
                    yield raw.decode("utf-8-sig" if self.number == 1 else "utf-8")
                except UnicodeDecodeError:
                    raise Misuse(
                        f"{self.file} line {self.number} is not UTF-8 text; convert the file"
                    ) from None


def records(file: Path) -> Generator[Record, None, None]:
    """Read CSV or NDJSON, told apart by the first character that is not a space.

    Raises: Misuse when the file is neither, or its columns are not those of a watch.
    """
    lines = _Lines(file)
    with file.open("rb") as source:
        begin = source.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    for body in _objects(lines) if begin == b"{" else _rows(lines):
        yield Record(lines.number, lines.byte, lines.digest.hexdigest(), body)


def _objects(lines: _Lines) -> Iterator[dict[str, Any] | str]:
    for text in lines:
        if not text.strip():
            continue
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            found = None
        yield found if isinstance(found, dict) else "is no JSON object"


def _rows(lines: _Lines) -> Iterator[dict[str, Any] | str]:
    source = iter(lines)
    try:
        reader = csv.reader(source, strict=True)
        columns = [name.strip().lower() for name in next(reader, [])]
        _check_columns(columns, lines.file)
        for row in reader:
            if len(row) > len(columns):
                yield f"has {len(row)} values for {len(columns)} columns"
            elif any(row):
                yield _body(dict(zip(columns, (value.strip() for value in row), strict=False)))
    except csv.Error as error:
        raise Misuse(f"{lines.file} line {lines.number} is no CSV: {error}") from None


def _check_columns(columns: list[str], file: Path) -> None:
    unknown = [name for name in columns if name not in _COLUMNS]
    if "order_id" not in columns or unknown or len(set(columns)) < len(columns):
        fault = f"has a column {unknown[0]!r}" if unknown else "names no column order_id, or one twice"
        raise Misuse(
            f"{file} line 1 {fault}; a CSV file begins with its columns: {', '.join(sorted(_COLUMNS))}"
        )


def _body(row: dict[str, str]) -> dict[str, Any]:
    given = {name: value for name, value in row.items() if value}
    expect = {name: given.pop(name) for name in _EXPECT if name in given}
    body: dict[str, Any] = {
        name: [each.strip() for each in value.split(";") if each.strip()] if name in _LISTS else value
        for name, value in given.items()
    }
    # A currency alone expects nothing: the column may stand for rows without an amount, too.
    return body | {"expect": expect} if expect.keys() - {"currency"} else body


class Import:
    """One file on its way into one daemon's watchlist."""

    def __init__(self, file: Path, client: Client, *, initial: str) -> None:
        self._file = file
        self._client = client
        self._initial = initial
        self._progress_file = file.with_name(f"{file.name}.progress")
        self._done = Done()

    async def run(self, from_line: int | None) -> Done:
        """Send what is not yet confirmed, or everything from a line on.

        Raises: Misuse; Failed naming the last confirmed line.
        """
        size = self._file.stat().st_size
        confirmed = self._done.line = self._confirmed() if from_line is None else from_line - 1
        with (
            closing(records(self._file)) as source,
            Progress(console=console(to_people=True), transient=True, disable=not _is_watched()) as progress,
        ):
            task = progress.add_task(self._file.name, total=size)
            piece: list[Record] = []
            for record in source:
                if record.line <= confirmed:
                    continue
                piece.append(record)
                if len(piece) == PIECE:
                    await self._send(piece)
                    progress.update(task, completed=record.byte)
                    piece = []
            if piece:
                await self._send(piece)
        self._progress_file.unlink(missing_ok=True)
        return self._done

    async def _send(self, piece: list[Record]) -> None:
        good = [record for record in piece if isinstance(record.body, dict)]
        try:
            await self._register(good)
        except Failed as error:
            message = f"{error}; confirmed to line {self._done.line}, run the same again to continue"
            raise Failed(message) from error
        for record in piece:
            if isinstance(record.body, str):
                self._tell(record, record.body)
        self._confirm(piece[-1])

    async def _register(self, piece: list[Record]) -> None:
        answered = 0
        async for answer in self._client.lines("/v1/watches/bulk", self._ndjson(piece)):
            self._count(piece[int(answer["line"]) - 1], answer)
            answered += 1
        if answered != len(piece):
            raise Failed(f"{self._client.url} answered only {answered} of {len(piece)} lines")

    def _ndjson(self, piece: list[Record]) -> bytes:
        bodies = (
            {"initial": self._initial} | record.body for record in piece if isinstance(record.body, dict)
        )
        return b"".join(msgspec.json.encode(body) + b"\n" for body in bodies)

    def _count(self, record: Record, answer: dict[str, Any]) -> None:
        if answer["status"] >= _OUT_OF_ORDER:
            raise Failed(f"line {record.line}: {answer.get('error')}")
        if answer["status"] >= _REFUSED:
            self._tell(record, f"{answer.get('order_id') or ''} {answer.get('error', 'refused')}".strip())
        elif answer["status"] == _CREATED:
            self._done.added += 1
        else:
            self._done.merged += 1

    def _tell(self, record: Record, reason: str) -> None:
        self._done.failed += 1
        note(f"{safe(self._file)} line {record.line}: {safe(reason)}")

    def _confirm(self, last: Record) -> None:
        self._done.line = last.line
        text = json.dumps({"line": last.line, "digest": last.digest, "to": self._to()})
        fresh = self._progress_file.with_name(f"{self._progress_file.name}.new")
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(self._progress_file)

    def _to(self) -> list[str | None]:
        return [self._client.url, self._client.account]

    def _confirmed(self) -> int:
        """Return the last line that an earlier run of this very import saw confirmed, else 0."""
        try:
            kept = json.loads(self._progress_file.read_text(encoding="utf-8"))
            line, digest, to = int(kept["line"]), kept["digest"], kept["to"]
        except FileNotFoundError:
            return 0
        except (ValueError, KeyError, TypeError):
            line, digest, to = 0, "", []
        is_same = to == self._to() and any(
            each.digest == digest for each in records(self._file) if each.line == line
        )
        if not is_same:
            note(f"{safe(self._progress_file)} belongs to another import; beginning anew")
            return 0
        note(f"continuing after line {line}, as {safe(self._progress_file)} says")
        return line


def _is_watched() -> bool:
    return console(to_people=True).is_terminal

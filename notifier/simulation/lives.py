"""The lives of orders as a file tells them: one row a change, and what a poller can see of it."""

import csv
import gzip
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TextIO

from notifier.errors import InvalidValue

COLUMNS = ("order_id", "payment_method_type", "at_s", "subject", "status")
ORDER, REFUND = "order", "refund"
_NEW = "NEW"


class Sight(NamedTuple):
    """What a look shows: the order's status, its refund's (empty: none) and the method (empty: not told yet)."""

    status: str
    refund: str
    method: str


_FIRST = Sight(_NEW, "", "")


@dataclass(frozen=True, slots=True)
class Row:
    """One change of one order, `at_s` seconds after its creation."""

    order_id: str
    method: str
    at_s: float
    subject: str
    status: str


@dataclass(frozen=True, slots=True)
class Life:
    """An order from its creation: the seconds at which it changed, ascending, and what stands before and after each.

    `sights` is one longer than `times`. What changes nothing that a look shows is no change.
    """

    order_id: str
    times: tuple[float, ...]
    sights: tuple[Sight, ...]


def read_lives(file: Path) -> list[Life]:
    """Read a CSV file with the columns of `COLUMNS`, in any order and plain or gzipped; orders as they first appear.

    Raises: InvalidValue naming the line and the column; OSError.
    """
    with _opened(file) as source:
        try:
            return lives_of(_rows(source, file))
        except (UnicodeDecodeError, EOFError, gzip.BadGzipFile) as error:
            raise InvalidValue(str(file), f"is neither UTF-8 text nor whole gzip ({error})") from None


def write_rows(file: TextIO, rows: Iterable[Row]) -> None:
    """Write rows as `read_lives` reads them, without the line that names the columns."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerows((row.order_id, row.method, f"{row.at_s:.2f}", row.subject, row.status) for row in rows)


def lives_of(rows: Iterable[Row]) -> list[Life]:
    """Gather rows into lives; the rows of an order may stand apart and in any order."""
    gathered: dict[str, list[Row]] = {}
    for row in rows:
        gathered.setdefault(row.order_id, []).append(row)
    known: dict[Sight, Sight] = {}
    return [_life(sorted(changes, key=lambda row: row.at_s), known) for changes in gathered.values()]


def _life(changes: Sequence[Row], known: dict[Sight, Sight]) -> Life:
    times: list[float] = []
    sights = [_FIRST]
    for row in changes:
        before = sights[-1]
        status = row.status if row.subject == ORDER else before.status
        refund = row.status if row.subject == REFUND else before.refund
        # The upstream shows no member of a payment before the customer has begun one.
        after = Sight(status, refund, before.method or ("" if status == _NEW else row.method))
        after = known.setdefault(after, after)
        if row.at_s <= 0:
            sights[-1] = after
        elif after != before:
            times.append(row.at_s)
            sights.append(after)
    return Life(changes[0].order_id, tuple(times), tuple(sights))


def _opened(file: Path) -> TextIO:
    with file.open("rb") as source:
        is_gzip = source.read(2) == b"\x1f\x8b"
    if is_gzip:
        return gzip.open(file, "rt", encoding="utf-8-sig", newline="")
    return file.open(encoding="utf-8-sig", newline="")


def _rows(source: TextIO, file: Path) -> Iterator[Row]:
    reader = csv.reader(source, strict=True)
    places: list[int] | None = None
    try:
        for values in reader:
            if places is None:
                places = _places([name.strip().lower() for name in values], file)
            elif any(values):
                yield _row(values, places, f"{file} line {reader.line_num}")
    except csv.Error as error:
        raise InvalidValue(f"{file} line {reader.line_num}", f"is no CSV: {error}") from None
    if places is None:
        raise InvalidValue(str(file), f"is empty; its first line names the columns {', '.join(COLUMNS)}")


def _places(names: list[str], file: Path) -> list[int]:
    for name in COLUMNS:
        if names.count(name) != 1:
            fault = f"names the column {name} {names.count(name)} times; the columns are {', '.join(COLUMNS)}"
            raise InvalidValue(f"{file} line 1", fault)
    return [names.index(name) for name in COLUMNS]


def _row(values: list[str], places: list[int], where: str) -> Row:
    if len(values) <= max(places):
        raise InvalidValue(where, f"has {len(values)} values; the first line names more columns")
    order_id, method, at_text, subject, status = (values[place].strip() for place in places)
    for name, value in (("order_id", order_id), ("status", status)):
        if not value:
            raise InvalidValue(where, f"column {name} is empty")
    try:
        at_s = float(at_text)
    except ValueError:
        at_s = math.nan
    if not (math.isfinite(at_s) and at_s >= 0):
        raise InvalidValue(where, f"column at_s holds {at_text!r}; give seconds since the order's creation")
    if subject not in (ORDER, REFUND):
        raise InvalidValue(where, f"column subject holds {subject!r}; give {ORDER} or {REFUND}")
    return Row(order_id, method, at_s, subject, status)

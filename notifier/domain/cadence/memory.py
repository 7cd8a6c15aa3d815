"""What was learned as it is kept: a row of plain values for each path, which JSON can hold."""

from collections.abc import Mapping, Sequence
from typing import Any

from notifier.domain.cadence.ages import BINS
from notifier.domain.cadence.tally import Tally

SCHEMA = 1
MOST_EVENTS = 3000.0

Path = tuple[str, ...]
Row = Mapping[str, Any]
Document = Mapping[str, Any]
Evidence = Mapping[Path, Tally]
"""What was seen of each path since it was last asked for."""


def written(tallies: Evidence) -> Document:
    """Return a document of what holds anything."""
    return _document({path: row for path, tally in tallies.items() if (row := _row(path, tally))})


def rows_of(document: Document) -> dict[Path, Row]:
    """Return the rows of a document; one of another schema, or that is broken, has none."""
    if (document.get("schema"), document.get("bins")) != (SCHEMA, BINS):
        return {}
    try:
        return {tuple(row["path"]): row for row in document["situations"] if _is_ours(row)}
    except (LookupError, TypeError, ValueError):
        return {}


def tally_of(row: Row) -> Tally:
    """Return what a row of `rows_of` counts."""
    return Tally(_placed(row["first"], row["events"]), _placed(row["first"], row["exposure_s"]))


def added(document: Document, evidence: Evidence, *, most_events: float = MOST_EVENTS) -> Document:
    """Return a document with what was seen since, forgetting what is past the cap.

    A minute teaches little of what is known: rows that nothing is added to stand as they are.
    """
    rows = rows_of(document)
    for path, fresh in evidence.items():
        total = tally_of(rows[path]).plus(fresh) if path in rows else fresh
        if total.total > most_events:
            total = total.times(most_events / total.total)
        if row := _row(path, total):
            rows[path] = row
    return _document(rows)


def summed(some: Evidence, others: Evidence) -> Evidence:
    """Return what both hold."""
    return {
        **some,
        **{path: some[path].plus(each) if path in some else each for path, each in others.items()},
    }


def _document(rows: Mapping[Path, Row]) -> Document:
    return {"schema": SCHEMA, "bins": BINS, "situations": list(rows.values())}


def _row(path: Path, tally: Tally) -> Row | None:
    """Only bins that hold something are written, from the first to the last of them."""
    events = [round(each, 4) for each in tally.events]
    exposure = [round(each, 3) for each in tally.exposure]
    held = [number for number in range(BINS) if events[number] or exposure[number]]
    if not held:
        return None
    span = slice(held[0], held[-1] + 1)
    return {
        "path": [str(word) for word in path],
        "first": held[0],
        "events": events[span],
        "exposure_s": exposure[span],
    }


def _is_ours(row: Row) -> bool:
    """Return that a tally can hold it.

    Raises: LookupError, TypeError or ValueError where none can, since it was not written by us.
    """
    events, exposure = row["events"], row["exposure_s"]
    if (
        min(*events, *exposure, row["first"], 0.0) < 0
        or row["first"] + max(len(events), len(exposure)) > BINS
    ):
        raise ValueError("no tally holds this")
    return True


def _placed(first: int, values: Sequence[float]) -> list[float]:
    return [*[0.0] * first, *values, *[0.0] * (BINS - first - len(values))]

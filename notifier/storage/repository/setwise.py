"""Many rows in one step of the database: parameters come in and rows go out as one JSON text.

The driver takes the interpreter's lock once for each row it binds or fetches, and every time it may wait until the
event loop lets go of it. Where rows are moved by the hundred, thousands of times a second, those waits cost more than
the rows. For the hot statements only; instants are numbers and words text here.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import ScalarSelect, Select, Subquery, TableValuedAlias, Text, bindparam, func, select
from sqlalchemy.types import TypeEngine

WORD = Text()
"""The type of a column of words in `given`."""

_encode = msgspec.json.Encoder().encode


def as_parameter(rows: Sequence[Any]) -> str:
    """Return rows (lists of plain values), or plain values, as the one parameter of `given` or `any_of`."""
    return _encode(rows).decode()


def given(parameter: str, columns: dict[str, TypeEngine[Any]], *, are_named_often: bool = False) -> Subquery:
    """Return the rows of a parameter as a table with these columns, in the order of each row's values.

    Each place of a statement that names a column takes it out of its row again, unless they are named often: then the
    table is made first.
    """
    value = _values(parameter).c.value
    members = (
        func.json_extract(value, f"$[{place}]", type_=kind).label(name)
        for place, (name, kind) in enumerate(columns.items())
    )
    rows = select(*members)
    return (rows.offset(0) if are_named_often else rows).subquery(
        "given"
    )  # an offset keeps it from being merged


def any_of(parameter: str) -> ScalarSelect[Any]:
    """Return the values of a parameter, for `column.in_(...)`: one place however many there are."""
    return select(_values(parameter).c.value).scalar_subquery()


def in_one_row(rows: Select[Any]) -> Select[Any]:
    """Return the statement that gives all rows as one JSON text; their order is for the reader to restore."""
    inner = rows.subquery("inner_rows")
    return select(func.json_group_array(func.json_array(*inner.c)))


def _values(parameter: str) -> TableValuedAlias:
    return func.json_each(bindparam(parameter, type_=WORD)).table_valued("value", name="parameter")

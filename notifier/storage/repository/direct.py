"""Hot statements go to the driver directly: for a few rows the layer between costs more than the database itself.

They are written with the layer's own words and compiled by it once. Values are the driver's own, numbers for instants
and text for words, and so are the rows that come back, their columns in the statement's order.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Delete, Dialect, Insert, Select, Update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.selectable import CompoundSelect

from notifier.storage.driver import Connection, Step

Statement = Insert | Update | Delete | Select[Any] | CompoundSelect[Any]
Values = Mapping[str, Any]


async def ask(connection: AsyncConnection, statement: Statement, values: Values) -> list[tuple[Any, ...]]:
    """Execute a statement and return its rows. Raises: what the layer would."""
    text, places, constants = _driver_form(statement, connection.dialect)
    try:
        return await _driver(connection).ask(text, _placed(places, constants, values))
    except sqlite3.Error as error:
        raise _as_the_layer_says(connection, error) from error


async def do(connection: AsyncConnection, *steps: tuple[Statement, Sequence[Values]]) -> int:
    """Execute each statement for each of its rows, all in one trip; return how many rows the last one changed.

    Raises: what the layer would.
    """
    forms = _driver_steps(connection, steps)
    if not forms:
        return 0
    try:
        return await _driver(connection).do(forms)
    except sqlite3.Error as error:
        raise _as_the_layer_says(connection, error) from error


def do_later(connection: AsyncConnection, *steps: tuple[Statement, Sequence[Values]]) -> None:
    """Do the same on the next trip, whatever it is for; what goes wrong is raised there."""
    _driver(connection).do_later(_driver_steps(connection, steps))


def _driver_steps(
    connection: AsyncConnection, steps: Iterable[tuple[Statement, Sequence[Values]]]
) -> list[Step]:
    return [
        (text, [_placed(places, constants, row) for row in rows])
        for statement, rows in steps
        if rows
        for text, places, constants in [_driver_form(statement, connection.dialect)]
    ]


@lru_cache(maxsize=64)
def _driver_form(statement: Statement, dialect: Dialect) -> tuple[str, tuple[str, ...], dict[str, Any]]:
    compiled = statement.compile(dialect=dialect)
    return compiled.string, tuple(getattr(compiled, "positiontup", None) or ()), dict(compiled.params)


def _placed(places: Sequence[str], constants: Values, values: Values) -> tuple[Any, ...]:
    return tuple([values[place] if place in values else constants[place] for place in places])


def _driver(connection: AsyncConnection) -> Connection:
    layer = connection.sync_connection
    assert layer is not None, "a transaction has begun"
    driver = layer.connection.driver_connection
    assert isinstance(driver, Connection), "made by `driver.opened`"
    return driver


def _as_the_layer_says(connection: AsyncConnection, error: sqlite3.Error) -> BaseException:
    return DBAPIError.instance(
        None, None, error, sqlite3.Error, hide_parameters=True, dialect=connection.dialect
    )

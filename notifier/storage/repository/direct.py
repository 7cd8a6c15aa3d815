"""Hot statements go to the driver directly: for a few rows the layer between costs more than the database itself.

They are written with the layer's own words and compiled by it once. Values are the driver's own, numbers for instants
and text for words, and so are the rows that come back, their columns in the statement's order.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Delete, Dialect, Insert, Select, Update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.selectable import CompoundSelect

from notifier.storage.driver import Connection

Statement = Insert | Update | Delete | Select[Any] | CompoundSelect[Any]
Values = Mapping[str, Any]


async def ask(connection: AsyncConnection, statement: Statement, values: Values) -> list[tuple[Any, ...]]:
    """Execute a statement and return its rows. Raises: what the layer would."""
    text, places, constants = _driver_form(statement, connection.dialect)
    try:
        return await _driver(connection).ask(text, _placed(places, constants, values))
    except sqlite3.Error as error:
        raise _as_the_layer_says(connection, error) from error


def put(connection: AsyncConnection, *steps: tuple[Statement, Sequence[Values]]) -> None:
    """Have each statement executed for each of its rows on the next trip, whatever that is for.

    What goes wrong is raised there, at the latest by the commit.
    """
    forms = ((*_driver_form(statement, connection.dialect), rows) for statement, rows in steps if rows)
    _driver(connection).put(
        [(text, [_placed(places, constants, row) for row in rows]) for text, places, constants, rows in forms]
    )


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

"""Every sealed value of a database, put under another master key."""

from typing import Any

from sqlalchemy import Column, ColumnElement, bindparam, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.storage.keyring import CHECK
from notifier.storage.tables import meta, subscriptions
from notifier.storage.vault import Vault

SEALED = (
    (subscriptions.c.id, subscriptions.c.secrets, true()),
    (meta.c.name, meta.c.value, meta.c.name == CHECK),
)
"""What names the row, what is sealed in it, and where; a new sealed column is not rotated unless it stands here."""

_STEP = 500


async def reseal(connection: AsyncConnection, *, old: Vault, new: Vault) -> int:
    """Seal everything anew and return how many values there are.

    Raises: StorageError when one does not open; the transaction is to be given up then.
    """
    return sum([await _resealed(connection, *each, old=old, new=new) for each in SEALED])


async def _resealed(
    connection: AsyncConnection,
    name: Column[Any],
    value: Column[Any],
    which: ColumnElement[bool],
    *,
    old: Vault,
    new: Vault,
) -> int:
    table = name.table.name
    wanted = (which, value.is_not(None), name > bindparam("after"))
    rows = select(name, value).where(*wanted).order_by(name).limit(_STEP)
    write = update(name.table).where(name == bindparam("of")).values({value.name: bindparam("sealed")})
    count, after = 0, ""
    while found := (await connection.execute(rows, {"after": after})).all():
        places = [f"{table}:{of}:{value.name}" for of, _ in found]
        clear = [old.unseal(sealed, place) for (_, sealed), place in zip(found, places, strict=True)]
        await connection.execute(
            write,
            [
                {"of": row[0], "sealed": new.seal(text, place)}
                for row, text, place in zip(found, clear, places, strict=True)
            ],
        )
        count, after = count + len(found), found[-1][0]
    return count

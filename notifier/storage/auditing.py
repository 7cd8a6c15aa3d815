"""The audit: nothing that was promised is missing, and nothing that is promised has been forgotten (interface 1)."""

from collections.abc import Collection
from datetime import datetime, timedelta

from notifier.storage.contract import Storage
from notifier.storage.records import Check, Finding

_GRACE = timedelta(seconds=300)
"""So late may be what is due before it is called overdue."""


async def audit(storage: Storage, *, accounts: Collection[str], at: datetime) -> list[Finding]:
    """Ask every check, each in a transaction of its own; return what is wrong.

    `at` is the instant to which things must have been done: now, or of a stopped daemon when it lived last.
    """
    found = []
    for check in Check:
        async with storage.reading() as tx:
            found.append(await tx.audit(check, accounts=accounts, overdue_before=at - _GRACE))
    return [finding for finding in found if finding is not None]

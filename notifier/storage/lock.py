"""One process at a time: a lock beside the database that names who holds it."""

import fcntl
import os
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from notifier.domain.instant import iso
from notifier.errors import StorageLocked


class RunLock:
    """An exclusive lock on `<database>.lock`; the system drops it when the process dies."""

    def __init__(self, database: Path, *, holder: str, now: datetime) -> None:
        """Take the lock.

        Raises: StorageLocked naming the holder's process, command and since when.
        """
        path = database.with_name(database.name + ".lock")
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            held_by = os.pread(self._handle, 1000, 0).decode(errors="replace").strip()
            os.close(self._handle)
            raise StorageLocked(
                f"{database} is in use by {held_by or 'another process'}; stop it first, or ask it over REST"
            ) from None
        self._say(f"process {os.getpid()} ({holder}) since {iso(now)}\n")

    def release(self) -> None:
        """Give the lock back; the file stays, because removing it would race with the next holder."""
        with suppress(OSError):
            self._say("")
        os.close(self._handle)

    def _say(self, text: str) -> None:
        os.ftruncate(self._handle, 0)
        os.pwrite(self._handle, text.encode(), 0)

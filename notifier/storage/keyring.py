"""Which master key opens a database, and how another takes its place.

Keys are given from outside, or lie in files beside the database. A rotation keeps both keys at hand from before the
database is sealed under the new one until after, so that at every instant one of those an opening tries fits.
"""

import base64
import os
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.config.secret import Secret
from notifier.errors import StorageError
from notifier.logs import get_logger
from notifier.storage.tables import meta
from notifier.storage.vault import KEY_BYTES, Vault, parse_master_key

_log = get_logger(__name__)

CHECK = "master_key_check"
"""The one row of `meta` that is sealed: its name."""

_CHECK_PLACE = f"meta:{CHECK}:value"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """How many values were sealed anew, 0 when they were under the key that was given already.

    Where a key lies in a file beside the database, that is it.
    """

    sealed: int
    key_file: Path | None
    old_key_file: Path | None


class Keyring:
    """The keys of one database.

    Without a present key from outside, `FILE.key` is it; `FILE.key.new` is there while a rotation is under way.
    """

    def __init__(self, database: Path, present: Secret | None, following: Secret | None) -> None:
        self._present = present
        self._following = following
        self._file = database.with_name(f"{database.name}.key")
        self._new_file = self._file.with_name(f"{self._file.name}.new")

    async def opened(self, connection: AsyncConnection) -> Vault:
        """Return the vault of a database, which remembers with a sealed word under which key it is.

        What a crash left of a rotation is brought to its end. Raises: StorageError when no key fits.
        """
        check = await connection.scalar(select(meta.c.value).where(meta.c.name == CHECK))
        if check is None:
            vault = Vault(self._first_key())
            row = {"name": CHECK, "value": vault.seal(b"open", _CHECK_PLACE)}
            await connection.execute(insert(meta), row)
            return vault
        vault = self._fitting(check)
        vault.unseal(check, _CHECK_PLACE)
        return vault

    def prepared(self) -> Vault:
        """Return the vault to seal anew with: under the following key, or one that is made and kept in a file.

        Raises: StorageError when the present key was given from outside and the following one was not.
        """
        if self._following is not None:
            return Vault(parse_master_key(self._following))
        if self._present is not None:
            raise StorageError("the present master key was given; give the one that takes its place, too")
        return Vault(self._made())

    def rotated(self, old: Vault, sealed: int) -> Rotation:
        """Let the new key take its place, and return where the keys lie."""
        if self._present is not None:
            return Rotation(sealed=sealed, key_file=None, old_key_file=None)
        if self._following is not None:
            return Rotation(sealed=sealed, key_file=None, old_key_file=self._file)
        self._settle()
        return Rotation(sealed=sealed, key_file=self._file, old_key_file=self._kept(old))

    def _first_key(self) -> bytes:
        key = parse_master_key(self._present) if self._present else _read(self._file)
        if key is None:
            key = self._made()
            self._settle()
            _log.warning(
                "vault.master_file_made",
                path=str(self._file),
                advice="keep it apart from backups, or set NOTIFIER_MASTER_KEY",
            )
        return key

    def _fitting(self, check: bytes) -> Vault:
        """Return the vault of a key under which the word is sealed, that of the present one when none is."""
        if self._following is not None:
            following = Vault(parse_master_key(self._following))
            if following.has_sealed(check):
                _log.warning(
                    "vault.next_key_in_use", advice="it was rotated: give this key as the present one now"
                )
                return following
        if self._present is not None:
            return Vault(parse_master_key(self._present))
        return self._of_files(check)

    def _of_files(self, check: bytes) -> Vault:
        new = self._new_key()
        if new is not None and new.has_sealed(check):
            self._settle()
            return new
        key = _read(self._file)
        if key is None:
            raise StorageError(
                f"the master key {self._file} is gone; put it back, or set NOTIFIER_MASTER_KEY"
            )
        return Vault(key)

    def _new_key(self) -> Vault | None:
        try:
            key = _read(self._new_file)
        except StorageError:
            return None  # Cut short while it was written, so nothing is sealed under it.
        return None if key is None else Vault(key)

    def _made(self) -> bytes:
        """Write a new key that only its owner may read, beside the one in use; it is on the disk on return."""
        key = os.urandom(KEY_BYTES)
        self._new_file.unlink(missing_ok=True)
        handle = os.open(self._new_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(base64.b64encode(key).decode() + "\n")
            file.flush()
            os.fsync(file.fileno())
        _sync(self._file.parent)
        return key

    def _settle(self) -> None:
        """Let the new file take the place of the old one, which stays under its id: older backups need it."""
        key = _read(self._file)
        if key is not None:
            self._file.rename(self._kept(Vault(key)))
        self._new_file.rename(self._file)
        _sync(self._file.parent)

    def _kept(self, old: Vault) -> Path:
        return self._file.with_name(f"{self._file.name}.{old.key_id}")


def _read(path: Path) -> bytes | None:
    """Return the key in the file, or None when there is no file.

    Raises: StorageError when it cannot be read or holds no key.
    """
    try:
        return parse_master_key(Secret(path.read_text(encoding="ascii")))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise StorageError(f"cannot read the master key in {path}: {type(error).__name__}") from error


def _sync(directory: Path) -> None:
    """Have the names in a directory outlive a power cut."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

"""Secrets at rest: AES-256-GCM under one master key, each value bound to its table, row and column."""

import base64
import binascii
import hashlib
import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from notifier.config.secret import Secret
from notifier.errors import StorageError
from notifier.logs import get_logger

_log = get_logger(__name__)

_KEY_BYTES = 32
_ID_BYTES = 4
_NONCE_BYTES = 12


class Vault:
    """Seal and unseal; what was moved to another row, changed or sealed under another key does not open."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)
        self._key_id = hashlib.sha256(b"key id:" + key).digest()[:_ID_BYTES]

    def seal(self, clear: bytes, place: str) -> bytes:
        """Return key id, nonce and sealed bytes; `place` is "table:row:column"."""
        nonce = os.urandom(_NONCE_BYTES)
        return self._key_id + nonce + self._cipher.encrypt(nonce, clear, place.encode())

    def unseal(self, sealed: bytes, place: str) -> bytes:
        """Return what was sealed at this place.

        Raises: StorageError when the key is another one, or the bytes are not those sealed here.
        """
        if sealed[:_ID_BYTES] != self._key_id:
            raise StorageError(
                f"{place} is sealed under another master key; give the key this database was made with"
            )
        nonce = sealed[_ID_BYTES : _ID_BYTES + _NONCE_BYTES]
        try:
            return self._cipher.decrypt(nonce, sealed[_ID_BYTES + _NONCE_BYTES :], place.encode())
        except InvalidTag:
            raise StorageError(f"{place} was changed outside of the notifier; restore a backup") from None


def parse_master_key(text: Secret) -> bytes:
    """Read 32 bytes from base64.

    Raises: StorageError.
    """
    try:
        key = base64.b64decode(text.reveal().strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != _KEY_BYTES:
        raise StorageError(
            "the master key is not 32 bytes in base64; make one with `openssl rand -base64 32`"
        )
    return key


def key_file_of(database: Path) -> Path:
    """Return where SQLite's own master key lies: beside the database."""
    return database.with_name(database.name + ".key")


def read_key_file(path: Path) -> bytes | None:
    """Return the key in the file, or None when there is no file.

    Raises: StorageError when it cannot be read or holds no key.
    """
    try:
        return parse_master_key(Secret(path.read_text(encoding="ascii")))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise StorageError(f"cannot read the master key in {path}: {type(error).__name__}") from error


def make_key_file(path: Path) -> bytes:
    """Write a new key that only its owner may read, and warn: who has the file can open the secrets."""
    key = os.urandom(_KEY_BYTES)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(base64.b64encode(key).decode() + "\n")
        file.flush()
        os.fsync(file.fileno())
    _log.warning(
        "vault.master_file_made",
        path=str(path),
        advice="keep it apart from backups, or set NOTIFIER_MASTER_KEY",
    )
    return key

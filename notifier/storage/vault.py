"""Secrets at rest: AES-256-GCM under one master key, each value bound to its table, row and column."""

import base64
import binascii
import hashlib
import hmac
import os
from functools import partial

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from notifier.config.secret import Secret
from notifier.errors import StorageError

KEY_BYTES = 32
_ID_BYTES = 4
_NONCE_BYTES = 12


class Vault:
    """Seal and unseal; what was moved to another row, changed or sealed under another key does not open."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)
        self._derive = partial(hmac.digest, key, digest="sha256")
        self._key_id = hashlib.sha256(b"key id:" + key).digest()[:_ID_BYTES]

    @property
    def key_id(self) -> str:
        """Eight hexadecimal digits that tell keys apart and give nothing away."""
        return self._key_id.hex()

    def derived(self, purpose: str) -> bytes:
        """Return 32 bytes that follow from the key and tell nothing of it: another key for another purpose."""
        return self._derive(f"derived:{purpose}".encode())

    def has_sealed(self, sealed: bytes) -> bool:
        """Return whether the bytes say that they are sealed under this key."""
        return sealed[:_ID_BYTES] == self._key_id

    def seal(self, clear: bytes, place: str) -> bytes:
        """Return key id, nonce and sealed bytes; `place` is "table:row:column"."""
        nonce = os.urandom(_NONCE_BYTES)
        return self._key_id + nonce + self._cipher.encrypt(nonce, clear, place.encode())

    def unseal(self, sealed: bytes, place: str) -> bytes:
        """Return what was sealed at this place.

        Raises: StorageError when the key is another one, or the bytes are not those sealed here.
        """
        if not self.has_sealed(sealed):
            raise StorageError(
                f"{place} is sealed under another master key ({sealed[:_ID_BYTES].hex()}, not {self.key_id});"
                " give the key this database was last used with"
            )
        nonce = sealed[_ID_BYTES : _ID_BYTES + _NONCE_BYTES]
        try:
            return self._cipher.decrypt(nonce, sealed[_ID_BYTES + _NONCE_BYTES :], place.encode())
        except (InvalidTag, ValueError):  # the latter of what is cut off within its nonce
            raise StorageError(f"{place} was changed outside of the notifier; restore a backup") from None


def parse_master_key(text: Secret) -> bytes:
    """Read 32 bytes from base64.

    Raises: StorageError.
    """
    try:
        key = base64.b64decode(text.reveal().strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise StorageError(
            "the master key is not 32 bytes in base64; make one with `openssl rand -base64 32`"
        )
    return key

"""Signatures after Standard Webhooks: a scheme's name and, for `v1`, the HMAC-SHA256 of id, time and body."""

import hmac
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from secrets import token_bytes
from typing import TYPE_CHECKING

import msgspec

from notifier.domain.instant import EPOCH, seconds
from notifier.errors import InvalidValue

if TYPE_CHECKING:
    from _hashlib import HASH

SCHEME = "v1"
"""HMAC-SHA256 under a secret of both sides. Receivers pass over entries of schemes that they do not know."""
PREFIX = "whsec_"
TOLERANCE_S = 300
"""A callback may be so old, or so far ahead, when it is verified."""

_NEW_BYTES = 32
_FEWEST_BYTES, _MOST_BYTES = 24, 64
_FARTHEST_S = 10**11
_BLOCK_BYTES = 64


def new_secret() -> str:
    """Return a fresh signing secret: `whsec_` and 32 random bytes in base64."""
    return PREFIX + b64encode(token_bytes(_NEW_BYTES)).decode()


def check_secret(text: str) -> None:
    """Accept a signing secret that a user brought along.

    Raises: InvalidValue naming `secret` when it is not `whsec_` and 24 to 64 bytes in base64.
    """
    try:
        length = len(b64decode(text.removeprefix(PREFIX), validate=True))
    except ValueError:
        length = 0
    if not text.startswith(PREFIX) or not _FEWEST_BYTES <= length <= _MOST_BYTES:
        rule = f"should be {PREFIX} and {_FEWEST_BYTES} to {_MOST_BYTES} bytes in base64"
        raise InvalidValue("secret", rule, "secret")


def sign(secrets: Iterable[str], *, event_id: str, at: datetime, body: bytes) -> str:
    """Return the header `webhook-signature`: one signature for each live secret, separated by spaces.

    Raises: ValueError for a secret that is not base64 or empty. Source: Standard Webhooks, "Signature scheme".
    """
    signed = f"{event_id}.{timestamp(at)}.".encode() + body
    return " ".join([_entry(secret, signed) for secret in secrets])


def _entry(secret: str, signed: bytes) -> str:
    """Return one signature after the name of its scheme; a secret of another scheme would begin otherwise."""
    inner, outer = [digest.copy() for digest in _keyed(secret)]
    inner.update(signed)
    outer.update(inner.digest())
    return f"{SCHEME},{b64encode(outer.digest()).decode()}"


@lru_cache(maxsize=1024)
def _keyed(secret: str) -> tuple["HASH", "HASH"]:
    """Return the two digests of HMAC once they have taken the key in, which costs as much as a body (RFC 2104)."""
    key = b64decode(secret.removeprefix(PREFIX))
    if not key:
        raise ValueError("a signing secret is empty")
    block = (sha256(key).digest() if len(key) > _BLOCK_BYTES else key).ljust(_BLOCK_BYTES, b"\0")
    return sha256(bytes(byte ^ 0x36 for byte in block)), sha256(bytes(byte ^ 0x5C for byte in block))


def timestamp(at: datetime) -> str:
    """Return the header `webhook-timestamp`: whole seconds since 1970."""
    return str(int(at.timestamp()))


def verify(secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: datetime) -> str | None:
    """Return why a received callback verifies with none of the secrets, or None when it does with one."""
    given = {name.lower(): value for name, value in headers.items()}
    for name in ("webhook-id", "webhook-timestamp", "webhook-signature"):
        if not given.get(name):
            return f"the header {name} is missing"
    sent_at = _instant(given["webhook-timestamp"])
    if sent_at is None:
        return "webhook-timestamp is not a number of seconds since 1970"
    entries = given["webhook-signature"].split()
    if not any(entry.startswith(f"{SCHEME},") for entry in entries):
        return f"webhook-signature holds no signature of scheme {SCHEME}, {_schemes(entries)}"

    def matches(content: bytes) -> bool:
        expected = sign(secrets, event_id=given["webhook-id"], at=sent_at, body=content).split()
        return any(hmac.compare_digest(own.encode(), each.encode()) for own in expected for each in entries)

    try:
        if not matches(body):
            return _mismatch(matches, given.get("content-length"), body)
    except ValueError:
        return f"a secret is not {PREFIX} and base64"
    return _untimely((now - sent_at).total_seconds())


def _schemes(entries: Sequence[str]) -> str:
    names = sorted({name for name, comma, _ in (each.partition(",") for each in entries) if comma})
    return f"only of {', '.join(names)}" if names else "and nothing that looks like one"


def _mismatch(matches: Callable[[bytes], bool], length: str | None, body: bytes) -> str:
    """Tell a body that was changed on its way from a wrong secret, as far as that can be told."""
    if length is not None and length != str(len(body)):
        return f"the body has {len(body)} bytes, but content-length says {length}: it is not whole, or was changed"
    if _is_rewritten(matches, body):
        return (
            "the secret is right, but the body was parsed and written anew: verify the bytes as they came,"
            " before anything reads them"
        )
    return (
        "no signature matches: it is another subscription's or an ended secret, or id, time or body are not byte for"
        " byte what was sent"
    )


def _is_rewritten(matches: Callable[[bytes], bool], body: bytes) -> bool:
    try:
        compact = msgspec.json.encode(msgspec.json.decode(body))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return False
    return matches(compact)


def _instant(text: str) -> datetime | None:
    is_number = text.isascii() and text.isdigit() and int(text[:12]) < _FARTHEST_S
    return EPOCH + seconds(int(text[:12])) if is_number else None


def _untimely(age_s: float) -> str | None:
    if abs(age_s) <= TOLERANCE_S:
        return None
    side = "old" if age_s > 0 else "ahead of this clock"
    return f"the signature is right, but {abs(age_s):.0f} s {side}; at most {TOLERANCE_S} s are allowed"

"""Signatures after Standard Webhooks: `v1,` and the HMAC-SHA256 of id, time and body."""

import hmac
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from secrets import token_bytes

from notifier.domain.instant import EPOCH, seconds
from notifier.errors import InvalidValue

PREFIX = "whsec_"
TOLERANCE_S = 300
"""A callback may be so old, or so far ahead, when it is verified."""

_NEW_BYTES = 32
_FEWEST_BYTES, _MOST_BYTES = 24, 64
_FARTHEST_S = 10**11


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


@lru_cache(maxsize=1024)
def _key(secret: str) -> bytes:
    return b64decode(secret.removeprefix(PREFIX))


def sign(secrets: Iterable[str], *, event_id: str, at: datetime, body: bytes) -> str:
    """Return the header `webhook-signature`: one signature for each live secret, separated by spaces.

    Raises: ValueError for a secret that is not base64 or empty. Source: Standard Webhooks, "Signature scheme".
    """
    signed = f"{event_id}.{timestamp(at)}.".encode() + body
    return " ".join(f"v1,{b64encode(_digest(_key(secret), signed)).decode()}" for secret in secrets)


def _digest(key: bytes, signed: bytes) -> bytes:
    if not key:
        raise ValueError("a signing secret is empty")
    return hmac.digest(key, signed, "sha256")


def timestamp(at: datetime) -> str:
    """Return the header `webhook-timestamp`: whole seconds since 1970."""
    return str(int(at.timestamp()))


def verify(secret: str, headers: Mapping[str, str], body: bytes, now: datetime) -> str | None:
    """Return why a received callback does not verify, or None when it does."""
    given = {name.lower(): value for name, value in headers.items()}
    for name in ("webhook-id", "webhook-timestamp", "webhook-signature"):
        if not given.get(name):
            return f"the header {name} is missing"
    sent_at = _instant(given["webhook-timestamp"])
    if sent_at is None:
        return "webhook-timestamp is not a number of seconds since 1970"
    signatures = [text[3:] for text in given["webhook-signature"].split() if text.startswith("v1,")]
    if not signatures:
        return "webhook-signature holds no signature of version v1"
    try:
        expected = sign([secret], event_id=given["webhook-id"], at=sent_at, body=body)[3:]
    except ValueError:
        return f"the secret is not {PREFIX} and base64"
    if not any(hmac.compare_digest(expected.encode(), each.encode()) for each in signatures):
        return "no signature matches: another secret, or id, time or body are not byte for byte what was sent"
    return _untimely((now - sent_at).total_seconds())


def _instant(text: str) -> datetime | None:
    is_number = text.isascii() and text.isdigit() and int(text[:12]) < _FARTHEST_S
    return EPOCH + seconds(int(text[:12])) if is_number else None


def _untimely(age_s: float) -> str | None:
    if abs(age_s) <= TOLERANCE_S:
        return None
    side = "old" if age_s > 0 else "ahead of this clock"
    return f"the signature is right, but {abs(age_s):.0f} s {side}; at most {TOLERANCE_S} s are allowed"

"""Whether a request came from Slack: its own signature over the body and the time.

Source: Slack's page on verifying requests, version v0.
"""

import hmac
from datetime import datetime
from hashlib import sha256

from notifier.config.secret import Secret

_TOLERANCE_S = 300
_LONGEST = 20


def is_genuine(body: bytes, *, timestamp: str, signature: str, secret: Secret, now: datetime) -> bool:
    """Return whether the signature is of this body and at most five minutes old, or ahead; in constant time."""
    if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > _LONGEST:
        return False
    if abs(now.timestamp() - int(timestamp)) > _TOLERANCE_S:
        return False
    expected = signed(body, timestamp=timestamp, secret=secret)
    return hmac.compare_digest(expected.encode(), signature.encode("utf-8", "surrogateescape"))


def signed(body: bytes, *, timestamp: str, secret: Secret) -> str:
    """Return the signature, `v0=...`."""
    text = b"v0:" + timestamp.encode() + b":" + body
    return "v0=" + hmac.new(secret.reveal().encode(), text, sha256).hexdigest()

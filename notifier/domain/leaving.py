"""The word in a link by which a recipient leaves: whose subscription it ends, and proof that we gave the link out."""

import hmac
from hashlib import sha256

from notifier.domain.subscription import SubscriptionId

PURPOSE = "unsubscribe"
"""What the key is derived for."""
_PROOF_DIGITS = 32


def token_of(key: bytes, subscription_id: SubscriptionId | str) -> str:
    """Return the subscription's id and 128 bits of HMAC-SHA256 over it: the same at any time under one key."""
    return f"{subscription_id}.{_proof(key, subscription_id)}"


def leaving_of(key: bytes, token: str) -> SubscriptionId | None:
    """Return whose token it is, None where nobody was given it."""
    subscription_id, _, proof = token.rpartition(".")
    is_ours = hmac.compare_digest(proof.encode(), _proof(key, subscription_id).encode())
    return SubscriptionId(subscription_id) if is_ours else None


def _proof(key: bytes, subscription_id: str) -> str:
    return hmac.digest(key, subscription_id.encode("utf-8", "surrogateescape"), sha256).hex()[:_PROOF_DIGITS]

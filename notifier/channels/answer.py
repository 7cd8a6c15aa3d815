"""What an HTTP answer means for a delivery."""

import re
from collections.abc import Iterable
from datetime import UTC
from email.utils import parsedate_to_datetime

from notifier.channels.egress import Reply
from notifier.clock import Clock
from notifier.domain.delivery import Outcome, Reason, Verdict

_SECONDS = re.compile(r"\d{1,9}")
_SHORTEST_SECRET = 4


def outcome_of(reply: Reply, clock: Clock) -> Outcome:
    """Return the outcome by status: 2xx accepts, 410 ends, everything else is tried again (interface 5)."""
    verdict, reason = _meaning(reply.status)
    return Outcome(
        verdict=verdict,
        reason=reason,
        http_status=reply.status,
        retry_after_s=retry_after_s(reply.retry_after, clock),
        answer=reply.body,
    )


def retry_after_s(text: str | None, clock: Clock) -> float | None:
    """Read `Retry-After` in both of its forms, seconds or a date; anything else is as if it was not there."""
    if text is None:
        return None
    if _SECONDS.fullmatch(text.strip()):
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - clock.now()).total_seconds())


def without(answer: bytes, secrets: Iterable[str]) -> bytes:
    """Return the answer with what we sent in confidence blotted out; some receivers echo requests.

    The last word of a secret is one, too (`Bearer TOKEN`), and the answer may break off in the midst of one.
    """
    for secret in secrets:
        for part in (secret, secret.rpartition(" ")[2]):
            if len(part) >= _SHORTEST_SECRET:
                answer = _blotted(answer, part.encode())
    return answer


def _blotted(answer: bytes, secret: bytes) -> bytes:
    answer = answer.replace(secret, b"***")
    begun = (n for n in range(len(secret) - 1, _SHORTEST_SECRET - 1, -1) if answer.endswith(secret[:n]))
    cut = next(begun, 0)
    return answer[:-cut] + b"***" if cut else answer


def _meaning(status: int) -> tuple[Verdict, Reason]:
    match status:
        case _ if 200 <= status <= 299:  # noqa: PLR2004 - a class of statuses
            return Verdict.ACCEPTED, Reason.ACCEPTED
        case 410:
            return Verdict.GONE, Reason.GONE
        case _ if 300 <= status <= 399:  # noqa: PLR2004 - a class of statuses
            return Verdict.RETRY, Reason.REDIRECT
        case 401 | 403:
            return Verdict.RETRY, Reason.UNAUTHORIZED
        case 429:
            return Verdict.RETRY, Reason.RATE_LIMITED
        case _:
            return Verdict.RETRY, Reason.HTTP_STATUS

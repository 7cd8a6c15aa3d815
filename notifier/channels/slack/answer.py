"""What Slack's words mean for a delivery. Webhooks answer in plain words, the API with 200 and JSON."""

import re

from notifier.channels.answer import outcome_of
from notifier.channels.egress import Reply
from notifier.clock import Clock
from notifier.domain.delivery import Outcome, Reason, Verdict

FORMATTING = frozenset(
    {"invalid_blocks", "invalid_blocks_format", "invalid_payload", "msg_too_long", "msg_blocks_too_long"}
)
"""Slack could not show the message as it was laid out."""

# The beginning of an answer is enough, so that a capped one still says what it says.
_OK = re.compile(rb'\s*\{\s*"ok"\s*:\s*true\b')
_ERROR = re.compile(rb'"error"\s*:\s*"([a-z_]{1,80})"')
_PLAIN = re.compile(rb"\s*([a-z_]{1,80})\s*")

# Source: Slack's pages on incoming webhooks and on chat.postMessage.
_MEANINGS = {
    **dict.fromkeys(
        ("no_service", "no_service_id", "no_active_hooks", "no_team", "team_disabled", "channel_is_archived",
         "is_archived"),
        (Verdict.GONE, Reason.GONE)),
    **dict.fromkeys(
        ("channel_not_found", "user_not_found", "no_text", *FORMATTING),
        (Verdict.REFUSED, Reason.REFUSED_BY_SERVICE)),
    **dict.fromkeys(  # an invitation or a setting over there heals these
        ("not_in_channel", "action_prohibited", "restricted_action", "posting_to_general_channel_denied",
         "invalid_token"),
        (Verdict.RETRY, Reason.UNAUTHORIZED)),
    **dict.fromkeys(
        ("ratelimited", "rate_limited", "message_limit_exceeded"), (Verdict.RETRY, Reason.RATE_LIMITED)),
    **dict.fromkeys(  # the bot token is the operator's, not the receiver's
        ("invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "missing_scope",
         "no_permission", "not_allowed_token_type", "ekm_access_denied"),
        (Verdict.OWN_FAULT, Reason.OWN_FAULT)),
}  # fmt: skip


def judged(reply: Reply, *, is_api: bool, clock: Clock) -> tuple[Outcome, str]:
    """Return the outcome, and Slack's word for what went wrong, if it gave one."""
    outcome = outcome_of(reply, clock)
    is_fine = outcome.verdict is Verdict.ACCEPTED
    if is_fine and (not is_api or _OK.match(reply.body)):
        return outcome, ""
    found = _ERROR.search(reply.body) if is_api else _PLAIN.fullmatch(reply.body)
    word = found[1].decode() if found else ""
    if word in _MEANINGS:
        verdict, reason = _MEANINGS[word]
        return outcome._replace(verdict=verdict, reason=reason), word
    if is_fine:
        reason = Reason.REFUSED_BY_SERVICE if word else Reason.ANSWER_UNREADABLE
        return outcome._replace(verdict=Verdict.RETRY, reason=reason), word
    return outcome, word

"""Calls of Slack: one request each, plainer ones where it dislikes the layout, all of an attempt within its time."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
from yarl import URL

from notifier.channels.answer import without
from notifier.channels.contract import Parcel
from notifier.channels.egress import Egress
from notifier.channels.slack.answer import FORMATTING, judged
from notifier.channels.slack.plainer import plainer
from notifier.clock import Clock
from notifier.config.told import Slack
from notifier.domain.delivery import Outcome, Reason, Verdict
from notifier.logs import get_logger

_log = get_logger(__name__)
JSON_HEADERS = {"Content-Type": "application/json; charset=utf-8"}
# The beginning of an answer is enough: message texts further on have their quotes escaped.
_TS = re.compile(rb'"ts"\s*:\s*"(\d{1,20}\.\d{1,10})"')
_CHANNEL = re.compile(rb'"channel"\s*:\s*"([A-Z0-9]{1,24})"')
_LATE = Outcome(verdict=Verdict.RETRY, reason=Reason.TIMEOUT)


class Said(NamedTuple):
    """What came of a call: Slack's word for what went wrong, and which message it was, as far as it says so."""

    outcome: Outcome
    word: str = ""
    channel: str = ""
    ts: str = ""

    @property
    def is_fine(self) -> bool:
        return self.outcome.verdict is Verdict.ACCEPTED


class Calls:
    """The calls of one attempt, which share its time."""

    def __init__(
        self, egress: Egress, clock: Clock, parcel: Parcel, *, config: Slack, timeout_s: float
    ) -> None:
        self._egress = egress
        self._clock = clock
        self._config = config
        self._ends_at = clock.monotonic() + timeout_s
        self._target = parcel.address.target.reveal()

    async def hook(self, message: Mapping[str, Any]) -> Said:
        """Post to the webhook that is the target."""
        return await self._say(self._target, dict(message), {}, URL(self._target).path)

    async def api(self, method: str, message: Mapping[str, Any]) -> Said:
        """Call a method as the bot."""
        token = self._config.bot_token.reveal() if self._config.bot_token else ""
        headers = {"Authorization": f"Bearer {token}"}
        return await self._say(f"{self._config.api_url}/{method}", dict(message), headers, token)

    async def _say(self, url: str, message: dict[str, Any], headers: Mapping[str, str], secret: str) -> Said:
        said = await self._post(url, message, headers, secret)
        while said.word in FORMATTING and (simpler := plainer(message)) is not None:
            message = simpler
            said = await self._post(url, message, headers, secret)
        return said

    async def _post(self, url: str, message: dict[str, Any], headers: Mapping[str, str], secret: str) -> Said:
        left_s = self._ends_at - self._clock.monotonic()
        if left_s <= 0:
            return Said(_LATE)
        body = msgspec.json.encode(message)
        reply = await self._egress.post(
            url, body=body, headers=JSON_HEADERS | dict(headers), timeout_s=left_s
        )
        if isinstance(reply, Outcome):
            return Said(reply)
        outcome, word = judged(reply, is_api=bool(headers), clock=self._clock)
        if outcome.verdict is Verdict.OWN_FAULT and word:
            _log.error("slack.bot_refused", word=word)
        channel, ts = _CHANNEL.search(reply.body), _TS.search(reply.body)
        return Said(
            outcome._replace(answer=without(outcome.answer, [secret])),
            word,
            channel[1].decode() if channel else "",
            ts[1].decode() if ts else "",
        )

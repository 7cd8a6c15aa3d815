"""Messages to Slack: by incoming webhook, or as a bot to a channel id.

The kit's own clients are left aside: they read answers of any length and follow redirects, even on a guarded
session. Its models check our blocks.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec
from yarl import URL

from notifier.channels.answer import without
from notifier.channels.context import context_of
from notifier.channels.contract import Parcel
from notifier.channels.egress import Egress
from notifier.channels.slack.answer import FORMATTING, judged
from notifier.channels.slack.message import fitted
from notifier.clock import Clock
from notifier.config.told import Slack
from notifier.domain.delivery import Outcome, Verdict
from notifier.errors import ChannelMisconfigured, InvalidValue, TemplateError
from notifier.logs import get_logger
from notifier.templating import Templates

_log = get_logger(__name__)
_HOSTS = frozenset({"hooks.slack.com", "hooks.slack-gov.com"})
_CHANNEL_ID = re.compile(r"[CDG][A-Z0-9]{5,20}")
_HEADERS = {"Content-Type": "application/json; charset=utf-8"}


class SlackChannel:
    """Posts one message an event. A webhook address is a secret; a channel id is not."""

    name = "slack"
    signs = False

    def __init__(
        self, templates: Templates, egress: Egress, clock: Clock, *, config: Slack, timeout_s: float
    ) -> None:
        self._templates = templates
        self._egress = egress
        self._clock = clock
        self._config = config
        self._timeout_s = timeout_s

    def check_target(self, target: str) -> None:
        if _is_url(target):
            self._check_webhook(target)
        elif not _CHANNEL_ID.fullmatch(target):
            raise InvalidValue(
                "target", "is neither a Slack webhook address nor a channel id such as C024BE91L"
            )
        elif self._config.bot_token is None:
            raise ChannelMisconfigured(
                "a channel id needs a bot; set bot_token_env or bot_token_file in [slack]"
            )

    def shown_target(self, target: str) -> str:
        return f"{URL(target).origin()}/***" if _is_url(target) else target

    def render(self, document: Mapping[str, Any], template: str | None) -> bytes:
        text = self._templates.render(
            self.name, template, event_type=document["type"], part="json", context=context_of(document)
        )
        try:
            return msgspec.json.encode(fitted(msgspec.json.decode(text)))
        except ValueError as error:
            name = f"{self.name}/{template or 'default'}.json.j2"
            raise TemplateError(f"{name} makes no message of {document['type']}: {error}") from None

    async def send(self, parcel: Parcel) -> Outcome:
        """Make one attempt; when Slack dislikes the layout, the text alone goes at once."""
        message = msgspec.json.decode(parcel.body)
        outcome, word = await self._post(parcel, message)
        if word in FORMATTING and message.pop("blocks", None):
            outcome, word = await self._post(parcel, message)
        if outcome.verdict is Verdict.OWN_FAULT and word:
            _log.error("slack.bot_refused", word=word)
        return outcome

    async def close(self) -> None:
        await self._egress.close()

    async def _post(self, parcel: Parcel, message: dict[str, Any]) -> tuple[Outcome, str]:
        target, url, headers, secret = parcel.address.target.reveal(), "", _HEADERS, ""
        is_api = not _is_url(target)
        if is_api:
            secret = self._config.bot_token.reveal() if self._config.bot_token else ""
            url = f"{self._config.api_url}/chat.postMessage"
            headers, message = headers | {"Authorization": f"Bearer {secret}"}, {"channel": target} | message
        else:
            url, secret = target, URL(target).path
        body = msgspec.json.encode(message)
        reply = await self._egress.post(url, body=body, headers=headers, timeout_s=self._timeout_s)
        if isinstance(reply, Outcome):
            return reply, ""
        outcome, word = judged(reply, is_api=is_api, now=self._clock.now())
        return replace(outcome, answer=without(outcome.answer, [secret])), word

    def _check_webhook(self, target: str) -> None:
        self._egress.check_url(target)
        if URL(target).host not in _HOSTS and not self._egress.is_admitted_specially(target):
            hosts = "hooks.slack.com; name another host in [delivery] allowed_targets"
            raise InvalidValue("target", f"should be an address at {hosts}", "host")


def _is_url(target: str) -> bool:
    return ":" in target

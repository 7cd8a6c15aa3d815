"""Messages to Slack: by incoming webhook, or as a bot to a channel id.

The kit's own clients are left aside: they read answers of any length and follow redirects, even on a guarded
session. Its models check our blocks.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from yarl import URL

from notifier.channels.context import context_of
from notifier.channels.contract import Parcel
from notifier.channels.egress import Egress
from notifier.channels.folded import TEMPLATE, context_of_fold, entries_in, entry_of
from notifier.channels.slack.calls import JSON_HEADERS, Calls
from notifier.channels.slack.limits import MOST_TEXT, cut, fitted
from notifier.channels.slack.living import News, tell
from notifier.clock import Clock
from notifier.config.told import Slack
from notifier.domain.delivery import Outcome, Reason, Verdict
from notifier.domain.snapshot import Subject
from notifier.errors import ChannelMisconfigured, InvalidValue, TemplateError
from notifier.templating import Templates, slack

_HOSTS = frozenset({"hooks.slack.com", "hooks.slack-gov.com"})
_CLICK_S = 2.0  # of the three seconds that Slack waits
_CHANNEL_ID = re.compile(r"[CDG][A-Z0-9]{5,20}")


class SlackChannel:
    """Posts one message an event, and of an incident one that lives. A webhook address is a secret."""

    name = "slack"
    signs = False
    converses_about = frozenset({Subject.INCIDENT})

    def __init__(
        self,
        templates: Templates,
        egress: Egress,
        clock: Clock,
        *,
        config: Slack,
        timeout_s: float,
        public_url: str = "",
    ) -> None:
        self._templates = templates
        self._egress = egress
        self._clock = clock
        self._config = config
        self._timeout_s = timeout_s
        self._public_url = public_url

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
        """Return the message as JSON, with what is not for Slack: `news` of an incident, `entry` of an order."""
        context = context_of(document, public_url=self._public_url)
        context["has_buttons"] = self._config.signing_secret is not None
        text = self._templates.render(
            self.name, template, event_type=document["type"], part="json", context=context
        )
        message = self._message(text, template or "default")
        reply = message.pop("reply", None)
        if words := context["incident"]:
            told = reply if isinstance(reply, str) else slack(words["reply"])
            message["news"] = News(
                sequence=document["data"]["sequence"],
                reply=cut(told, MOST_TEXT) if words["reply"] else "",
                wakes=words["wakes"],
            )
        elif context["data"]["order_id"] is not None:
            message["entry"] = entry_of(context, public_url=self._public_url)
        return msgspec.json.encode(message)

    def fold(self, bodies: Sequence[bytes]) -> bytes:
        context = context_of_fold(entries_in(bodies))
        text = self._templates.render(self.name, TEMPLATE, event_type=TEMPLATE, part="json", context=context)
        return msgspec.json.encode(self._message(text, TEMPLATE))

    def _message(self, text: str, template: str) -> dict[str, Any]:
        try:
            return fitted(msgspec.json.decode(text))
        except ValueError as error:
            raise TemplateError(f"{self.name}/{template}.json.j2 makes no message: {error}") from None

    async def send(self, parcel: Parcel) -> Outcome:
        """Make one attempt; when Slack dislikes the layout, plainer ones go at once."""
        message = msgspec.json.decode(parcel.body)
        message.pop("entry", None)
        news = message.pop("news", None)
        calls = Calls(self._egress, self._clock, parcel, config=self._config, timeout_s=self._timeout_s)
        target = parcel.address.target.reveal()
        if _is_url(target):
            if news and not news["reply"]:
                # Nothing that was said by a webhook can be edited.
                return Outcome(verdict=Verdict.OUTDATED, reason=Reason.NEWER_STATE)
            outcome = (await calls.hook(_without_dead_buttons(message))).outcome
        elif news:
            outcome = await tell(calls, parcel, message, msgspec.convert(news, News))
        else:
            outcome = (await calls.api("chat.postMessage", {"channel": target} | message)).outcome
        return outcome

    async def answer(self, url: str, text: str) -> None:
        """Answer who clicked on a button, at the address that the click named; nowhere but at Slack's own."""
        try:
            self._check_webhook(url)
        except InvalidValue:
            return
        body = msgspec.json.encode(
            {"text": slack(text), "response_type": "ephemeral", "replace_original": False}
        )
        await self._egress.post(url, body=body, headers=JSON_HEADERS, timeout_s=_CLICK_S)

    async def close(self) -> None:
        await self._egress.close()

    def _check_webhook(self, target: str) -> None:
        self._egress.check_url(target)
        if URL(target).host not in _HOSTS and not self._egress.is_admitted_specially(target):
            hosts = "hooks.slack.com; name another host in [delivery] allowed_targets"
            raise InvalidValue("target", f"should be an address at {hosts}", "host")


def _without_dead_buttons(message: dict[str, Any]) -> dict[str, Any]:
    """Leave out the buttons that ask for an answer: a webhook has no way back."""
    blocks = [
        {**block, "elements": [each for each in block["elements"] if "url" in each]}
        if block["type"] == "actions"
        else block
        for block in message.get("blocks", ())
    ]
    alive = [block for block in blocks if block["type"] != "actions" or block["elements"]]
    return {**message, "blocks": alive} if blocks else message


def _is_url(target: str) -> bool:
    return ":" in target

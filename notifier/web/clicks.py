"""Clicks on the buttons of our Slack messages: Acknowledge, and Silence until it ends.

Slack waits three seconds for a 200. What came of the click is told to whoever clicked, at the address
that it names.
"""

import re
from typing import Protocol, runtime_checkable
from urllib.parse import parse_qs

import msgspec
from aiohttp import web
from msgspec import Struct

from notifier.errors import Conflict, NotFound
from notifier.logs import get_logger
from notifier.web.incidents import hush, take_care
from notifier.web.routing import Answer, Call
from notifier.web.slack_signature import is_genuine

_USER = re.compile(r"[UW][A-Z0-9]{5,20}")
_LONGEST_NAME = 80
_FOR_SLACK = "this is for Slack alone; see signing_secret_env in [slack]"
_CHALLENGE = {"WWW-Authenticate": "Slack-Signature"}
_ACKNOWLEDGE, _SILENCE = "acknowledge", "silence"

log = get_logger(__name__)


@runtime_checkable
class Answering(Protocol):
    """A channel that can answer who clicked."""

    async def answer(self, url: str, text: str) -> None:
        """Say something to one person alone, as far as it can be said in time."""


class _User(Struct):
    id: str
    name: str = ""

    @property
    def shown(self) -> str:
        """The name that people know, and the id that stays."""
        return f"{self.name[:_LONGEST_NAME]} ({self.id})" if self.name else self.id


class _Action(Struct):
    action_id: str
    value: str = ""


class _Payload(Struct):
    type: str
    user: _User
    actions: list[_Action] = []
    response_url: str = ""


_READ = msgspec.json.Decoder(_Payload)


async def receive(call: Call) -> Answer:
    """Do what a click asks for.

    Raises: HTTPUnauthorized for a request that Slack did not sign, or where no signing secret is set.
    """
    body = await call.request.read()
    secret = call.services.config.slack.signing_secret
    headers = call.request.headers
    if secret is None or not is_genuine(
        body,
        timestamp=headers.get("X-Slack-Request-Timestamp", ""),
        signature=headers.get("X-Slack-Signature", ""),
        secret=secret,
        now=call.services.clock.now(),
    ):
        raise web.HTTPUnauthorized(text=_FOR_SLACK, headers=_CHALLENGE)
    payload = _payload(body)
    for action in payload.actions:
        text = await _done(call, action, payload.user.shown)
        channel = call.services.channels.get("slack")
        if text and isinstance(channel, Answering):
            await channel.answer(payload.response_url, text)
    return Answer()


def _payload(body: bytes) -> _Payload:
    """Return what was clicked and by whom.

    Raises: HTTPBadRequest.
    """
    try:
        payload = _READ.decode(parse_qs(body.decode(), max_num_fields=8)["payload"][0])
    except (ValueError, KeyError):
        raise web.HTTPBadRequest(text="send the form that Slack sends") from None
    if not _USER.fullmatch(payload.user.id):
        raise web.HTTPBadRequest(text="this is no id of a user")
    return payload


async def _done(call: Call, action: _Action, user: str) -> str:
    """Return what is to be said of a click; nothing of one that only opened a page."""
    if action.action_id not in {_ACKNOWLEDGE, _SILENCE}:
        return ""
    account, _, incident_id = action.value.partition("/")
    if account not in call.services.accounts:
        return f"Nothing was done: there is no account {account!r}."
    log.info("slack.clicked", action=action.action_id, incident=incident_id)
    try:
        async with call.services.storage.writing() as tx:
            if action.action_id == _ACKNOWLEDGE:
                await take_care(call, tx, account, incident_id, by=user)
                return "Acknowledged."
            await hush(call, tx, account, incident_id, by=user)
            return "Silenced until it ends or grows."
    except (NotFound, Conflict) as error:
        return f"Nothing was done: {error}."

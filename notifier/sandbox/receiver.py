"""A receiver of callbacks to test against: verifies, keeps, and fails on request; also a stand-in for Slack."""

import asyncio
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from aiohttp import web
from standardwebhooks import Webhook

from notifier.clock import Clock
from notifier.sandbox.inbox import Inbox

_TOLERANCE = timedelta(minutes=5)
_DRIP_S = 0.1


class Misconduct(StrEnum):
    """How a receiver can fail: answer a status, say nothing, point elsewhere, or never finish its answer."""

    STATUS = "status"
    HANG = "hang"
    REDIRECT = "redirect"
    DRIP = "drip"


@dataclass(slots=True, kw_only=True)
class Failure:
    """One failure to play: for how many requests (None: until cleared), on which path (None: any)."""

    kind: Misconduct = Misconduct.STATUS
    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    count: int | None = 1
    path: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One callback; header names are lower case, `verified` is False too when no secret is known."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    event_id: str | None
    event_type: str | None
    verified: bool
    received_at: datetime

    def json(self) -> Any:
        """Return the body read as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackMessage:
    """One message for Slack; `token` is None on an incoming webhook."""

    path: str
    token: str | None
    payload: Mapping[str, Any]
    received_at: datetime


class Receiver:
    """Callbacks on any path, `/slack/services/…` and `/slack/api/chat.postMessage` and `chat.update` as Slack has them.

    `secret` verifies every path that has none of its own in `secrets`; both may be set at any time.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        secret: str | None = None,
        slack_token: str = "xoxb-sandbox",  # noqa: S107 - opens nothing but this stand-in
        keep: int = 1000,
    ) -> None:
        self.secret = secret
        self.secrets: dict[str, str] = {}
        self.slack_token = slack_token
        self.callbacks: Inbox[Received] = Inbox(keep=keep)
        self.slack: Inbox[SlackMessage] = Inbox(keep=keep)
        self._clock = clock
        self._failures: list[Failure] = []
        self._closing = asyncio.Event()
        self._posted = 0

    def fail(self, failure: Failure) -> None:
        """Play the failure on the requests to come; earlier failures are played out first."""
        self._failures.append(failure)

    def recover(self) -> None:
        """Play no more failures."""
        self._failures.clear()

    async def wait_for(self, predicate: Callable[[Received], bool], timeout_s: float) -> Received:
        """Return the oldest callback that fits, waiting for it; raises TimeoutError."""
        return await self.callbacks.wait_for(predicate, timeout_s)

    def application(self) -> web.Application:
        """Return the receiver as an application; one application a receiver."""
        app = web.Application()
        app.add_routes(
            [
                web.post("/slack/services/{tail:.+}", self._slack_webhook),
                web.post("/slack/api/chat.postMessage", self._slack_method),
                web.post("/slack/api/chat.update", self._slack_method),
                web.post("/{tail:.*}", self._callback),
            ]
        )
        app.on_shutdown.append(self._close)
        return app

    async def _close(self, _app: web.Application) -> None:
        self._closing.set()

    async def _callback(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.callbacks.put(
            Received(
                path=request.path,
                headers=headers,
                body=body,
                event_id=headers.get("webhook-id"),
                event_type=_event_type(body),
                verified=self._is_signed(request.path, headers, body),
                received_at=self._clock.now(),
            )
        )
        return await self._misconduct(request) or web.Response(status=204)

    async def _slack_webhook(self, request: web.Request) -> web.StreamResponse:
        payload = _object(await request.read())
        if payload is None:
            return web.Response(status=400, text="invalid_payload")
        self._keep_slack(request, payload, token=None)
        return await self._misconduct(request) or web.Response(text="ok")

    async def _slack_method(self, request: web.Request) -> web.StreamResponse:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token != self.slack_token:
            return web.json_response({"ok": False, "error": "invalid_auth" if token else "not_authed"})
        is_json = request.content_type == "application/json"
        payload = _object(await request.read()) if is_json else dict(await request.post())
        if not payload or not payload.get("channel"):
            return web.json_response({"ok": False, "error": "channel_not_found"})
        self._keep_slack(request, payload, token=token)
        if (failure := await self._misconduct(request)) is not None:
            return failure
        self._posted += 1
        ts = payload.get("ts") or f"{self._clock.now().timestamp():.0f}.{self._posted:06d}"
        return web.json_response({"ok": True, "channel": payload["channel"], "ts": ts, "message": payload})

    def _keep_slack(self, request: web.Request, payload: Mapping[str, Any], *, token: str | None) -> None:
        now = self._clock.now()
        self.slack.put(SlackMessage(path=request.path, token=token, payload=payload, received_at=now))

    def _is_signed(self, path: str, headers: Mapping[str, str], body: bytes) -> bool:
        """Verify by the library's signer, but with our own clock, which tests move."""
        secret = self.secrets.get(path, self.secret)
        if secret is None:
            return False
        try:
            signed_at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
            expected = Webhook(secret).sign(headers["webhook-id"], signed_at, body.decode())
            signatures = headers["webhook-signature"].split(" ")
        except (KeyError, ValueError, OverflowError):
            return False
        is_recent = abs(self._clock.now() - signed_at) <= _TOLERANCE
        return is_recent and expected in signatures

    async def _misconduct(self, request: web.Request) -> web.StreamResponse | None:
        failure = next((failure for failure in self._failures if failure.path in {None, request.path}), None)
        if failure is None:
            return None
        if failure.count is not None:
            failure.count -= 1
            if failure.count <= 0:
                self._failures.remove(failure)
        match failure.kind:
            case Misconduct.STATUS:
                return web.Response(status=failure.status, headers=failure.headers)
            case Misconduct.REDIRECT:
                return web.Response(status=302, headers={"Location": "/elsewhere", **failure.headers})
            case Misconduct.HANG:
                await self._closing.wait()
                return web.Response(status=503)
            case Misconduct.DRIP:
                return await self._drip(request)

    async def _drip(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        # Whoever waits for the end hangs up sooner or later: that is what this failure is for.
        with suppress(ConnectionResetError):
            while not await self._clock.wait(self._closing, _DRIP_S):
                await response.write(b".")
        return response


def _event_type(body: bytes) -> str | None:
    payload = _object(body)
    word = None if payload is None else payload.get("type")
    return word if isinstance(word, str) else None


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(body)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None

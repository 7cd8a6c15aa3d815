"""A Slack on loopback: it keeps messages, edits and threads, refuses what breaks its limits, fails as told."""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web

from notifier.channels.slack.limits import violations


@dataclass
class Message:
    channel: str
    ts: str
    payload: dict[str, Any]
    edits: int = 0
    thread: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class FakeSlack:
    """`next_answers` are given first, in order: a word of an error, a status, or one of the behaviours below."""

    messages: dict[str, Message] = field(default_factory=dict)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    next_answers: deque[str | int] = field(default_factory=deque)
    dislikes: set[str] = field(default_factory=set)
    """Kinds of blocks for which it answers `invalid_blocks`."""
    released: asyncio.Event = field(default_factory=asyncio.Event)

    SLOW = "slow"
    """It does what it is asked and never answers."""

    async def start(self) -> None:
        runner = web.ServerRunner(web.Server(self._handle), shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self._runner = runner
        self.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}/api"

    async def stop(self) -> None:
        self.released.set()
        await self._runner.cleanup()

    @property
    def posted(self) -> list[Message]:
        return list(self.messages.values())

    def methods(self) -> list[str]:
        return [method for method, _ in self.calls]

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        method = request.path.rpartition("/")[2]
        payload = msgspec.json.decode(await request.read())
        self.calls.append((method, payload))
        trouble = self.next_answers.popleft() if self.next_answers else ""
        if trouble == 429:
            return web.Response(
                status=429, text='{"ok":false,"error":"ratelimited"}', headers={"Retry-After": "7"}
            )
        if isinstance(trouble, int):
            return web.Response(status=trouble)
        if trouble and trouble != self.SLOW:
            return web.json_response({"ok": False, "error": trouble})
        answer = self._post(payload) if method == "chat.postMessage" else self._update(payload)
        if trouble == self.SLOW:
            await self.released.wait()
        return web.json_response(answer)

    def _post(self, payload: dict[str, Any]) -> dict[str, Any]:
        if wrong := self._refusal(payload):
            return wrong
        ts = f"1700000000.{len(self.calls):06d}"
        if "thread_ts" in payload:
            parent = self.messages.get(payload["thread_ts"])
            if parent is None:
                return {"ok": False, "error": "message_not_found"}
            parent.thread.append(payload)
        else:
            self.messages[ts] = Message(channel=payload["channel"], ts=ts, payload=payload)
        return {"ok": True, "channel": payload["channel"], "ts": ts, "message": {"text": payload["text"]}}

    def _update(self, payload: dict[str, Any]) -> dict[str, Any]:
        message = self.messages.get(payload["ts"])
        if message is None or message.channel != payload["channel"]:
            return {"ok": False, "error": "message_not_found"}
        if wrong := self._refusal(payload):
            return wrong
        # As Slack does: what an edit does not name stays as it was.
        message.payload, message.edits = message.payload | payload, message.edits + 1
        return {"ok": True, "channel": message.channel, "ts": message.ts, "text": payload["text"]}

    def _refusal(self, payload: dict[str, Any]) -> dict[str, Any] | None:
        kinds = {block["type"] for block in payload.get("blocks", ())}
        if kinds & self.dislikes or violations(payload):
            return {"ok": False, "error": "invalid_blocks"}
        return None

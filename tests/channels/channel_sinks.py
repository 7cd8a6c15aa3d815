"""Receivers on loopback that keep what they get and answer as they are told."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from weakref import WeakSet

from aiohttp import web
from aiosmtpd.smtp import SMTP

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Got:
    path: str
    headers: dict[str, str]
    body: bytes
    peer_port: int


def answers(status: int = 200, text: str = "ok", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    async def answer(request):
        return web.Response(status=status, text=text, headers=named)

    return answer


class HttpSink:
    def __init__(self) -> None:
        self.got: list[Got] = []
        self.answer: Answer = answers()
        self.released = asyncio.Event()

    async def start(self) -> None:
        runner = web.ServerRunner(web.Server(self._handle), shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self._runner = runner
        self.port = site._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/hook"

    async def stop(self) -> None:
        self.released.set()
        await self._runner.cleanup()

    async def _handle(self, request):
        headers = {name.lower(): value for name, value in request.headers.items()}
        peer_port = request.transport.get_extra_info("peername")[1]
        self.got.append(Got(request.path_qs, headers, await request.read(), peer_port))
        return await self.answer(request)

    async def silent(self, request):
        await self.released.wait()
        return web.Response()

    async def endless(self, request):
        response = web.StreamResponse()
        await response.prepare(request)
        while not self.released.is_set():
            try:
                await response.write(b"x" * 65_536)
            except ConnectionError:
                break
        return response

    async def dripping(self, request):
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"taken")
        await self.released.wait()
        return response


class MailSink:
    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.raw: list[bytes] = []
        self.recipients: list[list[str]] = []
        self.rcpt_reply = "250 OK"
        self.data_reply = "250 kept"
        self.is_silent = False
        self._sessions = WeakSet()

    async def start(self, **options) -> None:
        loop = asyncio.get_running_loop()

        def session():
            made = SMTP(self, hostname="mail.test", loop=loop, **options)
            self._sessions.add(made)
            return made

        self._server = await loop.create_server(session, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self._server.close()
        handlers = [each._handler_coroutine for each in self._sessions if each._handler_coroutine]
        for each in handlers:
            each.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)
        for each in self._sessions:
            if each.transport is not None:
                each.transport.close()
        await self._server.wait_closed()

    async def handle_RCPT(self, _server, _session, envelope, address, _options):  # noqa: N802
        if self.is_silent:
            await asyncio.Event().wait()
        if self.rcpt_reply.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.rcpt_reply

    async def handle_DATA(self, _server, _session, envelope):  # noqa: N802
        if self.data_reply.startswith("250"):
            self.raw.append(envelope.content)
            self.recipients.append(list(envelope.rcpt_tos))
            self.mails.append(message_from_bytes(envelope.content, EmailMessage, policy=SMTP_POLICY))
        return self.data_reply

"""A mail server on loopback that keeps what it is sent, and refuses recipients on request."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from typing import Any
from weakref import WeakSet

from aiosmtpd.smtp import SMTP, Envelope

from notifier.clock import Clock
from notifier.sandbox.inbox import Inbox

_HOSTNAME = "mailbox.sandbox.example"
_MOST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One message as it came in."""

    sender: str
    recipients: tuple[str, ...]
    message: EmailMessage
    raw: bytes
    received_at: datetime


@dataclass(slots=True, kw_only=True)
class _Refusal:
    reply: str
    count: int | None


class Mailbox:
    """Speaks SMTP on the running loop; `mails` are the latest messages, oldest first."""

    def __init__(self, clock: Clock, *, keep: int = 1000) -> None:
        self.mails: Inbox[Mail] = Inbox(keep=keep)
        self._clock = clock
        self._refusals: dict[str, _Refusal] = {}
        self._server: asyncio.Server | None = None
        self._sessions: WeakSet[Any] = WeakSet()

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen, and return the port."""
        self._server = await asyncio.get_running_loop().create_server(self._session, host, port)
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def stop(self) -> None:
        """Stop listening and hang up on everybody."""
        if self._server is None:
            return
        self._server.close()
        handlers = [session._handler_coroutine for session in self._sessions]  # noqa: SLF001 - no public way
        for session in self._sessions:
            if session.transport is not None:
                session.transport.close()
        await asyncio.gather(*filter(None, handlers), return_exceptions=True)
        await self._server.wait_closed()

    def refuse(self, recipient: str, code: int, *, text: str = "refused", count: int | None = None) -> None:
        """Refuse the recipient with an SMTP code, so many times (None: until accepted again)."""
        self._refusals[recipient.lower()] = _Refusal(reply=f"{code} {text}", count=count)

    def accept(self, recipient: str) -> None:
        """Take mail for the recipient again."""
        self._refusals.pop(recipient.lower(), None)

    async def wait_for(self, predicate: Callable[[Mail], bool], timeout_s: float) -> Mail:
        """Return the oldest mail that fits, waiting for it; raises TimeoutError."""
        return await self.mails.wait_for(predicate, timeout_s)

    def _session(self) -> Any:
        session = SMTP(
            self,
            hostname=_HOSTNAME,
            data_size_limit=_MOST_BYTES,
            enable_SMTPUTF8=True,
            loop=asyncio.get_running_loop(),
        )
        self._sessions.add(session)
        return session

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: Any, _session: Any, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        refusal = self._refusals.get(address.lower())
        if refusal is None:
            envelope.rcpt_tos.append(address)
            return "250 OK"
        if refusal.count is not None:
            refusal.count -= 1
            if refusal.count <= 0:
                self.accept(address)
        return refusal.reply

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:  # noqa: N802
        raw = envelope.content
        assert isinstance(raw, bytes)  # the server does not decode
        mail = Mail(
            sender=envelope.mail_from or "",
            recipients=tuple(envelope.rcpt_tos),
            message=message_from_bytes(raw, EmailMessage, policy=SMTP_POLICY),
            raw=raw,
            received_at=self._clock.now(),
        )
        self.mails.put(mail)
        return "250 kept"

"""Mails by SMTP, one recipient each."""

import asyncio
import re
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from email.message import EmailMessage
from typing import Any

import aiosmtplib
import msgspec

from notifier.channels.context import context_of
from notifier.channels.contract import Parcel
from notifier.channels.email.answer import outcome_of
from notifier.channels.email.message import domain_of, mail_of
from notifier.channels.folded import TEMPLATE, context_of_fold, entries_in, entry_of
from notifier.config.told import Email
from notifier.domain.delivery import Outcome, Reason, Verdict
from notifier.domain.leaving import token_of
from notifier.domain.snapshot import Subject
from notifier.errors import ChannelMisconfigured, InvalidValue
from notifier.logs import get_logger
from notifier.templating import Templates, header

_log = get_logger(__name__)
_LONGEST_SUBJECT = 200
_LONGEST_ADDRESS = 254
_GOODBYE_S = 2.0
_NO_TALK = frozenset({Reason.CONNECTION, Reason.TIMEOUT, Reason.TLS})
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"
# One bare address in ASCII; no quoting, no comments, no display name: nothing that could grow a second header.
_ADDRESS = re.compile(
    rf"[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~-]+)*@{_LABEL}(\.{_LABEL})*"
)


class EmailChannel:
    """Sends one mail an event, in text and HTML, threaded by order or incident."""

    name = "email"
    signs = False
    converses_about: frozenset[Subject] = frozenset()

    def __init__(
        self,
        templates: Templates,
        *,
        config: Email,
        tls_context: ssl.SSLContext | None = None,
        public_url: str = "",
        link_key: bytes = b"",
    ) -> None:
        self._templates = templates
        self._public_url = public_url
        self._link_key = link_key
        self._config = config
        self._tls_context = tls_context

    def check_target(self, target: str) -> None:
        if not self._config.host or not self._config.sender:
            raise ChannelMisconfigured("there is no mail server; set host and from in [email]")
        if len(target) > _LONGEST_ADDRESS or not _ADDRESS.fullmatch(target):
            raise InvalidValue("target", "should be one bare address such as jane@example.com", "address")

    def shown_target(self, target: str) -> str:
        return target

    def render(self, document: Mapping[str, Any], template: str | None) -> bytes:
        context = context_of(document, public_url=self._public_url)

        def part(name: str) -> str:
            return self._templates.render(
                self.name, template, event_type=document["type"], part=name, context=context
            )

        subject = header(part("subject.txt"))[:_LONGEST_SUBJECT]
        mail = {"subject": subject, "text": part("body.txt"), "html": part("body.html")}
        if incident := context["incident"]:
            return msgspec.json.encode(mail | {"thread": f"incident {incident['id']}"})
        if context["data"]["order_id"] is not None:
            return msgspec.json.encode(mail | {"entry": entry_of(context, public_url=self._public_url)})
        return msgspec.json.encode(mail)

    def fold(self, bodies: Sequence[bytes]) -> bytes:
        context = context_of_fold(entries_in(bodies))

        def part(name: str) -> str:
            return self._templates.render(
                self.name, TEMPLATE, event_type=TEMPLATE, part=name, context=context
            )

        subjects = {msgspec.json.decode(body)["subject"] for body in bodies}
        subject = subjects.pop() if len(subjects) == 1 else header(part("subject.txt"))[:_LONGEST_SUBJECT]
        folded = {"subject": subject, "text": part("body.txt"), "html": part("body.html")}
        return msgspec.json.encode(folded)

    async def send(self, parcel: Parcel) -> Outcome:
        target = parcel.address.target.reveal()
        try:
            self.check_target(target)
        except ChannelMisconfigured:
            return Outcome(verdict=Verdict.OWN_FAULT, reason=Reason.OWN_FAULT)
        except InvalidValue:
            return Outcome(verdict=Verdict.REFUSED, reason=Reason.TARGET_FORBIDDEN)
        sender = str(self._config.sender)
        mail = mail_of(
            parcel,
            msgspec.json.decode(parcel.body),
            sender=sender,
            recipient=target,
            leave_url=self._leave_url(parcel.subscription_id),
        )
        client = self._client(domain_of(sender))
        try:
            return await self._exchange(client, mail)
        finally:
            client.close()

    async def close(self) -> None:
        """Nothing is kept between mails."""

    async def _exchange(self, client: aiosmtplib.SMTP, mail: EmailMessage) -> Outcome:
        try:
            async with asyncio.timeout(self._config.timeout_s):
                await client.connect()
                await client.send_message(mail)
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            outcome = outcome_of(error)
            trouble = {"server": f"{self._config.host}:{self._config.port}", "error": type(error).__name__}
            if outcome.verdict is Verdict.OWN_FAULT:
                _log.error("email.server_refused_us", **trouble)
            elif outcome.reason in _NO_TALK:
                _log.warning("email.server_unreachable", reason=outcome.reason, **trouble)
            return outcome
        with suppress(aiosmtplib.SMTPException, OSError):  # the mail is taken; a lost goodbye changes nothing
            await client.quit(timeout=_GOODBYE_S)
        return Outcome(verdict=Verdict.ACCEPTED, reason=Reason.ACCEPTED)

    def _leave_url(self, subscription_id: str) -> str:
        """Return where one click unsubscribes; mail programs call nothing but https (RFC 8058)."""
        if not self._link_key or not self._public_url.startswith("https:"):
            return ""
        return f"{self._public_url.rstrip('/')}/v1/unsubscribe/{token_of(self._link_key, subscription_id)}"

    def _client(self, local_hostname: str) -> aiosmtplib.SMTP:
        config = self._config
        return aiosmtplib.SMTP(
            hostname=config.host,
            port=config.port,
            username=config.username,
            password=config.password.reveal() if config.password else None,
            local_hostname=local_hostname,
            timeout=config.timeout_s,
            use_tls=config.security == "tls",
            start_tls=config.security == "starttls",
            tls_context=self._tls_context,
        )

"""The receivers of docs/receivers as programs, and callbacks made as the daemon makes them."""

import asyncio
import os
import re
import shutil
import sys
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp

from notifier.channels.contract import Address, Parcel
from notifier.channels.egress import Egress
from notifier.channels.reach import Reach
from notifier.channels.webhook.channel import WebhookChannel, _own_headers
from notifier.channels.webhook.signature import new_secret
from notifier.clock import SystemClock
from notifier.config.secret import Secret
from notifier.domain.document import sample_event_document
from notifier.templating import Templates

FOLDER = Path(__file__).parents[2] / "docs/receivers"
SECRET = new_secret()
_TEMPLATES = Templates()


def command(language: str) -> list[str]:
    """Return how a receiver is started; without Node on the machine its tests fail."""
    if language == "python":
        return [sys.executable, str(FOLDER / "receiver.py")]
    node = shutil.which("node")
    assert node is not None, (
        "node is needed: these tests hold the Node receiver (Debian: apt-get install nodejs)"
    )
    return [node, str(FOLDER / "receiver.mjs")]


def channel() -> WebhookChannel:
    return WebhookChannel(_TEMPLATES, Egress(Reach(allow_private=True)), SystemClock(), timeout_s=10)


def document(event_type: str = "order.charged", **data: Any) -> dict[str, Any]:
    """Return an event; of an order, its snapshot says its version, too."""
    found = sample_event_document(event_type)
    found["data"] |= data
    return found


@dataclass(kw_only=True)
class Callback:
    """One attempt, as the deliverer hands it to the channel."""

    event_id: str = "evt_1"
    sequence: int = 1
    subscription: str = "sub_1"
    secrets: tuple[str, ...] = (SECRET,)
    age_s: float = 0.0
    body: dict[str, Any] = field(default_factory=document)
    template: str | None = None

    def parcel(self, target: str) -> Parcel:
        return Parcel(
            event_id=self.event_id,
            event_type=self.body["type"],
            account="shop",
            order_id=self.body["data"]["order_id"],
            subscription_id=self.subscription,
            sequence=self.sequence,
            attempt=1,
            body=channel().render(self.body, self.template),
            now=SystemClock().now() - timedelta(seconds=self.age_s),
            address=Address(target=Secret(target), secrets=tuple(map(Secret, self.secrets))),
        )

    def raw(self) -> tuple[dict[str, str], bytes]:
        """Return headers and body, to be bent."""
        parcel = self.parcel("http://unused/")
        return _own_headers(parcel), parcel.body


class Receiver:
    """A receiver that runs, or will again."""

    def __init__(self, language: str, store: Path) -> None:
        self.language = language
        self.store = store
        self.url = ""
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, *secrets: str) -> None:
        given = {
            "NOTIFIER_SECRET": " ".join(secrets or (SECRET,)),
            "PORT": "0",
            "RECEIVER_STORE": str(self.store),
        }
        self._process = await asyncio.create_subprocess_exec(
            *command(self.language), env=os.environ | given, stdout=asyncio.subprocess.PIPE
        )
        found = re.fullmatch(r"listening on (http://\S+)", await self.line())
        assert found
        self.url = found[1]

    async def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            await self._process.communicate()
            self._process = None

    async def line(self) -> str:
        """Return the next line that it prints."""
        assert self._process is not None
        assert self._process.stdout is not None
        async with asyncio.timeout(20):
            return (await self._process.stdout.readline()).decode().strip()

    async def gets(self, callback: Callback) -> str:
        """Send by the channel itself; return what the receiver made of it."""
        sender = channel()
        outcome = await sender.send(callback.parcel(f"{self.url}/hooks"))
        await sender.close()
        assert outcome.http_status == 204, outcome
        return await self.line()

    async def answers(self, headers: dict[str, str], body: bytes, *, method: str = "POST") -> int:
        """Send bytes as they are; return the status."""
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, self.url, data=body, headers=headers) as answer,
        ):
            return answer.status

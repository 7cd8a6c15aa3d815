"""What every act of the tour needs: saying what happens as it happens, and speaking to a daemon over REST."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec

PATIENCE_S = 90.0

Say = Callable[[str], None]


class TourError(Exception):
    """Something that the tour promised did not happen."""


class Guide:
    """Says each step once it has happened; `url` is where the daemon listens."""

    def __init__(self, say: Say, *, key: str) -> None:
        self.say = say
        self.url = ""
        self._key = key
        self._http: aiohttp.ClientSession

    @asynccontextmanager
    async def session(self) -> AsyncIterator[None]:
        """Hold the connections to REST for as long as the block lasts."""
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {self._key}"}) as self._http:
            yield

    async def step(self, what: str, action: Callable[..., Awaitable[str | None]], *args: str) -> None:
        """Do it and say so, with what it returns below.

        Raises: TourError when it took too long.
        """
        try:
            detail = await action(*args)
        except TimeoutError:
            raise TourError(f"did not happen within {PATIENCE_S:.0f} s: {what}") from None
        self.say(f"  ✓ {what}" + (f"\n{detail}" if detail else ""))

    async def call(self, method: str, path: str, body: object = None) -> Any:
        """Call REST and return its document; raises TourError when it refuses."""
        async with self._http.request(method, self.url + path, json=body) as answer:
            document = await answer.json(content_type=None)
            if answer.status >= 400:  # noqa: PLR2004
                raise TourError(f"{method} {path} answered {answer.status}: {document}")
            return document

    async def watch(self, order_ids: Iterable[str]) -> None:
        """Register orders by the bulk call; raises TourError when one is refused."""
        body = b"".join(msgspec.json.encode({"order_id": each}) + b"\n" for each in order_ids)
        headers = {"Content-Type": "application/x-ndjson"}
        async with self._http.post(f"{self.url}/v1/watches/bulk", data=body, headers=headers) as answer:
            for line in (await answer.read()).splitlines():
                document = msgspec.json.decode(line)
                if document["status"] >= 400:  # noqa: PLR2004
                    raise TourError(f"{document['order_id']} cannot be registered: {document}")

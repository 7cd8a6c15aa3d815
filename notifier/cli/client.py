"""REST of a running daemon, as the verbs need it."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
import msgspec
from yarl import URL

from notifier.cli.options import Failed, Misuse, Remote
from notifier.cli.where import Daemon, find

PAGE = 500
_CONNECT_S, _ANSWER_S = 5.0, 60.0
_WRONG_USE = {HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY}


class Client:
    """One daemon and one account of it.

    Every call raises Failed when the daemon cannot be reached or refuses, Misuse when what was asked makes no sense
    to it; a message names the members that were wrong.
    """

    def __init__(self, session: aiohttp.ClientSession, daemon: Daemon, account: str | None) -> None:
        self._session = session
        self._daemon = daemon
        self._account = account

    @property
    def url(self) -> str:
        """The daemon's address."""
        return self._daemon.url

    @property
    def account(self) -> str | None:
        """The account asked for; None leaves it to the daemon."""
        return self._account

    async def get(self, path: str, **query: str | int | None) -> Any:
        """Return the document at a path."""
        return await self.call("GET", path, query=query)

    async def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Post JSON and return the answer's document."""
        return await self.call("POST", path, body=body or {})

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int | None] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return the document that a call answers, None when it answers nothing."""
        raw = None if body is None else msgspec.json.encode(body)
        async with self._asking(method, path, query or {}, data=raw, content="application/json") as answer:
            text = await answer.read()
        try:
            return msgspec.json.decode(text) if text else None
        except msgspec.DecodeError:
            raise Failed(
                f"{self.url} answers {path} with something that is no JSON; is it a notifier?"
            ) from None

    async def lines(self, path: str, ndjson: bytes) -> AsyncIterator[dict[str, Any]]:
        """Post NDJSON and yield the documents of the answer as they come."""
        async with self._asking("POST", path, {}, data=ndjson, content="application/x-ndjson") as answer:
            async for line in answer.content:
                yield msgspec.json.decode(line)

    async def page(self, path: str, limit: int, **query: str | int | None) -> dict[str, Any]:
        """Return at most `limit` items of a list (0: all of it) and the cursor of what comes after."""
        items: list[Any] = []
        while True:
            count = min(PAGE, limit - len(items)) if limit else PAGE
            answer = await self.get(path, limit=count, **query)
            items += answer["items"]
            query["cursor"] = answer.get("next_cursor")
            if query["cursor"] is None or (limit and len(items) >= limit):
                return {"items": items, "next_cursor": query["cursor"]}

    @asynccontextmanager
    async def _asking(
        self,
        method: str,
        path: str,
        query: Mapping[str, str | int | None],
        *,
        data: bytes | None,
        content: str,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        given = {
            name: value
            for name, value in ({"account": self._account} | dict(query)).items()
            if value is not None
        }
        url = URL(f"{self.url}{path}?{urlencode(given)}" if given else f"{self.url}{path}", encoded=True)
        headers = {"Content-Type": content} if data is not None else {}
        if self._daemon.key:
            headers["Authorization"] = f"Bearer {self._daemon.key.reveal()}"
        try:
            async with self._session.request(
                method, url, data=data, headers=headers, allow_redirects=False
            ) as answer:
                if answer.status >= HTTPStatus.MULTIPLE_CHOICES:
                    raise self._refusal(answer.status, await answer.read())
                yield answer
        except TimeoutError:
            raise Failed(f"{self.url} did not answer in time; look at the daemon's log") from None
        except aiohttp.ClientError as error:
            raise Failed(self._out_of_reach(error)) from error

    def _out_of_reach(self, error: aiohttp.ClientError) -> str:
        number = error.errno if isinstance(error, OSError) else None
        reason = os.strerror(number) if number and number > 0 else str(error)
        ways = "start the daemon by `notifier run`, or name its address by --url or NOTIFIER_URL"
        return f"no daemon answers at {self.url} ({reason or type(error).__name__}); {ways}"

    def _refusal(self, status: int, raw: bytes) -> Failed | Misuse:
        if status == HTTPStatus.UNAUTHORIZED:
            return Misuse(f"the daemon at {self.url} wants its API key: {self._daemon.advice}")
        told = (
            _told(raw)
            or f"it answered {status} {HTTPStatus(status).phrase if status in _KNOWN else ''}".strip()
        )
        kind = Misuse if status in _WRONG_USE or status == HTTPStatus.FORBIDDEN else Failed
        return kind(told)


_KNOWN = {each.value for each in HTTPStatus}


def _told(raw: bytes) -> str:
    """Return a problem document as one sentence, with each wrong member."""
    try:
        problem = msgspec.json.decode(raw)
    except msgspec.DecodeError:
        return ""
    if not isinstance(problem, dict):
        return ""
    members = [f"{each['field']}: {each['message']}" for each in problem.get("errors", ())]
    return "; ".join(members) or str(problem.get("detail") or problem.get("title") or "")


def path_of(*parts: str) -> str:
    """Return a path under /v1, each part percent-encoded."""
    return "/v1/" + "/".join(quote(part, safe="") for part in parts)


@asynccontextmanager
async def connected(options: Remote, *, answer_s: float = _ANSWER_S) -> AsyncIterator[Client]:
    """Open a client of the daemon that the options mean, which waits so many seconds for an answer.

    Raises: ConfigError, Misuse when it cannot be told which.
    """
    daemon = find(options, os.environ)
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S, sock_read=answer_s)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        yield Client(session, daemon, options.account)

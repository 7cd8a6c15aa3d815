"""The one guarded HTTP door for addresses that somebody typed (design 7)."""

import asyncio
import errno
import re
import ssl
from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from importlib.metadata import version
from ipaddress import ip_address

from aiohttp.abc import AbstractResolver
from msgspec import Struct
from yarl import URL

from notifier.channels.dialing import Forbidden, Names, Place, Refusal, Unresolved, dial
from notifier.channels.pool import Pool
from notifier.channels.reach import Reach
from notifier.channels.reading import MOST_BYTES_KEPT, MOST_BYTES_TAKEN, Reply, Unreadable
from notifier.domain.delivery import Outcome, Reason, Verdict
from notifier.errors import InvalidValue

__all__ = ["MOST_BYTES_KEPT", "MOST_BYTES_TAKEN", "Egress", "Forbidden", "Reply"]

_LONGEST_URL = 2048
_SAME_FOR_ALL = f"User-Agent: notifier/{version('notifier')}\r\nAccept: */*\r\nAccept-Encoding: identity\r\n"
_HOST = re.compile(
    r"(?=.{1,254}$)([a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}\.?|[0-9a-f:]*:[0-9a-f:.]*", re.IGNORECASE
)
_CREDENTIALS = re.compile(r"[^/?#]*//[^/?#]*@")
_ENDS_IN_NUMBER = re.compile(r"(.*\.)?(\d+|0x[0-9a-f]*)", re.IGNORECASE)
_OWN_FAULTS = frozenset(
    {errno.ENETUNREACH, errno.ENETDOWN, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS,
     errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}
)  # fmt: skip


class _Line(StrEnum):
    """What was granted to an address as it was typed."""

    LISTED = "listed"
    PLAIN = "plain"
    TLS = "tls"


class _Way(Struct, frozen=True, gc=False):
    """What an address comes to: where it leads, by what rules, and how a request to it begins."""

    place: Place
    line: _Line
    start: bytes


class Egress:
    """Posts to typed addresses and to nothing else.

    Every address is judged when it is typed, when its name is resolved, and again as the socket is made. No
    redirects, proxies, cookies or decompression. A request is sent once, whatever becomes of its connection.
    """

    def __init__(self, reach: Reach, *, resolver: AbstractResolver | None = None) -> None:
        self._reach = reach
        self._names = Names(resolver)
        self._pool = Pool()
        self._way = lru_cache(maxsize=1024)(self._judge)

    def check_url(self, text: str) -> None:
        """Accept an address that a user typed, as far as can be said without asking the network.

        Raises: InvalidValue naming `target`.
        """
        self._way(text)

    def is_admitted_specially(self, text: str) -> bool:
        """Return whether the operator's own exceptions, rather than the public rules, let the address through."""
        return self._way(text).line is _Line.LISTED or self._reach.depends_on_address

    async def post(
        self, url: str, *, body: bytes, headers: Mapping[str, str], timeout_s: float
    ) -> Reply | Outcome:
        """Return the answer, or the outcome of a request that got none. A status counts once it has come."""
        until = asyncio.get_running_loop().time() + timeout_s
        try:
            way = self._way(url)
            request = b"".join((way.start, _written(headers, len(body)), body))
            wire = self._pool.take(way.place)
            if wire is None:
                async with asyncio.timeout_at(until):
                    wire = await dial(way.place, self._names, self._refusal_on(way.line))
                self._pool.add(wire)
            reply = await wire.exchange(request, until=until)
        except (OSError, ValueError, Unreadable) as error:
            return _outcome(error)
        self._pool.keep(wire)
        return reply

    async def close(self) -> None:
        """Close every connection."""
        await self._names.close()
        await self._pool.close()

    def _judge(self, text: str) -> _Way:
        url = _parsed(text)
        is_plain = url.scheme == "http"
        host, port = (url.raw_host or "").rstrip(".").lower(), url.port or 0
        line = _Line.PLAIN if is_plain else _Line.TLS
        try:
            host = str(ip_address(host))
            refusal = self._reach.refusal(host, port, is_plain=is_plain)
        except ValueError:
            refusal = self._refusal_of_name(host, port, is_plain=is_plain)
        if self._reach.lists(host, port):
            return _way(url, _Line.LISTED)
        if refusal:
            raise InvalidValue("target", f"{refusal}; see [delivery] in the configuration", "forbidden")
        return _way(url, line)

    def _refusal_of_name(self, host: str, port: int, *, is_plain: bool) -> str | None:
        if _ENDS_IN_NUMBER.fullmatch(host):
            return "names a host that ends in a number and is no address"
        if host == "localhost" or host.endswith(".localhost"):
            return self._reach.refusal("127.0.0.1", port, is_plain=is_plain)
        return self._reach.refusal_of_name(host, port, is_plain=is_plain)

    def _refusal_on(self, line: _Line) -> Refusal:
        if line is _Line.LISTED:
            return lambda _address, _port: None
        return lambda address, port: self._reach.refusal(address, port, is_plain=line is _Line.PLAIN)


def _way(url: URL, line: _Line) -> _Way:
    start = f"POST {url.raw_path_qs} HTTP/1.1\r\nHost: {url.host_port_subcomponent}\r\n{_SAME_FOR_ALL}"
    place = Place(url.raw_host or "", url.port or 0, url.scheme == "https", line)
    return _Way(place, line, start.encode("ascii"))


def _written(headers: Mapping[str, str], length: int) -> bytes:
    """Return the rest of a head. Raises ValueError for a header that would break it."""
    lines = "\r\n".join([*map(": ".join, headers.items()), ""])
    if not lines.count("\r") == lines.count("\n") == len(headers) or "\0" in lines:
        raise ValueError("a header would break the request")
    return f"{lines}Content-Length: {length}\r\n\r\n".encode("latin-1")


def _parsed(text: str) -> URL:
    if len(text) > _LONGEST_URL:
        raise InvalidValue("target", f"is longer than {_LONGEST_URL} characters", "length")
    try:
        url = URL() if re.search(r"[\s\\\x00-\x20\x7f]", text) else URL(text)
    except (ValueError, IndexError):  # the latter of brackets before an @
        url = URL()
    is_web = url.scheme in {"http", "https"} and bool(url.port)
    if not is_web or not _HOST.fullmatch(url.raw_host or ""):
        raise InvalidValue("target", "is no address such as https://shop.example.com/hooks", "url")
    if _CREDENTIALS.match(text):
        raise InvalidValue("target", "must not carry credentials; give basic_auth instead", "credentials")
    return url


def _outcome(error: Exception) -> Outcome:
    """Return what an exchange without an answer means."""
    match error:
        case ssl.SSLError():
            return _again(Reason.TLS)
        case Forbidden() | ValueError():  # a ValueError is an address or a header that cannot be sent
            return Outcome(verdict=Verdict.REFUSED, reason=Reason.TARGET_FORBIDDEN)
        case TimeoutError():
            return _again(Reason.TIMEOUT)
        case Unreadable():
            return _again(Reason.ANSWER_UNREADABLE)
        case OSError(errno=number) if number in _OWN_FAULTS:
            return Outcome(verdict=Verdict.OWN_FAULT, reason=Reason.OWN_FAULT)
        case Unresolved():
            return _again(Reason.NAME_RESOLUTION)
        case _:
            return _again(Reason.CONNECTION)


def _again(reason: Reason) -> Outcome:
    return Outcome(verdict=Verdict.RETRY, reason=reason)

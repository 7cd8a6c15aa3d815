"""The one guarded HTTP door for addresses that somebody typed (design 7)."""

import errno
import math
import re
import socket
from collections.abc import Callable, Mapping
from enum import Enum
from functools import lru_cache, partial
from importlib.metadata import version
from ipaddress import ip_address
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from msgspec import Struct
from yarl import URL

from notifier.channels.reach import Reach
from notifier.domain.delivery import Outcome, Reason, Verdict
from notifier.errors import InvalidValue

MOST_BYTES_KEPT = 4096
"""So much of an answer is read; the rest is not waited for."""
MOST_BYTES_TAKEN = 65_536
"""So much comes off the wire for one request, whatever it is: heads, interim answers, framing."""

_LONGEST_URL = 2048
_CONNECT_S = 5.0
_KEEPALIVE_S = 15.0
_DNS_S = 30
_HEADERS = {"User-Agent": f"notifier/{version('notifier')}", "Accept-Encoding": "identity"}
_HOST = re.compile(
    r"(?=.{1,254}$)([a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}\.?|[0-9a-f:]*:[0-9a-f:.]*", re.IGNORECASE
)
_CREDENTIALS = re.compile(r"[^/?#]*//[^/?#]*@")
_ENDS_IN_NUMBER = re.compile(r"(.*\.)?(\d+|0x[0-9a-f]*)", re.IGNORECASE)
_OWN_FAULTS = frozenset(
    {errno.ENETUNREACH, errno.ENETDOWN, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS,
     errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}
)  # fmt: skip

Refusal = Callable[[str, int], str | None]
"""Which rule forbids a literal address and port; None when none does."""


class Reply(Struct, frozen=True, kw_only=True, gc=False):
    """What came back: at most MOST_BYTES_KEPT of the body, and `Retry-After` as it was written."""

    status: int
    retry_after: str | None
    body: bytes


class Forbidden(OSError):
    """The guard stopped a connection; the text is the rule, never the address."""


class _Line(Enum):
    """Connections are pooled by what was granted, so that none is used for more than it was opened for."""

    LISTED = "listed"
    PLAIN = "plain"
    TLS = "tls"


class Egress:
    """Posts to typed addresses and to nothing else.

    Every address is judged when it is typed, when its name is resolved, and again as the socket is made. No
    redirects, proxies, cookies or decompression.
    """

    def __init__(self, reach: Reach, *, resolver: AbstractResolver | None = None) -> None:
        self._reach = reach
        self._resolver = resolver
        self._sessions: dict[_Line, aiohttp.ClientSession] = {}
        self._way = lru_cache(maxsize=1024)(self._judge)

    def check_url(self, text: str) -> None:
        """Accept an address that a user typed, as far as can be said without asking the network.

        Raises: InvalidValue naming `target`.
        """
        self._way(text)

    def is_admitted_specially(self, text: str) -> bool:
        """Return whether the operator's own exceptions, rather than the public rules, let the address through."""
        _, line = self._way(text)
        return line is _Line.LISTED or self._reach.depends_on_address

    async def post(
        self, url: str, *, body: bytes, headers: Mapping[str, str], timeout_s: float
    ) -> Reply | Outcome:
        """Return the answer, or the outcome of a request that got none. A status counts once it has come."""
        response: aiohttp.ClientResponse | None = None
        kept = bytearray()
        try:
            address, line = self._way(url)
            async with self._session(line).post(
                address, data=body, headers=headers, allow_redirects=False, timeout=_timeout(timeout_s)
            ) as response:
                await _keep(response, kept)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if response is None:
                return _outcome(error)
        return Reply(
            status=response.status, retry_after=response.headers.get("Retry-After"), body=bytes(kept)
        )

    async def close(self) -> None:
        """Close every pooled connection."""
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()

    def _judge(self, text: str) -> tuple[URL, _Line]:
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
            return url, _Line.LISTED
        if refusal:
            raise InvalidValue("target", f"{refusal}; see [delivery] in the configuration", "forbidden")
        return url, line

    def _refusal_of_name(self, host: str, port: int, *, is_plain: bool) -> str | None:
        if _ENDS_IN_NUMBER.fullmatch(host):
            return "names a host that ends in a number and is no address"
        if host == "localhost" or host.endswith(".localhost"):
            return self._reach.refusal("127.0.0.1", port, is_plain=is_plain)
        return self._reach.refusal_of_name(host, port, is_plain=is_plain)

    def _session(self, line: _Line) -> aiohttp.ClientSession:
        if line not in self._sessions:
            self._sessions[line] = _open(self._refusal_on(line), self._resolver)
        return self._sessions[line]

    def _refusal_on(self, line: _Line) -> Refusal:
        if line is _Line.LISTED:
            return lambda _address, _port: None
        return lambda address, port: self._reach.refusal(address, port, is_plain=line is _Line.PLAIN)


class _VettedNames(AbstractResolver):
    """Refuses a name as soon as one of its addresses is forbidden: a fair one beside it may be bait."""

    def __init__(self, inner: AbstractResolver, refusal: Refusal) -> None:
        self._inner = inner
        self._refusal = refusal

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        for each in found:
            if why := self._refusal(each["host"], port):
                raise Forbidden(why)
        return found

    async def close(self) -> None:
        await self._inner.close()


class _Wire(ResponseHandler):
    """A connection that takes no more than it should, and is not used again with anything left in it."""

    _room = MOST_BYTES_TAKEN

    def set_response_params(self, **given: Any) -> None:
        self._room = MOST_BYTES_TAKEN
        super().set_response_params(**given)

    def data_received(self, data: bytes) -> None:
        self._room -= len(data)
        if self._room >= 0:
            super().data_received(data)
            return
        super().data_received(data[: self._room])
        if self.transport is not None:
            self.set_exception(aiohttp.ClientPayloadError("the answer is endless"))
            self.transport.abort()

    def is_connected(self) -> bool:
        # Asked by the pool, which looks for leftovers when a connection comes back and never again.
        return super().is_connected() and not self.should_close


class _Connector(aiohttp.TCPConnector):
    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        wire: Callable[..., ResponseHandler] = _Wire
        self._factory = partial(wire, loop=self._loop)


def _open(refusal: Refusal, resolver: AbstractResolver | None) -> aiohttp.ClientSession:
    def vetted_socket(address_info: aiohttp.AddrInfoType) -> socket.socket:
        family, kind, protocol, _, address = address_info
        if why := refusal(str(address[0]), int(address[1])):
            raise Forbidden(why)
        return socket.socket(family, kind, protocol)

    connector = _Connector(
        limit=0,  # the deliverer bounds what is in flight; a wait in here would eat the time of the attempt
        ttl_dns_cache=_DNS_S,
        keepalive_timeout=_KEEPALIVE_S,
        resolver=_VettedNames(resolver or aiohttp.ThreadedResolver(), refusal),
        socket_factory=vetted_socket,
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers=_HEADERS,
        auto_decompress=False,
        trust_env=False,
    )


@lru_cache(maxsize=64)
def _timeout(timeout_s: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=timeout_s, sock_connect=_CONNECT_S, ceil_threshold=math.inf)


async def _keep(response: aiohttp.ClientResponse, kept: bytearray) -> None:
    while chunk := await response.content.read(MOST_BYTES_KEPT + 1 - len(kept)):
        kept += chunk
        if len(kept) > MOST_BYTES_KEPT:
            del kept[MOST_BYTES_KEPT:]
            response.close()
            return


def _parsed(text: str) -> URL:
    if len(text) > _LONGEST_URL:
        raise InvalidValue("target", f"is longer than {_LONGEST_URL} characters", "length")
    try:
        url = URL() if re.search(r"[\s\\\x00-\x20\x7f]", text) else URL(text)
    except ValueError:
        url = URL()
    is_web = url.scheme in {"http", "https"} and bool(url.port)
    if not is_web or not _HOST.fullmatch(url.raw_host or ""):
        raise InvalidValue("target", "is no address such as https://shop.example.com/hooks", "url")
    if _CREDENTIALS.match(text):
        raise InvalidValue("target", "must not carry credentials; give basic_auth instead", "credentials")
    return url


def _outcome(error: Exception) -> Outcome:
    """Return what an exchange without an answer means."""
    if isinstance(error, aiohttp.ClientSSLError):
        return _again(Reason.TLS)
    match error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error:
        case Forbidden() | ValueError():  # a ValueError is an address or a header that cannot be sent
            return Outcome(verdict=Verdict.REFUSED, reason=Reason.TARGET_FORBIDDEN)
        case TimeoutError():
            return _again(Reason.TIMEOUT)
        case aiohttp.ClientResponseError() | aiohttp.ClientPayloadError():
            return _again(Reason.ANSWER_UNREADABLE)
        case OSError(errno=number) if number in _OWN_FAULTS:
            return Outcome(verdict=Verdict.OWN_FAULT, reason=Reason.OWN_FAULT)
    is_name = isinstance(error, aiohttp.ClientConnectorDNSError)
    return _again(Reason.NAME_RESOLUTION if is_name else Reason.CONNECTION)


def _again(reason: Reason) -> Outcome:
    return Outcome(verdict=Verdict.RETRY, reason=reason)

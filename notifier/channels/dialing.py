"""How a connection is made: the name resolved once, every address judged, and that very address connected to."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache, partial
from ipaddress import ip_address

from aiohappyeyeballs import AddrInfoType, start_connection
from aiohttp.abc import AbstractResolver, ResolveResult
from msgspec import Struct

from notifier.channels.exchange import Wire

_CONNECT_S = 5.0
_NEXT_ADDRESS_S = 0.25
_KNOWN_S = 30.0
_MOST_KNOWN = 1024

Refusal = Callable[[str, int], str | None]
"""Which rule forbids a literal address and port; None when none does."""
_Found = list[ResolveResult]


class Forbidden(OSError):
    """The guard stopped a connection; the text is the rule, never the address."""


class Unresolved(OSError):
    """A name has no address."""


class Place(Struct, frozen=True, gc=False):
    """Where connections are for, and by which rules: what one was granted, none is used beyond."""

    host: str
    port: int
    is_tls: bool
    rules: str


class ByThread(AbstractResolver):
    """The system's resolver, which may not answer for half a minute: each lookup has a thread of its own.

    So those of names that hang hold up no others, as they would in the loop's pool of a few, nor the process's end.
    """

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> _Found:
        loop = asyncio.get_running_loop()
        told: asyncio.Future[_Found] = loop.create_future()

        def ask() -> None:
            try:
                tell = partial(told.set_result, _looked_up(host, port, family))
            except (OSError, ValueError) as error:
                tell = partial(told.set_exception, error)
            with suppress(RuntimeError):  # the loop is closed by now
                loop.call_soon_threadsafe(lambda: None if told.done() else tell())

        threading.Thread(target=ask, name="resolve", daemon=True).start()
        return await told

    async def close(self) -> None:
        """Wait for nobody."""


def _looked_up(host: str, port: int, family: socket.AddressFamily) -> _Found:
    found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return [
        ResolveResult(hostname=host, host=str(address[0]), port=port, family=kind, proto=protocol, flags=0)
        for kind, _, protocol, _, address in found
    ]


class Names:
    """Addresses of names, asked for once on behalf of all who wait, and known for a little while."""

    def __init__(self, resolver: AbstractResolver | None) -> None:
        self._resolver = resolver or ByThread()
        self._known: dict[tuple[str, int], tuple[float, _Found]] = {}
        self._asked: dict[tuple[str, int], asyncio.Task[_Found | Exception]] = {}

    async def addresses(self, host: str, port: int) -> _Found:
        """Return the addresses of a name, another one first each time.

        Raises: Unresolved, and what else the resolver raises.
        """
        key, now = (host, port), asyncio.get_running_loop().time()
        until, found = self._known.get(key, (now, []))
        if until <= now:
            if key not in self._asked:
                self._asked[key] = asyncio.create_task(self._ask(key), name="resolve")
            found = await self._told(self._asked[key])
        found[:] = found[1:] + found[:1]
        return list(found)

    async def _told(self, asked: asyncio.Task[_Found | Exception]) -> _Found:
        await asyncio.wait([asked])  # which goes on for the others when this one gives up
        told = ConnectionAbortedError() if asked.cancelled() else asked.result()
        if isinstance(told, Exception):
            raise told
        return told

    async def close(self) -> None:
        """Wait for nobody's answer any more."""
        asked = list(self._asked.values())
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
        await self._resolver.close()

    async def _ask(self, key: tuple[str, int]) -> _Found | Exception:
        try:
            found = await self._resolver.resolve(*key, family=socket.AF_UNSPEC)
        except (TimeoutError, ValueError) as error:  # handed to all who wait, if anybody still does
            return error
        except OSError as error:
            return Unresolved(error.errno, "the name does not resolve")
        finally:
            del self._asked[key]
        if not found:
            return Unresolved(None, "the name has no address")
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[key] = (asyncio.get_running_loop().time() + _KNOWN_S, found)
        return found


async def dial(place: Place, names: Names, refusal: Refusal) -> Wire:
    """Return a new connection.

    Raises: Forbidden as soon as one address is: a fair one beside it may be bait. TimeoutError, Unresolved,
    ssl.SSLError, OSError.
    """
    found = _literal(place) or await names.addresses(place.host, place.port)
    for each in found:
        if why := refusal(each["host"], place.port):
            raise Forbidden(why)

    def vetted_socket(address_info: AddrInfoType) -> socket.socket:
        family, kind, protocol, _, address = address_info
        if why := refusal(str(address[0]), int(address[1])):
            raise Forbidden(why)
        return socket.socket(family, kind, protocol)

    async with asyncio.timeout(_CONNECT_S):
        connected = await start_connection(
            [_address_info(each["host"], place.port) for each in found],
            happy_eyeballs_delay=_NEXT_ADDRESS_S,
            interleave=1,
            socket_factory=vetted_socket,
        )
        _, wire = await asyncio.get_running_loop().create_connection(
            lambda: Wire(place),
            sock=connected,
            ssl=_verifying() if place.is_tls else None,
            server_hostname=place.host.rstrip(".") if place.is_tls else None,
        )
    return wire


def _literal(place: Place) -> _Found:
    try:
        host = str(ip_address(place.host))
    except ValueError:
        return []
    return [ResolveResult(hostname=host, host=host, port=place.port, family=_family(host), proto=0, flags=0)]


def _address_info(host: str, port: int) -> AddrInfoType:
    address = (host, port, 0, 0) if ":" in host else (host, port)
    return _family(host), socket.SOCK_STREAM, socket.IPPROTO_TCP, "", address


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


@lru_cache(maxsize=1)
def _verifying() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context

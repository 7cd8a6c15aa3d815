"""The one way to ask the upstream over HTTP: bounded in time and bytes, never raising for what it does wrong."""

import ssl
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar
from urllib.parse import quote

import aiohttp
from yarl import URL

from notifier.clock import Clock
from notifier.config.accounts import Account
from notifier.config.secret import Secret
from notifier.domain.order import OrderId
from notifier.source.contract import Failure, FailureReason
from notifier.source.refusal import refusal, safe_request_id

_OK = 200
_MAY_ASK_TO_WAIT = frozenset({FailureReason.RATE_LIMITED, FailureReason.SERVER_ERROR})
_LONGEST_WAIT_S = 86_400.0
_DNS_TTL_S = 300
_KEEPALIVE_S = 30.0
_PRINTABLE = string.punctuation + " "  # what a header may hold as it is

A = TypeVar("A")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one request may cost at most. Units: seconds, and bytes of the decompressed body."""

    connect_s: float = 5.0
    total_s: float = 15.0
    body_bytes: int = 1 << 20


LIMITS = Limits()


class Door:
    """One way to ask the upstream with one key: bounded, without redirects, its troubles as values."""

    def __init__(self, headers: dict[str, str], *, clock: Clock, limits: Limits) -> None:
        self._clock = clock
        self._session = _session(headers)
        self._body_bytes = limits.body_bytes
        self._timeout = aiohttp.ClientTimeout(total=limits.total_s, sock_connect=limits.connect_s)

    async def ask(
        self,
        method: str,
        url: URL,
        *,
        read: Callable[[bytes], A | Failure],
        headers: Mapping[str, str] | None = None,
        data: bytes | Mapping[str, str] | None = None,
    ) -> A | Failure:
        """Ask once and let `read` say what the body of a 200 means."""
        try:
            async with self._session.request(
                method, url, headers=headers, data=data, allow_redirects=False, timeout=self._timeout
            ) as response:
                body = await _body(response, self._body_bytes)
        except TimeoutError:
            return Failure(reason=FailureReason.TIMEOUT)
        except (aiohttp.ClientError, OSError) as error:
            return Failure(reason=_network_reason(error), detail=type(error).__name__)
        if response.status != _OK:
            return self._noted(refusal(response.status, body or b""), response)
        if body is None:
            return self._noted(Failure(reason=FailureReason.TOO_LARGE, http_status=_OK), response)
        answer = read(body)
        return self._noted(answer, response) if isinstance(answer, Failure) else answer

    async def close(self) -> None:
        """Give back connections."""
        await self._session.close()

    def _noted(self, failure: Failure, response: aiohttp.ClientResponse) -> Failure:
        asked_wait = response.headers.get("Retry-After") if failure.reason in _MAY_ASK_TO_WAIT else None
        return replace(
            failure,
            request_id=safe_request_id(response.headers.get("x-request-id")) or failure.request_id,
            retry_after_s=None if asked_wait is None else _wait_s(asked_wait.strip(), self._clock.now()),
        )


def routing(setting: str, routing_id: str | None, order_id: OrderId) -> dict[str, str]:
    """Return the header that keeps a customer's calls together.

    `routing_id` is the watch's own; without it the account's setting counts, and where that wants the customer,
    whom we do not know, the order's id stands in, as the upstream advises for guests.
    """
    fixed = None if setting in {"customer_id", "order_id"} else setting
    return {"x-routing-id": escaped(routing_id or fixed or order_id, safe=_PRINTABLE)}


def escaped(text: str, *, safe: str = "") -> str:
    """Return text as a path or a header holds it; most ids are plain, as the upstream's rule has them."""
    return text if text.isascii() and text.isalnum() else quote(text, safe=safe, errors="replace")


def _session(headers: dict[str, str]) -> aiohttp.ClientSession:
    """Open a session without cookies, and without proxy or credentials from the environment."""
    # The poller bounds how many requests run; waiting here for a connection would eat into the request's time.
    connector = aiohttp.TCPConnector(limit=0, ttl_dns_cache=_DNS_TTL_S, keepalive_timeout=_KEEPALIVE_S)
    return aiohttp.ClientSession(
        connector=connector, headers=headers, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
    )


def headers_of(account: Account, api_key: Secret) -> dict[str, str]:
    """Return what every call of the account carries."""
    return {
        "Authorization": aiohttp.encode_basic_auth(api_key.reveal(), ""),
        "x-merchantid": account.merchant_id,
        "version": account.version,
        "Content-Type": "application/x-www-form-urlencoded",  # documented, even for GET
        "Accept": "application/json",
        "Accept-Encoding": "gzip, deflate",
        "User-Agent": "notifier",
    }


async def _body(response: aiohttp.ClientResponse, most_bytes: int) -> bytes | None:
    """Read to the end, or stop, hang up and return None once there is more than allowed."""
    content, chunks, size = response.content, [], 0
    while not content.at_eof():
        chunk = await content.readany()
        size += len(chunk)
        if size > most_bytes:
            response.close()
            return None
        chunks.append(chunk)
    return b"".join(chunks)


def _network_reason(error: Exception) -> FailureReason:
    if isinstance(error, aiohttp.ClientSSLError | aiohttp.ServerFingerprintMismatch | ssl.SSLError):
        return FailureReason.TLS
    if isinstance(error, aiohttp.ClientResponseError):  # what came is not HTTP
        return FailureReason.MALFORMED
    return FailureReason.CONNECTION


def _wait_s(asked: str, now: datetime) -> float | None:
    """Read Retry-After in both its forms (RFC 9110, 10.2.3), at most a day and never negative."""
    if asked.isascii() and asked.isdecimal():
        return min(float(asked), _LONGEST_WAIT_S)
    try:
        at = parsedate_to_datetime(asked)
    except ValueError:
        return None
    wait_s = (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds()
    return min(max(wait_s, 0.0), _LONGEST_WAIT_S)

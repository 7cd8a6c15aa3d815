"""Ask the upstream for one order over HTTP, bounded in time and bytes, and never raise for what it does wrong."""

import ssl
import string
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import quote

import aiohttp
from yarl import URL

from notifier.clock import Clock
from notifier.config.accounts import Account
from notifier.domain.change import SCHEMA
from notifier.domain.order import OrderId
from notifier.domain.snapshot import Reader
from notifier.source.contract import Failure, FailureReason
from notifier.source.refusal import refusal, safe_request_id
from notifier.source.wire import OrderAnswer, read

_OK = 200
_MAY_ASK_TO_WAIT = frozenset({FailureReason.RATE_LIMITED, FailureReason.SERVER_ERROR})
_LONGEST_WAIT_S = 86_400.0
_DNS_TTL_S = 300
_KEEPALIVE_S = 30.0
_PRINTABLE = string.punctuation + " "  # what a header may hold as it is


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one request may cost at most. Units: seconds, and bytes of the decompressed body."""

    connect_s: float = 5.0
    total_s: float = 15.0
    body_bytes: int = 1 << 20


_LIMITS = Limits()


class OrderStatusSource:
    """The order status of one account: `GET /orders/{order_id}` (juspay: express-checkout, order-status-api)."""

    def __init__(
        self,
        account_name: str,
        account: Account,
        *,
        clock: Clock,
        limits: Limits,
    ) -> None:
        self._account_name = account_name
        self._merchant_id = account.merchant_id
        self._orders = URL(f"{account.base_url}/orders")
        self._fixed_routing = (
            None if account.routing_id in {"customer_id", "order_id"} else account.routing_id
        )
        self._reader = Reader(
            schema=SCHEMA, version=account.version, options=",".join(sorted(set(account.keep)))
        )
        self._clock = clock
        self._session = _session(_headers(account))
        self._body_bytes = limits.body_bytes
        self._timeout = aiohttp.ClientTimeout(total=limits.total_s, sock_connect=limits.connect_s)

    def __repr__(self) -> str:
        return f"OrderStatusSource({self._account_name!r})"

    @property
    def reader(self) -> Reader:
        return self._reader

    async def fetch(self, order_id: OrderId, *, routing_id: str | None = None) -> OrderAnswer | Failure:
        """Ask once.

        `routing_id` is the watch's own; without it the account's setting counts, and where that wants the customer,
        whom we do not know, the order's id stands in, as the upstream advises for guests.
        """
        url = self._orders.joinpath(quote(order_id, safe=""), encoded=True)
        routing = routing_id or self._fixed_routing or order_id
        headers = {"x-routing-id": quote(routing, safe=_PRINTABLE, errors="replace")}
        try:
            async with self._session.get(
                url, headers=headers, allow_redirects=False, timeout=self._timeout
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
        answer = read(body, order_id=order_id, merchant_id=self._merchant_id, reader=self._reader)
        return answer if isinstance(answer, OrderAnswer) else self._noted(answer, response)

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


def order_status_source(
    account_name: str,
    account_config: Account,
    *,
    clock: Clock,
    limits: Limits = _LIMITS,
) -> OrderStatusSource:
    """Open the order status of one account; needs a running event loop."""
    return OrderStatusSource(account_name, account_config, clock=clock, limits=limits)


def _session(headers: dict[str, str]) -> aiohttp.ClientSession:
    """Open a session without cookies, and without proxy or credentials from the environment."""
    # The poller bounds how many requests run; waiting here for a connection would eat into the request's time.
    connector = aiohttp.TCPConnector(limit=0, ttl_dns_cache=_DNS_TTL_S, keepalive_timeout=_KEEPALIVE_S)
    return aiohttp.ClientSession(
        connector=connector, headers=headers, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
    )


def _headers(account: Account) -> dict[str, str]:
    return {
        "Authorization": aiohttp.encode_basic_auth(account.api_key.reveal(), ""),
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

"""The order status of an account, in plain or sealed: from an order's id to an answer or a failure."""

import msgspec
from yarl import URL

from notifier.clock import Clock
from notifier.config.accounts import Account
from notifier.domain.change import SCHEMA
from notifier.domain.order import OrderId
from notifier.domain.snapshot import Reader
from notifier.source.contract import Failure, FailureReason
from notifier.source.door import LIMITS, Door, Limits, escaped, headers_of, routing
from notifier.source.envelope import opened, sealed
from notifier.source.keys import keys_of
from notifier.source.wire import OrderAnswer, read

_UNSEALED = Failure(reason=FailureReason.UNSEALED, http_status=200, detail="neither encrypted nor signed")


class OrderStatusSource:
    """The order status of one account: `GET /orders/{order_id}` (juspay: express-checkout, order-status-api).

    With `encryption = "jwe"` it is `POST /v4/order-status` (juspay: jwejwt-encryption-guide), and a plain answer
    is a failure: whoever wants it sealed must not be served less without a word.
    """

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
        self._base = URL(account.base_url)
        self._path = f"{self._base.raw_path.rstrip('/')}/orders/"
        self._v4 = URL(f"{account.base_url}/v4/order-status")
        self._keys = keys_of(account_name, account)
        self._seal_with = self._keys if account.encryption == "jwe" else None
        self._routing_id = account.routing_id
        self._reader = Reader(
            schema=SCHEMA, version=account.version, options=",".join(sorted(set(account.keep)))
        )
        self._door = Door(headers_of(account, account.api_key), clock=clock, limits=limits)

    def __repr__(self) -> str:
        return f"OrderStatusSource({self._account_name!r})"

    @property
    def reader(self) -> Reader:
        return self._reader

    async def fetch(
        self,
        order_id: OrderId,
        *,
        routing_id: str | None = None,
        mandate_id: str | None = None,  # noqa: ARG002 - asked for elsewhere
    ) -> OrderAnswer | Failure:
        """Ask once."""
        headers = routing(self._routing_id, routing_id, order_id)
        if self._seal_with is None:
            url = self._base.with_path(self._path + escaped(order_id), encoded=True)
            return await self._door.ask(
                "GET", url, headers=headers, read=lambda body: self._answer(body, order_id)
            )
        return await self._door.ask(
            "POST",
            self._v4,
            headers=headers | {"Content-Type": "application/json"},
            data=sealed(msgspec.json.encode({"order_id": order_id}), self._seal_with),
            read=lambda body: self._answer(body, order_id),
        )

    async def close(self) -> None:
        """Give back connections."""
        await self._door.close()

    def _answer(self, body: bytes, order_id: OrderId) -> OrderAnswer | Failure:
        """Read a plain body, and only what is no order is looked at again as an envelope: plain ones pay nothing."""
        answer = self._read(body, order_id)
        if isinstance(answer, OrderAnswer):
            return answer if self._seal_with is None else _UNSEALED
        plain = opened(body, self._keys)
        if plain is None:
            return answer
        return plain if isinstance(plain, Failure) else self._read(plain, order_id)

    def _read(self, body: bytes, order_id: OrderId) -> OrderAnswer | Failure:
        return read(body, order_id=order_id, merchant_id=self._merchant_id, reader=self._reader)


def order_status_source(
    account_name: str,
    account_config: Account,
    *,
    clock: Clock,
    limits: Limits = LIMITS,
) -> OrderStatusSource:
    """Open the order status of one account; needs a running event loop.

    Raises: ConfigError when the account's keys cannot be used.
    """
    return OrderStatusSource(account_name, account_config, clock=clock, limits=limits)

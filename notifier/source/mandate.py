"""The dedicated mandate call of one account: `POST /mandates/{mandate_id}` with `command=check_status`.

It follows what the payer does later on in the bank's app, which the order status is not known to do. Its tokens
authorise debits, and its payment says who pays: neither is decoded. Rules: docs/upstream.md.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import msgspec
from yarl import URL

from notifier.clock import Clock
from notifier.config.accounts import Account
from notifier.domain.change import SCHEMA
from notifier.domain.order import OrderId, Source
from notifier.domain.snapshot import Reader, Snapshot
from notifier.source import members
from notifier.source.contract import Failure, FailureReason
from notifier.source.door import LIMITS, Door, Limits, escaped, headers_of, routing
from notifier.source.refusal import UNREADABLE, is_refusal, refusal
from notifier.source.rows import mandate_row
from notifier.source.scalars import currency, instant, text
from notifier.source.strict import decoded, digest_of
from notifier.source.wire import settle_mandate

_COMMAND = {"command": "check_status"}


class _Status(members.Mandate):
    """The same members, but for the status, whose name differs."""

    merchant_id: Any = None
    status: Any = None
    currency: Any = None
    last_updated: Any = None


_DECODER = msgspec.json.Decoder(_Status, float_hook=Decimal)


@dataclass(frozen=True, slots=True, kw_only=True)
class MandateAnswer:
    """A good answer: decoded, checked, its amount in minor units."""

    digest: bytes
    _mandate: _Status = field(repr=False)
    _last_updated: Any = field(repr=False)
    _reader: Reader

    def snapshot(self) -> Snapshot:
        """Build the snapshot."""
        return Snapshot(
            source=Source.MANDATE,
            reader=self._reader,
            mandate=mandate_row(self._mandate, currency(self._mandate.currency)),
            last_updated=instant(self._last_updated),
        )


def read(body: bytes, *, mandate_id: str, merchant_id: str, reader: Reader) -> MandateAnswer | Failure:
    """Read the body of a 200 about a mandate of `merchant_id`; a failure unless it is strict JSON about this one.

    The order that it names is the one that registered it, so a watch of a later debit may ask for it too.
    """
    try:
        mandate = decoded(_DECODER, body)
        echoed, status = text(mandate.mandate_id), text(mandate.status)
        if echoed is None or status is None or is_refusal(status):
            return refusal(200, body)
        if echoed != mandate_id or text(mandate.merchant_id) not in {None, merchant_id}:
            return Failure(reason=FailureReason.OTHER_ORDER, http_status=200)
        last_updated, mandate.last_updated = mandate.last_updated, None
        mandate.merchant_id, mandate.status, mandate.mandate_status = None, None, status
        settle_mandate(mandate, currency(mandate.currency))
        digest = digest_of(mandate)
    except UNREADABLE:
        return Failure(reason=FailureReason.MALFORMED, http_status=200, detail="not the JSON of a mandate")
    return MandateAnswer(digest=digest, _mandate=mandate, _last_updated=last_updated, _reader=reader)


class MandateSource:
    """The mandates of one account, asked with the key of its orders."""

    def __init__(self, account_name: str, account: Account, *, clock: Clock, limits: Limits) -> None:
        self._account_name = account_name
        self._merchant_id = account.merchant_id
        self._mandates = URL(f"{account.base_url}/mandates")
        self._routing_id = account.routing_id
        self._reader = Reader(schema=SCHEMA, version=account.version)
        self._door = Door(headers_of(account, account.api_key), clock=clock, limits=limits)

    def __repr__(self) -> str:
        return f"MandateSource({self._account_name!r})"

    @property
    def reader(self) -> Reader:
        return self._reader

    async def fetch(
        self, order_id: OrderId, *, routing_id: str | None = None, mandate_id: str | None = None
    ) -> MandateAnswer | Failure:
        """Ask once for the mandate; the order serves to route the call."""
        if mandate_id is None:
            return Failure(reason=FailureReason.BAD_REQUEST, detail="no mandate_id")
        return await self._door.ask(
            "POST",
            self._mandates.joinpath(escaped(mandate_id), encoded=True),
            headers=routing(self._routing_id, routing_id, order_id),
            data=_COMMAND,
            read=lambda body: read(
                body, mandate_id=mandate_id, merchant_id=self._merchant_id, reader=self._reader
            ),
        )

    async def close(self) -> None:
        """Give back connections."""
        await self._door.close()


def mandate_source(
    account_name: str, account: Account, *, clock: Clock, limits: Limits = LIMITS
) -> MandateSource:
    """Open the mandates of one account; needs a running event loop."""
    return MandateSource(account_name, account, clock=clock, limits=limits)

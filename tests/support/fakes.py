"""Stand-ins that behave: a source whose orders a test moves by hand, a channel that keeps what it is given."""

import asyncio
import hashlib
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from notifier.channels.contract import Parcel
from notifier.domain.change import SCHEMA
from notifier.domain.delivery import Outcome, Reason, Verdict
from notifier.domain.order import OrderId, Source, order_key
from notifier.domain.snapshot import Order, Reader, Snapshot, Subject
from notifier.errors import TemplateError
from notifier.source.contract import Answer, Failure, FailureReason

READER = Reader(schema=SCHEMA, version="2023-06-30")
ACCEPTED = Outcome(verdict=Verdict.ACCEPTED, reason=Reason.ACCEPTED, http_status=200)
UNAVAILABLE = Outcome(verdict=Verdict.RETRY, reason=Reason.HTTP_STATUS, http_status=503)


@dataclass(frozen=True)
class FakeAnswer:
    seen: Snapshot

    @property
    def digest(self) -> bytes:
        return hashlib.blake2b(
            msgspec.json.encode(replace(self.seen, last_updated=None)), digest_size=16
        ).digest()

    def snapshot(self) -> Snapshot:
        return self.seen


class FakeSource:
    """Orders by id; what is not there is not found. `failures` are answered first, whatever is asked."""

    def __init__(self) -> None:
        self.reader = READER
        self.orders: dict[str, Snapshot] = {}
        self.failures: deque[Failure] = deque()
        self.refuses = False
        self.refused: set[str] = set()
        self.asked: list[str] = []
        self.mandates: list[str | None] = []
        self.at_once = 0
        self.most_at_once = 0
        self.gate: asyncio.Event | None = None

    def put(self, order_id: str, status: str, **members: Any) -> None:
        order = Order(status=status, **members)
        self.show(order_id, Snapshot(source=Source.ORDER, reader=self.reader, order=order))

    def show(self, order_id: str, snapshot: Snapshot) -> None:
        self.orders[order_key(order_id)] = snapshot

    async def fetch(
        self, order_id: OrderId, *, routing_id: str | None = None, mandate_id: str | None = None
    ) -> Answer | Failure:
        self.asked.append(order_id)
        self.mandates.append(mandate_id)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if self.gate is not None:
                await self.gate.wait()
            await asyncio.sleep(0)
            return self._answer(order_id)
        finally:
            self.at_once -= 1

    def _answer(self, order_id: str) -> Answer | Failure:
        if self.refuses or order_id in self.refused:
            return Failure(reason=FailureReason.REFUSED, http_status=401)
        if self.failures:
            return self.failures.popleft()
        snapshot = self.orders.get(order_key(order_id))
        if snapshot is None:
            return Failure(reason=FailureReason.NOT_FOUND, http_status=404)
        return FakeAnswer(snapshot)

    async def close(self) -> None:
        pass


@dataclass
class FakeChannel:
    """Keeps every parcel; answers `outcomes` first, then `usual`."""

    name: str = "webhook"
    signs: bool = True
    converses_about: frozenset[Subject] = frozenset()
    usual: Outcome = ACCEPTED
    outcomes: deque[Outcome] = field(default_factory=deque)
    parcels: list[Parcel] = field(default_factory=list)
    broken_templates: set[str | None] = field(default_factory=set)
    gate: asyncio.Event | None = None
    refusing: dict[str, Outcome] = field(default_factory=dict)
    """By subscription, what it answers whatever else is said."""

    def check_target(self, target: str) -> None:
        pass

    def shown_target(self, target: str) -> str:
        return target

    def render(self, document: Mapping[str, Any], template: str | None) -> bytes:
        if template in self.broken_templates:
            raise TemplateError(f"{template} is broken")
        return msgspec.json.encode({"template": template, **document})

    async def send(self, parcel: Parcel) -> Outcome:
        self.parcels.append(parcel)
        if self.gate is not None:
            await self.gate.wait()
        if parcel.subscription_id in self.refusing:
            return self.refusing[parcel.subscription_id]
        return self.outcomes.popleft() if self.outcomes else self.usual

    async def close(self) -> None:
        pass

    def types(self) -> list[str]:
        return [parcel.event_type for parcel in self.parcels]

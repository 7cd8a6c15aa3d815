"""Webhooks of the upstream in our own hand, and a poller with a source that counts its questions."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from notifier.config.model import Config
from notifier.domain.order import Source
from notifier.domain.polling import PollingPolicy
from notifier.storage.engine import _READERS
from notifier.storage.records import Lanes
from notifier.web.services import Services
from notifier.workers.cadence import Cadence
from notifier.workers.poller import AccountLimits, Feed, Poller
from notifier.workers.recording import Recorder, Telling
from notifier.workers.trouble import Upstream
from support.clock import settle
from support.fakes import FakeSource

USER, PASSWORD = "hook-user", "hook-pass:with-colon"
PERSONAL = ("priya@shop.example", "9811100022", "PRIYA IYER", "tok_of_the_mandate", "NEVER_SEEN_STATUS")


def basic(user: str = USER, password: str = PASSWORD) -> dict[str, str]:
    return {"Authorization": f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"}


def hooked(
    *names: str, register_unknown: bool = False, without: tuple[str, ...] = (), credit: bool = False
) -> Config:
    """Return a configuration whose accounts take hints, but those named in `without`."""
    more = {"credit": {"base_url": "https://credit.example", "api_key_env": "KEY"}} if credit else {}
    hints = {"user_env": "USER", "password_env": "PASSWORD", "register_unknown": register_unknown}
    accounts = {
        name: {"merchant_id": "m", "api_key_env": "KEY"}
        | more
        | ({} if name in without else {"hints": hints})
        for name in (*names, *without)
    }
    environ = {"USER": USER, "PASSWORD": PASSWORD, "KEY": "k"}
    return Config.model_validate({"accounts": accounts}, context=environ)


def a_webhook(name: str, content: Any, **members: Any) -> dict[str, Any]:
    """Return the envelope; its date is one that no calendar has, as seen upstream."""
    return {
        "id": "evt_V2_1f",
        "event_name": name,
        "date_created": "1111111T07:00:40Z",
        "content": content,
    } | members


def of_order(name: str = "ORDER_SUCCEEDED", order_id: Any = "OW1", **members: Any) -> dict[str, Any]:
    email, phone, person, _, status = PERSONAL
    order = {
        "order_id": order_id, "status": status, "status_id": "21", "amount": "386", "refunded": "true",
        "customer_email": email, "customer_phone": phone, "card": {"name_on_card": person}, "offers": "FILTERED",
    }  # fmt: skip
    return a_webhook(name, {"order": order | members})


def of_refund(order_id: str = "OW1") -> dict[str, Any]:
    row = {"unique_request_id": "r1", "id": None, "ref": "2.0220208111212802e+34", "sent_to_gateway": "true"}
    return of_order("REFUND_MANUAL_REVIEW_NEEDED", order_id, refunds=[row])


def of_txn(order_id: str = "OW1") -> dict[str, Any]:
    return a_webhook(
        "TXN_CHARGED", {"txn": {"txn_id": f"m-{order_id}-1", "order_id": order_id, "card": "FILTERED"}}
    )


def of_mandate(order_id: Any = "OW1", mandate_id: Any = "mnd1") -> dict[str, Any]:
    mandate = {
        "mandate_id": mandate_id,
        "order_id": order_id,
        "status": "REVOKED",
        "mandate_token": PERSONAL[3],
    }
    return a_webhook(
        "MANDATE_REVOKED", {"mandate": mandate | {"end_date": "1930176000", "payment_info": "FILTERED"}}
    )


def of_notification(mandate_id: str = "mnd1") -> dict[str, Any]:
    told = {"object": "notification", "object_reference_id": "pdn1", "date_created": "1772440829"}
    return a_webhook("NOTIFICATION_FAILED", {"notification": told | {"mandate": {"mandate_id": mandate_id}}})


def of_loan(order_id: str = "OW1") -> dict[str, Any]:
    row = {
        "sub_status": "Loan Active",
        "txn_detail": {"order_id": "another"},
        "resp_message": f'{{"e":"{PERSONAL[0]}"}}',
    }
    order = {"order_id": order_id, "order_status": PERSONAL[4], "refunds": {}, "txn_list": [row]}
    dated = "2026-03-10 10:03:29.048023988 UTC"
    return a_webhook("LOAN_ACTIVE", {"order": order}, id="LSP40f", date_created=dated)


class Counted:
    """A poller of account `shop` that is running, and what its source was asked."""

    def __init__(self, services: Services) -> None:
        self.source = FakeSource()
        self._services = services

    @property
    def looks(self) -> int:
        return len(self.source.asked)

    async def quiet(self) -> None:
        """Let all that is due now happen: nothing goes on by itself, and no transaction is under way."""
        writer, readers = self._services.storage._doors
        calm = 0
        while calm < 5:
            await settle(10)
            await asyncio.sleep(0.0005)
            is_calm = not writer.locked() and readers._value == _READERS
            calm = calm + 1 if is_calm else 0

    async def pass_time(self, seconds: float, step: float = 0.5) -> None:
        for _ in range(round(seconds / step)):
            await self._services.clock.advance(step)
            await self.quiet()


@asynccontextmanager
async def polling(services: Services) -> AsyncIterator[Counted]:
    """Run the real poller over a source that a test moves by hand."""
    counted = Counted(services)
    parts: dict[str, Any] = {"storage": services.storage, "clock": services.clock}
    telling = Telling(expires_after_s=3600, lanes=Lanes(), new_id=services.new_id, livemode=lambda _: False)
    cadence = Cadence(policy=PollingPolicy(), clock=services.clock)
    poller = Poller(
        "shop",
        feeds={Source.ORDER: Feed(counted.source, Upstream("shop", Source.ORDER, telling=telling, **parts))},
        limits=AccountLimits(requests_per_s=1000, max_concurrency=4),
        recorder=Recorder(clock=services.clock, cadence=cadence, telling=telling, metrics=services.metrics),
        cadence=cadence,
        metrics=services.metrics,
        **parts,
    )
    stop = asyncio.Event()
    running = asyncio.create_task(poller.run(stop))
    await counted.quiet()
    yield counted
    stop.set()
    await running

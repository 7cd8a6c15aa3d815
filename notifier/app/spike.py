"""The tour's second act: a gateway fails and recovers, on a clock run fast; the shipped rule finds it by itself."""

import asyncio
import base64
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

from notifier.app.daemon import assembled, listening
from notifier.app.guide import PATIENCE_S, Guide, Say, TourError
from notifier.app.running import settle_garbage_collection
from notifier.app.shop import SICK, USUAL, Shop
from notifier.channels.incident import duration, percent
from notifier.clock import Clock, FastClock
from notifier.config.load import load
from notifier.config.model import Config
from notifier.domain.alert.counts import minute_of
from notifier.domain.instant import EPOCH
from notifier.logs import configure
from notifier.metrics import Metrics
from notifier.sandbox.receiver import Received, SlackMessage
from notifier.sandbox.serve import Settings, World, running
from notifier.source.http import order_status_source
from notifier.storage.contract import Storage

SPEED = 45
RULE = """
[alerts.authorization-failures]
outcome = "AUTHORIZATION_FAILED"
"""
"""As config.toml ships it, without the hash marks."""
_ACCOUNT = "demo"
_HOURS = 4
_USUAL = timedelta(minutes=3)
_SPIKE = 0.80
_WELL = 0.3
_SEEN = 1 / 3
"""Part of the orders of a window that must be known when it is judged; the looks at the others are not due yet."""
_LATE = timedelta(minutes=1)
"""By how much an end may be seen late: what ended before a window began may count in it."""
_SOON_S = 15.0


async def spike(say: Say, directory: Path) -> None:
    """Show the act.

    Raises: TourError naming the step that failed.
    """
    say(
        f"\nA second daemon begins, on a clock that runs {SPEED} times as fast: a quarter of an hour takes 20 s."
    )
    say("No rule is loosened for that: the alert is the one that config.toml ships.")
    settle_garbage_collection()
    clock, key = FastClock(SPEED), secrets.token_urlsafe(24)
    guide = Guide(say, key=key)
    async with running(Settings(), clock=clock) as world, guide.session():
        config = _config(world, directory, key)
        configure(config.logging.level, config.logging.format)
        shop = Shop(world.sandbox, clock, watch=guide.watch)
        act = _Act(world, guide, shop, clock)
        async with (
            assembled(config, clock=clock, metrics=Metrics()) as daemon,
            listening(daemon) as guide.url,
        ):
            await guide.step(
                f"the {_HOURS} hours before are written down, not watched: {percent(USUAL)} failed everywhere",
                lambda: _remember(daemon.storage, shop, config, clock),
            )
            stop = asyncio.Event()
            working = asyncio.create_task(daemon.supervisor.run(stop, asyncio.Event()), name="workers")
            try:
                await act.play()
            finally:
                stop.set()
                await working


def _config(world: World, directory: Path, key: str) -> Config:
    path = directory / "spike.toml"
    path.write_text(
        f"""
[server]
port = 0
[storage]
url = "sqlite:{directory / "spike.db"}"
[accounts.{_ACCOUNT}]
base_url = "{world.upstream_url}"
merchant_id = "{world.sandbox.merchant_id}"
api_key_env = "JUSPAY_KEY"
[polling]
price_s = 8
[delivery]
timeout_s = 300
allowed_targets = ["127.0.0.0/8"]
allow_http = true
[slack]
bot_token_env = "SLACK_TOKEN"
api_url = "{world.receiver_url}/slack/api"
[subscriptions.on-call]
channel = "slack"
target = "C0DEMO"
events = ["incident.*"]
[logging]
level = "error"
{RULE}"""
    )
    environ = {
        "NOTIFIER_API_KEY": key,
        "NOTIFIER_MASTER_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
        "JUSPAY_KEY": world.sandbox.key,
        "SLACK_TOKEN": world.receiver.slack_token,
    }
    return load(path, environ)


async def _remember(storage: Storage, shop: Shop, config: Config, clock: FastClock) -> str:
    source = order_status_source(_ACCOUNT, config.accounts[_ACCOUNT], clock=clock)
    try:
        past = await shop.past(source, account=_ACCOUNT, hours=_HOURS)
    finally:
        await source.close()
    async with storage.writing() as tx:
        for _, ended in groupby(past, key=lambda outcome: minute_of(outcome.ended_at)):
            minute = list(ended)
            await tx.add_outcomes(minute, observed_at=minute[-1].ended_at, is_dated=True)
    return f"      {len(past)} orders at {len(shop.rates)} gateways"


class _Act:
    """What happens, and what the receivers saw of it."""

    def __init__(self, world: World, guide: Guide, shop: Shop, clock: Clock) -> None:
        self._receiver = world.receiver
        self._receiver_url = world.receiver_url
        self._guide = guide
        self._shop = shop
        self._clock = clock
        self._incident: dict[str, Any] = {}

    async def play(self) -> None:
        step = self._guide.step
        await step("a subscription is made over REST for signed callbacks", self._subscribe)
        async with _trading(self._shop):
            await step(
                "the shop trades as ever, each order watched and polled: nobody is called", self._usual
            )
            self._shop.rates[SICK] = _SPIKE
            await step(
                f"{percent(_SPIKE)} fail at {SICK} from now on: signed callback incident.opened", self._opened
            )
            await step("Slack has one message of it", self._posted)
            await step("acknowledged over REST, and Slack's thread says so", self._acknowledged)
            self._shop.rates[SICK] = USUAL
            await step(f"{SICK} recovers: signed callback incident.resolved", self._resolved)
            await step("the same Slack message was edited all along", self._edited)
        await step("one opening, one end, and nobody was called twice", self._once)

    async def _subscribe(self) -> None:
        body = {"channel": "webhook", "target": f"{self._receiver_url}/incidents", "events": ["incident.*"]}
        made = await self._guide.call("POST", "/v1/subscriptions", body)
        self._receiver.secret = made["secret"]

    async def _usual(self) -> str:
        since = self._clock.now()
        (alert,) = (await self._guide.call("GET", "/v1/alerts"))["items"]
        async with asyncio.timeout(PATIENCE_S):
            while (judged := await self._judged(alert["id"])) - since < _USUAL:
                await self._clock.sleep(_SOON_S)
        page = await self._guide.call("GET", "/v1/incidents")
        if page["items"]:
            raise TourError(f"called for nothing: {page['items'][0]['cause_text']}")
        orders, failed = self._shop.counted(since, judged)
        return f"      {failed} of {orders} orders failed"

    async def _judged(self, alert_id: str) -> datetime:
        """Return the end of the last minute that the alert has judged, long ago before the first."""
        through = (await self._guide.call("GET", f"/v1/alerts/{alert_id}"))["judged_through"]
        return datetime.fromisoformat(through) if through else EPOCH

    async def _opened(self) -> str:
        self._incident = incident = await self._told("incident.opened")
        if incident["cause"] != {"gateway": SICK}:
            raise TourError(f"the cause is not {SICK}: {incident['cause_text']}")
        until = datetime.fromisoformat(incident["updated_at"])
        since = until - timedelta(seconds=incident["window_s"])
        orders, failed = self._shop.counted(since, until, gateway=SICK)
        most_orders, most_failed = self._shop.counted(since - _LATE, until, gateway=SICK)
        if not (orders * _SEEN <= incident["orders"] <= most_orders and incident["failed"] <= most_failed):
            raise TourError(
                f"{incident['failed']} of {incident['orders']} are told, {failed} of {orders} it was"
            )
        normal, rate = percent(incident["normal_rate"]), percent(incident["rate"])
        calm = ", ".join(sorted(each["text"] for each in incident["normal_slices"]))
        return (
            f"      {incident['cause_text']}: {incident['failed']} of {incident['orders']} in"
            f" {duration(incident['window_s'])}, {rate} (normal {normal}); the shop counts {failed} of {orders}"
            f"\n      not affected: {calm}"
        )

    async def _posted(self) -> str:
        message = await self._slack(lambda each: _is_post(each) and "thread_ts" not in each.payload)
        return f"      {message.payload['text']}"

    async def _acknowledged(self) -> str:
        path = f"/v1/incidents/{self._incident['id']}/ack"
        await self._guide.call("POST", path, {"by": "asha", "note": "moved to BILLDESK"})
        reply = await self._slack(lambda each: "thread_ts" in each.payload and "asha" in each.payload["text"])
        return f"      {reply.payload['text']}"

    async def _resolved(self) -> str:
        incident = await self._told("incident.resolved")
        if incident["id"] != self._incident["id"]:
            raise TourError("another incident was resolved")
        if incident["rate"] > _WELL:
            raise TourError(f"resolved while {percent(incident['rate'])} fail")
        last, peak = duration(incident["window_s"]), percent(incident["peak_rate"])
        return f"      {percent(incident['rate'])} failed in the last {last}, {peak} at the worst"

    async def _edited(self) -> str:
        last = await self._slack(lambda each: _is_edit(each) and "🟢" in each.payload["text"])
        edits = [each for each in self._receiver.slack if _is_edit(each)]
        replies = [each for each in self._receiver.slack if _is_post(each) and "thread_ts" in each.payload]
        places = {each.payload["ts"] for each in edits} | {each.payload["thread_ts"] for each in replies}
        if len(places) != 1:
            raise TourError(f"there is more than one message: {places}")
        return f"      {last.payload['text']}\n      {len(edits)} edits of one message"

    async def _once(self) -> None:
        told = [
            len((await self._guide.call("GET", f"/v1/events?type=incident.{each}"))["items"])
            for each in ("opened", "resolved")
        ]
        incidents = (await self._guide.call("GET", "/v1/incidents"))["items"]
        posts = [each for each in self._receiver.slack if _is_post(each) and "thread_ts" not in each.payload]
        once = [*told, len(posts), *(each["pages"] for each in incidents)]
        if once != [1, 1, 1, 1]:
            raise TourError(f"openings, ends, messages, pages of each incident: {once}")

    async def _told(self, event_type: str) -> dict[str, Any]:
        def is_it(got: Received) -> bool:
            return got.event_type == event_type and got.verified

        got = await self._receiver.callbacks.wait_for(is_it, PATIENCE_S)
        incident: dict[str, Any] = got.json()["data"]["incident"]
        return incident

    async def _slack(self, is_it: Callable[[SlackMessage], bool]) -> SlackMessage:
        return await self._receiver.slack.wait_for(is_it, PATIENCE_S)


@asynccontextmanager
async def _trading(shop: Shop) -> AsyncIterator[None]:
    stop = asyncio.Event()
    trading = asyncio.create_task(shop.trade(stop), name="shop")
    try:
        yield
    finally:
        stop.set()
        await trading


def _is_post(message: SlackMessage) -> bool:
    return message.path.endswith("chat.postMessage")


def _is_edit(message: SlackMessage) -> bool:
    return message.path.endswith("chat.update")

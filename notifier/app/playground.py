"""The daemon with the sandbox as its upstream: orders that live by themselves, and someone to tell of them.

Everything stays on loopback and in a database of its own, so nothing here can be taken for money.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

from notifier.app.daemon import Daemon
from notifier.channels.catalogue import channels as all_channels
from notifier.channels.contract import Channel
from notifier.clock import Clock
from notifier.config.accounts import Account
from notifier.config.model import Config, Polling, Storage
from notifier.config.secret import Secret
from notifier.config.told import Email, Slack, Subscription
from notifier.domain.order import Source, parse_order_id
from notifier.errors import StorageError
from notifier.logs import get_logger
from notifier.sandbox.lives.scenario import Method
from notifier.sandbox.serve import Settings, World, running
from notifier.sandbox.webhooks.hook import Hook
from notifier.storage.records import Registration
from notifier.templating import Templates
from notifier.web.wording import step

ACCOUNT = "sandbox"
CALLBACKS = "sandbox-callbacks"
DATABASE = Path("notifier-sandbox.db")
_SLACK_CHANNEL = "C0SANDBOX"
_MAIL_TO = "merchant@sandbox.example"
_HINTS_USER = "juspay"
_SPEED = 12.0
_NEW_ORDER_EVERY_S = 5.0

log = get_logger(__name__)

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Playground:
    """A running sandbox and the configuration that points at it."""

    config: Config
    world: World
    hints_password: Secret

    @property
    def key_file(self) -> Path:
        """Where the generated API key lies, so that `notifier` finds it without being told."""
        return Path(f"{self.config.storage.sqlite_path}.api-key")

    def channels(self, clock: Clock) -> dict[str, Channel]:
        """Return channels that reach nothing but loopback, which is what they do without an account."""
        closed = self.config.model_copy(update={"accounts": {}})
        return all_channels(closed, Templates(closed.templates.directory), clock)

    def first_lines(self) -> list[str]:
        """Return what a newcomer must know before the first transition."""
        world = self.world
        return [
            "  SANDBOX   no account is configured, so a make-believe Juspay is the upstream: no money moves,",
            f'            every event says "livemode": false, and orders live {_SPEED:.0f} times faster than real ones',
            f"  upstream  {world.upstream_url}  (merchant {world.sandbox.merchant_id}, key {world.sandbox.key})",
            f"  its page  {world.upstream_url}/sandbox/ pushes an order on by hand",
            f"  told      {world.receiver_url}/callbacks, a stand-in for Slack, a mailbox on port {world.smtp_port}",
        ]

    async def live(self, daemon: Daemon, url: str, say: Say) -> None:
        """Open orders, watch them, and say what the receivers get, until cancelled.

        The make-believe Juspay sends its webhooks to the daemon at `url`, as the real one would.
        """
        account = daemon.config.accounts[ACCOUNT]
        async with daemon.storage.reading() as tx:
            subscription = await tx.subscription_by_name(ACCOUNT, CALLBACKS)
            if subscription is not None:
                self.world.receiver.secret = (await tx.secrets(subscription.id)).signing[0].reveal()
        hints = f"{url}/v1/hints/juspay/{ACCOUNT}"
        self.world.webhooks.add(Hook(url=hints, user=_HINTS_USER, password=self.hints_password.reveal()))
        say(f"  watching account {ACCOUNT} of {account.base_url}; Ctrl-C stops\n")

        async def watch(order_id: str) -> None:
            wish = Registration(
                account=ACCOUNT, order_id=parse_order_id(order_id), sources=self._sources_of(order_id)
            )
            try:
                async with daemon.storage.writing() as tx:
                    await tx.register(wish, now=daemon.services.clock.now())
            except StorageError as error:
                log.error("play.order_lost", order_id=order_id, error=str(error))

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.world.sandbox.keep_populated(watch, every_s=_NEW_ORDER_EVERY_S))
            tasks.create_task(self._say_callbacks(say))
            tasks.create_task(self._say_slack(say))
            tasks.create_task(self._say_mails(say))

    def _sources_of(self, order_id: str) -> frozenset[Source]:
        order = self.world.sandbox.find(order_id)
        is_loan = order is not None and order.life.method is Method.LOAN
        return frozenset({Source.ORDER, Source.HYPERCREDIT} if is_loan else {Source.ORDER})

    async def _say_callbacks(self, say: Say) -> None:
        async for got in self.world.receiver.callbacks.follow():
            data = got.json()["data"]
            order = data.get("order") or {}
            money = f"{order.get('currency', '')} {order.get('amount', '')}".strip()
            proof = "signature verified" if got.verified else "SIGNATURE NOT VERIFIED"
            went = step(data["previous"], data["current"])
            say(
                f"callback  {data['order_id'] or '-':<20} {got.event_type:<28} {went:<40} {money:<14} {proof}"
            )

    async def _say_slack(self, say: Say) -> None:
        async for message in self.world.receiver.slack.follow():
            say(f"slack     {' '.join(str(message.payload.get('text', '')).split())}")

    async def _say_mails(self, say: Say) -> None:
        async for mail in self.world.mailbox.mails.follow():
            text = mail.message.get_body(("plain",))
            first = (
                next((line for line in text.get_content().splitlines() if line.strip()), "") if text else ""
            )
            say(f"e-mail    {mail.message['Subject']}: {first}")


@asynccontextmanager
async def playground(config: Config, clock: Clock) -> AsyncIterator[Playground]:
    """Run the sandbox and yield the configuration that uses it."""
    async with running(Settings(speed=_SPEED), clock=clock) as world:
        password = Secret(token_urlsafe())
        account = Account.model_validate(
            {
                "base_url": world.upstream_url,
                "merchant_id": world.sandbox.merchant_id,
                "api_key_env": "KEY",
                "credit": {"base_url": world.upstream_url, "api_key_env": "CREDIT_KEY"},
                "hints": {"user_env": "USER", "password_env": "PASSWORD"},
            },
            context={
                "KEY": world.sandbox.key,
                "CREDIT_KEY": world.sandbox.credit_key,
                "USER": _HINTS_USER,
                "PASSWORD": password.reveal(),
            },
        )
        yield Playground(config=_pointed_at(world, config, account), world=world, hints_password=password)


def _pointed_at(world: World, config: Config, account: Account) -> Config:
    told = {
        CALLBACKS: _told(channel="webhook", target=f"{world.receiver_url}/callbacks"),
        "sandbox-slack": _told(channel="slack", target=_SLACK_CHANNEL),
        "sandbox-mail": _told(channel="email", target=_MAIL_TO, digest_s=0),
    }
    storage = config.storage
    if storage == Storage():
        storage = storage.model_copy(update={"url": f"sqlite:{DATABASE}"})
    return config.model_copy(
        update={
            "accounts": {ACCOUNT: account},
            "polling": _hastened(config.polling),
            "subscriptions": {**config.subscriptions, **told},
            "storage": storage,
            "slack": Slack.model_validate(
                {"bot_token_env": "TOKEN", "api_url": f"{world.receiver_url}/slack/api"},
                context={"TOKEN": world.receiver.slack_token},
            ),
            "email": Email.model_validate(
                {
                    "host": world.smtp_host,
                    "port": world.smtp_port,
                    "security": "none",
                    "from": "notifier@sandbox.example",
                }
            ),
        }
    )


def _hastened(polling: Polling) -> Polling:
    """Return bounds for orders that live so much faster; what a request is worth shrinks with what a second is."""
    return polling.model_copy(
        update={
            "price_s": polling.price_s / _SPEED**2,
            "max_interval_s": max(polling.max_interval_s / _SPEED, polling.min_interval_s),
        }
    )


def _told(**members: Any) -> Subscription:
    return Subscription.model_validate({"events": ["*"], "account": ACCOUNT, **members})

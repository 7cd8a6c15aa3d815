"""The whole sandbox on loopback: upstream, receiver and mailbox, up for as long as a block lasts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass

from aiohttp import web

from notifier.clock import Clock, SystemClock
from notifier.sandbox.calls.routes import application
from notifier.sandbox.jose import Keys
from notifier.sandbox.mailbox import Mailbox
from notifier.sandbox.receiver import Receiver
from notifier.sandbox.webhooks.sender import Sender
from notifier.sandbox.world import CREDIT_KEY, KEY, MERCHANT_ID, Sandbox

_SHUTDOWN_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where to listen (port 0: any free one) and how the sandbox lives; `keys` switch encryption on."""

    host: str = "127.0.0.1"
    upstream_port: int = 0
    receiver_port: int = 0
    smtp_port: int = 0
    merchant_id: str = MERCHANT_ID
    key: str = KEY
    credit_key: str = CREDIT_KEY
    speed: float = 1
    seed: int = 0
    keys: Keys | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The parts and their addresses."""

    upstream_url: str
    receiver_url: str
    smtp_host: str
    smtp_port: int
    sandbox: Sandbox
    webhooks: Sender
    receiver: Receiver
    mailbox: Mailbox


@asynccontextmanager
async def serving(app: web.Application, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve an application for as long as the block lasts; yields its base URL."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_S)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield f"http://{host}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _sending(sender: Sender) -> AsyncIterator[None]:
    task = asyncio.create_task(sender.run(), name="sandbox-webhooks")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def running(settings: Settings | None = None, *, clock: Clock | None = None) -> AsyncIterator[World]:
    """Run all three parts for as long as the block lasts."""
    settings = settings or Settings()
    clock = clock or SystemClock()
    sandbox = Sandbox(
        clock,
        merchant_id=settings.merchant_id,
        key=settings.key,
        credit_key=settings.credit_key,
        speed=settings.speed,
        seed=settings.seed,
        keys=settings.keys,
    )
    receiver = Receiver(clock)
    mailbox = Mailbox(clock)
    sender = Sender(sandbox)
    host = settings.host
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(_sending(sender))
        stack.push_async_callback(mailbox.stop)
        smtp_port = await mailbox.start(host, settings.smtp_port)
        sandbox.pages = await stack.enter_async_context(
            serving(application(sandbox, sender), host=host, port=settings.upstream_port)
        )
        yield World(
            upstream_url=sandbox.pages,
            receiver_url=await stack.enter_async_context(
                serving(receiver.application(), host=host, port=settings.receiver_port)
            ),
            smtp_host=host,
            smtp_port=smtp_port,
            sandbox=sandbox,
            webhooks=sender,
            receiver=receiver,
            mailbox=mailbox,
        )

"""What outlives the daemon: the upstream, which notes what it answers, and receivers, which note what they get."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from aiohttp import web
from crash_journal import Journal, Listener, Receipt, Served
from standardwebhooks import Webhook, WebhookVerificationError

from notifier.clock import SystemClock
from notifier.sandbox.calls.routes import application
from notifier.sandbox.serve import serving
from notifier.sandbox.webhooks.sender import Sender
from notifier.sandbox.world import Sandbox

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="
_ALL = ("*", "watch.*")
_LISTENERS = (
    Listener(name="hold", events=_ALL),
    Listener(name="strict", events=_ALL, ordering="strict"),
    Listener(name="latest", events=_ALL, mode="latest"),
    Listener(name="sick", events=("order.*",)),
)
_FAILING = {"hold": 0.05, "strict": 0.05, "latest": 0.6, "sick": 0.15}
"""How often each answers 500 while all is not well."""
_HANGING = {"sick": 0.01}
_DOWN = 0.4
"""For how much of its time the sick one refuses everything."""


@dataclass
class World:
    """Upstream and receivers on loopback; `life` is that of the daemon that listens, None while none does."""

    journal: Journal
    sandbox: Sandbox
    dice: random.Random
    upstream_url: str = ""
    receiver_url: str = ""
    life: int | None = None
    slow_s: float = 0.0
    """How long every receiver takes to answer."""

    def __post_init__(self) -> None:
        self._well = asyncio.Event()

    def recover(self) -> None:
        """Let every receiver be well from now on, and those hang up that hang."""
        self._well.set()

    @web.middleware
    async def note(self, request: web.Request, handler) -> web.StreamResponse:
        """Note every good answer of the upstream to a question for one order."""
        answer = await handler(request)
        if request.path.startswith("/orders/") and answer.status == 200:
            body = json.loads(answer.body)
            served = Served(order_id=body["order_id"], status=body["status"], life=self.life)
            self.journal.served.append(served)
        return answer

    async def receive(self, request: web.Request) -> web.Response:
        name, body = request.match_info["name"], await request.read()
        data = json.loads(body)["data"]
        receipt = Receipt(
            listener=name,
            event_id=request.headers["webhook-id"],
            order_id=data["order_id"],
            sequence=int(request.headers["notifier-sequence"]),
            attempt=int(request.headers["notifier-attempt"]),
            behind=tuple(request.headers.get("notifier-behind", "").split()),
            skipped=tuple(data.get("skipped", ())),
            life=int(request.headers["x-life"]),
            at=asyncio.get_running_loop().time(),
            is_verified=_is_verified(body, request),
        )
        self.journal.receipts.append(receipt)
        receipt.answer = await self._manner(name)
        await asyncio.sleep(self.slow_s)
        return web.Response(status=receipt.answer)

    async def _manner(self, name: str) -> int:
        if self._well.is_set():
            return 204
        is_down = name == "sick" and (asyncio.get_running_loop().time() / 3) % 1 < _DOWN
        if is_down or self.dice.random() < _FAILING[name]:
            return 500
        if self.dice.random() < _HANGING.get(name, 0.0):
            await self._well.wait()
            return 503
        return 204


def _is_verified(body: bytes, request: web.Request) -> bool:
    headers = {name.lower(): value for name, value in request.headers.items()}
    try:
        Webhook(SECRET).verify(body, headers)
    except WebhookVerificationError:
        return False
    return True


@asynccontextmanager
async def worlds(seed: str) -> AsyncIterator[World]:
    """Serve a world of its own for as long as the block lasts."""
    sandbox = Sandbox(SystemClock())
    journal = Journal(listeners={listener.name: listener for listener in _LISTENERS})
    world = World(journal=journal, sandbox=sandbox, dice=random.Random(f"{seed}/world"))
    upstream = application(sandbox, Sender(sandbox))
    upstream.middlewares.append(world.note)
    receivers = web.Application()
    receivers.router.add_post("/{name}", world.receive)
    async with AsyncExitStack() as stack:
        world.upstream_url = await stack.enter_async_context(serving(upstream))
        world.receiver_url = await stack.enter_async_context(serving(receivers))
        stack.callback(world.recover)
        yield world

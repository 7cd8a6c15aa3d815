"""Sends webhooks as Juspay does: again until somebody answers 200, sometimes twice, sometimes out of order."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import aiohttp
import msgspec

from notifier.errors import InvalidValue
from notifier.sandbox.inbox import Inbox
from notifier.sandbox.lives.scenario import Look
from notifier.sandbox.webhooks.happenings import CONTENTS, Content, Happening, happenings
from notifier.sandbox.webhooks.hook import Hook
from notifier.sandbox.webhooks.letter import Letter, fits, written
from notifier.sandbox.world import Order, Sandbox

# Juspay publishes no schedule; whoever is down for a while shall not wait long after it.
_PAUSES_S = (2.0, 4.0, 8.0, 16.0, 30.0, 60.0)
_TIMEOUT = aiohttp.ClientTimeout(total=10)
_TAKEN = 200
_LEAST_S = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """One try to send a webhook; without an answer `status` is None and `error` says what kind of failure it was."""

    event_id: str
    event_name: str
    order_id: str
    url: str
    number: int
    status: int | None
    error: str | None


class Sender:
    """Watches the sandbox's orders and tells of each change; `tries` are the latest, oldest first."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.tries: Inbox[Try] = Inbox(keep=200)
        self._sandbox = sandbox
        self._hooks: list[Hook] = []
        self._told: dict[str, int] = {}  # how many steps of each order
        self._letters: asyncio.Queue[tuple[Hook, Letter]] = asyncio.Queue()
        self._sent = count()

    def __iter__(self) -> Iterator[Hook]:
        return iter(self._hooks)

    def add(self, hook: Hook) -> None:
        """Tell the receiver of everything that happens from now on; raises InvalidValue for a JWT without keys."""
        if hook.jwt and self._sandbox.keys is None:
            raise InvalidValue("jwt", "encryption is off; start the sandbox with --jwe-dir")
        self._look_around()
        self._hooks.append(hook)
        self._sandbox.changed.set()

    def clear(self) -> None:
        """Tell nobody any more, not even what is on its way."""
        self._hooks.clear()

    def send(self, order: Order, event_name: str) -> None:
        """Send one by hand, of the order as it is; raises InvalidValue when there is none such for it."""
        content = CONTENTS.get(event_name, Content.ORDER)
        happening = Happening(event_name=event_name, content=content, at_s=self._sandbox.age_s(order))
        if not fits(order, happening):
            raise InvalidValue("event_name", f"the order has no {content.value} to tell of")
        if not self._hooks_of(order):
            raise InvalidValue("", "nobody is to be told; add a webhook first")
        self._write(order, happening)

    async def run(self) -> None:
        """Tell until cancelled."""
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT) as session,
            asyncio.TaskGroup() as tasks,
        ):
            tasks.create_task(self._watch(), name="sandbox-webhooks-watch")
            while True:
                hook, letter = await self._letters.get()
                held_s = hook.hold_s if next(self._sent) % 2 == 0 else 0
                tasks.create_task(
                    self._deliver(session, hook, letter, held_s), name=f"sandbox-webhook-{letter.event_id}"
                )

    async def _watch(self) -> None:
        changed = self._sandbox.changed
        while True:
            changed.clear()
            if any(self._hooks_of(order) for order in self._sandbox):
                await self._sandbox.clock.wait(changed, self._look_around())
            else:
                await changed.wait()

    def _look_around(self) -> float:
        """Write of all that has happened since the last time, and return the seconds until something will."""
        now = self._sandbox.clock.now()
        told, self._told = self._told, {}
        soonest_s = 3600.0
        for order in tuple(self._sandbox):
            key = order.life.order_id.lower()
            if key not in told:
                self._write(order, Happening(event_name="ORDER_CREATED", content=Content.ORDER, at_s=0))
            self._told[key] = past = self._tell(order, told.get(key, 0))
            for step in order.life.steps[past : past + 1]:
                soonest_s = min(soonest_s, (order.frame.at(step.at_s) - now).total_seconds())
        return max(_LEAST_S, soonest_s)

    def _tell(self, order: Order, told: int) -> int:
        """Write of every step so far but the first `told`, and return how many are past: those never change."""
        age_s = self._sandbox.age_s(order)
        past = [step for step in order.life.steps if step.at_s <= age_s]
        before = Look()
        for n, step in enumerate(past):
            after = before.after(step)
            if n >= told:
                for happening in happenings(order.life, before, after, step.at_s):
                    self._write(order, happening)
            before = after
        return len(past)

    def _write(self, order: Order, happening: Happening) -> None:
        for hook in self._hooks_of(order):
            self._letters.put_nowait((hook, written(self._sandbox, order, happening, hook)))

    def _hooks_of(self, order: Order) -> list[Hook]:
        if order.webhook_url is None:
            return self._hooks
        return [
            msgspec.structs.replace(self._hooks[0], url=order.webhook_url)
            if self._hooks
            else Hook(url=order.webhook_url)
        ]

    async def _deliver(
        self, session: aiohttp.ClientSession, hook: Hook, letter: Letter, held_s: float
    ) -> None:
        clock = self._sandbox.clock
        await clock.sleep(held_s)
        for number in count(1):
            if await self._is_taken(session, hook, letter, number):
                break
            await clock.sleep(_PAUSES_S[min(number, len(_PAUSES_S)) - 1])
            if self._is_gone(hook):
                return
        for copy in range(1, hook.copies):
            await self._is_taken(session, hook, letter, number + copy)

    def _is_gone(self, hook: Hook) -> bool:
        own = any(hook.url == order.webhook_url for order in self._sandbox)
        return hook not in self._hooks and not own

    async def _is_taken(
        self, session: aiohttp.ClientSession, hook: Hook, letter: Letter, number: int
    ) -> bool:
        headers = {"Content-Type": "application/json"}
        if hook.user:
            headers["Authorization"] = aiohttp.encode_basic_auth(hook.user, hook.password)
        status: int | None = None
        failed: str | None = None
        try:
            async with session.post(
                hook.url, data=letter.body, headers=headers, allow_redirects=False
            ) as response:
                status = response.status
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            failed = type(error).__name__  # never its text, which may hold the address with its credentials
        self.tries.put(
            Try(
                event_id=letter.event_id,
                event_name=letter.event_name,
                order_id=letter.order_id,
                url=hook.url,
                number=number,
                status=status,
                error=failed,
            )
        )
        return status == _TAKEN

"""Orders that are opened, registered and moved on for as long as a round lasts, whatever becomes of the daemon."""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field

import aiohttp
from crash_process import KEY
from crash_world import World

from notifier.sandbox.lives.scenario import RefundOutcome

_TICK_S = 0.02
_ASKED_EVERY_S = 1.5
_MOVES_FREELY = 0.03
"""How likely a tick moves an order that waits for nobody."""
_WAYS = (
    ("PENDING_VBV", "AUTHORIZING", "CHARGED"),
    ("PENDING_VBV", "AUTHORIZING", "CHARGED", "refund"),
    ("PENDING_VBV", "AUTHORIZATION_FAILED"),
    ("PENDING_VBV", "AUTHORIZATION_FAILED", "CHARGED"),
    ("PENDING_VBV", "AUTHORIZING", "AUTHORIZED", "CHARGED"),
)


@dataclass
class Course:
    """An order's way; a patient one takes each step only once one daemon was shown the last one twice."""

    order_id: str
    way: list[str]
    is_patient: bool
    status: str = "NEW"
    asked_at: float = 0.0


@dataclass
class Load:
    """Keeps orders open, so many `at_once`; `url` is where the daemon listens, None while it is dead."""

    world: World
    dice: random.Random
    url: str | None = None
    at_once: int = 16
    is_opening: bool = True
    courses: list[Course] = field(default_factory=list)
    opened: int = 0
    refunded: set[str] = field(default_factory=set)
    """These settle in a week, whatever the configuration says."""
    _waiting: list[str] = field(default_factory=list)
    _read: int = 0
    _steps: Counter[str] = field(default_factory=Counter)
    _shown: Counter[tuple[int, str, int]] = field(default_factory=Counter)
    _held: set[tuple[str, int]] = field(default_factory=set)

    @property
    def is_done(self) -> bool:
        """Whether every order has come to its end."""
        return not (self.is_opening or self.courses or self._waiting)

    def is_known(self, order_id: str) -> bool:
        """Whether one daemon was shown the order twice as it is now."""
        return (order_id, self._steps[order_id]) in self._held

    async def run(self) -> None:
        """Go on until cancelled."""
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {KEY}"}) as http:
            while True:
                while self.is_opening and len(self.courses) < self.at_once:
                    self._open()
                await self._register(http)
                self._read_served()
                for course in list(self.courses):
                    self._move(course)
                await asyncio.sleep(_TICK_S)

    def _open(self) -> None:
        self.opened += 1
        order_id = f"JP{self.opened:05}"
        self.world.sandbox.create(order_id, steps=())
        self._waiting.append(order_id)
        way, is_patient = list(self.dice.choice(_WAYS)), self.dice.random() < 0.7
        self.courses.append(Course(order_id, way, is_patient, asked_at=self._now()))

    async def _register(self, http: aiohttp.ClientSession) -> None:
        """Register what is not yet, as a shop does: again until it is answered."""
        while self._waiting and self.url is not None:
            order_id = self._waiting[0]
            try:
                body = {"order_id": order_id}
                async with http.post(f"{self.url}/v1/watches", json=body) as answer:
                    if answer.status >= 500:
                        return
                    assert answer.status < 300, await answer.text()
            except aiohttp.ClientError:
                return
            self._waiting.pop(0)
            self.world.journal.registered.add(order_id)

    def _move(self, course: Course) -> None:
        if course.order_id not in self.world.journal.registered:
            return
        is_free = not course.is_patient and self.dice.random() < _MOVES_FREELY
        may_move = is_free or (course.is_patient and self.is_known(course.order_id))
        if not may_move:
            # It may have been given up or settled meanwhile: whoever still cares asks again.
            if self._now() - course.asked_at > _ASKED_EVERY_S and course.order_id not in self._waiting:
                self._waiting.append(course.order_id)
                course.asked_at = self._now()
            return
        word = course.way.pop(0)
        self._steps[course.order_id] += 1
        order = self.world.sandbox.find(course.order_id)
        assert order is not None
        if word == "refund":
            self.refunded.add(course.order_id)
            self.world.sandbox.ask_refund(
                order, unique_request_id="r1", amount=10_000, outcome=RefundOutcome.INSTANT
            )
        else:
            self.world.sandbox.force(order, status=word)
            if course.status == "AUTHORIZATION_FAILED":
                self._waiting.append(course.order_id)
            course.status = word
        if not course.way:
            self.world.journal.finals[course.order_id] = course.status
            self.courses.remove(course)
            self._waiting.append(course.order_id)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _read_served(self) -> None:
        served = self.world.journal.served
        for each in served[self._read :]:
            if each.life is not None:
                step = self._steps[each.order_id]
                self._shown[each.life, each.order_id, step] += 1
                if self._shown[each.life, each.order_id, step] > 1:
                    self._held.add((each.order_id, step))
        self._read = len(served)

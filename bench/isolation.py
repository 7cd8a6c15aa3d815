"""What ten bad receivers cost ninety good ones: five that never answer, five whose port nobody listens on.

The same load with all hundred well is the other side of each ratio.
"""

import asyncio
import socket
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from bench.ground import WARM_S, Figures, lateness, opened_storage
from bench.owing import (
    deliverer_of,
    delivering,
    noted,
    owe_backlog,
    pace_of,
    see_orders,
    subscribe,
    tell_steadily,
)
from bench.watches import make_watches
from notifier.domain.delivery import DeliveryState

_SUBSCRIPTIONS, _BACKLOG_EACH = 100, 150
_HANG = {f"{number}" for number in range(5, _SUBSCRIPTIONS, 20)}
_REFUSE = {f"{number}" for number in range(15, _SUBSCRIPTIONS, 20)}
_BAD = sorted(_HANG | _REFUSE)
_GOOD = [name for name in map(str, range(_SUBSCRIPTIONS)) if name not in _BAD]
_GOOD_PER_S, _BAD_PER_S, _LASTING_S = 200, 20, 20.0
_PATIENCE_S = 120.0


def isolation(*, are_some_bad: bool) -> Callable[[int], Coroutine[Any, Any, Figures]]:
    """Return the case that measures the ninety good ones, beside ten bad ones or beside ten more of their kind."""

    async def case(port: int) -> Figures:
        with _unheard_port() as nobody:
            targets = {name: _target(name, port, nobody if are_some_bad else None) for name in _GOOD + _BAD}
            return await _backlog(port, targets) | await _steady(port, targets)

    return case


@contextmanager
def _unheard_port() -> Iterator[int]:
    """Hold a port on which nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def _target(name: str, port: int, nobody: int | None) -> str:
    if nobody is not None and name in _REFUSE:
        port = nobody
    path = "hang" if nobody is not None and name in _HANG else "hook"
    return f"http://127.0.0.1:{port}/{path}/{name}"


async def _backlog(port: int, targets: dict[str, str]) -> Figures:
    """Bring a backlog home for all; return the deliveries a second of the good ones until their last."""
    left, is_over = len(_GOOD) * _BACKLOG_EACH, asyncio.Event()
    good = {f"sub_{name}" for name in _GOOD}
    async with opened_storage() as (storage, path):
        await make_watches(storage, path, port, 1)
        async with storage.writing() as tx:
            await subscribe(tx, "ear", f"http://127.0.0.1:{port}/ear", events="subscription.*")
            for name, target in targets.items():
                await subscribe(tx, name, target)
        await owe_backlog(storage, _BACKLOG_EACH)
        deliverer, doors = deliverer_of(storage)
        landed = deliverer._recorder._landed  # noqa: SLF001 - the one honest place to count commits

        def counting(result: Any, was_written: bool) -> None:
            nonlocal left
            claimed, _, after, _ = result
            if claimed.due.subscription.id in good and after.state is DeliveryState.DELIVERED:
                left -= was_written
            if left == 0:
                is_over.set()
            landed(result, was_written)

        deliverer._recorder._landed = counting  # noqa: SLF001
        began, cpu = time.perf_counter(), time.process_time()
        async with delivering(deliverer, doors):
            async with asyncio.timeout(_PATIENCE_S):
                await is_over.wait()
            lasted, burnt = time.perf_counter() - began, time.process_time() - cpu
    count = len(_GOOD) * _BACKLOG_EACH
    return {"rate": count / lasted, "cpu_us": burnt / count * 1e6}


async def _steady(port: int, targets: dict[str, str]) -> Figures:
    """Tell good and bad ones steadily; return the p99 from commit to acceptance of the good ones."""
    async with opened_storage() as (storage, path):
        await make_watches(storage, path, port, 1)
        async with storage.writing() as tx:
            for name, target in targets.items():
                await subscribe(tx, name, target, account=name)
                await subscribe(
                    tx, f"ear{name}", f"http://127.0.0.1:{port}/ear", account=name, events="subscription.*"
                )
        lasting_s = WARM_S + _LASTING_S
        for_good = await see_orders(storage, _GOOD, int(_GOOD_PER_S * lasting_s))
        for_bad = await see_orders(storage, _BAD, int(_BAD_PER_S * lasting_s))
        deliverer, doors = deliverer_of(storage)
        _, accepted = noted(doors)
        async with delivering(deliverer, doors):
            committed, _ = await asyncio.gather(
                tell_steadily(storage, for_good, per_s=_GOOD_PER_S),
                tell_steadily(storage, for_bad, per_s=_BAD_PER_S),
            )
            await asyncio.sleep(WARM_S)
    return lateness(accepted[event_id] - at for event_id, at in committed.items()) | pace_of(committed)

"""`python -m bench live`: the real daemon on the sandbox at real speed, beside the simulation of the very same lives.

Orders begin over the first half of the run and each counts for as long as the other half. Both sides start from what
was learned of other orders, go on learning, and have a budget that does not bind. The daemon asks over HTTP and has
dice, request times and the upstream's own dates; the simulation has none of these.
"""

import argparse
import asyncio
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from notifier.app.daemon import Daemon, assembled
from notifier.app.running import settle_garbage_collection
from notifier.clock import Clock, SteadyClock
from notifier.config.accounts import Account
from notifier.config.model import Config
from notifier.domain.cadence.learning import Hazards
from notifier.domain.cadence.plan import Terms, wait_for
from notifier.domain.order import parse_order_id
from notifier.domain.polling import PollingPolicy
from notifier.logs import configure
from notifier.metrics import Metrics
from notifier.sandbox.frame import Json
from notifier.sandbox.lives.chance import random_life
from notifier.sandbox.lives.scenario import Life as Script
from notifier.sandbox.lives.scenario import Method, Refund
from notifier.sandbox.serve import World, running
from notifier.sandbox.world import Order, Sandbox
from notifier.simulation.learned import ACCOUNT, Learned, Parts
from notifier.simulation.lives import ORDER, REFUND, Life, Row, Sight, lives_of
from notifier.simulation.world import follow
from notifier.storage.engine import open_storage
from notifier.storage.records import Registration

_TAUGHT = 2000
_AMPLE_PER_S, _AT_ONCE = 1000.0, 64
_POLICY = PollingPolicy()
_TAIL_S = 5.0


@dataclass(frozen=True, slots=True)
class Told:
    """What one side came to."""

    requests_per_order: float
    delays: Sequence[float]

    @property
    def delay_mean_s(self) -> float:
        return sum(self.delays) / len(self.delays)

    @property
    def delay_p50_s(self) -> float:
        return sorted(self.delays)[len(self.delays) // 2]


@dataclass(frozen=True, slots=True)
class Terminated(Learned):
    """The cadence on the daemon's own terms, with a last look at the window's end that teaches nothing."""

    window_s: float

    def look(self, belief: Parts, sight: Sight | None, *, before_s: float, now_s: float) -> Parts:
        if now_s >= self.window_s:
            return belief
        return Learned.look(self, belief, sight, before_s=before_s, now_s=now_s)

    def next_s(self, belief: Parts, now_s: float) -> float:
        terms = Terms(price_s=self.price_s, policy=_POLICY)
        wait = wait_for(belief, terms, hazards=self.hazards, now_s=now_s)
        return min(now_s + wait.seconds, max(self.window_s, now_s + _POLICY.min_interval_s))


@dataclass(slots=True)
class _Asked:
    """Requests inside the window as the upstream got them, but for each order's first, which is free."""

    window_s: float
    counts: Counter[str] = field(default_factory=Counter)

    def listen(self, sandbox: Sandbox) -> None:
        answer = sandbox.order_body

        def counting(order: Order, age_s: float, **how: Any) -> Json:
            self.counts[order.life.order_id] += age_s < self.window_s
            return answer(order, age_s, **how)

        setattr(sandbox, "order_body", counting)  # noqa: B010 - the one place that every answer passes

    def per_order(self, count: int) -> float:
        return sum(each - 1 for each in self.counts.values()) / count


def main(arguments: Sequence[str]) -> None:
    """Run both sides and print them."""
    parser = argparse.ArgumentParser(prog="python -m bench live")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--orders", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    window_s = given.minutes * 30
    scripts = list(_scripts(given.orders, random.Random(given.seed)))
    starts = sorted(random.Random(f"starts {given.seed}").uniform(0, window_s) for _ in scripts)
    taught = _taught(random.Random(f"taught {given.seed}"), window_s)
    simulated = _simulated(scripts, starts, taught, window_s)
    print(f"  simulated: {simulated.requests_per_order:.2f} requests an order", file=sys.stderr)
    settle_garbage_collection()
    configure("error", "console")
    lived = asyncio.run(_lived(scripts, starts, taught, window_s))
    _print(lived, simulated, f"{given.minutes:g} minutes, {given.orders:,} orders, seed {given.seed}")


def _scripts(count: int, dice: random.Random) -> Iterator[Script]:
    """Yield payments as the sandbox draws them; loans and mandates are asked for at other places, too."""
    while count:
        script = random_life(f"LIVE{count:07d}", dice)
        if script.method is not Method.LOAN and not script.registers_mandate:
            count -= 1
            yield script


def exported(scripts: Sequence[Script]) -> list[Life]:
    """Return the sandbox's lives as the simulation reads them from rows."""
    return lives_of(row for script in scripts for row in _rows(script))


def _rows(script: Script) -> Iterator[Row]:
    yield Row(script.order_id, script.method, 0.0, ORDER, "NEW")
    for step in script.steps:
        if step.status is not None:
            yield Row(script.order_id, script.method, step.at_s, ORDER, step.status)
        if step.refund is not None:
            yield Row(script.order_id, script.method, step.at_s, REFUND, _stage(step.refund))


def _stage(refund: Refund) -> str:
    is_sent = refund.status == "PENDING" and refund.sent_to_gateway
    return "PENDING_SENT" if is_sent else refund.status


def _taught(dice: random.Random, window_s: float) -> Mapping[str, Any]:
    """Return what other orders teach, which both sides start from."""
    hazards = Hazards()
    scripts = list(_scripts(_TAUGHT, dice))
    starts = sorted(dice.uniform(0, _TAUGHT) for _ in scripts)
    follow(exported(scripts), _policy(hazards, window_s), starts=starts, window_s=window_s)
    return hazards.document()


def _policy(hazards: Hazards, window_s: float) -> Terminated:
    return Terminated(hazards, _POLICY.price_s, window_s)


def _simulated(
    scripts: Sequence[Script], starts: Sequence[float], taught: Mapping[str, Any], window_s: float
) -> Told:
    hazards = Hazards()
    hazards.rebase(taught)
    tally = follow(exported(scripts), _policy(hazards, window_s), starts=starts, window_s=window_s)
    return Told(tally.requests / tally.orders, tally.delays)


async def _lived(
    scripts: Sequence[Script], starts: Sequence[float], taught: Mapping[str, Any], window_s: float
) -> Told:
    clock = SteadyClock()
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "live.db"
        storage = await open_storage(path, clock=clock)
        async with storage.writing() as tx:
            await tx.keep_learned("hazards", taught, now=clock.now())
        await storage.close()
        async with (
            running(clock=clock) as world,
            assembled(_config(world, path), clock=clock, metrics=Metrics()) as daemon,
        ):
            asked = _Asked(window_s)
            asked.listen(world.sandbox)
            stop = asyncio.Event()
            working = asyncio.create_task(daemon.supervisor.run(stop, asyncio.Event()), name="workers")
            born = await _open_all(world.sandbox, daemon, scripts, starts, clock)
            await clock.sleep(window_s + _TAIL_S)
            stop.set()
            await working
            seen = await _seen(daemon)
    delays = [
        delay_s for script in scripts for delay_s in _delays(script, born[script.order_id], seen, window_s)
    ]
    return Told(asked.per_order(len(scripts)), delays)


def _config(world: World, path: Path) -> Config:
    account = Account.model_validate(
        {
            "base_url": world.upstream_url,
            "merchant_id": world.sandbox.merchant_id,
            "api_key_env": "KEY",
            "requests_per_s": _AMPLE_PER_S,
            "max_concurrency": _AT_ONCE,
        },
        context={"KEY": world.sandbox.key},
    )
    config = Config.model_validate({"storage": {"url": f"sqlite:{path}"}}, context={})
    return config.model_copy(update={"accounts": {ACCOUNT: account}})


async def _open_all(
    sandbox: Sandbox, daemon: Daemon, scripts: Sequence[Script], starts: Sequence[float], clock: Clock
) -> dict[str, datetime]:
    """Open the orders one by one, each watched from its first instant; return when each began."""
    began_s, born = clock.monotonic(), {}
    for script, start_s in zip(scripts, starts, strict=True):
        await clock.sleep(max(0.0, began_s + start_s - clock.monotonic()))
        order = sandbox.create(
            script.order_id, amount=script.amount, method=script.method, steps=script.steps
        )
        born[script.order_id] = order.frame.created_at
        wish = Registration(account=ACCOUNT, order_id=parse_order_id(script.order_id))
        async with daemon.storage.writing() as tx:
            await tx.register(wish, now=clock.now())
    return born


async def _seen(daemon: Daemon) -> Mapping[str, Sequence[datetime]]:
    """Return when the daemon saw anything new of each order, by its events."""
    seen: dict[str, list[datetime]] = {}
    after = 0
    while True:
        async with daemon.storage.reading() as tx:
            events = await tx.events(ACCOUNT, after=after, limit=1000)
        if not events:
            return seen
        for each in events:
            seen.setdefault(str(each.event.order_id), []).append(each.event.observed_at)
        after = events[-1].sequence


def _delays(
    script: Script, born: datetime, seen: Mapping[str, Sequence[datetime]], window_s: float
) -> Iterator[float]:
    """Yield how late each change inside the window was seen, at most until the window's end."""
    looks_s = sorted((at - born).total_seconds() for at in seen.get(script.order_id, ()))
    for life in exported([script]):
        for at_s in life.times:
            if at_s < window_s:
                yield min(next((each for each in looks_s if each >= at_s), window_s), window_s) - at_s


def _print(lived: Told, simulated: Told, what: str) -> None:
    print(f"{what}; budget {_AMPLE_PER_S:g} requests/s, price {_POLICY.price_s:g} s\n")
    print("| what | daemon | simulation | ratio, meant to be 0.85 to 1.15 |")
    print("|---|---|---|---|")
    for name, ours, theirs in (
        ("requests an order", lived.requests_per_order, simulated.requests_per_order),
        ("mean delay of a change, s", lived.delay_mean_s, simulated.delay_mean_s),
        ("median delay, s", lived.delay_p50_s, simulated.delay_p50_s),
        ("changes", len(lived.delays), len(simulated.delays)),
    ):
        print(f"| {name} | {ours:,.2f} | {theirs:,.2f} | **{ours / theirs:.2f}** |")

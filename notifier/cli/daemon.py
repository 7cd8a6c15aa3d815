"""`notifier run`, `sandbox` and `demo`: what keeps running, or runs by itself."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter, validators

from notifier.cli.options import COMMON, Common, Failed, Flag, Misuse
from notifier.cli.screen import safe, say, show_json

if TYPE_CHECKING:
    from notifier.sandbox.serve import World

Port = Annotated[int, Parameter(validator=validators.Number(gte=0, lte=65_535))]


async def run(
    *,
    sandbox: Flag = False,
    role: Literal["all", "poller", "deliverer", "web"] = "all",
    options: Common = COMMON,
) -> None:
    """Run the daemon; SIGTERM ends it in order, a second one at once.

    :param sandbox: Take the built-in sandbox for the upstream, even if accounts are configured.
    :param role: What this process does; on SQLite one process does all.
    """
    from notifier.app.running import run as run_app
    from notifier.config.load import load

    config = load(options.config, os.environ)
    if role != "all":
        where = (
            "SQLite belongs to one process" if config.storage.sqlite_path else "roles are not in this version"
        )
        raise Misuse(f"--role {role}: {where}; leave the option out")
    await run_app(config, sandbox=sandbox, say=_say_at_once)


async def sandbox(
    *,
    port: Port = 8089,
    speed: Annotated[float, Parameter(validator=validators.Number(gt=0))] = 1,
    seed: int = 0,
    options: Common = COMMON,
) -> None:
    """Run the make-believe Juspay alone, for merchants to develop against; it ends when interrupted.

    :param port: Where it listens on loopback; 0 takes any free port.
    :param speed: How many seconds of an order's life pass in one of ours.
    :param seed: Another number makes other orders.
    """
    from notifier.sandbox.serve import Settings, running

    settings = Settings(upstream_port=port, speed=speed, seed=seed)
    with _told_to_stop() as stop:
        async with running(settings) as world:
            _introduce(settings.merchant_id, settings.key, world, as_json=options.json)
            await stop.wait()


def _introduce(merchant_id: str, key: str, world: "World", *, as_json: bool) -> None:
    if as_json:
        show_json(
            {
                "base_url": world.upstream_url,
                "merchant_id": merchant_id,
                "api_key": key,
                "receiver_url": world.receiver_url,
                "smtp": f"{world.smtp_host}:{world.smtp_port}",
            }
        )
        return
    url = safe(world.upstream_url)
    say(f"[bold]A make-believe Juspay answers at {url}[/]")
    say(f"  merchant id  {safe(merchant_id)}\n  key          {safe(key)}")
    say(
        f"  receiver     {safe(world.receiver_url)}\n  mailbox      smtp://{safe(world.smtp_host)}:{world.smtp_port}"
    )
    say("\nOpen an order, then look at it:")
    say(f'  curl -X POST {url}/sandbox/orders -d \'{{"order_id": "demo-1"}}\'')
    say(
        f"  curl -u {safe(key)}: -H 'x-merchantid: {safe(merchant_id)}' -H 'version: 2023-06-30' {url}/orders/demo-1"
    )
    say("\nIn config.toml:")
    say(f'  \\[accounts.sandbox]\n  base_url = "{url}"\n  merchant_id = "{safe(merchant_id)}"')
    say(f'  api_key_env = "SANDBOX_KEY"      # export SANDBOX_KEY={safe(key)}')


@contextmanager
def _told_to_stop() -> Iterator[asyncio.Event]:
    """Yield what SIGINT and SIGTERM set while the block lasts."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


async def demo(*, options: Common = COMMON) -> None:
    """Show everything once, on the sandbox, in under a minute; exit status 0 only if all of it happened."""
    del options
    from notifier.app.tour import TourError, tour

    try:
        await tour(_say_at_once)
    except TourError as error:
        raise Failed(str(error)) from error


def _say_at_once(line: str) -> None:
    """Print a line as it is; whoever reads through a pipe must not wait for it."""
    print(line, flush=True)

"""`notifier run`, `sandbox` and `demo`: what keeps running, or runs by itself."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter, validators

from notifier.cli.options import COMMON, Common, Failed, Flag, Misuse
from notifier.cli.screen import safe, say, show_json

if TYPE_CHECKING:
    from notifier.sandbox.jose import Keys
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
    jwe_dir: Path | None = None,
    options: Common = COMMON,
) -> None:
    """Run the make-believe Juspay alone, for merchants to develop against; it ends when interrupted.

    :param port: Where it listens on loopback; 0 takes any free port.
    :param speed: How many seconds of an order's life pass in one of ours.
    :param seed: Another number makes other orders.
    :param jwe_dir: Switches encryption on; fresh RSA key pairs are written there, over those of an earlier run.
    """
    from notifier.sandbox.serve import Settings, running

    settings = Settings(upstream_port=port, speed=speed, seed=seed, keys=_fresh_keys(jwe_dir))
    with _told_to_stop() as stop:
        async with running(settings) as world:
            _introduce(world, jwe_dir, as_json=options.json)
            await stop.wait()


def _fresh_keys(directory: Path | None) -> "Keys | None":
    from notifier.sandbox.jose import Keys

    if directory is None:
        return None
    keys = Keys.fresh()
    try:
        keys.write(directory)
    except OSError as error:
        raise Misuse(
            f"--jwe-dir {directory}: {error.strerror}; name a directory that can be written"
        ) from error
    return keys


def _introduce(world: "World", jwe_dir: Path | None, *, as_json: bool) -> None:
    sandbox = world.sandbox
    if as_json:
        encryption = None if sandbox.keys is None else {"kid": sandbox.keys.kid, "directory": str(jwe_dir)}
        show_json(
            {
                "base_url": world.upstream_url,
                "merchant_id": sandbox.merchant_id,
                "api_key": sandbox.key,
                "credit_api_key": sandbox.credit_key,
                "encryption": encryption,
                "page": f"{world.upstream_url}/sandbox/",
                "receiver_url": world.receiver_url,
                "smtp": f"{world.smtp_host}:{world.smtp_port}",
            }
        )
        return
    url, merchant_id, key = safe(world.upstream_url), sandbox.merchant_id, sandbox.key
    say(f"[bold]A make-believe Juspay answers at {url}[/]")
    say(f"  page         {url}/sandbox/\n  merchant id  {safe(merchant_id)}")
    say(f"  key          {safe(key)}\n  credit key   {safe(sandbox.credit_key)}")
    if sandbox.keys is not None:
        say(f"  encryption   key id {safe(sandbox.keys.kid)}, keys in {safe(str(jwe_dir))}")
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
    from notifier.app.guide import TourError
    from notifier.app.tour import tour

    try:
        await tour(_say_at_once)
    except TourError as error:
        raise Failed(str(error)) from error


def _say_at_once(line: str) -> None:
    """Print a line as it is; whoever reads through a pipe must not wait for it."""
    print(line, flush=True)

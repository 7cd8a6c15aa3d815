"""Runs the daemon in a process: signals, the order of stopping, and the first lines a person reads."""

import asyncio
import gc
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from notifier import __version__
from notifier.app.daemon import Daemon, assembled, listening
from notifier.app.operator_key import keep_key
from notifier.app.playground import Playground, playground
from notifier.clock import SteadyClock
from notifier.config.model import Config
from notifier.errors import ConfigError, Problem
from notifier.logs import configure, get_logger
from notifier.metrics import Metrics

log = get_logger(__name__)

Say = Callable[[str], None]


async def run(config: Config, *, sandbox: bool, say: Say) -> None:
    """Run until SIGTERM or SIGINT, then drain; a second signal stops at once.

    Without an account in the configuration (or when asked to) the sandbox is the upstream.

    Raises: ConfigError, StorageError, OSError when a port is taken.
    """
    clock, metrics = SteadyClock(), Metrics()
    is_play = sandbox or not config.accounts
    level = config.logging.level
    # A newcomer reads the transitions themselves; the log would say each of them twice.
    configure("error" if is_play and level == "info" else level, config.logging.format)
    async with AsyncExitStack() as stack:
        stop, abort = await stack.enter_async_context(_signals())
        settle_garbage_collection()
        play: Playground | None = None
        if is_play:
            play = await stack.enter_async_context(playground(config, clock))
            config = play.config
        channels = play.channels(clock) if play else None
        daemon = await stack.enter_async_context(
            assembled(config, clock=clock, metrics=metrics, channels=channels)
        )
        if play and daemon.generated_key:
            keep_key(play.key_file, daemon.generated_key)
        web = AsyncExitStack()
        url = await _listen(web, daemon)
        stack.push_async_callback(web.aclose)
        for line in _first_lines(daemon, url, play):
            say(line)
        log.info("app.started", version=__version__, url=url, accounts=list(config.accounts))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(daemon.supervisor.run(stop, abort), name="workers")
            playing = tasks.create_task(play.live(daemon, url, say), name="play") if play else None
            await stop.wait()
            if playing:
                playing.cancel()
            await web.aclose()
    log.info("app.stopped")


async def _listen(web: AsyncExitStack, daemon: Daemon) -> str:
    try:
        return await web.enter_async_context(listening(daemon))
    except OSError as error:
        server = daemon.config.server
        text = f"cannot listen on {server.host}:{server.port} ({os.strerror(error.errno or 0).lower()}); "
        advice = "stop what listens there, or set NOTIFIER_SERVER__PORT"
        raise ConfigError([Problem("server.port", text + advice, "taken")]) from error


def settle_garbage_collection() -> None:
    """Stop walking through what stays for ever: modules and wiring outnumber by far what a poll leaves behind."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def _first_lines(daemon: Daemon, url: str, play: Playground | None) -> list[str]:
    lines = [f"notifier {__version__}"]
    if play:
        lines += play.first_lines()
    lines.append(
        f"  REST      {url}  (status page at /, every call but /healthz, /readyz and hints needs the key)"
    )
    if daemon.generated_key is not None:
        kept = f"also in {play.key_file}" if play else "kept only as a hash: note it now"
        lines.append(f"  API key   {daemon.generated_key.reveal()}  (shown this once; {kept})")
    lines.append(f"  database  {daemon.config.storage.sqlite_path}")
    return lines


@asynccontextmanager
async def _signals() -> AsyncIterator[tuple[asyncio.Event, asyncio.Event]]:
    """Turn SIGTERM and SIGINT into a soft stop, and a second one into a hard stop."""
    stop, abort = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        if stop.is_set():
            abort.set()
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    try:
        yield stop, abort
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)

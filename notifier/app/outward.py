"""The watchdog outside that hears whether the daemon lives: `[operators] heartbeat_url`, through the guarded door."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

from notifier.channels.answer import outcome_of
from notifier.channels.egress import Egress
from notifier.channels.reach import Reach
from notifier.clock import Clock
from notifier.config.model import Config
from notifier.domain.delivery import Outcome
from notifier.errors import ConfigError, InvalidValue, Problem

_TIMEOUT_S = 10.0
_BODY = b""


def watchdog(config: Config, clock: Clock, stack: AsyncExitStack) -> Callable[[], Awaitable[Outcome]] | None:
    """Return how to knock at the watchdog's door; None where there is none. Its address is a secret.

    Raises: ConfigError when its address may not be called.
    """
    url = config.operators.heartbeat_url
    if url is None:
        return None
    if problems := watchdog_problems(config):
        raise ConfigError(problems)
    egress = _egress(config)
    stack.push_async_callback(egress.close)

    async def knock() -> Outcome:
        answered = await egress.post(url.reveal(), body=_BODY, headers={}, timeout_s=_TIMEOUT_S)
        return answered if isinstance(answered, Outcome) else outcome_of(answered, clock)

    return knock


def watchdog_problems(config: Config) -> list[Problem]:
    """Return what is wrong with the watchdog's address, without naming it."""
    url = config.operators.heartbeat_url
    try:
        if url is not None:
            _egress(config).check_url(url.reveal())
    except InvalidValue as error:
        return [Problem("operators.heartbeat_url", error.problem.message, error.problem.code)]
    return []


def _egress(config: Config) -> Egress:
    return Egress(Reach.of(config.delivery, only_loopback=not config.accounts))

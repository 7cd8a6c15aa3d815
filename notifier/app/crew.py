"""The crew: every worker of the daemon, built from the configuration."""

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack

from notifier.app.ground import Ground
from notifier.app.outward import watchdog
from notifier.app.polling import Polling
from notifier.channels.contract import Channel
from notifier.config.model import Config
from notifier.storage.records import Lanes
from notifier.storage.telling import delivery_ids
from notifier.workers.alerter import Alerter
from notifier.workers.auditor import Auditor
from notifier.workers.contract import Worker
from notifier.workers.deliverer import Deliverer
from notifier.workers.handed import HandedBodies
from notifier.workers.heartbeats import Heartbeats
from notifier.workers.janitor import Janitor
from notifier.workers.learner import Learner
from notifier.workers.lines import DeliveryLimits
from notifier.workers.pace import Rate
from notifier.workers.pulse import Pulse
from notifier.workers.recording import Telling
from notifier.workers.replayer import Replayer
from notifier.workers.schedule import Job, Schedule

_GOODBYE_S = 5.0
# Source: Slack's page on rate limits: a message a second to a channel, a few at once.
# A mailbox counts, too: a mail every two seconds, three at once.
_RATES = {"slack": Rate(1.0, burst_s=2.0), "email": Rate(0.5, burst_s=4.0)}


def crew(
    ground: Ground,
    channels: Mapping[str, Channel],
    handed: HandedBodies,
    *,
    polling: Polling,
    liveness: Callable[[], Mapping[str, bool]],
    stack: AsyncExitStack,
) -> list[Worker]:
    """Return the workers; what they open is closed by the stack.

    Raises: ConfigError when the watchdog's address cannot be used.
    """
    config = ground.config
    telling = telling_of(config, ground.accounts)
    deliverer = Deliverer(
        storage=ground.storage,
        channels=channels,
        limits=delivery_limits(config, telling.lanes),
        telling=telling,
        clock=ground.clock,
        metrics=ground.metrics,
        handed=handed,
    )
    replayer = Replayer(storage=ground.storage, clock=ground.clock, metrics=ground.metrics, telling=telling)
    jobs = _jobs(ground, telling) + _pulse(ground, liveness, stack)
    cadence, pollers = polling.cadence, polling.pollers
    learner = Learner(cadence=cadence, storage=ground.storage, clock=ground.clock, metrics=ground.metrics)
    schedule = Schedule(jobs, clock=ground.clock, metrics=ground.metrics)
    return [learner, *pollers, deliverer, replayer, schedule]


def telling_of(config: Config, accounts: Mapping[str, bool]) -> Telling:
    """Return how things are told; what is left of an account that is configured no more counts as real money."""
    return Telling(
        expires_after_s=config.delivery.expires_after_s,
        lanes=Lanes(config.delivery.order_hold_attempts, config.delivery.order_hold_s),
        new_id=delivery_ids(),
        livemode=lambda account: accounts.get(account, True),
    )


def _jobs(ground: Ground, telling: Telling) -> tuple[Job, ...]:
    """Return what recurs, whatever is configured."""
    storage, clock, metrics = ground.storage, ground.clock, ground.metrics
    accounts = tuple(ground.accounts)
    janitor = Janitor(
        storage=storage,
        clock=clock,
        metrics=metrics,
        telling=telling,
        retention_days=ground.config.storage.retention_days,
        accounts=accounts,
    )
    heartbeats = Heartbeats(
        storage=storage,
        clock=clock,
        telling=telling,
        accounts=accounts,
        every_s=ground.config.delivery.heartbeat_s,
    )
    auditor = Auditor(storage=storage, clock=clock, metrics=metrics, accounts=accounts)
    alerter = Alerter(storage=storage, clock=clock, metrics=metrics, telling=telling, accounts=accounts)
    return janitor.jobs() + heartbeats.jobs() + auditor.jobs() + alerter.jobs()


def _pulse(
    ground: Ground, liveness: Callable[[], Mapping[str, bool]], stack: AsyncExitStack
) -> tuple[Job, ...]:
    """Return the knocks on the watchdog's door, if there is one."""
    knock = watchdog(ground.config, ground.clock, stack)
    if knock is None:
        return ()
    pulse = Pulse(
        storage=ground.storage,
        clock=ground.clock,
        metrics=ground.metrics,
        accounts=tuple(ground.accounts),
        liveness=liveness,
        knock=knock,
        every_s=ground.config.operators.every_s,
    )
    return pulse.jobs()


def delivery_limits(config: Config, lanes: Lanes) -> DeliveryLimits:
    """Return how deliveries are tried under this configuration."""
    delivery = config.delivery
    return DeliveryLimits(
        concurrency=delivery.concurrency,
        longest_attempt_s=max(delivery.timeout_s, config.email.timeout_s) + _GOODBYE_S,
        schedule=tuple(delivery.schedule),
        lanes=lanes,
        keep_answers=delivery.keep_answers,
        disable_after_s=delivery.disable_after_s,
        rates=_RATES,
    )

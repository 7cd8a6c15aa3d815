"""The composition root: builds everything, and owns the order of start and stop. Nothing else wires.

Opened in order: storage, channels, sources, workers; the exit stack closes them in reverse.
"""

import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from yarl import URL

from notifier.app.managed import synchronise
from notifier.app.operator_key import check_exposure, generated_key
from notifier.app.outward import watchdog
from notifier.app.supervision import Supervisor
from notifier.app.support import supported
from notifier.channels.catalogue import channels as all_channels
from notifier.channels.contract import Channel
from notifier.channels.webhook import signature
from notifier.clock import Clock
from notifier.config.accounts import Account
from notifier.config.model import Config
from notifier.config.secret import Secret
from notifier.domain.cadence import PollingPolicy
from notifier.domain.order import Source
from notifier.metrics import Metrics
from notifier.source.contract import StatusSource
from notifier.source.envelope import opened
from notifier.source.http import order_status_source
from notifier.source.hypercredit import hypercredit_source
from notifier.source.keys import keys_of
from notifier.source.mandate import mandate_source
from notifier.storage.contract import Storage
from notifier.storage.engine import open_storage
from notifier.storage.records import Lanes, Sign
from notifier.storage.telling import new_delivery_id
from notifier.templating import Templates
from notifier.web.server import application, serving
from notifier.web.services import Services
from notifier.workers.auditor import Auditor
from notifier.workers.contract import Worker
from notifier.workers.deliverer import Deliverer
from notifier.workers.heartbeats import Heartbeats
from notifier.workers.janitor import Janitor
from notifier.workers.lines import DeliveryLimits
from notifier.workers.poller import AccountLimits, Feed, Poller
from notifier.workers.pulse import Pulse
from notifier.workers.recording import Recorder, Telling
from notifier.workers.replayer import Replayer
from notifier.workers.schedule import Job, Schedule
from notifier.workers.trouble import Upstream

_GOODBYE_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    """Everything, wired and ready to run."""

    config: Config
    storage: Storage
    services: Services
    supervisor: Supervisor
    generated_key: Secret | None


@asynccontextmanager
async def assembled(
    config: Config, *, clock: Clock, metrics: Metrics, channels: Mapping[str, Channel] | None = None
) -> AsyncIterator[Daemon]:
    """Open storage and build every part; nothing runs yet.

    Raises: ConfigError, StorageError.
    """
    check_exposure(config)
    path = supported(config)
    async with AsyncExitStack() as stack:
        storage = await open_storage(path, clock=clock, master_key=config.server.master_key)
        stack.push_async_callback(storage.close)
        async with storage.writing() as tx:
            await tx.release_claims(now=clock.now())  # Their process is gone: the lock is ours.
            await tx.note(Sign.ALIVE, at=clock.now())
        if channels is None:
            channels = all_channels(config, Templates(config.templates.directory), clock)
        for channel in channels.values():
            stack.push_async_callback(channel.close)
        accounts = {name: is_live(account) for name, account in config.accounts.items()}
        await synchronise(
            config, accounts, channels, storage, clock=clock, new_id=_new_id, new_secret=_new_secret
        )
        workers = await _workers(
            config,
            accounts,
            storage,
            channels,
            liveness=lambda: supervisor.liveness(),  # noqa: PLW0108 - it is made of the workers
            clock=clock,
            metrics=metrics,
            stack=stack,
        )
        supervisor = Supervisor(workers, clock=clock, metrics=metrics, grace_s=config.server.shutdown_grace_s)
        services = Services(
            storage=storage,
            channels=channels,
            config=config,
            clock=clock,
            metrics=metrics,
            accounts=accounts,
            liveness=supervisor.liveness,
            new_id=_new_id,
            new_secret=_new_secret,
            operator_key=config.server.api_key,
            openers={
                name: partial(opened, keys=keys_of(name, account))
                for name, account in config.accounts.items()
                if account.hints is not None
            },
        )
        yield Daemon(
            config=config,
            storage=storage,
            services=services,
            supervisor=supervisor,
            generated_key=await generated_key(storage, clock) if config.server.api_key is None else None,
        )


async def _workers(
    config: Config,
    accounts: Mapping[str, bool],
    storage: Storage,
    channels: Mapping[str, Channel],
    *,
    liveness: Callable[[], Mapping[str, bool]],
    clock: Clock,
    metrics: Metrics,
    stack: AsyncExitStack,
) -> list[Worker]:
    lanes = Lanes(config.delivery.order_hold_attempts, config.delivery.order_hold_s)
    telling = Telling(
        expires_after_s=config.delivery.expires_after_s,
        lanes=lanes,
        new_id=new_delivery_id,
        livemode=lambda account: accounts[account],
    )
    recorder = Recorder(clock=clock, policy=_policy(config), telling=telling, metrics=metrics)
    workers: list[Worker] = []
    for name, account in config.accounts.items():
        feeds = {}
        for each, source in _sources(name, account, clock).items():
            stack.push_async_callback(source.close)
            feeds[each] = Feed(source, Upstream(name, each, storage=storage, clock=clock, telling=telling))
        workers.append(
            Poller(
                name,
                feeds=feeds,
                limits=AccountLimits(
                    requests_per_s=account.requests_per_s, max_concurrency=account.max_concurrency
                ),
                storage=storage,
                recorder=recorder,
                clock=clock,
                metrics=metrics,
            )
        )
    limits = delivery_limits(config, lanes)
    workers.append(Deliverer(storage=storage, channels=channels, limits=limits, clock=clock, metrics=metrics))
    workers.append(Replayer(storage=storage, clock=clock, metrics=metrics, telling=telling))
    jobs = _jobs(config, tuple(accounts), storage, telling, clock=clock, metrics=metrics)
    knock = watchdog(config, clock, stack)
    if knock is not None:
        pulse = Pulse(
            storage=storage,
            clock=clock,
            metrics=metrics,
            accounts=tuple(accounts),
            liveness=liveness,
            knock=knock,
            every_s=config.operators.every_s,
        )
        jobs += pulse.jobs()
    workers.append(Schedule(jobs, metrics=metrics))
    return workers


def _jobs(
    config: Config,
    accounts: tuple[str, ...],
    storage: Storage,
    telling: Telling,
    *,
    clock: Clock,
    metrics: Metrics,
) -> tuple[Job, ...]:
    """Return what recurs, whatever is configured."""
    janitor = Janitor(
        storage=storage,
        clock=clock,
        metrics=metrics,
        lanes=telling.lanes,
        retention_days=config.storage.retention_days,
        accounts=accounts,
    )
    heartbeats = Heartbeats(
        storage=storage,
        clock=clock,
        telling=telling,
        accounts=accounts,
        every_s=config.delivery.heartbeat_s,
    )
    auditor = Auditor(storage=storage, clock=clock, metrics=metrics, accounts=accounts)
    return janitor.jobs() + heartbeats.jobs() + auditor.jobs()


def _sources(name: str, account: Account, clock: Clock) -> dict[Source, StatusSource]:
    """Open what an account can be asked at; HyperCredit needs a key of its own."""
    sources: dict[Source, StatusSource] = {
        Source.ORDER: order_status_source(name, account, clock=clock),
        Source.MANDATE: mandate_source(name, account, clock=clock),
    }
    if account.credit:
        sources[Source.HYPERCREDIT] = hypercredit_source(name, account, account.credit, clock=clock)
    return sources


@asynccontextmanager
async def listening(daemon: Daemon) -> AsyncIterator[str]:
    """Serve REST for as long as the block lasts; yields its base URL."""
    server = daemon.config.server
    async with serving(application(daemon.services), host=server.host, port=server.port) as url:
        yield url


def is_live(account: Account) -> bool:
    """Return whether real money can move: not on this machine, not on a host that calls itself a sandbox or UAT."""
    host = URL(account.base_url).host or ""
    words = host.replace("-", ".").split(".")
    is_local = host in {"127.0.0.1", "localhost", "::1"}
    return not (is_local or {"sandbox", "integ", "uat"} & set(words) or "uat" in host)


def _new_id() -> str:
    return uuid.uuid4().hex


def _new_secret() -> Secret:
    return Secret(signature.new_secret())


def _policy(config: Config) -> PollingPolicy:
    polling = config.polling
    return PollingPolicy(
        min_interval_s=polling.min_interval_s,
        max_interval_s=polling.max_interval_s,
        settle_failed_after_s=polling.settle_failed_after_s,
        settle_charged_after_s=polling.settle_charged_after_s,
        stuck_after_s=polling.stuck_after_s,
        refund_overdue_after_s=polling.refund_overdue_after_s,
    )


def delivery_limits(config: Config, lanes: Lanes) -> DeliveryLimits:
    """Return how deliveries are tried under this configuration."""
    delivery = config.delivery
    return DeliveryLimits(
        concurrency=delivery.concurrency,
        longest_attempt_s=max(delivery.timeout_s, config.email.timeout_s) + _GOODBYE_S,
        schedule=tuple(delivery.schedule),
        lanes=lanes,
        keep_answers=delivery.keep_answers,
    )

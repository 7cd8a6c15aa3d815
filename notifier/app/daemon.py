"""The composition root: builds everything, and owns the order of start and stop. Nothing else wires.

Opened in order: storage, channels, sources, workers; the exit stack closes them in reverse.
"""

import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from yarl import URL

from notifier.app.alerts import synchronise_alerts
from notifier.app.crew import crew, telling_of
from notifier.app.ground import Ground
from notifier.app.managed import synchronise
from notifier.app.operator_key import check_exposure, generated_key
from notifier.app.polling import polling_of
from notifier.app.supervision import Supervisor
from notifier.app.support import supported
from notifier.channels.catalogue import channels as all_channels
from notifier.channels.contract import Channel
from notifier.channels.handed.cells import Cells
from notifier.channels.webhook import signature
from notifier.clock import Clock
from notifier.config.accounts import Account
from notifier.config.model import Config
from notifier.config.secret import Secret
from notifier.domain import leaving
from notifier.domain.handed import Shelf
from notifier.metrics import Metrics
from notifier.source.contract import Failure
from notifier.source.envelope import opened
from notifier.source.keys import keys_of
from notifier.storage.contract import Storage
from notifier.storage.engine import open_storage
from notifier.storage.records import Sign
from notifier.templating import Templates
from notifier.web.server import application, serving
from notifier.web.services import Services
from notifier.workers.handed import HandedBodies


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
        storage = await _storage(config, path, clock, stack)
        templates = Templates(config.templates.directory)
        link_key = storage.key_for(leaving.PURPOSE)
        if channels is None:
            channels = all_channels(config, templates, clock, link_key=link_key)
        for channel in channels.values():
            stack.push_async_callback(channel.close)
        accounts = {name: is_live(account) for name, account in config.accounts.items()}
        await _obey(config, accounts, channels, storage, clock)
        shelf, cells = await _shelf(config, storage), Cells()
        stack.push_async_callback(cells.close)
        handed = HandedBodies(shelf, cells)
        ground = Ground(config=config, accounts=accounts, storage=storage, clock=clock, metrics=metrics)
        polling = polling_of(ground, telling_of(config, accounts), stack)
        workers = crew(
            ground,
            channels,
            handed,
            polling=polling,
            liveness=lambda: supervisor.liveness(),  # noqa: PLW0108 - it is made of the workers
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
            shelf=shelf,
            cells=cells,
            template_files=templates.names,
            openers=_openers(config),
            may_ask=polling.ask,
            outlook=polling.outlook,
            stretched=polling.stretched,
            link_key=link_key,
        )
        yield Daemon(
            config=config,
            storage=storage,
            services=services,
            supervisor=supervisor,
            generated_key=await generated_key(storage, clock) if config.server.api_key is None else None,
        )


async def _storage(config: Config, path: Path, clock: Clock, stack: AsyncExitStack) -> Storage:
    server = config.server
    storage = await open_storage(
        path, clock=clock, master_key=server.master_key, next_master_key=server.next_master_key
    )
    stack.push_async_callback(storage.close)
    async with storage.writing() as tx:
        await tx.release_claims(now=clock.now())  # Their process is gone: the lock is ours.
        await tx.note(Sign.ALIVE, at=clock.now())
    return storage


async def _obey(
    config: Config,
    accounts: Mapping[str, bool],
    channels: Mapping[str, Channel],
    storage: Storage,
    clock: Clock,
) -> None:
    """Make what is managed in the file what the file says."""
    await synchronise(
        config, accounts, channels, storage, clock=clock, new_id=_new_id, new_secret=_new_secret
    )
    await synchronise_alerts(config, accounts, storage, clock=clock, new_id=_new_id)


def _openers(config: Config) -> dict[str, Callable[[bytes], bytes | Failure | None]]:
    """Return what opens sealed hints, for each account that takes any."""
    return {
        name: partial(opened, keys=keys_of(name, account))
        for name, account in config.accounts.items()
        if account.hints is not None
    }


async def _shelf(config: Config, storage: Storage) -> Shelf:
    """Return the templates that were handed in; what was handed in before it was switched off stays unused."""
    if not config.templates.over_rest:
        return {}
    async with storage.reading() as tx:
        return {(each.account, each.name): each for each in await tx.handed_templates()}


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

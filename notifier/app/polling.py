"""The pollers, one an account, built from the configuration, and what the web may know of them."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from notifier.app.ground import Ground
from notifier.clock import Clock
from notifier.config.accounts import Account
from notifier.config.model import Config
from notifier.domain.cadence.plan import Outlook
from notifier.domain.order import Source
from notifier.domain.polling import PollingPolicy
from notifier.source.contract import StatusSource
from notifier.source.http import order_status_source
from notifier.source.hypercredit import hypercredit_source
from notifier.source.mandate import mandate_source
from notifier.storage.records import Watch
from notifier.workers.cadence import Cadence
from notifier.workers.poller import AccountLimits, Feed, Poller
from notifier.workers.recording import Recorder, Telling
from notifier.workers.trouble import Upstream


@dataclass(frozen=True, slots=True)
class Polling:
    """The pollers, and what they go by."""

    cadence: Cadence
    pollers: Sequence[Poller]

    def ask(self, account: str) -> float:
        """Take leave for a look that a person asks for; return how long until there is any, nought when granted."""
        return next((each.budget.ask() for each in self.pollers if each.budget.account == account), 0.0)

    def outlook(self, watch: Watch) -> Outlook | None:
        """Return why the watch's next look is when it is, as far as the cadence set it."""
        return self.cadence.outlook(watch)

    def stretched(self) -> dict[str, float]:
        """Return the accounts whose intervals are stretched past their ceilings, and by how much."""
        fits = {each.budget.account: each.budget.fit for each in self.pollers}
        return {account: fit.stretch for account, fit in fits.items() if fit.stretch > 1.0}


def polling_of(ground: Ground, telling: Telling, stack: AsyncExitStack) -> Polling:
    """Return the pollers of all accounts; what they open is closed by the stack.

    Raises: ConfigError when an account's keys cannot be used.
    """
    storage, clock, metrics = ground.storage, ground.clock, ground.metrics
    cadence = Cadence(policy=_policy(ground.config), clock=clock)
    recorder = Recorder(clock=clock, cadence=cadence, telling=telling, metrics=metrics)
    pollers = []
    for name, account in ground.config.accounts.items():
        feeds = {}
        for each, source in _sources(name, account, clock).items():
            stack.push_async_callback(source.close)
            feeds[each] = Feed(source, Upstream(name, each, storage=storage, clock=clock, telling=telling))
        limits = AccountLimits(requests_per_s=account.requests_per_s, max_concurrency=account.max_concurrency)
        pollers.append(
            Poller(
                name,
                feeds=feeds,
                limits=limits,
                storage=storage,
                recorder=recorder,
                cadence=cadence,
                clock=clock,
                metrics=metrics,
            )
        )
    return Polling(cadence, pollers)


def _sources(name: str, account: Account, clock: Clock) -> dict[Source, StatusSource]:
    """Open what an account can be asked at; HyperCredit needs a key of its own."""
    sources: dict[Source, StatusSource] = {
        Source.ORDER: order_status_source(name, account, clock=clock),
        Source.MANDATE: mandate_source(name, account, clock=clock),
    }
    if account.credit:
        sources[Source.HYPERCREDIT] = hypercredit_source(name, account, account.credit, clock=clock)
    return sources


def _policy(config: Config) -> PollingPolicy:
    polling = config.polling
    return PollingPolicy(
        min_interval_s=polling.min_interval_s,
        max_interval_s=polling.max_interval_s,
        price_s=polling.price_s,
        settle_failed_after_s=polling.settle_failed_after_s,
        settle_charged_after_s=polling.settle_charged_after_s,
        stuck_after_s=polling.stuck_after_s,
        refund_overdue_after_s=polling.refund_overdue_after_s,
    )

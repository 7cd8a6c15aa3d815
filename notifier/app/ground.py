"""What every part of the daemon is built on."""

from collections.abc import Mapping
from dataclasses import dataclass

from notifier.clock import Clock
from notifier.config.model import Config
from notifier.metrics import Metrics
from notifier.storage.contract import Storage


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What all workers stand on. `accounts` says of each whether real money can move."""

    config: Config
    accounts: Mapping[str, bool]
    storage: Storage
    clock: Clock
    metrics: Metrics

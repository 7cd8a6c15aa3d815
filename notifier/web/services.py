"""What the web is given to work with, all at once and by the one who starts it."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from aiohttp import web

from notifier.channels.contract import Channel
from notifier.channels.handed.cells import Cells
from notifier.clock import Clock
from notifier.config.model import Config
from notifier.config.secret import Secret
from notifier.domain.cadence.plan import Outlook
from notifier.domain.handed import Shelf
from notifier.metrics import Metrics
from notifier.source.hint import Opener
from notifier.storage.contract import Storage
from notifier.storage.records import Watch


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything a call may reach."""

    storage: Storage
    channels: Mapping[str, Channel]
    config: Config
    clock: Clock
    metrics: Metrics
    accounts: Mapping[str, bool]
    """Every account by name, and whether its events are `livemode`."""
    liveness: Callable[[], Mapping[str, bool]]
    """Return the daemon's loops by name, and whether each still turns."""
    new_id: Callable[[], str]
    """Return fresh random text of a-z and 0-9, for ids and requests; the prefix is put before it here."""
    new_secret: Callable[[], Secret]
    """Return a fresh signing secret, `whsec_...`."""
    operator_key: Secret | None = None
    """The configured admin key; keys kept in storage count beside it."""
    shelf: Shelf = field(default_factory=dict)
    """Templates that were handed in over REST."""
    cells: Cells = field(default_factory=Cells)
    """Where these are rendered."""
    template_files: Callable[[str], Collection[str]] = lambda _: ()
    """Return the names that a channel has templates for in files."""
    openers: Mapping[str, Opener] = field(default_factory=dict)
    """By account, how its webhooks are opened where they come encrypted."""
    may_ask: Callable[[str], float] = lambda _: 0.0
    """Take leave for one look of an account; return how many seconds until there is any, nought when granted."""
    outlook: Callable[[Watch], Outlook | None] = lambda _: None
    """Return why a watch's next look is when it is, as far as the cadence set it."""
    stretched: Callable[[], Mapping[str, float]] = dict
    """Return the accounts whose budget cannot carry the longest intervals, and by how much these are stretched."""
    link_key: bytes = field(default=b"", repr=False)
    """What proves that we gave a link out."""


SERVICES = web.AppKey("services", Services)

"""All parts of the repository as one."""

from notifier.storage.repository.alerts import Alerts
from notifier.storage.repository.audit import Audits
from notifier.storage.repository.backlog import Backlogs
from notifier.storage.repository.conversations import Conversations
from notifier.storage.repository.footings import Footings
from notifier.storage.repository.health import Health
from notifier.storage.repository.incidents import Incidents
from notifier.storage.repository.log import Events
from notifier.storage.repository.looks import Looks
from notifier.storage.repository.outcomes import Outcomes
from notifier.storage.repository.owing import Owing
from notifier.storage.repository.pacing import Pacing
from notifier.storage.repository.receivers import Receivers
from notifier.storage.repository.replays import Replays
from notifier.storage.repository.snapshots import Snapshots
from notifier.storage.repository.subscriptions import Subscriptions
from notifier.storage.repository.templates import HandedTemplates
from notifier.storage.repository.watches import Watches


class Repository(
    Watches,
    Looks,
    Footings,
    Pacing,
    Snapshots,
    Events,
    Subscriptions,
    Owing,
    Outcomes,
    Receivers,
    Conversations,
    Replays,
    Backlogs,
    Audits,
    Health,
    HandedTemplates,
    Alerts,
    Incidents,
):
    """Everything that `notifier.storage.contract.Transaction` asks for."""

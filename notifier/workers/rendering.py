"""Templates that fail when a message is made: logged and counted each time, told once (6.10)."""

from collections.abc import Sequence
from datetime import datetime

from notifier.domain.event import Fact
from notifier.domain.snapshot import Subject
from notifier.domain.subscription import SubscriptionId
from notifier.errors import TemplateError
from notifier.logs import get_logger
from notifier.metrics import Metrics
from notifier.storage.contract import Transaction
from notifier.storage.records import DueDelivery
from notifier.workers.news import tell_alone
from notifier.workers.recording import Telling

Fault = tuple[str, SubscriptionId, str]
"""Account, subscription, and its template."""

_TYPE = "subscription.misrendered"

log = get_logger(__name__)


class RenderErrors:
    """What failed since this process began: a template is mended by a start, or is another one then."""

    def __init__(self, telling: Telling, metrics: Metrics) -> None:
        self._telling = telling
        self._errors = metrics.loop_errors_total.labels("render")
        self._told: set[Fault] = set()
        self._untold: dict[Fault, None] = {}

    def note(self, due: DueDelivery, template: str, error: TemplateError) -> None:
        """Take in that a template failed for a delivery, which is made by another one."""
        of = due.subscription
        log.error("template.failed", subscription=of.id, template=template, error=str(error))
        self._errors.inc()
        fault = of.account, of.id, template
        if fault not in self._told:
            self._untold[fault] = None

    async def tell(self, tx: Transaction, now: datetime) -> Sequence[Fault]:
        """Tell what nobody was told of yet; return it, for `told` once this is committed."""
        faults = tuple(self._untold)
        for account, of, template in faults:
            fact = Fact(
                type=_TYPE,
                subject=Subject.SUBSCRIPTION,
                subject_id=of,
                field="template",
                current=template,
            )
            told = await tell_alone(tx, self._telling, fact, account=account, now=now, never_to=of)
            if not told:
                log.warning("subscription.untold", subscription=of, news=fact.type)
        return faults

    def told(self, faults: Sequence[Fault]) -> None:
        """Remember what was told."""
        self._told.update(faults)
        for fault in faults:
            self._untold.pop(fault, None)

"""What is sent: the body that a delivery is frozen with at its first attempt (interface 6.10)."""

from collections.abc import Hashable, Mapping, Sequence

from notifier.channels.contract import Channel
from notifier.domain.document import Document, event_document, order_document
from notifier.errors import TemplateError
from notifier.logs import get_logger
from notifier.metrics import Metrics
from notifier.storage.records import DueDelivery
from notifier.templating import SHIPPED

_DEFAULT = "default"

log = get_logger(__name__)


def bodies_of(
    due: Sequence[DueDelivery], channels: Mapping[str, Channel], metrics: Metrics
) -> tuple[list[tuple[DueDelivery, bytes]], list[DueDelivery]]:
    """Return each with its body, the frozen one or one rendered now, and those for which no template would do.

    Whoever is told one event alike gets the same bytes, so these are rendered once.
    """
    rendered: dict[Hashable, bytes | None] = {}
    found, broken = [], []
    for each in due:
        body = each.body
        if body is None:
            listener = each.subscription
            alike = (each.logged.event.id, listener.channel, listener.template, each.skipped)
            if alike not in rendered:
                rendered[alike] = _render(each, channels[listener.channel], metrics)
            body = rendered[alike]
        if body is None:
            broken.append(each)
        else:
            found.append((each, body))
    return found, broken


def document_of(due: DueDelivery) -> Document:
    """Return the event's document as this delivery tells it."""
    logged, order = due.logged, None
    if logged.snapshot is not None and logged.event.order_id is not None:
        order = order_document(logged.event.order_id, logged.snapshot)
    document = event_document(logged.event, logged.sequence, order)
    if due.skipped:
        document["data"]["skipped"] = list(due.skipped)
    return document


def note_failure(due: DueDelivery, template: str | None, error: TemplateError, metrics: Metrics) -> None:
    """Tell the operators of a template that failed when a message was made."""
    log.error("template.failed", subscription=due.subscription.id, template=template, error=str(error))
    metrics.loop_errors_total.labels("render").inc()


def _render(due: DueDelivery, channel: Channel, metrics: Metrics) -> bytes | None:
    document, subscription = document_of(due), due.subscription
    for template in dict.fromkeys((subscription.template, None, _DEFAULT, SHIPPED)):
        try:
            return channel.render(document, template)
        except TemplateError as error:
            note_failure(due, template, error, metrics)
    return None

"""What is sent: the body that a delivery is frozen with at its first attempt (interface 6.10)."""

from collections.abc import Hashable, Mapping, Sequence

from notifier.channels.contract import Channel
from notifier.domain.document import Document, event_document, order_document
from notifier.errors import TemplateError
from notifier.storage.records import DueDelivery
from notifier.templating import SHIPPED
from notifier.workers.rendering import RenderErrors

_DEFAULT = "default"
_MOST_KEPT = 256


class Bodies:
    """Renders what is sent. Whoever is told one event alike gets the same bytes, so these are rendered once."""

    def __init__(self, channels: Mapping[str, Channel], errors: RenderErrors) -> None:
        self._channels = channels
        self._errors = errors
        self._rendered: dict[Hashable, bytes] = {}
        self._before: dict[Hashable, bytes] = {}

    def of(self, due: Sequence[DueDelivery]) -> tuple[list[tuple[DueDelivery, bytes]], list[DueDelivery]]:
        """Return each with its body, the frozen one or one rendered now, and those for which no template would do."""
        found, broken = [], []
        failed: set[Hashable] = set()
        for each in due:
            body = each.body if each.body is not None else self._rendered_for(each, failed)
            if body is None:
                broken.append(each)
            else:
                found.append((each, body))
        return found, broken

    def _rendered_for(self, due: DueDelivery, failed: set[Hashable]) -> bytes | None:
        """Return what is made now, or was a while ago: claims cut through the listeners of an event."""
        listener = due.subscription
        alike = (due.logged.event.id, listener.channel, listener.template, due.skipped)
        if alike in failed:
            return None
        body = self._rendered.get(alike) or self._before.get(alike) or self._render(due)
        if body is None:
            failed.add(alike)
        else:
            self._keep(alike, body)
        return body

    def _keep(self, alike: Hashable, body: bytes) -> None:
        if len(self._rendered) >= _MOST_KEPT:
            self._before, self._rendered = self._rendered, {}
        self._rendered[alike] = body

    def _render(self, due: DueDelivery) -> bytes | None:
        document, subscription = document_of(due), due.subscription
        for template in dict.fromkeys((subscription.template, None, _DEFAULT, SHIPPED)):
            try:
                return self._channels[subscription.channel].render(document, template)
            except TemplateError as error:
                self._errors.note(due, template or _DEFAULT, error)
        return None


def document_of(due: DueDelivery) -> Document:
    """Return the event's document as this delivery tells it."""
    logged, order = due.logged, None
    if logged.snapshot is not None and logged.event.order_id is not None:
        order = order_document(logged.event.order_id, logged.snapshot)
    document = event_document(logged.event, logged.sequence, order)
    if due.skipped:
        document["data"]["skipped"] = list(due.skipped)
    return document

"""What is sent: the body that a delivery is frozen with at its first attempt (interface 6.10)."""

from collections.abc import Hashable, Mapping, Sequence

from notifier.channels.contract import Channel
from notifier.domain.document import Document, event_document, order_document
from notifier.errors import TemplateError
from notifier.storage.records import DueDelivery
from notifier.templating import SHIPPED
from notifier.workers.rendering import RenderErrors

_DEFAULT = "default"


class Bodies:
    """Renders what is sent. Whoever is told one event alike gets the same bytes, so these are rendered once."""

    def __init__(self, channels: Mapping[str, Channel], errors: RenderErrors) -> None:
        self._channels = channels
        self._errors = errors
        self._rendered: dict[Hashable, bytes | None] = {}

    def of(self, due: Sequence[DueDelivery]) -> tuple[list[tuple[DueDelivery, bytes]], list[DueDelivery]]:
        """Return each with its body, the frozen one or one rendered now, and those for which no template would do."""
        found, broken = [], []
        before, self._rendered = self._rendered, {}
        for each in due:
            body = each.body if each.body is not None else self._rendered_for(each, before)
            if body is None:
                broken.append(each)
            else:
                found.append((each, body))
        return found, broken

    def _rendered_for(self, due: DueDelivery, before: Mapping[Hashable, bytes | None]) -> bytes | None:
        """Return what is made now, or was for the last claim: claims cut through the listeners of an event."""
        listener = due.subscription
        alike = (due.logged.event.id, listener.channel, listener.template, due.skipped)
        if alike not in self._rendered:
            body = before.get(alike)
            self._rendered[alike] = self._render(due) if body is None else body
        return self._rendered[alike]

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

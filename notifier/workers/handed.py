"""Bodies by templates that were handed in over REST: made in other processes, beside the claims and never in one.

While one of them is made for a subscription, nothing more of it is claimed; everybody else goes on. What a template
cannot make is made by the channel's default; one that went beyond its limits is not tried again until it changes.
"""

import asyncio
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import replace
from typing import Any

from msgspec import structs

from notifier.channels.handed.cells import Cells, LimitExceeded
from notifier.domain.delivery import DeliveryId
from notifier.domain.handed import HandedTemplate, Shelf, on_shelf
from notifier.domain.subscription import SubscriptionId
from notifier.errors import TemplateError
from notifier.storage.records import DueDelivery
from notifier.workers.bodies import document_of
from notifier.workers.rendering import RenderErrors

_Key = tuple[str, str]


class HandedBodies:
    """Sees to the deliveries whose body no process of ours may make."""

    def __init__(self, shelf: Shelf, cells: Cells) -> None:
        self._shelf = shelf
        self._cells = cells
        self._asked: list[tuple[DueDelivery, HandedTemplate]] = []
        self._made: dict[SubscriptionId, dict[DeliveryId, bytes | None]] = {}
        self._open: dict[SubscriptionId, int] = {}
        self._condemned: dict[_Key, HandedTemplate] = {}

    @property
    def busy(self) -> set[SubscriptionId]:
        """The subscriptions for which a body is being made."""
        return set(self._open)

    def clear(self) -> None:
        """Forget what was under way, for a worker that begins anew."""
        self._asked.clear()
        self._made.clear()
        self._open.clear()

    def ready(self, due: Sequence[DueDelivery]) -> list[DueDelivery]:
        """Return those that can be claimed now: with the body that was made, or ours to render."""
        if not self._shelf:
            return list(due)
        self._asked = []
        # Pages are found although their subscription is busy.
        found = [(each, self._settled(each)) for each in due if each.subscription.id not in self._open]
        for each, settled in found:
            if settled is not None:
                self._made.get(each.subscription.id, {}).pop(each.delivery.id, None)
        return [settled for _, settled in found if settled is not None]

    def renders(self, due: DueDelivery) -> bool:
        """Return whether a body of this subscription is made by a template that was handed in."""
        subscription = due.subscription
        return (
            on_shelf(self._shelf, subscription.account, subscription.channel, subscription.template)
            is not None
        )

    def begun(self, bell: asyncio.Event, errors: RenderErrors) -> Iterator[Coroutine[Any, Any, None]]:
        """Yield what is to be done for those that could not be claimed yet; `bell` is rung when they can."""
        asked, self._asked = self._asked, []
        for due, _ in asked:
            self._open[due.subscription.id] = self._open.get(due.subscription.id, 0) + 1
            self._made[due.subscription.id] = {}
        for due, template in asked:
            yield self._make(due, template, bell, errors)

    def _settled(self, due: DueDelivery) -> DueDelivery | None:
        subscription = due.subscription
        template = on_shelf(self._shelf, subscription.account, subscription.channel, subscription.template)
        if due.body is not None or template is None:
            return due
        made = self._made.get(subscription.id, {})
        if due.delivery.id not in made and not self._is_condemned(template):
            self._asked.append((due, template))
            return None
        body = made.get(due.delivery.id)
        if body is not None:
            return structs.replace(due, body=body)
        return structs.replace(due, subscription=replace(subscription, template=None))

    async def _make(
        self, due: DueDelivery, template: HandedTemplate, bell: asyncio.Event, errors: RenderErrors
    ) -> None:
        subscription_id, body = due.subscription.id, None
        try:
            if not self._is_condemned(template):
                body = await self._cells.render(template, document_of(due))
        except TemplateError as error:
            if isinstance(error, LimitExceeded):
                self._condemned[template.account, template.name] = template
            errors.note(due, template.name, error)
        finally:
            self._made.setdefault(subscription_id, {})[due.delivery.id] = body
            self._open[subscription_id] -= 1
            if not self._open[subscription_id]:
                del self._open[subscription_id]
            bell.set()

    def _is_condemned(self, template: HandedTemplate) -> bool:
        return self._condemned.get((template.account, template.name)) is template

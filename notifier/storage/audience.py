"""What a transaction can do about those who are told: subscriptions, how they stand, and templates of theirs."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Protocol

from notifier.domain.handed import HandedTemplate
from notifier.domain.health import ListenerHealth, TargetHealth
from notifier.domain.order import OrderKey
from notifier.domain.subscription import Subscription, SubscriptionId
from notifier.storage.records import SubscriptionSecrets, Talk


class SubscriptionStore(Protocol):
    """Who is told."""

    async def add_subscription(
        self, subscription: Subscription, secrets: SubscriptionSecrets, *, now: datetime
    ) -> None:
        """Add one.

        Raises: Conflict when its id or (account, name) is taken.
        """

    async def subscription(self, account: str, subscription_id: SubscriptionId) -> Subscription:
        """Return one; raises NotFound."""

    async def subscription_by_name(self, account: str, name: str) -> Subscription | None:
        """Return the one of that name, or None."""

    async def subscriptions(self, account: str, *, after: str = "", limit: int = 50) -> list[Subscription]:
        """Return subscriptions in the order of their ids, which is the page's cursor."""

    async def listening(self, account: str, order_key: OrderKey | None) -> list[Subscription]:
        """Return all subscriptions that may hear of this order: unbound ones and those bound to it."""

    async def amend_subscription(
        self, subscription: Subscription, secrets: SubscriptionSecrets | None, *, now: datetime
    ) -> None:
        """Write a subscription; None leaves its secrets.

        Paused or disabled makes what is pending held; active makes what is held pending again, in order (6.9).
        With new secrets, or active again, what counted against it is forgotten.
        """

    async def drop_held(self, subscription_id: SubscriptionId, *, now: datetime) -> int:
        """Cancel what is held, for `enable {"held": "drop"}`; return how many."""

    async def remove_subscription(
        self, account: str, subscription_id: SubscriptionId, *, now: datetime
    ) -> None:
        """Delete one; what it is owed ends as cancelled.

        Raises: NotFound.
        """

    async def secrets(self, subscription_id: SubscriptionId) -> SubscriptionSecrets:
        """Return the unsealed part."""


class ConversationStore(Protocol):
    """The messages that live on: the handle by which their channel finds each again."""

    async def handles(self, talks: Collection[Talk]) -> dict[Talk, str]:
        """Return the handles of those that have one."""

    async def keep_handles(self, handles: Mapping[Talk, str], *, now: datetime) -> None:
        """Keep the newest handle of each; `prune` forgets those that were not renewed since."""


class ReceiverStore(Protocol):
    """How receivers stand (6.13); what is not kept is well."""

    async def unwell_targets(self) -> dict[str, TargetHealth]:
        """Return every target that is not well, by its id."""

    async def save_target(self, target_id: str, health: TargetHealth) -> None:
        """Write how a target stands."""

    async def wake_target(self, target_id: str, *, now: datetime) -> None:
        """Have a target that rests tried at once: somebody says that it is back."""

    async def failing_listeners(
        self, of: Collection[SubscriptionId] | None = None
    ) -> dict[SubscriptionId, ListenerHealth]:
        """Return every subscription, or of these every one, whose last attempt failed."""

    async def save_listener(self, subscription_id: SubscriptionId, health: ListenerHealth) -> None:
        """Write how a subscription stands."""


class TemplateStore(Protocol):
    """Templates that were handed in over REST."""

    async def handed_templates(self) -> list[HandedTemplate]:
        """Return all of them, of every account."""

    async def keep_template(self, template: HandedTemplate) -> None:
        """Write a template, in place of the one of its account and name."""

    async def drop_template(self, account: str, name: str) -> None:
        """Forget a template, if it is there."""

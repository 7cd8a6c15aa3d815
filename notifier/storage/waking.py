"""A hand on a subscription ends the rest of its target: whoever resumes, replays or tests wants to see it tried now."""

from datetime import datetime

from notifier.domain.health import target_id
from notifier.domain.subscription import Subscription
from notifier.storage.contract import Transaction


async def wake(tx: Transaction, subscription: Subscription, *, now: datetime) -> None:
    """Have the target of a subscription tried at once, if it rests for its failures."""
    secrets = await tx.secrets(subscription.id)
    key = target_id(subscription.account, subscription.channel, secrets.target.reveal())
    await tx.wake_target(key, now=now)

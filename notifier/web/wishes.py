"""Subscriptions before they are stored: made from a body, checked with the channel that will carry them."""

from dataclasses import dataclass, replace
from datetime import datetime

from notifier.channels.contract import Channel, Folding
from notifier.domain.document import Document, sample_event_document
from notifier.domain.handed import on_shelf
from notifier.domain.order import OrderKey
from notifier.domain.subscription import Subscription, SubscriptionId
from notifier.errors import ChannelMisconfigured, InvalidValue, TemplateError
from notifier.storage.contract import Transaction
from notifier.storage.records import SubscriptionSecrets
from notifier.storage.replaying import Since, replay_since
from notifier.web.services import Services
from notifier.web.shapes import SubscriptionMembers, SubscriptionWish

_PREVIEWED = "order.charged"


@dataclass(frozen=True, slots=True)
class Wish:
    """A subscription and the part of it that is sealed; a new one may begin in the past."""

    subscription: Subscription
    secrets: SubscriptionSecrets
    since: Since | None = None

    @property
    def shown_once(self) -> Document:
        """The signing secret, where there is one."""
        return {"secret": self.secrets.signing[0].reveal()} if self.secrets.signing else {}


def wished(services: Services, account: str, body: SubscriptionWish, *, bound_to: OrderKey | None) -> Wish:
    """Return the subscription that a body asks for, with an id and a signing secret of its own.

    Raises: InvalidValue naming the member that its channel refuses.
    """
    channel = services.channels.get(body.channel)
    if channel is None:
        known = ", ".join(sorted(services.channels))
        raise InvalidValue("channel", f"is not known; there are: {known}", "unknown_channel")
    secrets = body.secrets((services.new_secret(),) if channel.signs else ())
    subscription = Subscription(
        id=SubscriptionId(f"sub_{services.new_id()}"),
        account=account,
        channel=body.channel,
        target=body.target,
        order_key=bound_to,
        **{"name": None, **body.changes()},
    )
    if isinstance(body.since, datetime) and body.since > services.clock.now():
        raise InvalidValue("since", "is still to come; leave it out to begin now", "future")
    return _checked(services, Wish(subscription, secrets, body.since))


async def subscribe(tx: Transaction, wish: Wish, *, now: datetime) -> Document:
    """Add a subscription, and the replay of what it asks for from before.

    Returns: `replay_id` if there is one. Raises: Conflict when its name is taken.
    """
    await tx.add_subscription(wish.subscription, wish.secrets, now=now)
    if wish.since is None:
        return {}
    return {"replay_id": await replay_since(tx, wish.subscription, wish.since, now=now)}


def amended(services: Services, present: Wish, body: SubscriptionMembers) -> Wish:
    """Return the subscription with the members of a body laid over it, checked as a new one is.

    Raises: InvalidValue naming the member.
    """
    subscription = replace(present.subscription, **body.changes())
    secrets = replace(present.secrets, **body.secret_changes())
    return _checked(services, Wish(subscription, secrets))


def check_digest(channel: Channel, digest_s: float | None) -> None:
    """Refuse to gather news for a channel that tells each by itself.

    Raises: InvalidValue naming `digest_s`.
    """
    if digest_s and not isinstance(channel, Folding):
        raise InvalidValue("digest_s", f"means nothing to channel {channel.name}", "unsupported")


def _checked(services: Services, wish: Wish) -> Wish:
    subscription, secrets = wish.subscription, wish.secrets
    channel = services.channels.get(subscription.channel)
    if channel is None:
        raise InvalidValue("channel", f"{subscription.channel} is not built in", "unknown_channel")
    target = secrets.target.reveal()
    try:
        channel.check_target(target)
    except ChannelMisconfigured as error:
        raise InvalidValue("channel", str(error), "misconfigured") from None
    if not channel.signs and (secrets.headers or secrets.basic_auth):
        member = "headers" if secrets.headers else "basic_auth"
        raise InvalidValue(member, f"means nothing to channel {subscription.channel}", "unsupported")
    check_digest(channel, subscription.digest_s)
    if secrets.basic_auth and any(name.lower() == "authorization" for name in secrets.headers):
        raise InvalidValue("headers", "Authorization stands beside basic_auth; keep one of them", "twice")
    handed = on_shelf(services.shelf, subscription.account, subscription.channel, subscription.template)
    if subscription.template is not None and handed is None:
        try:
            channel.render(sample_event_document(_PREVIEWED), subscription.template)
        except TemplateError as error:
            raise InvalidValue("template", str(error), "template") from None
    return replace(wish, subscription=replace(subscription, target=channel.shown_target(target)))

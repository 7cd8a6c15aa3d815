"""Several pieces of news in one message: whose news are gathered for a while, and what may be gathered at all.

News of orders may; what wakes people, or tells of the notifier itself, goes at once and alone.
"""

from notifier.domain.delivery import Delivery, last_call
from notifier.domain.event import Event
from notifier.domain.instant import from_ms, to_ms
from notifier.domain.subscription import Subscription

MOST_FOLDED = 50
"""Pieces of news in one message."""
BURST = 5
"""More news than these waiting for one receiver that takes them one by one are a burst, and folded."""

_WINDOWS_S = {"email": 60.0}


def window_of(subscription: Subscription) -> float:
    """Return for how many seconds news are gathered: the subscription's own wish, or its channel's custom."""
    own = subscription.digest_s
    return _WINDOWS_S.get(subscription.channel, 0.0) if own is None else own


def may_fold(event: Event) -> bool:
    """Return whether the event may be told together with others."""
    return event.order_id is not None and event.incident is None


def gathered(delivery: Delivery, window_s: float) -> Delivery:
    """Return a new delivery due at the end of its window, a whole number of windows after 1970, or at its last call."""
    if delivery.due_at is None:
        return delivery
    window_ms = max(1, round(window_s * 1000))
    end = from_ms((to_ms(delivery.due_at) // window_ms + 1) * window_ms)
    return delivery._replace(due_at=max(delivery.due_at, min(end, last_call(delivery))))


def together(delivery: Delivery, first: Delivery) -> Delivery:
    """Return a delivery that is tried again due with the first of its message, if it lives that long."""
    if delivery.due_at is None or first.due_at is None or first.due_at >= delivery.expires_at:
        return delivery
    return delivery._replace(due_at=first.due_at)

"""How events of incidents are told: one after another, and mere figures only where a message can be edited."""

from hashlib import blake2b

from notifier.domain.alert.report import Reason
from notifier.domain.event import Event
from notifier.domain.subscription import Mode, Subscription

SLACK, _EMAIL = "slack", "email"
FIRST_LANE = 2**61
"""Far above the numbers of watches, whose orders have the other lanes."""


def lane_of(event: Event) -> int | None:
    """Return the lane of an event of no order: those of one incident go in order, all others each for itself."""
    if event.incident is None:
        return None
    digest = blake2b(f"{event.account}\n{event.incident.id}".encode(), digest_size=7).digest()
    return FIRST_LANE + int.from_bytes(digest)


def is_mere_edit(event: Event) -> bool:
    """Return whether it brings newer figures and nothing that anybody has to know at once."""
    return event.incident is not None and event.incident.reason is Reason.FIGURES


def may_collapse(event: Event, listener: Subscription) -> bool:
    """Return whether newer figures take the place of these while they wait; what wakes somebody never goes."""
    return is_mere_edit(event) and (listener.mode is Mode.LATEST or listener.channel == SLACK)


def may_be_edited(listener: Subscription) -> bool:
    """Return whether newer figures are worth telling: mails and what a Slack webhook said cannot be edited."""
    return listener.channel != _EMAIL and (listener.channel != SLACK or ":" not in listener.target)

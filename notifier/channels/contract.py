"""How a delivery leaves: a channel checks targets, renders a frozen body, and makes one attempt at a time.

To add a channel: one folder here with a class of this shape, its templates in `templates/<name>/`, one line in
`notifier/channels/catalogue.py`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from msgspec import Struct

from notifier.config.secret import Secret
from notifier.domain.delivery import Outcome
from notifier.domain.snapshot import Subject


class Address(Struct, frozen=True, kw_only=True, gc=False):
    """Where to send, unsealed for one attempt; nothing of it may reach a log or an error."""

    target: Secret
    secrets: tuple[Secret, ...] = ()
    """Live signing secrets, `whsec_...`; every attempt is signed with each of them."""
    headers: Mapping[str, str] = {}
    basic_auth: Secret | None = None
    """`user:password`."""

    def __repr__(self) -> str:
        return "Address(***)"


class Parcel(Struct, frozen=True, kw_only=True, gc=False):
    """One attempt at one delivery: the frozen body and what stands beside it."""

    event_id: str
    event_type: str
    account: str
    order_id: str | None
    subscription_id: str
    sequence: int
    attempt: int
    body: bytes
    now: datetime
    """The instant of this attempt, for `webhook-timestamp`."""
    address: Address
    behind: tuple[str, ...] = ()
    replay_id: str | None = None
    handle: str | None = None
    """What an earlier outcome of the same subject left for this subscription; of channels that converse."""


class Channel(Protocol):
    """One way of sending. Knows neither storage nor schedule."""

    @property
    def name(self) -> str:
        """The word in subscriptions and the folder of its templates."""

    @property
    def signs(self) -> bool:
        """Whether subscriptions of this channel get a signing secret."""

    @property
    def converses_about(self) -> frozenset[Subject]:
        """Of which subjects one message lives on: each attempt is given the handle that the last outcome left."""

    def check_target(self, target: str) -> None:
        """Accept a target that a user typed.

        Raises: InvalidValue naming `target`; ChannelMisconfigured when the channel cannot send at all.
        """

    def shown_target(self, target: str) -> str:
        """Return the target as it may be read back: itself, or masked where it is a secret."""

    def render(self, document: Mapping[str, Any], template: str | None) -> bytes:
        """Return the body that is frozen at the first attempt, from an event's document.

        Raises: TemplateError.
        """

    async def send(self, parcel: Parcel) -> Outcome:
        """Make one attempt. Bounded in time and bytes; whatever the target does is an outcome."""

    async def close(self) -> None:
        """Give back connections."""


@runtime_checkable
class Folding(Protocol):
    """A channel that can tell several pieces of news of orders in one message."""

    def fold(self, bodies: Sequence[bytes]) -> bytes:
        """Return the body of one message that tells what these frozen ones tell, each of which still stands alone.

        Raises: TemplateError.
        """

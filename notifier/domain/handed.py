"""Templates that were handed in over REST, as against those that stand in files."""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedTemplate:
    """The texts of a template's parts by part, such as `json` or `body.txt`; its name is one per account."""

    account: str
    name: str
    channel: str
    parts: Mapping[str, str]
    updated_at: datetime


Shelf = MutableMapping[tuple[str, str], HandedTemplate]
"""The present ones, by account and name: what storage has, kept at hand for those who render."""

PARTS: Mapping[str, tuple[str, ...]] = {
    "webhook": ("json",),
    "slack": ("json",),
    "email": ("subject.txt", "body.txt", "body.html"),
}
"""The parts that a template has, by channel."""


def on_shelf(shelf: Shelf, account: str, channel: str, name: str | None) -> HandedTemplate | None:
    """Return the template of a channel under a name, if it was handed in."""
    found = shelf.get((account, name)) if name is not None else None
    return found if found and found.channel == channel else None

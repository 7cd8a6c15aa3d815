"""Who is told by webhook, and with which of the habits that Juspay's webhooks are known for."""

from typing import Annotated

import msgspec


class Hook(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """One receiver; `user` empty sends no credentials.

    `copies` is how often each is sent though it was taken, `hold_s` holds every other one back for so many
    seconds of the clock, so that later ones overtake it.
    """

    url: Annotated[str, msgspec.Meta(pattern=r"^https?://\S+$")]
    user: str = ""
    password: str = ""
    jwt: bool = False
    masked: bool = False
    as_text: bool = False
    copies: Annotated[int, msgspec.Meta(ge=1, le=10)] = 1
    hold_s: Annotated[float, msgspec.Meta(ge=0)] = 0

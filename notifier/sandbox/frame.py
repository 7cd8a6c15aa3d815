"""What every part of a body needs: the instants of a life, and amounts as the upstream writes them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from notifier.errors import InvalidValue

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Where a life stands in the world: whose it is, when it began, how many of its seconds pass in one.

    `pages` is the host at which customers pay.
    """

    merchant_id: str
    created_at: datetime
    speed: float = 1
    pages: str = "https://sandbox.juspay.in"

    def at(self, age_s: float) -> datetime:
        """Return the instant at which the life reaches that age."""
        return self.created_at + timedelta(seconds=age_s / self.speed)

    def stamp(self, age_s: float) -> str:
        """Return that instant as Juspay writes it."""
        return self.at(age_s).strftime("%Y-%m-%dT%H:%M:%SZ")

    def age_s(self, now: datetime) -> float:
        """Return the age the life has by now."""
        return (now - self.created_at).total_seconds() * self.speed


def number(hundredths: int) -> int | float:
    """Return the amount as the upstream's JSON number: whole rupees as int, others as float.

    The float nearest to a hundredth prints back as that very decimal; nothing is ever counted with it.
    """
    return hundredths // 100 if hundredths % 100 == 0 else hundredths / 100


def hundredths(amount: str | Decimal) -> int:
    """Return an amount given in rupees as whole hundredths; raises InvalidValue."""
    try:
        scaled = Decimal(amount) * 100
    except InvalidOperation:
        raise InvalidValue("amount", f"{amount!r} is not a number; send rupees such as 249.50") from None
    if not scaled.is_finite() or scaled <= 0 or scaled != scaled.to_integral_value():
        raise InvalidValue("amount", f"{amount} is no amount; send more than 0 with at most two decimals")
    return int(scaled)

"""Money is whole minor units of one currency; decimal text stands only at the rim."""

import re
from dataclasses import dataclass
from decimal import Context, Decimal, Inexact, InvalidOperation

from notifier.errors import InvalidValue

# Source: ISO 4217, minor units other than two.
_EXPONENTS = {
    **dict.fromkeys(
        ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV",
         "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}  # fmt: skip
_CODE = re.compile(r"[A-Z]{3}")
_MAX_MINOR = 2**63 - 1
_EXACT = Context(prec=100, traps=[Inexact, InvalidOperation])


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """An exact amount.

    Units: `minor` counts the currency's smallest unit (paise of INR), `currency` is its ISO 4217 code.
    """

    minor: int
    currency: str

    @classmethod
    def parse(cls, amount: Decimal | str | int, currency: str) -> "Money":
        """Read major units exactly.

        Raises: InvalidValue when the text is no finite decimal, has more digits than the currency, or the code
        is not three capital letters.
        """
        if not _CODE.fullmatch(currency):
            raise InvalidValue("currency", f"{currency!r} is no ISO 4217 code; give three capital letters")
        try:
            exact = Decimal(amount)
        except InvalidOperation:
            raise InvalidValue("amount", f"{amount!r} is no decimal number") from None
        if not exact.is_finite():
            raise InvalidValue("amount", f"{amount!r} is not finite")
        try:
            minor = exact.scaleb(exponent_of(currency), _EXACT)
        except Inexact:
            raise InvalidValue("amount", f"{amount} has too many digits") from None
        if minor != minor.to_integral_value():
            raise InvalidValue("amount", f"{amount} has more digits than {currency} knows")
        if abs(minor) > _MAX_MINOR:
            raise InvalidValue("amount", f"{amount} is too large")
        return cls(int(minor), currency)

    def __str__(self) -> str:
        """Return decimal text with the currency's digits: `386.00`, for JPY `2`."""
        digits = exponent_of(self.currency)
        return f"{Decimal(self.minor).scaleb(-digits):.{digits}f}"


def exponent_of(currency: str) -> int:
    """Return how many digits follow the point; two unless ISO 4217 says otherwise."""
    return _EXPONENTS.get(currency, 2)

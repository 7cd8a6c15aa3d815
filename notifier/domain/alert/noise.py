"""How much more a slice's rate wobbles than coins would, learned by moments of windows that have passed."""

from collections.abc import Collection, Sequence
from typing import Any

from notifier.domain.alert.report import Place

LEARNED = (5, 15, 60)
"""Minutes of the windows whose noise is learned; others take that of the longest one within them."""
_DEFAULT = 0.01
_LEAST, _MOST = 0.0005, 0.02
_LEARNED_AFTER = 30
_LEAST_ORDERS = 10
_FORGOTTEN_DAYS = 7
_DAY = 1440
_CUT = 9.0
"""A squared deviation counts at most as so many times its own expectation, in place of a cut of the top 1 %."""


class Noise:
    """The correlation between orders of one window (rho of the beta-binomial), by slice and window."""

    def __init__(self, places: Sequence[Place]) -> None:
        self.places = list(places)
        self._sums = {window: [[0.0, 0.0, 0.0] for _ in self.places] for window in LEARNED}
        """By window and slice: sum of z*z - 1, sum of n - 1, and how many windows, all slowly forgotten."""
        self._rho = {window: [_DEFAULT] * len(self.places) for window in LEARNED}

    def learn(
        self,
        window: int,
        orders: Sequence[int],
        failed: Sequence[int],
        *,
        rates: Sequence[float],
        skip: Collection[int],
    ) -> None:
        """Take one window that has passed, one of LEARNED: what was seen, against what was to be expected."""
        keep = 0.5 ** (window / (_FORGOTTEN_DAYS * _DAY))
        sums, rho = self._sums[window], self._rho[window]
        for at, (seen, bad, rate) in enumerate(zip(orders, failed, rates, strict=True)):
            if seen < _LEAST_ORDERS or at in skip:
                continue
            squared = (bad - seen * rate) ** 2 / (seen * rate * (1.0 - rate))
            squared = min(squared, _CUT * (1.0 + (seen - 1) * rho[at]))
            own = sums[at]
            own[0] = own[0] * keep + squared - 1.0
            own[1] = own[1] * keep + seen - 1.0
            own[2] = own[2] * keep + 1.0
            rho[at] = _rho(own, window)

    def over(self, window: int) -> list[float]:
        """Return rho of every slice for a window of so many minutes."""
        return self._rho[max((each for each in LEARNED if each <= window), default=LEARNED[0])]

    def rearrange(self, places: Sequence[Place]) -> "Noise":
        """Return what is known, for other places."""
        moved = Noise(places)
        was = {place: at for at, place in enumerate(self.places)}
        for window in LEARNED:
            for at, place in enumerate(places):
                if place in was:
                    moved._sums[window][at] = self._sums[window][was[place]]
                    moved._rho[window][at] = self._rho[window][was[place]]
        return moved

    def document(self) -> dict[str, Any]:
        """Return it as JSON, the slices in the order of `places`."""
        return {
            str(window): [[round(value, 3) for value in own] for own in sums]
            for window, sums in self._sums.items()
        }

    @classmethod
    def from_document(cls, places: Sequence[Place], document: dict[str, Any]) -> "Noise":
        """Take up what `document` said of the same places."""
        known = cls(places)
        for window in LEARNED:
            known._sums[window] = [[*own] for own in document[str(window)]]
            known._rho[window] = [_rho(own, window) for own in known._sums[window]]
        return known


def _rho(own: Sequence[float], window: int) -> float:
    """Draw what was seen to the default, which speaks for a day: neighbouring windows wobble alike and say it twice."""
    squares, orders, windows = own
    if windows < _LEARNED_AFTER:
        return _DEFAULT
    drawn = orders / windows * _DAY / window
    return min(max((squares + drawn * _DEFAULT) / (orders + drawn), _LEAST), _MOST)

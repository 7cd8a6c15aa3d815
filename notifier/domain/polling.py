"""How an operator bounds polling."""

from dataclasses import dataclass

_DAY_S = 86_400.0
_WITHIN_MINUTES_S = 150.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PollingPolicy:
    """Bounds of polling. Units: seconds."""

    min_interval_s: float = 1.0
    max_interval_s: float = 3600.0
    price_s: float = 3.0
    settle_failed_after_s: float = 86_400.0
    settle_charged_after_s: float = 864_000.0
    stuck_after_s: float = 900.0
    refund_overdue_after_s: float = 864_000.0

    @property
    def longest_interval_s(self) -> float:
        """The longest wait for what is done: a day where an open order may wait for an hour.

        It falls as the square of that, so that whoever wants to hear of everything within minutes does.
        """
        return max(self.max_interval_s, min(self.max_interval_s**2 / _WITHIN_MINUTES_S, _DAY_S))

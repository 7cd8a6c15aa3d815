"""The least life of an incident that a benchmark needs: what is open, and when something opens or becomes a page."""

from dataclasses import dataclass

from notifier.domain.alert.detect import Detector
from notifier.domain.alert.finding import Cause, Judged
from notifier.domain.alert.report import Place, Tier
from notifier.domain.alert.slices import is_within

PAGES = frozenset({Tier.PAGE, Tier.RUN})
_STALE_AFTER = 60


@dataclass(slots=True)
class Open:
    place: Place
    peak: float
    is_page: bool
    quiet: int = 0


class Life:
    """Incidents of one account, opened before any page budget, merging or silence."""

    def __init__(self) -> None:
        self.open: list[Open] = []

    @property
    def held(self) -> list[Place]:
        return [each.place for each in self.open]

    def take(self, judged: Judged, detector: Detector) -> list[Cause]:
        """Return the causes that page anew: of no open incident, or of one that had not paged."""
        self.open = [each for each in self.open if not _is_over(each, detector)]
        paged = []
        for cause in judged.causes:
            is_page = cause.finding.tier in PAGES
            rate = cause.finding.failed / max(cause.finding.orders, 1)
            same = next((each for each in self.open if _are_related(each.place, cause.place)), None)
            if is_page and not (same and same.is_page):
                paged.append(cause)
            if same is None:
                self.open.append(Open(cause.place, rate, is_page))
            else:
                same.peak, same.is_page = max(same.peak, rate), same.is_page or is_page
        return paged


def _are_related(one: Place, other: Place) -> bool:
    return is_within(one, other) or is_within(other, one)


def _is_over(each: Open, detector: Detector) -> bool:
    is_well = detector.is_well(each.place, peak=each.peak)
    each.quiet = each.quiet + 1 if is_well is None else 0
    return is_well is True or each.quiet >= _STALE_AFTER

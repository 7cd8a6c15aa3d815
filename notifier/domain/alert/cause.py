"""One cause, one incident: which slice explains what fired, and what is left when its excess is taken away.

Excess adds up over slices where rates do not. A slice explains an excess as well as its likelihood ratio says: that of
"this slice alone is worse" to "all is as ever". Diluted by orders that are well, a coarser slice has less; cut down to
some of the orders that are not, a finer one has less too.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log

from notifier.domain.alert.baseline import logit, shifted
from notifier.domain.alert.finding import Cause, Finding
from notifier.domain.alert.report import Place, SliceFigures, Tier
from notifier.domain.alert.slices import WHOLE, are_apart, are_siblings, is_within, overlap
from notifier.domain.alert.tail import upper_tail

HARDEST_FIRST = (Tier.PAGE, Tier.RUN, Tier.PLAIN, Tier.SILENCE, Tier.STUCK, Tier.SLOW, Tier.WARN)
_MOST_CAUSES = 5
_MOST_SLICES = 5
_STANDS_OUT = 1e-5
_STANDS_OUT_POINTS = 0.1
_STANDS_OUT_EXCESS = 15
_AS_EVER = 0.01
_LEAST_SIBLING = 20
_DOUBT = 1.5
"""How much worse, as a log likelihood ratio, the wider of two causes may explain it and is still named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A slice in one window: what was seen and what was to be expected."""

    place: Place
    orders: int
    failed: int
    normal: float
    noise: float

    @property
    def excess(self) -> float:
        return self.failed - self.orders * self.normal

    @property
    def rate(self) -> float:
        return self.failed / self.orders if self.orders else 0.0

    @property
    def surprise(self) -> float:
        """How much better "worse here" explains it than "as ever": a log likelihood ratio, less for noisy slices."""
        if self.rate <= self.normal:
            return 0.0
        return _gain(self, self.rate)


Table = Mapping[Place, Seen]


def attribute(findings: Iterable[Finding], tables: Mapping[int, Table]) -> tuple[Cause, ...]:
    """Return the causes that the findings come down to, the hardest first.

    `tables` hold every living slice, by window in minutes.
    """
    left = sorted(findings, key=lambda finding: (HARDEST_FIRST.index(finding.tier), finding.tail))
    causes: list[Cause] = []
    while left and len(causes) < _MOST_CAUSES:
        table = _clearest(left[0], tables)
        worst = _worst(left[0], table, [cause.place for cause in causes])
        explained = [left[0], *(each for each in left[1:] if _is_explained(each, worst, tables))]
        left = [each for each in left if each not in explained]
        causes.append(_cause(worst, explained, table))
    return tuple(causes)


def _clearest(finding: Finding, tables: Mapping[int, Table]) -> Table:
    """Return the window in which the finding's slice stands out most."""
    return max(tables.values(), key=lambda table: table[finding.place].surprise)


def _worst(finding: Finding, table: Table, taken: Sequence[Place]) -> Seen:
    """Return the slice that explains best what fired: where two do as well, the coarser."""
    near = [
        seen
        for seen in table.values()
        if not are_apart(seen.place, finding.place)
        and (seen.place == finding.place or seen.place not in taken)
        and not (taken and seen.place == WHOLE)
    ]
    best = max(near, key=lambda seen: (seen.surprise, -len(seen.place)))
    wider = sorted(
        (seen for seen in near if seen.place != best.place and is_within(best.place, seen.place)),
        key=lambda seen: (len(seen.place), -seen.surprise),
    )
    return next((seen for seen in wider if _is_alike(best, _without(seen, best))), best)


def _is_alike(worst: Seen, rest: Seen) -> bool:
    """Return whether the rest of a wider slice is rather as bad as the worst part of it than as ever."""
    return rest.orders <= 0 or _gain(rest, shifted(rest.normal, _shift(worst))) >= -_DOUBT


def _gain(seen: Seen, rate: float) -> float:
    """Return the log likelihood ratio of `rate` to the normal, in the measure that noise leaves of it."""
    rate = min(max(rate, 1e-4), 1 - 1e-4)
    well = seen.orders - seen.failed
    of_rate = seen.failed * log(rate / seen.normal) + well * log((1 - rate) / (1 - seen.normal))
    return of_rate / (1 + max(seen.orders - 1, 0) * seen.noise)


def _shift(seen: Seen) -> float:
    rate = min(max(seen.rate, 1e-3), 1 - 1e-3)
    return logit(rate) - logit(seen.normal)


def _without(whole: Seen, part: Seen) -> Seen:
    """Return what is left of a slice when another, that lies within it, is taken out."""
    orders = max(whole.orders - part.orders, 0)
    expected = whole.orders * whole.normal - part.orders * part.normal
    normal = min(max(expected / orders, 0.01), 0.9) if orders else whole.normal
    failed = min(max(whole.failed - part.failed, 0), orders)
    return Seen(place=whole.place, orders=orders, failed=failed, normal=normal, noise=whole.noise)


def _is_explained(finding: Finding, worst: Seen, tables: Mapping[int, Table]) -> bool:
    """Return whether a slice that fired is as ever once the cause's excess is taken away."""
    table = tables[finding.window] if finding.window in tables else _clearest(finding, tables)
    cause, fired = table[worst.place], table[finding.place]
    if are_apart(cause.place, fired.place):
        return False
    if is_within(fired.place, cause.place):
        # Nobody asks more of a part than that it is as bad as the whole of the cause.
        expected = shifted(fired.normal, max(_shift(cause), 0.0))
        rest = Seen(
            place=fired.place, orders=fired.orders, failed=fired.failed, normal=expected, noise=fired.noise
        )
    elif (both := table.get(overlap(fired.place, cause.place))) is not None:
        rest = _without(fired, both)
    else:
        rest = _mixed(fired, cause, table)
    return not _stands_out(rest)


def _mixed(fired: Seen, cause: Seen, table: Table) -> Seen:
    """Return a slice against what it is to show when as many of its orders as can be are the cause's too."""
    both = overlap(fired.place, cause.place)
    most = min(seen.orders for seen in table.values() if is_within(both, seen.place))
    part = min(most / fired.orders, 1.0) if fired.orders else 0.0
    bad = shifted(fired.normal, max(_shift(cause), 0.0))
    normal = fired.normal + part * (bad - fired.normal)
    return Seen(place=fired.place, orders=fired.orders, failed=fired.failed, normal=normal, noise=fired.noise)


def _stands_out(seen: Seen) -> bool:
    if seen.excess < _STANDS_OUT_EXCESS or seen.rate < seen.normal + _STANDS_OUT_POINTS:
        return False
    return upper_tail(seen.failed, seen.orders, rate=seen.normal, noise=seen.noise) < _STANDS_OUT


def _cause(worst: Seen, explained: Sequence[Finding], table: Table) -> Cause:
    own = next((each for each in explained if each.place == worst.place), None)
    hardest = explained[0]
    total = max(table[WHOLE].excess, worst.excess, 1e-9)
    finding = own if own is not None and own.tier is hardest.tier else _finding(worst, hardest)
    return Cause(
        place=worst.place,
        finding=finding,
        share=min(max(worst.excess / total, 0.0), 1.0),
        inhibited=tuple(each for each in explained if each.place != worst.place),
        slices=_carrying(worst, table, total),
        normal_slices=_as_ever(worst, table),
    )


def _finding(seen: Seen, hardest: Finding) -> Finding:
    """Return the finding of a place that explains one of another place, and so is as hard."""
    return Finding(
        place=seen.place,
        tier=hardest.tier,
        window=hardest.window,
        orders=seen.orders,
        failed=seen.failed,
        normal=seen.normal,
        noise=seen.noise,
        tail=min(hardest.tail, upper_tail(seen.failed, seen.orders, rate=seen.normal, noise=seen.noise)),
        excess=seen.excess,
    )


def _carrying(worst: Seen, table: Table, total: float) -> tuple[SliceFigures, ...]:
    near = [seen for seen in table.values() if seen.place and not are_apart(seen.place, worst.place)]
    near.sort(
        key=lambda seen: (seen.place != worst.place, not is_within(seen.place, worst.place), -seen.excess)
    )
    return tuple(figures_of(seen, seen.excess / total) for seen in near[:_MOST_SLICES] if seen.excess > 0)


def _as_ever(worst: Seen, table: Table) -> tuple[SliceFigures, ...]:
    siblings = [
        seen
        for seen in table.values()
        if are_siblings(seen.place, worst.place)
        and seen.orders >= _LEAST_SIBLING
        and upper_tail(seen.failed, seen.orders, rate=seen.normal, noise=seen.noise) > _AS_EVER
    ]
    siblings.sort(key=lambda seen: -seen.orders)
    return tuple(figures_of(seen) for seen in siblings[:_MOST_SLICES])


def figures_of(seen: Seen, share: float = 0.0) -> SliceFigures:
    """Return a slice as messages show it."""
    return SliceFigures(
        place=seen.place,
        orders=seen.orders,
        failed=seen.failed,
        rate=seen.rate,
        normal=seen.normal,
        share=min(max(share, 0.0), 1.0),
    )

"""The lattice of slices: the whole account, single dimensions, pairs; and which few of them are alive."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from notifier.domain.alert.outcome import PLACED
from notifier.domain.alert.report import Place

WHOLE: Place = ()
_NESTED = {("payment_method_type", "payment_method"), ("payment_method", "bank")}
"""Pairs of which one nearly says the other: a slice of both would be the narrower one again."""
_RANK = {name: rank for rank, name in enumerate(PLACED)}
_PAIR = 2


def places_of(dimensions: Place, names: Sequence[str]) -> Iterator[Place]:
    """Yield every place that an outcome belongs to, coarse ones first: 1 + d + d(d-1)/2 of d dimensions at most."""
    held = [pair for pair in dimensions if pair[0] in names]
    yield WHOLE
    for pair in held:
        yield (pair,)
    for one, other in combinations(held, 2):
        if (one[0], other[0]) not in _NESTED:
            yield (one, other)


def parents_of(place: Place) -> tuple[Place, ...]:
    """Return the places one step coarser; none of the whole."""
    return tuple(place[:skip] + place[skip + 1 :] for skip in range(len(place)))


def is_within(inner: Place, outer: Place) -> bool:
    """Return whether every order of one place is one of the other too."""
    return set(outer) <= set(inner)


def are_apart(one: Place, other: Place) -> bool:
    """Return whether no order can be of both: they name different values of one dimension."""
    values = dict(one)
    return any(values.get(name, value) != value for name, value in other)


def overlap(one: Place, other: Place) -> Place:
    """Return the place of the orders that are in both; the two must not be apart."""
    held = {**dict(one), **dict(other)}
    return tuple(sorted(held.items(), key=lambda pair: (_RANK.get(pair[0], len(_RANK)), pair[0])))


def are_siblings(one: Place, other: Place) -> bool:
    """Return whether the two differ in the value of one dimension and in nothing else."""
    return len(one) == len(other) and are_apart(one, other) and len(set(one) & set(other)) == len(one) - 1


def heaviest(weights: Mapping[Place, float], *, limit: int, least: float) -> list[Place]:
    """Return the places worth tests of their own: the whole, then single dimensions, then pairs, at most `limit`.

    `weights` are orders a place. Pairs lighter than `least` and those beyond the limit are left to their parents, so
    the cost of a minute has a bound.
    """
    alive = [place for place, weight in weights.items() if place and (len(place) < _PAIR or weight >= least)]
    alive.sort(key=lambda place: (len(place), -weights[place], place))
    return [WHOLE, *alive][:limit]

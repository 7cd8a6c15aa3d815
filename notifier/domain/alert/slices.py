"""The lattice of slices: the whole account, single dimensions, pairs; and which few of them are alive."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

from notifier.domain.alert.report import Place

WHOLE: Place = ()
_NESTED = {("payment_method_type", "payment_method"), ("payment_method", "bank")}
"""Pairs of which one nearly says the other: a slice of both would be the narrower one again."""


def places_of(dimensions: Place, names: Sequence[str]) -> Iterator[Place]:
    """Yield every place that an outcome belongs to, coarse ones first: at most 1 + d + d(d-1)/2 of d dimensions."""
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
    """Return the place of the orders that are in both, which must not be apart."""
    names = {**dict(one), **dict(other)}
    order = [name for name, _ in (*one, *other)]
    return tuple(
        (name, names[name]) for name in sorted(names, key=lambda name: (_rank(name), order.index(name)))
    )


def _rank(name: str) -> int:
    return _ORDER.get(name, len(_ORDER))


_ORDER = {
    name: rank for rank, name in enumerate(("gateway", "payment_method_type", "payment_method", "bank"))
}


def heaviest(weights: Iterable[tuple[Place, float]], *, limit: int, least: float) -> list[Place]:
    """Return the places worth a test of their own: the heaviest, coarser ones before finer, at most `limit`.

    A place lighter than `least` orders is left to its parents, so that the cost of a minute has a bound.
    """
    alive = sorted(weights, key=lambda pair: (len(pair[0]), -pair[1], pair[0]))
    found = [place for place, weight in alive if place == WHOLE or weight >= least]
    coarse = [place for place in found if len(place) < 2]  # noqa: PLR2004 - the whole and single dimensions
    pairs = sorted(
        (pair for pair in alive if len(pair[0]) == 2 and pair[1] >= least),  # noqa: PLR2004 - as above
        key=lambda pair: (-pair[1], pair[0]),
    )
    return (coarse + [place for place, _ in pairs])[:limit]

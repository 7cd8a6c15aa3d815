"""Every event of every story fits the schema of its type."""

from dataclasses import replace
from itertools import permutations

import pytest
from lives import EXPECTED, LIVES

from notifier.domain.document import event_document, order_document
from notifier.domain.event import events_of
from notifier.domain.observation import Observation, observe
from notifier.domain.order import OrderId, order_key
from notifier.domain.polling import PollingPolicy
from notifier.domain.standing import order_phase
from support.beside import seen
from support.builders import NOW, a_known, a_sighting
from support.schemas import faults
from support.upstream import ORDER_ID


def documents(known, body):
    """Return the documents of what a look tells whoever knows so much."""
    told = observe(known, seen(body), now=NOW, policy=PollingPolicy())
    if not isinstance(told, Observation):
        return []
    snapshot = replace(told.snapshot, observed_at=NOW)
    sighting = a_sighting(
        order_id=OrderId(ORDER_ID), order_key=order_key(ORDER_ID), source=snapshot.source,
        phase=order_phase(snapshot), initial=told.is_initial,
    )  # fmt: skip
    shown = order_document(sighting.order_id, snapshot)
    return [event_document(event, n, shown) for n, event in enumerate(events_of(told.facts, sighting), 1)]


@pytest.mark.parametrize("name", LIVES)
def test_every_event_of_a_life_fits_its_schema(name):
    life, expect = LIVES[name], EXPECTED.get(name)
    told = [document for body in life.values() for document in documents(a_known(expect=expect), body)]
    for one, other in permutations(life.values(), 2):
        later = {name: value for name, value in other.items() if name != "last_updated"}
        told += documents(a_known(seen(one), expect=expect, doubted=True), later)

    assert told
    assert {fault for document in told for fault in faults(document)} == set()

"""docs/schemas: made of the declarations that documents are made of, and true of every document.

A difference fails; `make schemas` writes the files anew, to be read before they are committed.
"""

import json
import os
from copy import deepcopy

import pytest
from docs_kit import page
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator

from notifier.config.accounts import Keepable
from notifier.domain.document import SAMPLE_TYPES, event_document, order_document, sample_event_document
from notifier.domain.event import event_of, facts_of, snapshot_event_id
from notifier.domain.order import OrderId, known_statuses, slug
from notifier.domain.schema import EVENT, KEPT, TYPES, event_schema, type_schema
from support.builders import a_sighting, an_event, snapshots
from support.schemas import SCHEMAS, faults, read

_MADE = {EVENT: event_schema()} | {f"{kind}.json": type_schema(kind) for kind in TYPES}


def _written(schema) -> str:
    return json.dumps(schema, indent=2) + "\n"


@pytest.mark.parametrize("name", _MADE)
def test_a_file_is_what_is_made(name):
    path = SCHEMAS / name
    if os.environ.get("SCHEMAS") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(_written(_MADE[name]), encoding="utf-8")
    assert path.read_text(encoding="utf-8") == _written(_MADE[name])


def test_there_is_one_for_every_type_that_is_known_and_no_other_file():
    assert {path.name for path in SCHEMAS.iterdir()} == set(_MADE)
    assert set(SAMPLE_TYPES) <= set(TYPES)
    assert {f"order.{slug(word)}" for word in known_statuses()} <= set(TYPES)
    assert f"schemas/{EVENT}" in page("docs/events.md")


@pytest.mark.parametrize("name", _MADE)
def test_a_schema_is_one_of_its_dialect_and_closes_nothing(name):
    Draft202012Validator.check_schema(read(name))

    assert "additionalProperties" not in (SCHEMAS / name).read_text(encoding="utf-8")
    assert "unevaluatedProperties" not in (SCHEMAS / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", SAMPLE_TYPES)
def test_every_sample_fits_also_with_members_of_a_later_version(kind):
    document = sample_event_document(kind)
    assert faults(document) == []

    document["later"] = document["data"]["later"] = {"any": ["thing"]}
    if document["data"]["order"]:
        document["data"]["order"]["later"] = 1
    assert faults(document) == []


def _places(value, path=()):
    """Yield the path of every member, list and row."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from _places(inner, (*path, key))


def _changed(document, path, change):
    changed = deepcopy(document)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    change(inner, path[-1])
    return changed


def _of_another_type(value):
    return 7 if isinstance(value, str) or value is None else "seven"


@pytest.mark.parametrize("kind", SAMPLE_TYPES)
def test_no_member_may_be_of_another_type(kind):
    document = sample_event_document(kind)
    for path in _places(document):
        wrong = _changed(
            document, path, lambda inner, key: inner.__setitem__(key, _of_another_type(inner[key]))
        )
        assert faults(wrong), path


@pytest.mark.parametrize("kind", SAMPLE_TYPES)
def test_no_promised_member_may_go(kind):
    document = sample_event_document(kind)
    for path in [(name,) for name in document] + [("data", name) for name in document["data"]]:
        if path != ("type",):
            assert faults(_changed(document, path, lambda inner, key: inner.pop(key))), path


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("order.charged", ("type",), "order.new"),
        ("order.charged", ("data", "phase"), "failed"),
        ("order.charged", ("data", "subject"), "refund"),
        ("order.charged", ("data", "source"), "hypercredit"),
        ("order.charged", ("data", "order"), None),
        ("order.charged", ("data", "order", "amount"), "386,00"),
        ("order.charged", ("data", "current"), None),
        ("order.charged", ("data", "observed_at"), "2026-11-22 10:15:30"),
        ("order.charged", ("schema",), 2),
        ("order.late_success", ("data", "initial"), True),
        ("refund.success", ("data", "subject_id"), None),
        ("refund.success", ("data", "order", "refunds"), [{"status": "SUCCESS"}]),
        ("loan.loan_active", ("data", "field"), "status"),
        ("watch.settled", ("data", "current"), "abandoned"),
        ("source.failing", ("data", "order_id"), "JP1"),
        ("order.charged", ("id",), "evt_V2_1"),
    ],
)
def test_what_is_said_of_a_type_is_held(kind, path, value):
    document = sample_event_document(kind)
    assert faults(_changed(document, path, lambda inner, key: inner.__setitem__(key, value)))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(snapshots(), snapshots())
def test_whatever_changes_from_any_snapshot_to_any_other_is_told_by_documents_that_fit(before, after):
    from notifier.domain.change import diff

    sighting = a_sighting()
    shown = order_document(OrderId("JP1"), after)
    for fact in facts_of(diff(before, after), after, None):
        document = event_document(event_of(fact, sighting, snapshot_event_id(sighting, fact)), 7, shown)
        # Rows of every source stand in one drawn snapshot; what says who speaks is not drawn.
        wrong = [each for each in faults(document) if not each.startswith(("$.data.source", "$.data.phase"))]
        assert wrong == []


def test_a_word_never_seen_fits_the_schema_of_every_event():
    shown = {"order_id": "JP1", "status": "NEVER SEEN"}
    document = event_document(an_event("order.never_seen", current="NEVER SEEN"), 1, shown)
    assert faults(document) == []
    assert faults(_changed(document, ("data", "order"), lambda inner, key: inner.__setitem__(key, "x")))


def test_members_that_are_kept_on_request_are_those_of_the_configuration():
    assert set(KEPT) == set(Keepable.__args__)

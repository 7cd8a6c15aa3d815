"""The JSON Schema of events: one for every event, and a narrower one for each type that is known by name.

Made of the same declarations as the documents themselves, so that no member is forgotten. Members may be added to a
document (interface 4), so nothing is closed; `docs/schemas/` holds what this makes.
"""

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from types import NoneType
from typing import Any, get_args, get_type_hints

from notifier.domain.alert.schema import incident_schema
from notifier.domain.document import BLOCKS, DERIVED_STEPS, SAMPLE_TYPES, SCHEMA, SHOWN_AS_IS, WIRE_NAMES
from notifier.domain.event import DERIVED_SLUGS
from notifier.domain.juspay_names import NAMES
from notifier.domain.money import Money
from notifier.domain.order import Phase, Source, known_statuses, phase_of, slug
from notifier.domain.snapshot import (
    Benefit,
    Chargeback,
    Credit,
    Loan,
    Mandate,
    Offer,
    Order,
    Refund,
    Subject,
    Txn,
)

JsonSchema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
EVENT = "event.json"
"""The file of the schema that every event fits; those of types refer to it beside themselves."""
KEPT = ("customer_id", "product_id", *(f"udf{n}" for n in range(1, 11)))
"""Members that only accounts have that ask for them."""

_TEXT: JsonSchema = {"type": "string"}
_SHARED: Mapping[str, JsonSchema] = {
    "instant": {
        "description": "UTC with milliseconds",
        "type": "string",
        "format": "date-time",
        "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$",
    },
    "amount": {
        "description": "decimal text with the digits of the currency",
        "type": "string",
        "pattern": r"^-?\d+(\.\d{1,4})?$",
    },
}
_PLAIN: Mapping[object, JsonSchema] = {
    str: _TEXT,
    int: {"type": "integer"},
    bool: {"type": "boolean"},
    Money: {"$ref": "#/$defs/amount"},
    datetime: {"$ref": "#/$defs/instant"},
    tuple[Benefit, ...]: {"type": "array", "items": {"$ref": "#/$defs/benefit"}},
}
_ROWS: Mapping[str, type[Any]] = {
    "benefit": Benefit, "txn": Txn, "refund": Refund, "offer": Offer, "mandate": Mandate, "chargeback": Chargeback,
    "credit": Credit, "loan": Loan,
}  # fmt: skip
_OF_MONEY = {
    Subject.ORDER, Subject.TXN, Subject.REFUND, Subject.OFFER, Subject.MANDATE, Subject.LOAN, Subject.CHARGEBACK,
}  # fmt: skip
_SOURCES = {
    Subject.LOAN: [Source.HYPERCREDIT],
    Subject.MANDATE: [Source.ORDER, Source.MANDATE],
}
_PAYMENTS = tuple(slug(word) for word in known_statuses())
TYPES = tuple(
    dict.fromkeys(
        (*SAMPLE_TYPES, *(f"{subject}.{word}" for subject in ("order", "txn") for word in _PAYMENTS), *NAMES)
    )
)
"""Every type with a schema of its own: those with samples, and the known words of the upstream."""


def event_schema() -> JsonSchema:
    """Return the schema that every event fits."""
    members: dict[str, JsonSchema] = {
        "id": {"type": "string", "pattern": "^evt_[0-9a-f]{32}$"},
        "type": {"type": "string", "pattern": r"^[a-z]+(\.[a-z0-9_]+)?$"},
        "timestamp": {"$ref": "#/$defs/instant"},
        "schema": {"const": SCHEMA},
        "livemode": {"type": "boolean"},
        "data": {"$ref": "#/$defs/data"},
    }
    rows = {name: _row(kind) for name, kind in _ROWS.items()}
    return {
        "$schema": DIALECT,
        "title": "Any event",
        **_object(members),
        "$defs": {
            **_SHARED,
            "data": _data(),
            "order": _order(),
            "credit_block": _credit(rows.pop("credit")),
            **rows,
        },
    }


_BACKLOG: JsonSchema = {
    "type": "object",
    "required": ["last_sequence", "owed", "owed_count", "unnumbered"],
    "properties": {
        "last_sequence": {"type": "integer", "minimum": 0},
        "owed": {"type": "array", "items": {"type": "integer", "minimum": 1}},
        "owed_count": {"type": "integer", "minimum": 0},
        "unnumbered": {"type": "integer", "minimum": 0},
    },
}


_OWN_BLOCKS = {Subject.HEARTBEAT: "backlog", Subject.INCIDENT: "incident"}


def type_schema(event_type: str) -> JsonSchema:
    """Return the schema of one type, to be read beside EVENT."""
    subject = Subject(event_type.partition(".")[0])
    data: JsonSchema = {"subject": {"const": subject}}
    if subject in _OF_MONEY:
        data |= _of_money(event_type, subject)
    elif subject is Subject.WATCH:
        data |= {"order_id": _TEXT, "subject_id": {"const": None}, "field": {"const": "state"}}
        data["current"] = {"const": event_type.partition(".")[2]}
    else:
        data |= {"order": {"const": None}, "phase": {"const": None}}
        if subject is not Subject.DELIVERY:  # which may speak of an order, by its id
            data["order_id"] = {"const": None}
        if subject is Subject.HEARTBEAT:
            data["backlog"] = _BACKLOG
        if subject is Subject.INCIDENT:
            data["incident"] = incident_schema()
    own: JsonSchema = {"properties": data}
    if subject in _OWN_BLOCKS:
        own["required"] = [_OWN_BLOCKS[subject]]
    return {
        "$schema": DIALECT,
        "title": event_type,
        "$ref": EVENT,
        "properties": {"type": {"const": event_type}, "data": own},
    }


def _of_money(event_type: str, subject: Subject) -> JsonSchema:
    word = event_type.partition(".")[2]
    is_derived = word in DERIVED_SLUGS.get(subject, ()) or event_type == "mandate.resumed"
    shown = {
        "type": "object",
        "required": ["order_id", "status"] if subject is Subject.ORDER else ["order_id"],
    }
    data: JsonSchema = {
        "order_id": _TEXT,
        "order_version": {"minimum": 1},
        "source": {"enum": _SOURCES.get(subject, [Source.ORDER])},
        "subject_id": {"const": None} if subject is Subject.ORDER else _TEXT,
        "order": shown,
    }
    if is_derived:
        data["initial"] = {"const": False}
    else:
        data |= {"field": {"const": "sub_status" if subject is Subject.LOAN else "status"}, "current": _TEXT}
    if event_type in DERIVED_STEPS and event_type != "order.amount_mismatch":
        data["field"] = {"const": DERIVED_STEPS[event_type][0]}
    if subject is Subject.ORDER and word in _PAYMENTS:
        data["phase"] = {"const": phase_of(word.upper())}
    return data


def _data() -> JsonSchema:
    whole, some = {"type": "integer", "minimum": 0}, {"type": ["string", "null"]}
    required = {
        "account": _TEXT,
        "order_id": some,
        "sequence": {"type": "integer", "minimum": 1},
        "order_version": whole,
        "position": {"type": "integer", "minimum": 1},
        "positions": {"type": "integer", "minimum": 1},
        "source": {"enum": [*Source, None]},
        "subject": {"enum": [*Subject]},
        "subject_id": some,
        "field": some,
        "previous": some,
        "current": some,
        "phase": {"enum": [*Phase, None]},
        "observed_at": {"$ref": "#/$defs/instant"},
        "not_before": {"anyOf": [{"$ref": "#/$defs/instant"}, {"type": "null"}]},
        "initial": {"type": "boolean"},
        "order": {"anyOf": [{"$ref": "#/$defs/order"}, {"type": "null"}]},
    }
    return _object(required, {"skipped": {"type": "array", "items": _TEXT, "minItems": 1}})


def _order() -> JsonSchema:
    hints = get_type_hints(Order)
    blocks = {
        block: _object({}, {shown: _plain(hints[name]) for shown, name in names.items()})
        for block, names in BLOCKS.items()
    }
    lists = {"txn_list": "txn", "refunds": "refund", "offers": "offer", "chargebacks": "chargeback"}
    members = {
        "id": _TEXT,
        **{name: _plain(hints[name]) for name in SHOWN_AS_IS},
        **dict.fromkeys(KEPT, _TEXT),
        **blocks,
        **{
            name: {"type": "array", "items": {"$ref": f"#/$defs/{row}"}, "minItems": 1}
            for name, row in lists.items()
        },
        "loan": {"$ref": "#/$defs/credit_block"},
        "mandate": {"$ref": "#/$defs/mandate"},
    }
    return _object({"order_id": _TEXT}, members)


def _credit(credit: JsonSchema) -> JsonSchema:
    return credit | {
        "properties": credit["properties"]
        | {
            "observed_at": {"$ref": "#/$defs/instant"},
            "txn_list": {"type": "array", "items": {"$ref": "#/$defs/loan"}},
        }
    }


def _row(kind: type[Any]) -> JsonSchema:
    hints, names = get_type_hints(kind), WIRE_NAMES[kind]
    members = {names.get(field.name, field.name): _plain(hints[field.name]) for field in fields(kind)}
    if kind is Mandate:
        members["observed_at"] = {"$ref": "#/$defs/instant"}
    needed = [names.get("id", "id")] if "id" in hints else []
    return _object({name: members.pop(name) for name in needed}, members)


def _plain(hint: Any) -> JsonSchema:
    kinds = (
        [each for each in get_args(hint) if each is not NoneType] if NoneType in get_args(hint) else [hint]
    )
    return _PLAIN[kinds[0]]


def _object(
    required: Mapping[str, JsonSchema], optional: Mapping[str, JsonSchema] | None = None
) -> JsonSchema:
    schema: JsonSchema = {"type": "object", "properties": {**required, **(optional or {})}}
    return schema | ({"required": list(required)} if required else {})

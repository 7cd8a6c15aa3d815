"""The JSON Schema of `data.incident`, beside the report it describes."""

from typing import Any

from notifier.domain.alert.report import IncidentState, Reason, Severity, Tier

JsonSchema = dict[str, Any]

_TEXT: JsonSchema = {"type": "string", "minLength": 1}
_COUNT: JsonSchema = {"type": "integer", "minimum": 0}
_SHARE: JsonSchema = {"type": "number", "minimum": 0, "maximum": 1}
_NUMBER: JsonSchema = {"type": "number"}
_INSTANT: JsonSchema = {"$ref": "event.json#/$defs/instant"}
_MAYBE_INSTANT: JsonSchema = {"anyOf": [_INSTANT, {"type": "null"}]}
_PLACE: JsonSchema = {"type": "object", "patternProperties": {"^[a-z_]+$": _TEXT}}


def _rows(most: int | None = None, **members: JsonSchema) -> JsonSchema:
    row = {"type": "object", "required": list(members), "properties": members}
    return {"type": "array", "items": row} | ({"maxItems": most} if most else {})


_MONEY = _rows(amount={"type": "string", "pattern": r"^\d+(\.\d+)?$"}, currency=_TEXT)


def _slices(most: int | None) -> JsonSchema:
    return _rows(
        most,
        cause=_PLACE,
        text=_TEXT,
        orders=_COUNT,
        failed=_COUNT,
        rate=_SHARE,
        normal_rate=_SHARE,
        share=_NUMBER,
    )


def incident_schema() -> JsonSchema:
    """Return the schema of the member; every key is there in each event of an incident."""
    members: JsonSchema = {
        "id": {"type": "string", "pattern": "^inc_[0-9a-f]{16}$"},
        "number": {"type": "integer", "minimum": 1},
        "rule": _TEXT,
        "outcome": _TEXT,
        "tier": {"enum": [*Tier]},
        "severity": {"enum": [*Severity]},
        "state": {"enum": [*IncidentState]},
        "reason": {"enum": [*Reason]},
        "cause": _PLACE,
        "cause_text": _TEXT,
        "first_cause": _PLACE,
        "opened_at": _INSTANT,
        "updated_at": _INSTANT,
        "acknowledged_at": _MAYBE_INSTANT,
        "acknowledged_by": {"type": ["string", "null"]},
        "resolved_at": _MAYBE_INSTANT,
        "window_s": {"type": "number", "exclusiveMinimum": 0},
        "orders": _COUNT,
        "failed": _COUNT,
        "rate": _SHARE,
        "normal_rate": _SHARE,
        "peak_rate": _SHARE,
        "excess_orders": _NUMBER,
        "at_risk": _MONEY,
        "loss_per_minute": _MONEY,
        "codes": _rows(code=_TEXT, orders=_COUNT, share=_SHARE),
        "slices": _slices(5),
        "normal_slices": _slices(None),
        "series": _rows(20, at=_INSTANT, rate=_SHARE, normal_rate=_SHARE, alarm_rate=_SHARE),
        "samples": {"type": "array", "items": _TEXT, "maxItems": 5},
        "hints": {"type": "array", "items": _TEXT, "maxItems": 2},
        "false_pages_per_month": {"type": "number", "minimum": 0},
        "lag_s": {"type": "number", "minimum": 0},
        "later_paid": _COUNT,
        "reopened": _COUNT,
        "is_stale": {"type": "boolean"},
    }
    return {"type": "object", "required": list(members), "properties": members}

"""The schemas of docs/schemas as a receiver would use them: the one of the event's type, else that of every event."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

SCHEMAS = Path(__file__).parents[2] / "docs/schemas"
_EVENT = "event.json"


def read(name: str) -> Any:
    return json.loads((SCHEMAS / name).read_text(encoding="utf-8"))


@cache
def validator(event_type: str) -> Draft202012Validator:
    name = f"{event_type}.json"
    registry: Registry[Any] = Registry().with_resource(_EVENT, Resource.from_contents(read(_EVENT)))
    return Draft202012Validator(read(name if (SCHEMAS / name).exists() else _EVENT), registry=registry)


def faults(event: Any) -> list[str]:
    """Return what the event's schema has against it."""
    found = validator(str(event.get("type"))).iter_errors(event)
    return sorted(f"{error.json_path}: {error.message}" for error in found)

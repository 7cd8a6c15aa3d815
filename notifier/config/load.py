"""Read the file, lay the environment over it, and tell every problem at once."""

import difflib
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import ValidationError

from notifier.config.model import Config
from notifier.config.section import Section
from notifier.errors import ConfigError, Problem

PREFIX = "NOTIFIER_"
_WORDS = {
    "Value error, ": "",
    "Input ": "",
    "String ": "",
    "Tuple ": "",
    "Field required": "is missing",
    "valid tuple": "list",
    " after validation": "",
}


def load(path: Path, environ: Mapping[str, str]) -> Config:
    """Return the configuration in `path` with the overrides and secrets that `environ` holds.

    A variable NOTIFIER_SECTION__KEY stands over the file, for any key that is no list or table.
    Raises ConfigError with all problems, each at its dotted path.
    """
    raw = _read(path)
    overrides, problems = _override(raw, environ)
    problems += _twice_given(raw)
    raw.setdefault("server", {})  # its secrets are named by default and must be looked up
    try:
        config = Config.model_validate(raw, context=environ)
    except ValidationError as error:
        problems += _problems(error, overrides)
        raise ConfigError(problems) from None
    if problems:
        raise ConfigError(problems)
    return config


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        reason = f"cannot read {path}: {error.strerror}; name the file by --config or NOTIFIER_CONFIG"
        raise ConfigError([Problem("", reason, "unreadable")]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError([Problem("", f"{path} is not TOML: {error}", "syntax")]) from None


def _override(raw: dict[str, Any], environ: Mapping[str, str]) -> tuple[dict[str, str], list[Problem]]:
    """Lay the variables over `raw`; return which dotted path came from which variable, and misfits."""
    overrides, problems = {}, []
    for variable in sorted(environ):
        if not variable.startswith(PREFIX) or "__" not in variable:
            continue
        *parents, key = variable.removeprefix(PREFIX).lower().split("__")
        table: Any = raw
        for parent in parents:
            table = table.setdefault(parent, {}) if isinstance(table, dict) else None
        dotted = ".".join([*parents, key])
        if isinstance(table, dict) and not isinstance(table.get(key), dict | list):
            table[key] = environ[variable]
            overrides[dotted] = variable
        else:
            problems.append(Problem(dotted, f"is no single value that {variable} could set", "override"))
    return overrides, problems


def _twice_given(table: Mapping[str, Any], path: str = "") -> list[Problem]:
    """Find secrets that are given in more than one way, in this table and all below."""
    problems = []
    for key, value in table.items():
        if isinstance(value, dict):
            problems += _twice_given(value, f"{path}{key}.")
        stem = key.removesuffix("_file") if key.endswith("_file") else key.removesuffix("_env")
        other = next((name for name in (stem, f"{stem}_env") if name in table and name != key), None)
        if key != stem and other and isinstance(value, str):
            problems.append(Problem(f"{path}{key}", f"is given beside {other}; keep one of them", "twice"))
    return problems


def _problems(error: ValidationError, overrides: Mapping[str, str]) -> Iterator[Problem]:
    for detail in error.errors(include_url=False, include_context=False, include_input=False):
        place = [str(part) for part in detail["loc"] if part != "[key]"]
        path, message, code = ".".join(place), detail["msg"], "invalid"
        for word, better in _WORDS.items():
            message = message.replace(word, better, 1)
        if detail["type"] == "missing":
            code = "missing"
        elif detail["type"] in {"model_type", "dict_type"}:
            message = "should be a table"
        elif detail["type"] == "extra_forbidden":
            message, code = _unknown(place), "unknown"
        sources = [name for dotted, name in overrides.items() if f"{dotted}.".startswith(f"{path}.")]
        if path in overrides or (code == "unknown" and sources):
            message += f" (from {', '.join(sources)})"
        yield Problem(path, message, code)


def _unknown(place: Sequence[str]) -> str:
    keys = _keys_of_table(place[:-1])
    close = difflib.get_close_matches(place[-1], keys, n=1)
    return f"is not a known key; did you mean {close[0]}?" if close else "is not a known key"


def _keys_of_table(place: Sequence[str]) -> list[str]:
    """Return the keys of the table at `place`, by following the models' declarations."""
    section: type[Section] = Config
    parts = iter(place)
    for part in parts:
        annotation = section.model_fields[part].annotation
        if get_origin(annotation) is dict:
            next(parts)
        kinds = get_args(annotation) or (annotation,)
        section = next(kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Section))
    return [field.alias or name for name, field in section.model_fields.items()]

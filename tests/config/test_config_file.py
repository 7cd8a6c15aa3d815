"""The shipped config.toml against the models it documents."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from notifier.config.load import load
from notifier.config.model import Config
from notifier.config.section import Section

SHIPPED = Path(__file__).parents[2] / "config.toml"


class Everything(Mapping[str, str]):
    """An environment in which the variable of every secret is set."""

    def __getitem__(self, name: str) -> str:
        if name.startswith("NOTIFIER_MASTER_KEY"):
            raise KeyError(name)
        return "set"

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


@pytest.fixture(scope="module")
def uncommented() -> str:
    text = re.sub(r"(?m)^#(?=[a-z\[])", "", SHIPPED.read_text(encoding="utf-8"))
    one_way = r"(?m)^(api_key|master_key)_file = .*\n"
    return re.sub(one_way, "", text)


@pytest.fixture(scope="module")
def config(uncommented, tmp_path_factory) -> Config:
    directory = tmp_path_factory.mktemp("everything")
    (directory / "key.pem").write_text("key")
    text = re.sub(r'"/run/secrets/[^"]*"', f'"{directory}/key.pem"', uncommented)
    (directory / "config.toml").write_text(text)
    return load(directory / "config.toml", Everything())


def sections(section: Section, table: dict[str, Any], path: str = "") -> Iterator[tuple[str, Section, dict]]:
    """Walk the tables of a loaded file together with the raw text of each."""
    yield path, section, table
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        raw = table.get(field.alias or name, {})
        if isinstance(value, Section):
            yield from sections(value, raw, f"{path}{name}.")
        elif isinstance(value, dict):
            for key, inner in value.items():
                if isinstance(inner, Section):
                    yield from sections(inner, raw[key], f"{path}{name}.{key}.")


def test_as_shipped_it_loads_to_the_defaults_and_names_no_account():
    shipped = load(SHIPPED, {})

    assert shipped == Config()
    assert shipped.accounts == {}


def test_with_every_example_switched_on_it_loads(config):
    assert set(config.accounts) == {"default"}
    assert set(config.subscriptions) == {"orders", "oncall"}


def test_every_key_is_documented(config, uncommented):
    shown: dict[str, set[str]] = {}
    known: dict[str, set[str]] = {}
    for path, section, table in sections(config, tomllib.loads(uncommented)):
        kind = type(section).__name__
        keys = {field.alias or name for name, field in type(section).model_fields.items()}
        known[kind] = {key for key in keys if not key.endswith("_file") or f"{key[:-5]}_env" not in keys}
        shown[kind] = shown.get(kind, set()) | set(table)
        assert set(table) <= keys, path
    known["Operators"].remove("target_env")
    assert {kind: keys - shown[kind] for kind, keys in known.items() if keys - shown[kind]} == {}


def test_every_documented_default_is_the_models_default(config, uncommented):
    compared = 0
    for path, section, table in sections(config, tomllib.loads(uncommented)):
        for name, field in type(section).model_fields.items():
            key = field.alias or name
            default = None if field.is_required() else field.get_default(call_default_factory=True)
            if key not in table or default is None or isinstance(default, Section | dict):
                continue
            written = tuple(table[key]) if isinstance(table[key], list) else table[key]
            assert written == default, f"{path}{key}"
            compared += 1
    assert compared > 40


def test_every_setting_says_what_it_is_or_stands_under_a_line_that_does():
    lines = SHIPPED.read_text(encoding="utf-8").splitlines()
    bare = [
        line
        for before, line in pairwise(lines)
        if re.match(r"#?[a-z_]+ = ", line) and "# " not in line and not before.startswith("# ")
    ]
    assert bare == []

"""The tables of docs/security.md against the guard."""

import re
import tomllib
from ipaddress import ip_address, ip_network
from itertools import chain

import pytest
from docs_kit import ROOT, code, page, table, words
from yarl import URL

from notifier.channels.egress import MOST_BYTES_KEPT, MOST_BYTES_TAKEN, Egress
from notifier.channels.reach import Reach, is_public
from notifier.config.model import Config, Delivery
from notifier.errors import InvalidValue

_PAGE = "docs/security.md"
_REFUSED, _TYPED = "## Addresses that are refused", "## What is refused as it is typed"
_NETWORKS = [ip_network(word) for word in words(_PAGE, _REFUSED)]
_CORPUS = tomllib.loads((ROOT / "tests/channels/hostile_targets.toml").read_text(encoding="utf-8"))
_WRAPPING = [ip_network(each) for each in ("::ffff:0:0/96", "64:ff9b::/96", "2002::/16")]


@pytest.mark.parametrize("network", _NETWORKS, ids=str)
def test_both_ends_of_a_network_listed_are_refused(network):
    for address in (network[0], network[-1]):
        assert Reach.of(Delivery()).refusal(str(address), 443, is_plain=False)


def test_no_address_of_the_corpus_is_refused_without_standing_in_the_table():
    literals = [_literal(target) for group in _CORPUS["typed"].values() for target in group]
    refused = {each for each in literals if each is not None and not is_public(each)}
    unlisted = {
        each
        for each in refused
        if not any(each in network for network in _NETWORKS + _WRAPPING)
        and int(each) >> 32 & 0xFFFF != 0x5EFE
    }

    assert len(refused) > 150
    assert {each for each in unlisted if each.version == 4 or each in ip_network("2000::/3")} == set()


def test_the_prose_names_the_forms_that_are_judged_by_what_is_inside():
    named = set(code(page(_PAGE).partition(_REFUSED)[2].partition(_TYPED)[0]))

    assert {"2000::/3", *map(str, _WRAPPING)} <= named


def test_what_is_said_to_be_refused_as_typed_is_refused():
    egress, rows = Egress(Reach.of(Delivery())), table(_PAGE, _TYPED)
    listed = list(chain.from_iterable(code(row[0]) for row in rows))
    zones = [word for word in listed if re.fullmatch(r"\.[a-z.]+", word)]
    hosts = [word for word in listed if re.match(r"\d", word)]
    targets = [
        *(f"https://host{zone}/" for zone in zones),
        *(f"https://{host}/" for host in hosts),
        "http://shop.example/", "https://localhost/", "https://a.localhost/", "https://nodot/", "https://a+b.example/",
        "https://shop.example:444/", "https://user:password@shop.example/", "https://shop.example/\\",
        "https://shop.example/ ", "https://shop.example/" + "a" * 2048,
    ]  # fmt: skip

    assert (len(zones), len(hosts), len(rows)) == (4, 4, 8)
    for target in targets:
        with pytest.raises(InvalidValue):
            egress.check_url(target)


def test_the_settings_and_sizes_that_are_named_are_those_of_the_code():
    named = [word.split(".") for word in words(_PAGE, "## Whose address it is") if "." in word]

    assert {each[0] for each in named} == {"slack", "email", "accounts"} <= set(Config.model_fields)
    assert f"{MOST_BYTES_KEPT // 1024} KiB are kept and {MOST_BYTES_TAKEN // 1024} KiB taken" in page(_PAGE)


def _literal(target: str):
    try:
        return ip_address((URL(target).raw_host or "").partition("%")[0])
    except ValueError:
        return None

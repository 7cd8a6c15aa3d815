"""Any value in any one place of an answer: it never raises, loses nothing else, and invents no event.

2,000 mutations; MUTATIONS=100000 searches longer, and by chance. docs/upstream.md says what may hang on a place.
"""

import json
import os
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from source_kit import ORDERS, READER, body_of, paths, put

from notifier.domain.change import diff
from notifier.domain.event import facts_of
from notifier.domain.order import slug
from notifier.domain.snapshot import merge
from notifier.source.contract import Failure
from notifier.source.wire import read
from support.builders import an_expectation, json_values
from support.upstream import whole

_MANY = os.environ.get("MUTATIONS")
_PAGE = (Path(__file__).parents[2] / "docs" / "upstream.md").read_text(encoding="utf-8")
_BODIES = {"whole": whole(), **{name: body_of(name) for name in ORDERS}}
_PLACES = [(name, way) for name, body in _BODIES.items() for way in paths(body)]
_EXPECTED = an_expectation("1500", "1500")

# Without these there is no order, or no decision about money.
_NEEDED = {"order_id", "merchant_id", "status", "amount", "effective_amount", "currency"}
_BEYOND_JSON = ("1e99999999999999999999", "9" * 5000, '"\\ud800"', "[" * 5000 + "]" * 5000, "NaN", "01")
_RAW = (
    "1e400", "-1e-400", "1E+999999", "9" * 400, "-0", "-0.0", '"\\u0000"', '"\\u202e\\u2066"', '"\\ud83d\\ude00"',
    '"' + "x" * 5000 + '"', "[" * 300 + "]" * 300, '{"a":' * 300 + "1" + "}" * 300, '{"id":1,"id":2}',
)  # fmt: skip
_WORDS = (
    "CHARGED",
    "NEW",
    "SUCCESS",
    "FILTERED",
    "NA",
    "null",
    "",
    "0",
    "true",
    "1500.00",
    "2026-08-01T00:00:00Z",
    "USD",
)
_VALUES = (
    st.sampled_from(_RAW)
    | st.sampled_from(_BEYOND_JSON)
    | st.sampled_from([json.dumps(word) for word in _WORDS])
    | json_values().map(json.dumps)
)
_STANDS_IN_FOR = {"offers[].offer_code": "offers[].offer_id"}
_NO_VALUES = ("null", '""', '"FILTERED"', '"NA"', '"null"', "[]", "{}")

_ROW = re.compile(r"^\| `([^`]+)` \| (.*?) \| .*? \| (.*?) \| (?:documented|sample|assumed)", re.MULTILINE)
_HANGING = [
    (place, set(re.findall(r"`([^`]+)`", kept)), set(re.findall(r"`([^`]+)`", told)))
    for place, kept, told in _ROW.findall(_PAGE)
]


def hanging_on(place: str) -> tuple[set[str], set[str]]:
    """Return the members and the types of events that may change with a place of an answer."""
    found = [row for row in _HANGING if row[0] == place or row[0].startswith((f"{place}.", f"{place}["))]
    rows = {member.partition(".")[0] for _, kept, _ in found for member in kept if member.endswith(".id")}
    rows |= {"Benefit"} if "Offer" in rows else set()  # with its id a row comes and goes whole
    if place == "currency":
        found = _HANGING
    found = found + [row for row in _HANGING if rows & {member.partition(".")[0] for member in row[1]}]
    return set().union(*(row[1] for row in found)), set().union(*(row[2] for row in found))


def answer_to(name: str, body: object, raw: str):
    """Read a body in which `raw` stands for the mark."""
    whose = _BODIES[name]
    plain = json.dumps(body).replace('"@@"', raw).encode()
    return read(plain, order_id=whose["order_id"], merchant_id=whose["merchant_id"], reader=READER)


def members_of(snapshot) -> dict[object, object]:
    """Return every member of every row, by its row and its name."""
    found = {}
    for subject, row in snapshot.rows():
        for each in (row, *getattr(row, "benefits", ())):
            for name in set(each.__slots__) - {"benefits"}:
                found[subject, row.id, each.id, f"{type(each).__name__}.{name}"] = getattr(each, name)
    return found


def type_of(fact) -> str:
    is_word = fact.field == "status" and fact.type == f"{fact.subject}.{slug(fact.current or '')}"
    return f"{fact.subject}.<word>" if is_word else fact.type


@pytest.mark.timeout(60 if _MANY is None else 3600)
@settings(max_examples=int(_MANY or 2000), derandomize=_MANY is None)
@given(st.sampled_from(_PLACES), _VALUES)
def test_one_odd_value_loses_nothing_else_and_invents_nothing(place, raw):
    name, way = place
    dotted = re.sub(r"\.\d+", "[]", ".".join(map(str, way)))
    answer = answer_to(name, put(_BODIES[name], way, "@@"), raw)
    if isinstance(answer, Failure):
        assert dotted in _NEEDED or raw in _BEYOND_JSON or re.search(r"NaN|Infinity|\\ud[89a-f]", raw)
        return
    before, after = answer_to(name, _BODIES[name], "").snapshot(), answer.snapshot()
    members, types = hanging_on(_STANDS_IN_FOR.get(dotted, dotted))
    old, new = members_of(before), members_of(after)
    changed = {key[-1] for key in old.keys() | new.keys() if old.get(key) != new.get(key)}
    assert changed <= members
    merged = merge(before, after)
    told = {type_of(fact) for fact in facts_of(diff(before, merged), merged, _EXPECTED)}
    assert told <= types
    if raw in _NO_VALUES and not dotted.startswith("offers[].offer_"):
        assert diff(before, merged) == (), "what says nothing is no change"


def test_the_page_says_what_hangs_on_a_place():
    assert hanging_on("refunds[].arn") == ({"Refund.arn"}, {"refund.arn_available"})
    assert hanging_on("udf1") == (set(), set())
    assert "Refund.status" in hanging_on("refunds[].unique_request_id")[0]
    assert {"Order.rrn", "Order.pg_resp_code"} <= hanging_on("payment_gateway_response")[0]

"""Webhooks read for whom they speak of: every form, and nothing but that."""

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from notifier.domain.order import Source
from notifier.source.hint import Hint, Unread, read_hint
from support.builders import json_values


def read(content, *, name="ORDER_SUCCEEDED", event_id="evt_V2_0a"):
    return read_hint(msgspec.json.encode({"id": event_id, "event_name": name, "content": content}))


@pytest.mark.parametrize(
    ("name", "content", "order_id", "mandate_id", "source"),
    [
        ("ORDER_FAILED", {"order": {"order_id": "OW-1", "status": "X"}}, "OW-1", None, Source.ORDER),
        ("ORDER_REFUNDED", {"order": {"order_id": "OW1", "refunds": [{}]}}, "OW1", None, Source.ORDER),
        ("TXN_CHARGED", {"txn": {"order_id": "OW1", "txn_id": "m-OW1-1"}}, "OW1", None, Source.ORDER),
        ("TXN_FAILED", {"txn": {"order": {"order_id": "OW1"}}}, "OW1", None, Source.ORDER),
        ("CHARGEBACK_RECEIVED", {"chargeback": {"txn": {"order_id": "OW1"}}}, "OW1", None, Source.ORDER),
        ("MANDATE_PAUSED", {"mandate": {"order_id": "OW1", "mandate_id": "m1"}}, "OW1", "m1", Source.MANDATE),
        ("MANDATE_EXPIRED", {"mandate": {"order_id": "FILTERED", "mandate_id": "m1"}}, None, "m1", Source.MANDATE),
        ("NOTIFICATION_FAILED", {"notification": {"mandate": {"mandate_id": "m1"}}}, None, "m1", Source.MANDATE),
        ("LOAN_ACTIVE", {"order": {"order_id": "OW1", "txn_list": []}}, "OW1", None, Source.HYPERCREDIT),
        ("ORDER_SUCCEEDED", {"order": {"order_id": "OW1", "mandate": {"mandate_id": "m1"}}}, "OW1", None, Source.ORDER),
        (None, {"order": {"order_id": 123456789012345678901234}}, "123456789012345678901234", None, Source.ORDER),
    ],
)  # fmt: skip
def test_each_kind_of_event_names_its_order_or_its_mandate(name, content, order_id, mandate_id, source):
    assert read(content, name=name) == Hint(order_id=order_id, mandate_id=mandate_id, source=source)


def test_a_loan_event_of_an_unknown_name_is_known_by_its_id():
    hint = read({"order": {"order_id": "OW1"}}, name="KYC_COMPLETED", event_id="LSP40f")
    assert hint == Hint(order_id="OW1", mandate_id=None, source=Source.HYPERCREDIT)


def test_an_id_is_kept_to_the_letter():
    assert read({"order": {"order_id": " Ow1 "}}).order_id == " Ow1 "


@pytest.mark.parametrize("word", ["FILTERED", "", "NA", "null", None, True, 1.5, ["OW1"], {"id": "OW1"}])
def test_what_is_masked_or_no_id_is_none(word):
    assert read({"order": {"order_id": word}}) is Unread.NO_ORDER
    assert read({"mandate": {"mandate_id": word}}) is Unread.NO_ORDER


@pytest.mark.parametrize("word", ["..", "a\tb", "x" * 129])
def test_an_id_that_no_order_can_have_is_told_apart(word):
    assert read({"order": {"order_id": word}}) is Unread.BAD_ID
    assert read({"mandate": {"order_id": word, "mandate_id": "m1"}}).mandate_id == "m1"


@pytest.mark.parametrize(
    "content", [{}, {"order": "FILTERED"}, {"order": None}, {"order": []}, {"token": {"status": "ACTIVE"}}]
)
def test_an_event_about_something_else_has_no_order(content):
    assert read(content) is Unread.NO_ORDER


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"{}", b'{"content": 1}', b"<html>", b'{"content": {"order"', b"\xff", b"{'content': 1}"],
)  # fmt: skip
def test_a_body_that_is_no_event_is_unreadable(body):
    assert read_hint(body) is Unread.UNREADABLE


@pytest.mark.parametrize("depth", [b'{"content":' * 50_000, b'{"content":{"order":' + b"[" * 50_000])
def test_a_body_too_deep_is_unreadable(depth):
    assert read_hint(depth) is Unread.UNREADABLE


def test_only_a_few_parts_are_looked_into():
    crowd = {f"part{n}": {} for n in range(8)}
    assert read(crowd | {"order": {"order_id": "OW1"}}) is Unread.NO_ORDER


@given(
    st.binary(max_size=60)
    | json_values().map(lambda value: msgspec.json.encode({"content": value}))
    | st.dictionaries(st.sampled_from(("order", "txn", "mandate", "notification")), json_values()).map(
        lambda content: msgspec.json.encode({"content": content})
    )
)
@example(b'{"content": {"order": {"order_id": "\\ud800"}}}')
@example(b'{"content": {"order": {"order_id": ' + b"9" * 9000 + b"}}}")
def test_no_body_breaks_the_reading(body):
    assert isinstance(read_hint(body), Hint | Unread)

"""docs/juspay-bodies.md against the bodies that are made."""

import re

import pytest
from docs_kit import code, page, table

from notifier.config.accounts import Keepable
from notifier.domain import juspay_members as members
from notifier.domain.document import SAMPLE_TYPES, sample_event_document
from notifier.domain.juspay_body import juspay_body
from notifier.domain.juspay_names import _OF_AUTO_REFUNDS, NAMES

_PAGE = "docs/juspay-bodies.md"
_NAMES = [(code(row[0])[0], code(row[1])[0], code(row[2])[0]) for row in table(_PAGE, "## Names")]
_BLOCKS = {
    "`order`": members.ORDER,
    "`order`, once somebody tried to pay": members.ATTEMPT,
    "`order.txn_detail`": members.DETAIL,
    "`order.payment_gateway_response`": members.GATEWAY_ANSWER,
    "`order.refunds[]`": members._REFUND,
    "`order.mandate`": members.MANDATE_BLOCK,
    "`mandate`": members.MANDATE,
    "`order` of a loan": members.LOAN,
    "`txn_list[]` of a loan": members.APPLICATION,
    "`txn_list[].payment_gateway_response` of a loan": members.APPLICATION_ANSWER,
}


def test_every_name_stands_in_the_order_of_its_weight():
    assert [(kind, name) for kind, name, _ in _NAMES] == list(NAMES.items())


def test_every_type_that_the_page_names_has_the_content_that_it_says():
    sampled = {kind: content for kind, _, content in _NAMES if kind in SAMPLE_TYPES}
    made = {kind: next(iter(juspay_body(sample_event_document(kind))["content"])) for kind in sampled}

    assert made == sampled
    assert len(sampled) > 20


def test_names_of_refunds_by_the_upstream_itself_are_told():
    (said,) = re.findall(r"`AUTO_REFUNDED` are told as (.*?);", page(_PAGE), re.DOTALL)

    assert set(code(said)) == set(_OF_AUTO_REFUNDS.values())


@pytest.mark.parametrize("block", _BLOCKS)
def test_what_is_always_filtered_is_listed(block):
    rows = {row[0]: code(row[1]) for row in table(_PAGE, "## Members")}
    dropped = [name for name, rule in _BLOCKS[block].items() if rule is members._dropped]

    assert rows[block] == dropped
    assert set(rows) == set(_BLOCKS)


def test_what_an_account_may_keep_is_not_dropped():
    kept = {"customer_id", "product_id", *(f"udf{n}" for n in range(1, 11))}

    assert kept == set(Keepable.__args__)
    assert all(members.ORDER[name]("x") == "x" for name in kept)

"""The dedicated mandate call: what is read of a body, and how it is asked for."""

import base64
import json
from datetime import UTC, datetime

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from source_kit import KEY, MERCHANT, READER, account, body_of, packed, paths, put, serving

from notifier.domain.order import OrderId, Source
from notifier.domain.snapshot import Mandate
from notifier.source.contract import Failure, FailureReason
from notifier.source.mandate import MandateAnswer, mandate_source, read
from support.builders import inr, json_values
from support.clock import FakeClock

MANDATE_ID = "kQ7mTeA9zz"


def answer_to(body, mandate_id=MANDATE_ID):
    return read(packed(body), mandate_id=mandate_id, merchant_id=MERCHANT, reader=READER)


def good(body):
    answer = answer_to(body)
    assert isinstance(answer, MandateAnswer), answer
    return answer


def test_a_body_becomes_the_mandate_alone():
    snapshot = good(body_of("mandate_status")).snapshot()
    assert (snapshot.source, snapshot.order) == (Source.MANDATE, None)
    assert snapshot.last_updated == datetime(2026, 4, 11, 10, tzinfo=UTC)
    assert snapshot.mandate == Mandate(
        id=MANDATE_ID, status="PAUSED", mandate_type="EMANDATE", max_amount=inr("1500.50"),
        amount_rule="VARIABLE", frequency="MONTHLY", start_date=datetime(2026, 3, 2, tzinfo=UTC),
        end_date=datetime(2031, 3, 2, tzinfo=UTC), revokable_by_customer=True, block_fund=False,
    )  # fmt: skip


def test_tokens_and_the_payer_are_nowhere_in_an_answer():
    answer = good(body_of("mandate_status"))
    told = repr(answer.snapshot()) + repr(answer) + repr(answer._mandate)
    assert not [word for word in ("never-to-be-seen", "mira", "cst_", "CART") if word in told]


def test_the_status_is_its_own_and_not_the_blocks():
    body = body_of("mandate_status") | {"mandate_status": "ACTIVE"}
    assert good(body).snapshot().mandate.status == "PAUSED"
    assert good(body).digest == good(body_of("mandate_status")).digest


def test_the_order_it_names_and_its_age_are_no_change():
    body = body_of("mandate_status") | {"order_id": "CART-OTHER", "last_updated": "2026-05-01T00:00:00Z"}
    assert good(body).digest == good(body_of("mandate_status")).digest
    assert good(body | {"status": "ACTIVE"}).digest != good(body).digest


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"mandate_id": "kq7mtea9zz"}, FailureReason.OTHER_ORDER),
        ({"merchant_id": "coffeehouse"}, FailureReason.OTHER_ORDER),
        ({"mandate_id": None}, FailureReason.MALFORMED),
        ({"status": "FILTERED"}, FailureReason.MALFORMED),
        ({"status": "error", "error_code": "access_denied"}, FailureReason.REFUSED),
    ],
)
def test_a_200_that_is_not_about_this_mandate_is_no_answer(change, reason):
    answer = answer_to(body_of("mandate_status") | change)
    assert isinstance(answer, Failure)
    assert answer.reason is reason


@given(st.sampled_from(paths(body_of("mandate_status"))), json_values())
def test_any_value_of_any_member_is_an_answer_or_a_failure(way, value):
    body = json.dumps(put(body_of("mandate_status"), way, value)).encode()
    answer = read(body, mandate_id=MANDATE_ID, merchant_id=MERCHANT, reader=READER)
    if isinstance(answer, MandateAnswer):
        assert answer.snapshot().mandate.id == MANDATE_ID
    else:
        assert isinstance(answer, Failure)


async def test_it_is_asked_by_a_form_under_the_mandates_id_with_the_accounts_key():
    forms = []

    async def status(request):
        forms.append(dict(await request.post()))
        return web.json_response(body_of("mandate_status"))

    async with serving(status) as (url, seen):
        source = mandate_source("tea", account(url), clock=FakeClock())
        try:
            answer = await source.fetch(OrderId("CART-9"), routing_id="cst_1", mandate_id=MANDATE_ID)
            odd = await source.fetch(OrderId("CART-9"), mandate_id="a/b ?")
        finally:
            await source.close()
    assert isinstance(answer, MandateAnswer)
    assert odd.reason is FailureReason.OTHER_ORDER
    first, second = seen
    assert (first.method, first.raw_path, forms[0]) == (
        "POST",
        f"/mandates/{MANDATE_ID}",
        {"command": "check_status"},
    )
    assert second.raw_path == "/mandates/a%2Fb%20%3F"
    assert base64.b64decode(first.headers["Authorization"].removeprefix("Basic ")) == f"{KEY}:".encode()
    assert (first.headers["x-routing-id"], second.headers["x-routing-id"]) == ("cst_1", "CART-9")


async def test_without_a_mandate_nothing_is_asked():
    async def never(_request):
        return web.Response(status=500)

    async with serving(never) as (url, seen):
        source = mandate_source("tea", account(url), clock=FakeClock())
        answer = await source.fetch(OrderId("CART-9"))
        await source.close()
    assert answer.reason is FailureReason.BAD_REQUEST
    assert not seen

"""Opening orders and sessions as a merchant does, the legacy status call, and what is answered in doubt."""

import pytest

from support.clock import START


async def test_an_order_shows_what_the_merchant_gave_it(merchant):
    form = {
        "order_id": "M1",
        "amount": "10.50",
        "customer_id": "cth_7",
        "customer_email": "a@shop.example",
        "customer_phone": "9000012345",
        "return_url": "https://shop.example/back",
        "udf1": "blue",
        "unknown": "left out",
    }
    _, created = await merchant.post("/orders", data=form)
    _, body = await merchant.get("/orders/M1")
    for name in form.keys() - {"order_id", "amount", "unknown"}:
        assert body[name] == created[name] == form[name]
    assert (body["udf2"], "unknown" in body) == ("", False)


async def test_only_the_answer_to_creating_carries_the_customers_token(merchant):
    _, created = await merchant.post("/orders", json={"order_id": "M1", "amount": 10.5})
    assert created["juspay"]["client_auth_token"].startswith("tkn_")
    assert created["juspay"]["client_auth_token_expiry"] == "2026-03-02T06:30:00Z"
    assert "juspay" not in (await merchant.get("/orders/M1"))[1]


async def test_a_mandate_is_registered_on_request(merchant, clock):
    await merchant.post(
        "/orders", data={"order_id": "M1", "amount": "1", "options.create_mandate": "REQUIRED"}
    )
    await clock.advance(60)
    _, body = await merchant.get("/orders/M1")
    assert body["mandate"]["mandate_status"] == "ACTIVE"


async def test_a_session_says_where_to_pay_and_is_the_same_order_when_reopened(merchant):
    wish = {"order_id": "M1", "amount": "10.00", "customer_id": "cth_7", "action": "paymentPage"}
    status, first = await merchant.post("/session", json=wish)
    assert (status, first["status"], first["order_id"], first["amount"]) == (200, "NEW", "M1", 10)
    assert set(first["payment_links"]) == {"iframe", "web", "mobile", "expiry", "deep_link"}
    assert first["payment_links"]["web"].startswith(f"{merchant.url}/orders/ordeh_")
    assert first["payment_links"]["expiry"] == first["order_expiry"] == "2026-03-02T06:30:00Z"
    _, again = await merchant.post("/session", json=wish)
    assert again == first
    assert (await merchant.get("/orders/M1"))[1]["id"] == first["id"]


@pytest.mark.parametrize("body", [b"{", b"[]", b"1"])
async def test_what_is_no_json_object_is_refused_in_the_short_shape(merchant, body):
    headers = merchant.headers | {"Content-Type": "application/json"}
    status, answer = await merchant.post("/session", data=body, headers=headers)
    assert (status, answer["status"], answer["error_code"]) == (400, "Invalid Request", "bad_request")


async def test_a_session_without_an_amount_names_the_field(merchant):
    status, body = await merchant.post("/session", json={"order_id": "M1"})
    assert (status, body["error_info"]["fields"][0]["field_name"]) == (400, "amount")


async def test_the_legacy_call_tells_the_same_by_get_and_post(merchant, world):
    world.sandbox.create("M1", script="charged")
    headers = {"Authorization": merchant.headers["Authorization"]}
    _, body = await merchant.get("/orders/M1")
    assert await merchant.get("/order/status?order_id=m1", headers=headers) == (200, body)
    assert await merchant.post("/order/status", data={"order_id": "M1"}, headers=headers) == (200, body)
    assert (await merchant.get("/order/status?order_id=m1", headers={}))[0] == 401


async def test_the_legacy_call_asks_for_its_order(merchant):
    status, body = await merchant.get("/order/status")
    assert (status, body["error_message"]) == (400, "Please send order_id")


async def test_the_merchant_header_may_be_optional(merchant, world):
    world.sandbox.create("M1")
    headers = {"Authorization": merchant.headers["Authorization"]}
    assert (await merchant.get("/orders/M1", headers=headers))[0] == 400
    await merchant.post("/sandbox/manners", json={"merchant_header": False})
    assert (await merchant.get("/orders/M1", headers=headers))[0] == 200


@pytest.mark.parametrize(
    ("manner", "status", "member", "value"),
    [
        ("json", 404, "error_code", "order_not_found"),
        ("legacy", 404, "status_id", 40),
        ("legacy_200", 200, "status", "NOT_FOUND"),
        ("bad_request", 400, "error_code", "INVALID_REQUEST"),
    ],
)
async def test_an_unknown_order_is_answered_in_the_manner_chosen(merchant, manner, status, member, value):
    _, manners = await merchant.post("/sandbox/manners", json={"unknown_order": manner})
    assert manners == (await merchant.get("/sandbox/manners"))[1]
    got, body = await merchant.get("/orders/NOBODY")
    assert (got, body[member]) == (status, value)
    refund = {"unique_request_id": "R1", "amount": "1"}
    assert (await merchant.post("/orders/NOBODY/refunds", data=refund))[0] == status


async def test_a_manner_nobody_knows_is_refused(merchant):
    assert (await merchant.post("/sandbox/manners", json={"politeness": 11}))[0] == 422


async def test_instants_of_an_order_begin_with_its_creation(merchant):
    _, body = await merchant.post("/orders", data={"order_id": "M1", "amount": "10"})
    assert body["date_created"] == START.strftime("%Y-%m-%dT%H:%M:%SZ")

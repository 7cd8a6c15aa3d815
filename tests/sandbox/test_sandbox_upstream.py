import base64

import pytest

ORDER = {"order_id": "OWUPI000000001", "script": "charged", "amount": "249.50"}


def basic(key):
    return {"Authorization": "Basic " + base64.b64encode(key.encode()).decode()}


@pytest.fixture
async def order(merchant):
    status, _ = await merchant.post("/sandbox/orders", json=ORDER)
    assert status == 201


@pytest.mark.parametrize("key", ["sandbox-key:", "sandbox-key"])
async def test_the_key_is_good_with_or_without_its_colon(merchant, order, key):
    status, body = await merchant.get("/orders/OWUPI000000001", headers=merchant.headers | basic(key))
    assert (status, body["order_id"]) == (200, "OWUPI000000001")


@pytest.mark.parametrize(
    "headers",
    [
        {"x-merchantid": "sandboxmart"},
        basic("sandbox-credit-key:") | {"x-merchantid": "sandboxmart"},
        basic("sandbox-key:password") | {"x-merchantid": "sandboxmart"},
        {"Authorization": "Basic ???", "x-merchantid": "sandboxmart"},
        {"Authorization": "Basic é", "x-merchantid": "sandboxmart"},
        {"Authorization": "Bearer sandbox-key", "x-merchantid": "sandboxmart"},
        basic("sandbox-key:") | {"x-merchantid": "SandboxMart"},
    ],
)
async def test_a_bad_key_or_merchant_is_unauthorized(merchant, order, headers):
    status, body = await merchant.get("/orders/OWUPI000000001", headers=headers)
    assert (status, body["status"], body["error_code"]) == (401, "error", "access_denied")
    assert body["error_info"]["code"] == "UNAUTHORIZED"
    assert "error_message" not in body


async def test_a_missing_merchant_header_is_a_missing_field(merchant, order):
    status, body = await merchant.get("/orders/OWUPI000000001", headers=basic("sandbox-key:"))
    assert (status, body["status"]) == (400, "Bad Request")
    assert body["error_info"]["fields"][0]["field_name"] == "x-merchantid"


async def test_an_unknown_order_is_not_found(merchant):
    status, body = await merchant.get("/orders/OWMISSING")
    assert (status, body["error_code"]) == (404, "order_not_found")


async def test_the_id_is_found_in_any_case_and_echoed_as_it_was_registered(merchant, order):
    _, body = await merchant.get("/orders/owupi000000001")
    assert body["order_id"] == "OWUPI000000001"


@pytest.mark.parametrize(
    ("order_id", "path"), [("a b", "a%20b"), ("a%b", "a%25b"), ("a/b", "a%2Fb"), ("a-b_c", "a%2Db_c")]
)
async def test_the_path_is_percent_decoded(merchant, order_id, path):
    from yarl import URL

    await merchant.post("/sandbox/orders", json={"order_id": order_id})
    url = URL(f"{merchant.url}/orders/{path}", encoded=True)
    async with merchant.session.get(url, headers=merchant.headers) as response:
        assert response.status == 200
        assert (await response.json())["order_id"] == order_id


async def test_an_order_lives_as_time_goes_by(merchant, order, clock):
    assert await merchant.status("OWUPI000000001") == "NEW"
    await clock.advance(12)
    assert await merchant.status("OWUPI000000001") == "PENDING_VBV"
    await clock.advance(34)
    assert await merchant.status("OWUPI000000001") == "CHARGED"


async def test_speed_makes_a_minute_last_a_second(world, merchant, clock):
    world.sandbox.speed = 60
    await merchant.post("/sandbox/orders", json=ORDER)
    await clock.advance(0.5)
    assert await merchant.status("OWUPI000000001") == "PENDING_VBV"
    await clock.advance(0.5)
    assert await merchant.status("OWUPI000000001") == "CHARGED"


async def test_the_raw_gateway_answer_is_an_option(merchant, order, clock):
    await clock.advance(60)
    _, plain = await merchant.get("/orders/OWUPI000000001")
    _, full = await merchant.get("/orders/OWUPI000000001?options.add_full_gateway_response=true")
    assert "gateway_response" not in plain["payment_gateway_response"]
    assert full["payment_gateway_response"]["gateway_response"]["amount"] == 24950


async def test_answers_carry_a_request_id(merchant, order):
    async with merchant.session.get(f"{merchant.url}/orders/OWUPI000000001") as response:
        assert response.headers["x-request-id"]
        assert response.headers["x-jp-merchant-id"] == "sandboxmart"


@pytest.mark.parametrize(
    ("amount", "end"), [("499.99", "CHARGED"), ("500", "AUTHORIZATION_FAILED"), ("700", "CHARGED")]
)
async def test_an_order_created_by_a_merchant_follows_its_amount(merchant, clock, amount, end):
    status, body = await merchant.post(
        "/orders", data={"order_id": "M1", "amount": amount, "currency": "INR"}
    )
    assert (status, body["status"], body["amount"]) == (200, "NEW", float(amount))
    await clock.advance(400)
    assert await merchant.status("M1") == end


async def test_creating_twice_returns_the_order_that_is_there(merchant, clock):
    await merchant.post("/orders", data={"order_id": "M1", "amount": "10"})
    await clock.advance(60)
    _, body = await merchant.post("/orders", data={"order_id": "m1", "amount": "20"})
    assert (body["order_id"], body["amount"], body["status"]) == ("M1", 10, "CHARGED")


async def test_creating_without_an_amount_names_the_field(merchant):
    status, body = await merchant.post("/orders", data={"order_id": "M1"})
    assert (status, body["error_info"]["fields"][0]["field_name"]) == (400, "amount")


@pytest.mark.parametrize("amount", ["ten", "0", "-1", "1.005", "NaN", "Infinity"])
async def test_creating_with_a_bad_amount_is_refused(merchant, amount):
    status, body = await merchant.post("/orders", data={"order_id": "M1", "amount": amount})
    assert (status, body["status_id"]) == (400, -1)


async def test_a_merchant_refunds_a_charged_order(merchant, order, clock):
    await clock.advance(60)
    form = {"unique_request_id": "R1", "amount": "100.50"}
    status, body = await merchant.post("/orders/OWUPI000000001/refunds", data=form)
    assert (status, body["status"], body["amount_refunded"]) == (200, "CHARGED", 100.5)
    assert body["refunds"][0]["sent_to_gateway"] is False
    await clock.advance(900)
    _, body = await merchant.get("/orders/OWUPI000000001")
    assert body["refunds"][0]["sent_to_gateway"] is True


@pytest.mark.parametrize(
    ("age_s", "form", "code"),
    [
        (0, {"unique_request_id": "R2", "amount": "1"}, "invalid.order.not_successful"),
        (60, {"unique_request_id": "R2", "amount": "249.51"}, "invalid.amount.exceeded"),
        (60, {"amount": "1"}, "Mandatory fields are missing"),
    ],
)
@pytest.mark.usefixtures("order")
async def test_a_refund_that_cannot_be_is_refused(merchant, clock, age_s, form, code):
    await clock.advance(age_s)
    status, body = await merchant.post("/orders/OWUPI000000001/refunds", data=form)
    assert (status, body["error_code"]) == (400, code)


async def test_a_refund_id_is_good_for_one_refund(merchant, order, clock):
    await clock.advance(60)
    form = {"unique_request_id": "R1", "amount": "1"}
    await merchant.post("/orders/OWUPI000000001/refunds", data=form)
    status, body = await merchant.post("/orders/OWUPI000000001/refunds", data=form)
    assert (status, body["error_code"]) == (400, "duplicate.call")

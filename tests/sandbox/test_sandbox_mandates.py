"""The mandate's own call and its commands."""

import pytest

TERMS = {
    "mandate_type": str, "start_date": str, "end_date": str, "revokable_by_customer": bool, "block_fund": bool,
    "max_amount": int, "amount_rule": str, "frequency": str,
}  # fmt: skip
ANSWER = TERMS | {
    "order_id": str, "status": str, "activated_at": str, "last_activated_at": str, "last_updated": str,
    "mandate_debit_token": str, "customer_id": str, "mandate_id": str, "currency": str, "mandate_token": str,
    "payment_info": dict,
}  # fmt: skip
PAUSE = {"pause_start_date": str, "pause_end_date": str, "response_message": str}


@pytest.fixture
async def mandate(world, merchant, clock):
    """Register a mandate by an order and return a way to command it."""
    world.sandbox.create("SBM1", amount=100, script="mandate_revoked", steps=None)
    await clock.advance(60)
    _, body = await merchant.get("/orders/SBM1")
    path = f"/mandates/{body['mandate']['mandate_id']}"

    async def command(word):
        return await merchant.post(path, data={"command": word})

    return command


async def test_the_mandate_call_says_status_and_nothing_unknown(mandate):
    status, body = await mandate("check_status")
    assert status == 200
    assert {name: type(value) for name, value in body.items()} == ANSWER
    assert (body["status"], body["activated_at"]) == ("ACTIVE", "2026-03-02T06:15:46Z")
    assert body["payment_info"] == {
        "payment_method": "COLLECT",
        "payment_method_type": "UPI",
        "upi": {"payer_vpa": body["payment_info"]["upi"]["payer_vpa"]},
    }


async def test_a_mandate_goes_its_way_in_both_calls(mandate, merchant, clock):
    seen = []
    for _ in range(4):
        _, own = await mandate("check_status")
        _, order = await merchant.get("/orders/SBM1")
        seen.append((own["status"], order["mandate"]["mandate_status"]))
        await clock.advance(3600)
    assert seen == [(word, word) for word in ("ACTIVE", "PAUSED", "ACTIVE", "REVOKED")]


async def test_the_orders_mandate_may_stay_what_the_registration_made_it(mandate, merchant):
    await merchant.post("/sandbox/manners", json={"mandate_follows": False})
    assert (await mandate("revoke"))[1]["status"] == "REVOKED"
    _, order = await merchant.get("/orders/SBM1")
    assert order["mandate"]["mandate_status"] == "ACTIVE"


async def test_a_merchant_pauses_resumes_and_revokes(mandate):
    _, body = await mandate("pause")
    assert {name: type(value) for name, value in body.items()} == ANSWER | PAUSE
    assert body["status"] == "PAUSED"
    assert int(body["pause_end_date"]) - int(body["pause_start_date"]) == 30 * 86400
    assert (await mandate("resume"))[1]["status"] == "ACTIVE"
    assert (await mandate("revoke"))[1]["status"] == "REVOKED"
    status, body = await mandate("revoke")
    assert (status, body["error_info"]["fields"][0]["field_name"]) == (400, "command")


async def test_a_command_of_a_merchant_ends_what_the_script_had_in_mind(mandate, clock):
    await mandate("revoke")
    await clock.advance(20_000)
    assert (await mandate("check_status"))[1]["status"] == "REVOKED"


async def test_a_word_that_is_no_command_is_refused_in_the_short_shape(mandate):
    assert await mandate("dance") == (
        400,
        {"status": "Invalid Request", "error_code": "bad_request", "error_message": "Invalid command"},
    )


async def test_a_mandate_exists_once_its_payment_has_begun(world, merchant, clock):
    from notifier.sandbox.lives.following import mandate_id

    order = world.sandbox.create("SBM2", script="mandate")
    path = f"/mandates/{mandate_id(order.life)}"
    assert (await merchant.post(path, data={"command": "check_status"}))[0] == 404
    await clock.advance(30)
    assert (await merchant.post(path, data={"command": "check_status"}))[1]["status"] == "CREATED"
    assert (await merchant.post("/mandates/none", data={"command": "check_status"}))[0] == 404
    assert (await merchant.post("/mandates/none", data={"command": "revoke"}))[0] == 404


@pytest.mark.parametrize(
    ("script", "word"), [("mandate_expired", "EXPIRED"), ("mandate_failed", "FAILURE"), ("mandate", "ACTIVE")]
)
async def test_mandates_end_in_their_ways(world, merchant, clock, script, word):
    world.sandbox.create("SBM3", script=script)
    await clock.advance(15_000)
    _, order = await merchant.get("/orders/SBM3")
    assert order["mandate"]["mandate_status"] == word
    _, own = await merchant.post(
        f"/mandates/{order['mandate']['mandate_id']}", data={"command": "check_status"}
    )
    assert own["status"] == word
    if word == "EXPIRED":
        assert int(own["end_date"]) - int(own["start_date"]) == 14_400

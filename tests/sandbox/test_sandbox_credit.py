"""The credit call: its own key, one row for each application, the doubts about its words switched."""

import json

import pytest

CREDIT_KEY = "sandbox-credit-key"


@pytest.fixture
def lender(merchant):
    """Call with the credit team's key."""

    async def ask(order_id, key=CREDIT_KEY):
        import aiohttp

        headers = merchant.headers | {"Authorization": aiohttp.encode_basic_auth(key, "")}
        return await merchant.get(f"/credit/order/{order_id}", headers=headers)

    return ask


@pytest.fixture
def loan(world):
    def make(script, order_id="SBHC1"):
        return world.sandbox.create(order_id, amount=80_000_00, script=script)

    return make


async def test_each_call_refuses_the_other_ones_key(merchant, lender, loan):
    loan("loan")
    assert (await lender("SBHC1"))[0] == 200
    status, body = await lender("SBHC1", key="sandbox-key")
    assert (status, body["error_info"]["code"]) == (401, "UNAUTHORIZED")
    assert (await merchant.get("/orders/SBHC1"))[0] == 200


async def test_the_merchant_may_be_named_with_one_hyphen_more(merchant, world, loan):
    loan("loan")
    import aiohttp

    headers = {
        "Authorization": aiohttp.encode_basic_auth(CREDIT_KEY, ""),
        "x-merchant-id": world.sandbox.merchant_id,
    }
    assert (await merchant.get("/credit/order/SBHC1", headers=headers))[0] == 200


async def test_an_order_without_a_loan_is_unknown_to_the_lenders(lender, world):
    world.sandbox.create("PLAIN", script="charged")
    assert (await lender("PLAIN"))[0] == 404
    assert (await lender("NOBODY"))[0] == 404


async def test_a_loan_goes_through_its_stages(lender, loan, clock):
    loan("loan")
    _, body = await lender("sbhc1")
    assert (body["txn_list"], body["order_status"]) == ([], "NEW")
    seen = []
    for seconds in (60, 120, 720, 900, 600, 600, 83400, 86400):
        await clock.advance(seconds)
        _, body = await lender("SBHC1")
        (row,) = body["txn_list"]
        seen.append((row["sub_status"], row["status"], body["order_status"]))
        assert (body["status"], body["status_id"]) == ("SUCCESS", 3)
    open_words = ("PENDING_VBV", "PENDING_VBV")
    assert seen == [
        *((stage, *open_words) for stage in (
            "Offer Received", "Offer Selected", "KYC Verified", "Mandate Completed", "Downpayment Completed",
            "Agreement Singed", "Loan Granted",
        )),
        ("Loan Active", "CHARGED", "CHARGED"),
    ]  # fmt: skip


async def test_the_order_follows_its_loan(merchant, loan, clock):
    loan("loan_skipping")
    await clock.advance(60)
    _, body = await merchant.get("/orders/SBHC1")
    assert (body["status"], body["payment_method_type"]) == ("PENDING_VBV", "CONSUMER_FINANCE")
    await clock.advance(3600)
    _, body = await merchant.get("/orders/SBHC1")
    assert (body["status"], body["payment_method"]) == ("CHARGED", "FIBE_LSP")


@pytest.mark.parametrize(
    ("script", "stage"),
    [
        ("loan_rejected", "Loan Rejected"),
        ("loan_kyc_rejected", "KYC Rejected"),
        ("loan_no_offers", "No Offers"),
    ],
)
async def test_a_loan_is_refused(lender, loan, clock, script, stage):
    loan(script)
    await clock.advance(4000)
    _, body = await lender("SBHC1")
    row = body["txn_list"][-1]
    assert (row["sub_status"], row["status"]) == (stage, "AUTHORIZATION_FAILED")
    assert body["order_status"] == "AUTHORIZATION_FAILED"


async def test_stages_come_in_a_lenders_own_order_and_spelling(loan):
    stages = [step.application.stage for step in loan("loan_reordered").life.steps]
    assert stages.index("Agreement Signed") < stages.index("Mandate Completed") < stages.index("KYC Verified")
    assert len(loan("loan_skipping", "SBHC2").life.steps) == 4


async def test_one_order_has_two_applications(lender, loan, clock):
    loan("loan_two_applications")
    await clock.advance(4500)
    _, body = await lender("SBHC1")
    rows = [(row["payment_method"], row["sub_status"]) for row in body["txn_list"]]
    assert rows == [("TECHFINO_LSP", "Loan Rejected"), ("FIBE_LSP", "Offer Selected")]
    assert body["order_status"] == "PENDING_VBV"
    assert len({row["txn_id"] for row in body["txn_list"]}) == 2


async def test_the_status_may_follow_the_loan_and_its_ids_may_differ(lender, merchant, loan, clock):
    loan("loan")
    await clock.advance(200)
    manners = {"loan_status_follows": True, "loan_ids_differ": True}
    assert (await merchant.post("/sandbox/manners", json=manners))[0] == 200
    _, body = await lender("SBHC1")
    (row,) = body["txn_list"]
    assert (body["status"], body["status_id"]) == ("PENDING", 2)
    assert row["txn_detail"]["order_id"] != "SBHC1"
    assert row["txn_detail"]["txn_id"] != row["txn_id"]


NONE = type(None)
TOP = {
    "order_id": str, "status": str, "amount": int, "txn_list": list, "error_code": NONE, "error": NONE,
    "customer_id": str, "payment_links": dict, "error_message": NONE, "customer_email": str, "currency": str,
    "customer_phone": str, "payout_links": NONE, "user_message": NONE, "order_status": str, "id": str,
    "merchant_id": str, "date_created": str, "gateway_reference_id": str, "status_id": int,
}  # fmt: skip
ROW = {
    "status": str, "refunded": NONE, "payment_method": str, "gateway_id": int, "refunds": NONE,
    "payment_method_type": str, "txn_uuid": str, "txn_intent_id": str, "payment_links": NONE,
    "payment_gateway_response": dict, "txn_detail": dict, "amount_refunded": NONE, "sub_status": str,
    "txn_intent_amount": str, "bank_error_message": NONE, "txn_type": str, "txn_id": str, "emi_bank": NONE,
    "resp_message": NONE, "emi_tenure": NONE, "bank_error_code": NONE, "gateway_reference_id": str,
    "resp_code": NONE,
}  # fmt: skip
DETAIL = {
    "order_id": str, "status": str, "error_code": NONE, "gateway_id": int, "settlement": NONE,
    "txn_uuid": str, "gateway": str, "created": str, "txn_amount": str, "error_message": NONE,
    "currency": str, "txn_id": str, "utr": NONE,
}  # fmt: skip
ANSWER = {
    "created": str, "rrn": NONE, "epg_txn_id": str, "txn_id": str, "resp_message": str, "resp_code": NONE,
}  # fmt: skip


def types(body):
    return {name: type(value) for name, value in body.items()}


async def test_a_loan_has_the_members_types_and_odd_dates_of_the_real_one(lender, loan, clock):
    loan("loan")
    await clock.advance(200)
    _, body = await lender("SBHC1")
    (row,) = body["txn_list"]
    assert (types(body), types(row)) == (TOP, ROW)
    assert (types(row["txn_detail"]), types(row["payment_gateway_response"])) == (DETAIL, ANSWER)
    assert body["date_created"] == "2026-03-02T06:15:00.000000Z"
    assert row["txn_detail"]["created"] == "2026-03-02 06:16:00.000000 UTC"
    assert row["txn_intent_amount"] == "80000.0"
    assert (body["id"][:3], body["customer_id"][:3], row["txn_id"][:3]) == ("LSP", "LSP", "LSP")
    message = json.loads(row["payment_gateway_response"]["resp_message"])
    assert message["Payload"]["Application"]["Status"] == "Offer Selected"

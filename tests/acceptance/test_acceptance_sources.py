"""Loans and mandates from REST through the upstream's other calls to the callback."""

from typing import Any

import msgspec
from acceptance_home import eventually
from acceptance_upstream import canned

LOAN, MANDATE = "/credit/order/JP1", "/mandates/m1"


def loan(sub_status: str) -> bytes:
    row = {
        "txn_id": "LSP1", "sub_status": sub_status, "payment_method": "TECHFINO_LSP", "status": "PENDING_VBV",
        "txn_detail": {"txn_amount": "80000.0"},
        "payment_gateway_response": {"epg_txn_id": "LAI1", "resp_message": '{"Name": "Mira Person"}'},
    }  # fmt: skip
    body = {
        "order_id": "JP1",
        "status": "SUCCESS",
        "order_status": "PENDING_VBV",
        "amount": 80000,
        "currency": "INR",
    }
    return msgspec.json.encode(body | {"txn_list": [row]})


def mandate(status: str) -> bytes:
    body = {"mandate_id": "m1", "order_id": "JP0", "status": status, "currency": "INR", "max_amount": 1000}
    return msgspec.json.encode(body | {"mandate_token": "tok-secret"})


async def test_one_order_is_told_from_three_calls(home):
    key = home.directory / "credit-key"
    key.write_text("credit-key")
    async with canned() as upstream:
        upstream.bodies |= {LOAN: loan("Offer Selected"), MANDATE: mandate("ACTIVE")}
        home.settings = {
            "ACCOUNTS__SHOP__BASE_URL": upstream.url,
            "ACCOUNTS__SHOP__CREDIT__BASE_URL": upstream.url,
            "ACCOUNTS__SHOP__CREDIT__API_KEY_FILE": str(key),
        }
        async with home.running() as shop:
            await shop.subscribe()
            await shop.register("JP1", sources=["order", "hypercredit", "mandate"], mandate_id="m1")
            for kind in ("order.charged", "loan.offer_selected", "mandate.active"):
                await shop.told(kind)
            upstream.bodies |= {LOAN: loan("Agreement Singed"), MANDATE: mandate("REVOKED")}
            await shop.hurry("JP1")
            signed = await shop.told("loan.agreement_signed")
            revoked = await shop.told("mandate.revoked")
            shown = await shop.call("GET", "/v1/orders/JP1")
            story = await shop.call("GET", "/v1/orders/JP1/timeline")

            async def types() -> Any:
                return sorted(await shop.types())

            told = await eventually(types, until=lambda seen: len(seen) == 5)
    assert told == [
        "loan.agreement_signed",
        "loan.offer_selected",
        "mandate.active",
        "mandate.revoked",
        "order.charged",
    ]
    assert upstream.keys[LOAN] == "credit-key"
    assert upstream.keys[MANDATE] == upstream.keys["/orders/JP1"] != "credit-key"
    data = signed.json()["data"]
    assert (data["current"], data["source"], data["subject_id"]) == (
        "Agreement Singed",
        "hypercredit",
        "LSP1",
    )
    assert data["order"]["status"] == "CHARGED"
    assert data["order"]["loan"]["txn_list"][0]["amount"] == "80000.00"
    assert revoked.json()["data"]["order"]["mandate"]["mandate_status"] == "REVOKED"
    assert shown["order"]["loan"]["observed_at"] == data["observed_at"]
    assert shown["order"]["mandate"]["observed_at"] == revoked.json()["data"]["observed_at"]
    assert {each["source"] for each in story["items"] if each["kind"] == "snapshot"} == {
        "order", "hypercredit", "mandate",
    }  # fmt: skip
    everything = msgspec.json.encode([shown, story]).decode()
    assert not [word for word in ("Mira", "tok-secret", "resp_message") if word in everything]

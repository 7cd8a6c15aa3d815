import asyncio

import aiohttp
import pytest

from notifier.sandbox.faults import FaultKind
from support.clock import FakeClock


@pytest.fixture
async def ask(merchant, clock):
    """Open a charged card order, switch faults on, ask for the order."""
    await merchant.post("/sandbox/orders", json={"order_id": "A", "amount": 249, "script": "charged_card"})
    await clock.advance(600)

    async def ask(*faults):
        for fault in faults:
            status, _ = await merchant.post("/sandbox/faults", json=fault)
            assert status == 201
        return await merchant.get("/orders/A")

    return ask


@pytest.mark.parametrize(
    ("kind", "status", "member", "value"),
    [
        ("429", 429, "error_code", "too_many_requests"),
        ("500", 500, "error_code", "internal_error"),
        ("unauthorized", 401, "error_code", "access_denied"),
        ("forbidden", 403, "error_message", "Forbidden"),
        ("not_found", 404, "error_code", "order_not_found"),
        ("not_found_legacy", 404, "status_id", 40),
        ("not_found_200", 200, "status", "NOT_FOUND"),
        ("error_200", 200, "status", "error"),
    ],
)
async def test_an_answer_is_replaced_once(ask, kind, status, member, value):
    got, body = await ask({"kind": kind})
    assert (got, body[member]) == (status, value)
    got, body = await ask()
    assert (got, body["status"]) == (200, "CHARGED")


@pytest.mark.parametrize(("kind", "status"), [("503_html", 503), ("non_json", 200)])
async def test_an_answer_is_no_json(ask, merchant, kind, status):
    with pytest.raises((aiohttp.ContentTypeError, ValueError)):
        await ask({"kind": kind})
    await merchant.post("/sandbox/faults", json={"kind": kind})
    async with merchant.session.get(f"{merchant.url}/orders/A", headers=merchant.headers) as response:
        assert response.status == status


async def test_throttling_may_name_a_time(merchant, ask):
    await merchant.post("/sandbox/faults", json={"kind": "429", "retry_after": 7})
    async with merchant.session.get(f"{merchant.url}/orders/A", headers=merchant.headers) as response:
        assert response.headers["Retry-After"] == "7"


async def test_a_fault_strikes_so_many_times(ask):
    statuses = [(await ask({"kind": "500", "count": 2}))[0], (await ask())[0], (await ask())[0]]
    assert statuses == [500, 500, 200]


async def test_a_fault_of_one_order_leaves_the_others_alone(merchant, ask):
    await merchant.post("/sandbox/orders", json={"order_id": "B"})
    await merchant.post("/sandbox/faults", json={"kind": "500", "order_id": "b", "count": None})
    assert [(await merchant.get("/orders/A"))[0], (await merchant.get("/orders/B"))[0]] == [200, 500]
    assert (await merchant.get("/orders/B"))[0] == 500


async def test_faults_are_listed_and_cleared(merchant, ask):
    await ask({"kind": "500", "count": None})
    _, listing = await merchant.get("/sandbox/faults")
    assert [fault["kind"] for fault in listing["items"]] == ["500"]
    async with merchant.session.delete(f"{merchant.url}/sandbox/faults") as response:
        assert response.status == 204
    assert (await ask())[0] == 200


async def test_an_unknown_fault_is_refused(merchant):
    status, _ = await merchant.post("/sandbox/faults", json={"kind": "gremlins"})
    assert status == 422


async def test_a_cut_body_ends_early(ask, caplog):
    with pytest.raises(aiohttp.ClientPayloadError):
        await ask({"kind": "cut"})
    assert (await ask())[0] == 200
    assert caplog.records == []


class TellingClock(FakeClock):
    def __init__(self):
        super().__init__()
        self.asleep = asyncio.Event()

    async def sleep(self, seconds):
        self.asleep.set()
        await super().sleep(seconds)


async def test_a_slow_answer_comes_late(world, merchant, ask):
    clock = world.sandbox.clock = TellingClock()
    await merchant.post("/sandbox/faults", json={"kind": "slow", "delay_s": 20})
    asked = asyncio.create_task(merchant.get("/orders/A"))
    await clock.asleep.wait()
    await clock.advance(19)
    assert not asked.done()
    await clock.advance(1)
    assert (await asked)[0] == 200


async def test_a_slow_body_stops_in_the_middle(world, merchant, ask):
    clock = world.sandbox.clock = TellingClock()
    await merchant.post("/sandbox/faults", json={"kind": "slow_body", "delay_s": 20})
    asked = asyncio.create_task(merchant.get("/orders/A"))
    await clock.asleep.wait()
    await clock.advance(19)
    assert not asked.done()
    await clock.advance(1)
    assert (await asked)[1]["order_id"] == "A"


async def test_a_stale_answer_shows_what_was_before(ask):
    _, stale = await ask({"kind": "stale"})
    _, fresh = await ask()
    assert (stale["status"], fresh["status"]) == ("AUTHORIZING", "CHARGED")
    assert stale["last_updated"] < fresh["last_updated"]


async def test_churn_changes_only_what_means_nothing(ask):
    _, before = await ask()
    _, after = await ask({"kind": "churn"})
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"payment_links", "metadata", "payment_gateway_response"}


async def test_shuffled_keys_say_the_same(ask):
    _, before = await ask()
    _, after = await ask({"kind": "shuffle"})
    assert after == before
    assert list(after) != list(before)


async def test_keys_are_shuffled_all_the_way_down(ask):
    _, before = await ask()
    _, after = await ask({"kind": "shuffle"})
    assert list(after["txn_detail"]) != list(before["txn_detail"])


async def test_nothing_is_said_in_words(ask):
    _, before = await ask()
    _, after = await ask({"kind": "null_words"})
    nothing = [name for name, value in before.items() if value is None]
    assert nothing
    assert {after[name] for name in nothing} <= {"null", "NA", ""}
    assert after["txn_detail"]["surcharge_amount"] in {"null", "NA", ""}


async def test_a_word_may_have_the_number_of_another(ask):
    _, body = await ask({"kind": "wrong_status_id"})
    assert (body["status"], body["status_id"]) == ("CHARGED", 27)


async def test_numbers_come_as_text(ask):
    _, body = await ask({"kind": "strings"})
    assert (body["status_id"], body["amount"], body["refunded"]) == ("21", "249", "false")
    assert (body["txn_detail"]["txn_amount"], body["txn_detail"]["redirect"]) == ("249", "true")


async def test_whole_amounts_come_with_a_fraction(merchant, ask):
    await merchant.post("/sandbox/faults", json={"kind": "floats"})
    async with merchant.session.get(f"{merchant.url}/orders/A", headers=merchant.headers) as response:
        text = await response.text()
    assert '"amount": 249.0' in text
    assert '"status_id": 21,' in text


async def test_members_are_masked_whatever_their_type(ask):
    _, body = await ask({"kind": "filtered"})
    assert {body[name] for name in ("card", "offers", "effective_amount", "customer_email")} == {"FILTERED"}
    assert body["status"] == "CHARGED"
    assert "upi" not in body


async def test_a_word_nobody_knows(ask):
    _, body = await ask({"kind": "unknown_status"})
    assert (body["status"], body["status_id"]) == ("SETTLEMENT_HOLD", 99)


async def test_words_nobody_knows_of_loans_and_mandates(world, merchant, clock, ask):
    import aiohttp

    world.sandbox.create("L", script="loan")
    world.sandbox.create("M", script="mandate")
    await clock.advance(100)
    await merchant.post("/sandbox/faults", json={"kind": "unknown_status", "count": None})
    headers = merchant.headers | {"Authorization": aiohttp.encode_basic_auth("sandbox-credit-key", "")}
    _, loan = await merchant.get("/credit/order/L", headers=headers)
    assert (loan["order_status"], loan["status"]) == ("SETTLEMENT_HOLD", "SUCCESS")
    assert loan["txn_list"][0]["sub_status"] == "Underwriting Paused"
    _, order = await merchant.get("/orders/M")
    path = f"/mandates/{order['mandate']['mandate_id']}"
    _, mandate = await merchant.post(path, data={"command": "check_status"})
    assert (mandate["status"], "status_id" in mandate) == ("SETTLEMENT_HOLD", False)


async def test_another_order_is_echoed(ask):
    _, body = await ask({"kind": "wrong_order"})
    assert body["order_id"] == "AX"


async def test_distortions_add_up(ask):
    _, body = await ask({"kind": "filtered"}, {"kind": "strings"})
    assert (body["card"], body["status_id"]) == ("FILTERED", "21")


async def test_a_bad_key_uses_up_no_fault(merchant, ask):
    await merchant.post("/sandbox/faults", json={"kind": "500"})
    assert (await merchant.get("/orders/A", headers={}))[0] == 401
    assert (await ask())[0] == 500


@pytest.mark.parametrize("kind", list(FaultKind))
async def test_no_fault_strikes_another_order(ask, kind):
    fault = {"kind": kind, "order_id": "NEVER"}
    assert (await ask(fault))[0] == 200

"""Our client and the make-believe upstream were written apart from one dossier; here they meet on every call."""

import pytest
from acceptance_home import Home, eventually

from notifier.sandbox.jose import Keys
from notifier.sandbox.lives.following import mandate_id
from notifier.sandbox.serve import Settings, running
from notifier.sandbox.webhooks.hook import Hook

_KID = "sandbox-kid"
_HOUR = {"POLLING__MIN_INTERVAL_S": "3600", "POLLING__MAX_INTERVAL_S": "3600"}


@pytest.fixture
async def world():
    async with running(Settings(speed=4000, keys=Keys.fresh())) as everything:
        yield everything


@pytest.fixture
def home(tmp_path, world):
    """An account with every key there is: credit, encryption, hints."""
    world.sandbox.keys.write(tmp_path)
    (tmp_path / "credit").write_text(world.sandbox.credit_key)
    (tmp_path / "password").write_text("hook-password")
    (tmp_path / "user").write_text("juspay")
    sealed = {
        "ENCRYPTION": "jwe",
        "JWE_KID": _KID,
        "JWE_PRIVATE_KEY_FILE": str(tmp_path / "merchant_private.pem"),
        "JWE_PUBLIC_KEY_FILE": str(tmp_path / "juspay_public.pem"),
    }
    more = f"""
[accounts.shop.credit]
base_url = "{world.upstream_url}"
api_key_file = "{tmp_path / "credit"}"
[accounts.shop.hints]
user_file = "{tmp_path / "user"}"
password_file = "{tmp_path / "password"}"
"""
    settings = {f"ACCOUNTS__SHOP__{name}": value for name, value in sealed.items()}
    return Home(tmp_path, world, more=more, settings=settings)


def _told_of(world, subject):
    return [
        (event["type"], event["data"]["current"])
        for event in (got.json() for got in world.receiver.callbacks)
        if event["data"]["subject"] == subject
    ]


async def test_an_encrypted_life_is_told_to_its_end(home, world):
    world.sandbox.create("JP1", script="auto_refunded")
    async with home.running() as shop:
        await shop.subscribe()
        await shop.register("JP1")
        await shop.told("order.auto_refunded")
        await shop.all_delivered()
        samples = await shop.samples()
    assert [name for name in samples if "polls_total" in name] == [
        'notifier_polls_total{account="shop",outcome="ok"}'
    ]
    assert _told_of(world, "order")[-1] == ("order.auto_refunded", "AUTO_REFUNDED")


async def test_two_loan_applications_of_one_order_are_told_apart(home, world):
    world.sandbox.create("JP1", script="loan_two_applications")
    async with home.running() as shop:
        await shop.subscribe()
        await shop.register("JP1", sources=["order", "hypercredit"])
        got = await shop.told("loan.loan_active")
        rejected = await shop.told("loan.loan_rejected")
    first, second = rejected.json()["data"], got.json()["data"]
    assert first["subject_id"] != second["subject_id"]
    assert first["source"] == second["source"] == "hypercredit"
    assert {loan["txn_id"] for loan in second["order"]["loan"]["txn_list"]} == {
        first["subject_id"],
        second["subject_id"],
    }


async def test_a_mandate_that_is_revoked_later_is_told_by_its_own_call(home, world):
    order = world.sandbox.create("JP1", script="mandate_revoked")
    async with home.running() as shop:
        await shop.subscribe()
        await shop.register("JP1", sources=["order", "mandate"], mandate_id=mandate_id(order.life))
        got = await shop.told("mandate.revoked")
    assert got.json()["data"]["source"] == "mandate"
    assert ("order.charged", "CHARGED") in _told_of(world, "order")


@pytest.mark.parametrize("jwt", [False, True], ids=["plain", "jwt"])
async def test_webhooks_that_repeat_and_overtake_bring_every_step_of_a_slow_poller(home, world, jwt):
    home.settings |= _HOUR
    async with home.running() as shop:
        await shop.subscribe()
        order = world.sandbox.create("JP1", steps=())
        await shop.register("JP1")
        await shop.told("order.new")
        world.webhooks.add(
            Hook(
                url=f"{shop.url}/v1/hints/juspay/shop", user="juspay", password="hook-password", jwt=jwt,
                masked=True, copies=3,
            )
        )  # fmt: skip
        for status in ("PENDING_VBV", "CHARGED"):
            world.sandbox.force(order, status=status)
            world.webhooks.send(order, "ORDER_SUCCEEDED")
            await shop.told(f"order.{status.lower()}")
        await shop.all_delivered()
        samples = await shop.samples()
    assert _told_of(world, "order") == [
        ("order.new", "NEW"),
        ("order.pending_vbv", "PENDING_VBV"),
        ("order.charged", "CHARGED"),
    ]
    hinted = samples['notifier_hints_total{account="shop",outcome="polled"}']
    assert hinted >= 2
    assert samples['notifier_polls_total{account="shop",outcome="ok"}'] <= 1 + 2 * hinted


async def test_another_key_pair_is_refused_and_nothing_is_told(home, world, tmp_path):
    Keys.fresh().write(tmp_path)
    world.sandbox.create("JP1", script="charged")
    async with home.running() as shop:
        await shop.subscribe()
        await shop.register("JP1")
        refused = await eventually(lambda: shop.watched("JP1"), until=lambda watch: watch["failures"] > 0)
        assert refused["last_error"] == "bad_request", "the upstream cannot open what we ask"
        assert await shop.types() == []
        samples = await shop.samples()
    assert samples['notifier_polls_total{account="shop",outcome="ok"}'] == 0

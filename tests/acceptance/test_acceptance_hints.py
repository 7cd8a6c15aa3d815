"""The upstream's own webhook brings forward what polling alone would have seen an hour later."""

from base64 import b64encode
from typing import Any

import msgspec
import pytest

from support.envelope import body, encrypted, inner, signed
from support.keys import written

_HOUR = {"POLLING__MIN_INTERVAL_S": "3600", "POLLING__MAX_INTERVAL_S": "3600"}
_HINTS = """
[accounts.shop.hints]
user_file = "{folder}/user"
password_file = "{folder}/password"
"""


@pytest.fixture
def hooked(home, tmp_path):
    (tmp_path / "user").write_text("hook\n")
    (tmp_path / "password").write_text("hook-password\n")
    jwe = {f"ACCOUNTS__SHOP__{name.upper()}": value for name, value in written(tmp_path).items()}
    home.settings = _HOUR | jwe
    home.more = _HINTS.format(folder=tmp_path)
    return home


async def hint(shop, path: str, data: bytes, password: str = "hook-password") -> tuple[int, Any]:
    credentials = b64encode(f"hook:{password}".encode()).decode()
    headers = {"Authorization": f"Basic {credentials}"}
    async with shop.http.post(f"{shop.url}/v1/hints/juspay{path}", data=data, headers=headers) as answered:
        return answered.status, msgspec.json.decode(await answered.read())


async def test_a_hint_plain_or_encrypted_brings_the_look_forward_and_polling_alone_decides(hooked, world):
    order = world.sandbox.create("JP1", steps=())
    claim = msgspec.json.encode({"content": {"order": {"order_id": "jp1", "status": "AUTHORIZATION_FAILED"}}})
    async with hooked.running() as shop:
        await shop.subscribe()
        await shop.register("JP1")
        await shop.told("order.new")

        world.sandbox.force(order, status="PENDING_VBV")
        assert (await hint(shop, "/shop", claim, password="guessed"))[0] == 401
        assert await hint(shop, "/shop", claim) == (200, {"outcome": "polled"})
        await shop.told("order.pending_vbv")

        world.sandbox.force(order, status="CHARGED")
        sealed = body(encrypted(inner(signed(claim))), "B")
        assert await hint(shop, "", sealed) == (200, {"outcome": "polled"})
        await shop.told("order.charged")

        assert await hint(shop, "", claim.replace(b"jp1", b"JP2")) == (200, {"outcome": "unknown"})
        assert await shop.types() == ["order.new", "order.pending_vbv", "order.charged"]
        counted = await shop.samples()
        outcomes = {"polled": 2, "unknown": 1, "refused": 1}
        for outcome, times in outcomes.items():
            assert counted[f'notifier_hints_total{{account="shop",outcome="{outcome}"}}'] == times

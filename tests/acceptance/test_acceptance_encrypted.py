"""An account whose answers come encrypted: told like any other, and unharmed by envelopes that cannot be opened."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from acceptance_home import eventually
from acceptance_upstream import paid
from aiohttp import web

from notifier.errors import ConfigError
from notifier.sandbox.serve import serving
from support.envelope import answer, asked, body, encrypted, inner, signed
from support.keys import key, written


@dataclass
class Sealing:
    """An upstream that knows the encrypted call alone; `said` goes before what it would answer."""

    url: str = ""
    said: list[bytes] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        claims, _, _ = asked(await request.read())
        if self.said:
            return web.Response(body=self.said.pop(0))
        return web.Response(body=answer(paid(claims["order_id"])))


@asynccontextmanager
async def sealing(home, folder) -> AsyncIterator[Sealing]:
    upstream = Sealing()
    app = web.Application()
    app.router.add_post("/v4/order-status", upstream.answer)
    settings = {"base_url": "", "encryption": "jwe", **written(folder)}
    async with serving(app) as upstream.url:
        settings["base_url"] = upstream.url
        home.settings = {f"ACCOUNTS__SHOP__{name.upper()}": value for name, value in settings.items()}
        yield upstream


async def test_an_order_of_an_encrypted_account_is_told(home, tmp_path):
    async with sealing(home, tmp_path), home.running() as shop:
        await shop.subscribe()
        await shop.register("JP 1/é")
        got = await shop.told("order.charged", "JP 1/é")
        assert got.json()["data"]["order"]["amount"] == "386.00"
        await shop.good_looks("JP 1/é", 2)
        assert await shop.types() == ["order.charged"]


async def test_the_daemon_does_not_start_on_keys_that_cannot_serve(home, tmp_path):
    async with sealing(home, tmp_path):
        (tmp_path / "public.pem").write_text("hello")
        with pytest.raises(
            ConfigError, match=r"accounts\.shop\.jwe_public_key_file: file .*public\.pem holds no"
        ):
            await home.running().__aenter__()
    assert not home.database.with_name("notifier.db.key").exists()  # made when it is opened first


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (lambda text: text, "unsealed"),
        (lambda text: body(encrypted(inner(signed(text))), "A")[:-9] + b'"}', "tampered"),
        (lambda text: body(encrypted(inner(signed(text)), kid="key-2")), "unknown_key"),
        (lambda text: body(encrypted(inner(signed(text, alg="none")))), "algorithm"),
        (lambda text: body(encrypted(inner(signed(text, key("stranger"))))), "signature"),
        (lambda _: answer(paid("JP2")), "other_order"),
        (lambda _: answer(b"hello"), "malformed"),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
async def test_an_envelope_that_cannot_be_taken_is_no_event_but_a_counted_failure(
    home, tmp_path, said, reason
):
    async with sealing(home, tmp_path) as upstream, home.running() as shop:
        await shop.subscribe()
        upstream.said.append(said(paid("JP1")))
        await shop.register("JP1")
        watch = await eventually(
            lambda: shop.watched("JP1"), until=lambda watch: watch["last_error"] == reason
        )
        assert (watch["state"], watch["failures"]) == ("active", 1)
        assert await shop.types() == []
        samples = await shop.samples()
        assert samples[f'notifier_polls_total{{account="shop",outcome="{reason}"}}'] == 1.0
        await shop.hurry("JP1")
        await shop.told("order.charged")
        assert await shop.types() == ["order.charged"]

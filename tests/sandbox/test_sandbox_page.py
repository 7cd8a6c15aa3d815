"""The page with its buttons, and the one on which a customer pays: what they show, and what a push does."""

import re

import pytest


@pytest.fixture
def browser(merchant):
    """Fetch and post without a key, as a browser does."""

    class Browser:
        async def get(self, path):
            url = path if path.startswith("http") else merchant.url + path
            async with merchant.session.get(url) as response:
                return response.status, await response.text()

        async def push(self, path="/sandbox/page", **fields):
            url = path if path.startswith("http") else merchant.url + path
            async with merchant.session.post(url, data=fields) as response:
                return response.status, str(response.url.path), await response.text()

    return Browser()


def forms(text):
    """Return the fields of each one-button form."""
    found = re.findall(r'<form method="post"[^>]*>(.*?)</form>', text)
    return [dict(re.findall(r'name="(\w+)" value="([^"]*)"', form)) for form in found]


async def test_the_front_door_leads_to_the_page(browser):
    status, text = await browser.get("/")
    assert status == 200
    assert "No money moves here" in text
    assert "sandbox-credit-key" in text
    assert "No order yet" in text


async def test_every_button_of_every_order_works(browser, world):
    world.sandbox.create("A", script="refund")
    world.sandbox.create("L", script="loan_session")
    pushed = set()
    for _ in range(60):
        _, text = await browser.get("/sandbox/")
        fresh = [
            form
            for form in forms(text)
            if form["do"] in {"move", "next"} and tuple(form.values()) not in pushed
        ]
        if not fresh:
            break
        status, path, text = await browser.push(**fresh[0])
        assert (status, path) == (200, "/sandbox/"), fresh[0]
        assert 'class="bad">' not in text
        pushed.add(tuple(fresh[0].values()))
    assert len(pushed) > 10


async def test_an_order_is_opened_from_the_page(browser, world):
    await browser.push(do="open", order_id="A", amount="12.50", script="charged")
    order = world.sandbox.find("a")
    assert (order.life.amount, order.life.ends_s) == (1250, 46)
    await browser.push(do="open", order_id="", amount="", script="by its amount")
    assert len(list(world.sandbox)) == 2


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"do": "open", "amount": "lots", "script": "charged"}, "is not a number"),
        ({"do": "open", "script": "nonsense"}, "no script"),
        ({"do": "move", "order_id": "NOBODY", "part": "order", "to": "CHARGED"}, "no order"),
        ({"do": "move", "order_id": "A", "part": "soul", "to": "CHARGED"}, "soul"),
        ({"do": "fault", "kind": "429", "count": "many"}, "many"),
        ({"do": "hook", "url": "ftp://a"}, "http"),
        ({"do": "dance"}, "nothing this page does"),
        ({}, "nothing this page does"),
    ],
)
async def test_what_cannot_be_done_is_said_on_the_page(browser, world, fields, message):
    world.sandbox.create("A", steps=())
    status, path, text = await browser.push(**fields)
    assert (status, path) == (200, "/sandbox/page")
    assert message in re.search(r'<p class="bad">(.*?)</p>', text)[1]


async def test_faults_and_webhooks_are_switched_on_and_off(browser, world):
    await browser.push(do="fault", kind="429", count="3")
    _, text = await browser.get("/sandbox/")
    assert "for 3 more" in text
    await browser.push(do="no_faults")
    assert list(world.sandbox.faults) == []
    await browser.push(do="hook", url="http://127.0.0.1:9/x", user="u", password="p", form="masked")
    (hook,) = world.webhooks
    assert (hook.user, hook.password, hook.masked, hook.jwt) == ("u", "p", True, False)
    await browser.push(do="no_hooks")
    assert list(world.webhooks) == []


async def test_what_a_merchant_sends_is_never_markup(browser, merchant):
    await merchant.post("/orders", data={"order_id": "<b>x</b>", "amount": "1"})
    _, text = await browser.get("/sandbox/")
    assert "&lt;b&gt;x&lt;/b&gt;" in text
    assert "<b>x</b>" not in text


@pytest.fixture
async def payment_page(merchant):
    form = {"order_id": "M1", "amount": "900", "return_url": "https://shop.example/back?a=1"}
    _, created = await merchant.post("/session", json=form)
    return created["payment_links"]["web"]


@pytest.mark.parametrize("word", ["CHARGED", "AUTHORIZATION_FAILED", "AUTHENTICATION_FAILED"])
async def test_the_customer_decides_on_the_payment_page(browser, merchant, payment_page, clock, word):
    _, text = await browser.get(payment_page)
    assert "INR 900.00" in text
    _, _, text = await browser.push(payment_page, to=word)
    assert word in text
    assert f"https://shop.example/back?a=1&amp;order_id=M1&amp;status={word}" in text
    await clock.advance(10_000)
    assert await merchant.status("M1") == word


async def test_a_payment_that_failed_is_tried_again_and_one_that_is_done_is_not(
    browser, merchant, payment_page
):
    await browser.push(payment_page, to="AUTHORIZATION_FAILED")
    _, _, text = await browser.push(payment_page, to="CHARGED")
    assert forms(text) == []
    _, body = await merchant.get("/orders/M1")
    assert body["txn_id"].endswith("-2")
    await browser.push(payment_page, to="AUTHORIZATION_FAILED")
    assert await merchant.status("M1") == "CHARGED"


async def test_a_payment_page_of_nobody_is_not_found_and_a_script_is_no_way_back(browser, merchant):
    assert (await browser.get("/orders/ordeh_nothing/payment-page"))[0] == 404
    form = {"order_id": "M2", "amount": "9", "return_url": "javascript:alert(1)"}
    _, created = await merchant.post("/orders", data=form)
    _, text = await browser.get(created["payment_links"]["web"])
    assert "javascript:" not in text

"""What is personal upstream stands nowhere here: a marked customer goes through all of it and leaves no trace."""

import msgspec
from acceptance_home import eventually
from acceptance_upstream import canned

from notifier.sandbox.receiver import Failure
from support.beside import whole_credit, whole_mandate
from support.upstream import MERCHANT, ORDER_ID, answer, planted, planted_error, whole

MARK = "N1la-0f-The-Kettles"
MANDATE_ID = "mdtKt501"
PERSONAL = (MARK.lower(), "nila", "9800000007", "t0kenofthedebit")
TELLING = """
[subscriptions.on-call]
channel = "slack"
rate_per_s = 100
target = "C0SHOP"
events = ["*", "source.*", "watch.*"]
[subscriptions.people]
channel = "email"
digest_s = 0
rate_per_s = 100
target = "people@shop.example"
events = ["*", "source.*", "watch.*"]
"""
SHOWN = (
    "/", "/metrics", "/v1/watches", f"/v1/watches/{ORDER_ID}", f"/v1/orders/{ORDER_ID}",
    f"/v1/orders/{ORDER_ID}/timeline", f"/v1/orders/{ORDER_ID}/snapshots?version=1", "/v1/events?limit=500",
    "/v1/deliveries?limit=500", "/v1/watches/BAD", "/v1/watches/ODD",
)  # fmt: skip


def raw(body, **members):
    return msgspec.json.encode(planted(body, MARK) | members)


async def told_of_somebody(shop, upstream):
    """Let an order with a marked customer go through its life, and orders beside it fail in every way."""
    upstream.bodies |= {
        ORDER_ID: raw(answer("PENDING_VBV", minute=1, by="upi")),
        "BAD": msgspec.json.encode(planted_error(MARK)),
        "ODD": raw(whole(order_id="ODD"), amount=f"12.345 of {MARK}", currency=MARK, status=[MARK]),
        "OTHER": raw(whole(order_id=MARK)),
        "BROKEN": raw(whole())[:-5],
        f"/credit/order/{ORDER_ID}": msgspec.json.encode(whole_credit()),
        f"/mandates/{MANDATE_ID}": msgspec.json.encode(whole_mandate()),
    }
    await shop.register(ORDER_ID, sources=["order", "hypercredit", "mandate"], mandate_id=MANDATE_ID)
    await shop.told("loan.offer_selected")
    await shop.told("mandate.active")
    for order_id in ("BAD", "ODD", "OTHER", "BROKEN"):
        await shop.register(order_id)
    await shop.told("order.pending_vbv", ORDER_ID)
    upstream.bodies[ORDER_ID] = raw(whole())
    await shop.told("chargeback.received", ORDER_ID)
    for order_id in ("BAD", "ODD", "OTHER", "BROKEN"):
        await eventually(lambda each=order_id: shop.watched(each), until=lambda watch: watch["last_error"])
    await shop.all_delivered(order_id=ORDER_ID)


async def shown(shop, path):
    async with shop.http.get(shop.url + path) as got:
        return await got.text()


async def test_a_marked_customer_leaves_no_trace(home, world):
    home.more = TELLING
    home.settings = {"LOGGING__LEVEL": "debug", "ACCOUNTS__SHOP__MERCHANT_ID": MERCHANT}
    async with canned() as upstream:
        key = home.directory / "credit-key"
        key.write_text("credit-key")
        home.settings |= {
            "ACCOUNTS__SHOP__BASE_URL": upstream.url,
            "ACCOUNTS__SHOP__CREDIT__BASE_URL": upstream.url,
            "ACCOUNTS__SHOP__CREDIT__API_KEY_FILE": str(key),
        }
        async with home.process() as daemon:
            world.receiver.fail(Failure(status=500, path="/callbacks"))
            await daemon.subscribe("/callbacks", "*", "source.*", "watch.*")
            await told_of_somebody(daemon, upstream)
            pages = {path: await shown(daemon, path) for path in SHOWN}
            await daemon.told("order.charged", ORDER_ID)
            daemon.terminate()
            assert await daemon.ended(within_s=20) == 0
    written = {
        **pages,
        **{path.name: path.read_bytes().decode(errors="replace") for path in home.directory.iterdir()},
        "callbacks": "".join(f"{got.headers} {got.body!r}" for got in world.receiver.callbacks),
        "slack": "".join(str(each.payload) for each in world.receiver.slack),
        "mails": "".join(
            str(part.get_content())
            for each in world.mailbox.mails
            for part in each.message.walk()
            if not part.is_multipart()
        ),
    }
    found = {name: mark for name, text in written.items() for mark in PERSONAL if mark in text.lower()}
    assert found == {}
    # The bank of a payment address is nobody: it shows that all of these were looked into.
    assert {"notifier.db", "callbacks", f"/v1/orders/{ORDER_ID}"} <= {
        name for name, text in written.items() if "okkettle" in text
    }
    assert all(written[name] for name in ("stderr", "slack", "mails", "/metrics"))

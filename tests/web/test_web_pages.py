"""The pages that messages about incidents link to."""

from base64 import b64encode
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser

import pytest

from notifier.channels.incident import incident_words
from notifier.domain.alert.report import Code, SliceFigures, incident_document
from notifier.domain.money import Money
from support.traffic import Traffic

EVIL = "<script>alert(1)</script>"


class Page(HTMLParser):
    """Checks that every element is closed, and keeps the elements and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data + "\n"

    @property
    def links(self):
        return [given["href"] for tag, given in self.seen if tag == "a"]


def basic(text, *, user="me"):
    return {"Authorization": f"Basic {b64encode(f'{user}:{text}'.encode()).decode()}"}


async def shown(api, path):
    answer = await api.get(path)
    assert answer.status == 200
    return Page(answer.raw.decode())


async def amended(services, incident, **members):
    changed = replace(incident, report=replace(incident.report, **members))
    async with services.storage.writing() as tx:
        await tx.save_incident(changed)


@pytest.mark.parametrize("path", ["/incidents/{id}", "/orders/a", "/"])
async def test_a_page_takes_the_key_as_a_password_of_any_user(serve, services, spike, path):
    api, headers = await serve(services), {"Host": "notifier.example"}
    path = path.format(id=spike.id)
    await api.post("/v1/watches", {"order_id": "a"})
    for user in ("", "me", "zoë"):
        given = headers | basic("operator-key-1", user=user)
        assert (await api.get(path, key=None, headers=given)).status == 200
    assert (await api.get(path, headers=headers)).status == 200
    for wrong in (
        basic(""),
        basic("operator-key-"),
        basic("x:operator-key-1"),
        {"Authorization": "Basic é"},
        {},
    ):
        refused = await api.get(path, key=None, headers=headers | wrong)
        assert refused.status == 401
        assert refused.headers["WWW-Authenticate"] == 'Basic realm="notifier", charset="UTF-8"'


async def test_a_call_that_changes_something_takes_no_password(api, spike):
    path = f"/v1/incidents/{spike.id}/ack"
    assert (await api.post(path, {"by": "a"}, key=None, headers=basic("operator-key-1"))).status == 401


@pytest.mark.parametrize("path", ["/incidents/{id}", "/orders/a"])
async def test_a_page_runs_nothing_fetches_nothing_and_is_not_kept(api, spike, path):
    await api.post("/v1/watches", {"order_id": "a"})
    answer = await api.get(path.format(id=spike.id))
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Content-Security-Policy"].startswith(
        "default-src 'none'; style-src 'unsafe-inline'"
    )
    assert answer.headers["Cache-Control"] == "no-store"
    tags = {tag for tag, _ in Page(answer.raw.decode()).seen}
    assert not tags & {"script", "img", "link", "iframe", "form"}
    assert b":root{color-scheme:light dark}" in answer.raw
    assert b'name="viewport"' in answer.raw


async def test_what_a_message_links_to_is_there(api, services, spike):
    await api.post("/v1/watches", {"order_id": spike.report.samples[0] if spike.report.samples else "o1"})
    await amended(services, spike, samples=("o1",))
    async with services.storage.reading() as tx:
        report = (await tx.incident("shop", spike.id)).report
    words = incident_words(incident_document(report), public_url="https://n.example/")
    paths = [words["link"], *(link for _, link in words["samples"])]
    assert len(paths) == 2
    for each in paths:
        assert (await api.get(each.removeprefix("https://n.example"))).status == 200


async def test_an_incident_says_how_bad_where_since_and_what_is_not_affected(api, services, spike):
    await api.post(f"/v1/incidents/{spike.id}/ack", {"by": "asha", "note": "on it"})
    async with services.storage.reading() as tx:
        spike = await tx.incident("shop", spike.id)
    calm = SliceFigures(place=(("gateway", "PAYU"),), orders=80, failed=3, rate=0.0375, normal=0.04)
    await amended(
        services,
        spike,
        at_risk=(Money(19_000_000, "INR"),),
        codes=(Code(code="BANK_DOWN", orders=70, share=0.97),),
        normal_slices=(calm,),
        samples=("JP/1 ü",),
    )
    page = await shown(api, f"/incidents/{spike.id}")
    report = spike.report
    for part in (
        "P1 payments via RAZORPAY",
        "acknowledged",
        "by asha",
        "on it",
        f"{report.failed} of {report.orders} in 5 min",
        "₹1.9 L",
        "BANK_DOWN",
        "97 %",
        "gateway PAYU",
        "3.8 %",
        f"{report.opened_at:%Y-%m-%d %H:%M:%S}",
    ):
        assert part in page.text, part
    assert page.links == ["../orders/JP%2F1%20%C3%BC?account=shop"]
    (chart,) = [given for tag, given in page.seen if tag == "svg"]
    assert "alarm" in chart["aria-label"]
    assert len([tag for tag, _ in page.seen if tag == "polyline"]) == 3


async def test_an_incident_shows_all_that_was_told_of_it_the_last_first(api, spike):
    await api.post(f"/v1/incidents/{spike.id}/ack", {"by": "asha"})
    await api.delete("/v1/alerts/alr_1")
    page = await shown(api, f"/incidents/{spike.id}")
    history = page.text.partition("Told so far")[2]
    reasons = ["resolved", "acknowledged", "severity rose", "figures", "opened"]
    assert [each for each in history.splitlines() if each in reasons] == reasons


async def test_a_page_escapes_what_came_from_outside(api, services, spike):
    bad = SliceFigures(place=(("bank", EVIL),), orders=9, failed=9, rate=1.0, normal=0.1)
    await amended(
        services,
        spike,
        cause=(("bank", EVIL),),
        slices=(bad,),
        normal_slices=(bad,),
        codes=(Code(code=EVIL, orders=1, share=1.0),),
        samples=('"><script>',),
        acknowledged_at=spike.report.opened_at,
        acknowledged_by=EVIL,
        hints=(EVIL,),
    )
    await api.post("/v1/watches", {"order_id": "<b>o</b>", "tags": ["a"]})
    for path in (f"/incidents/{spike.id}", "/orders/%3Cb%3Eo%3C%2Fb%3E"):
        page = await shown(api, path)
        assert not {tag for tag, _ in page.seen} & {"script", "b"}
    assert "<b>o</b>" in page.text


async def test_an_order_is_told_the_last_first(api, clock):
    await api.post("/v1/watches", {"order_id": "JP 1"})
    await clock.advance(60)
    page = await shown(api, "/orders/JP%201")
    assert "Order JP 1" in page.text
    kinds = [line for line in page.text.splitlines() if line in {"registered", "next poll", "polled"}]
    assert kinds[-1] == "registered"
    assert len(kinds) > 1


async def test_what_is_not_there_is_404_and_names_what_was_asked_for(api):
    for path in ("/incidents/inc_0", "/orders/JP1"):
        answer = await api.get(path)
        assert (answer.status, answer.body["code"]) == (404, "not_found")
        assert path.rpartition("/")[2] in answer.body["detail"]


async def test_links_that_name_no_account_find_it_among_several(serve, services, spike):
    api = await serve(services, accounts={"other": True, "shop": False})
    for account in ("other", "shop"):
        await api.post(f"/v1/watches?account={account}", {"order_id": "JP1"})
    assert (await api.get(f"/incidents/{spike.id}")).status == 200
    assert (await api.get(f"/incidents/{spike.id}?account=other")).status == 404
    both = await shown(api, "/orders/JP1")
    assert "Account other" in both.text
    assert "Account shop" in both.text
    assert "Account shop" not in (await shown(api, "/orders/JP1?account=other")).text
    assert (await api.get("/orders/JP1?account=west")).status == 422


async def kinds_of(api, order_id):
    items = (await api.get(f"/v1/orders/{order_id}/timeline")).body["items"]
    return [each for each in items if each["kind"] == "incident"]


async def test_an_order_says_which_incidents_it_was_part_of(api, services, spike, clock):
    async with services.storage.reading() as tx:
        ends = [each.outcome for each in await tx.outcomes("shop", after=0, limit=9000)]
    within = [each for each in ends if each.ended_at >= spike.report.opened_at - timedelta(seconds=60)]
    bad = next(each for each in within if each.is_failed and ("gateway", "RAZORPAY") in each.dimensions)
    well = next(each for each in within if not each.is_failed and ("gateway", "RAZORPAY") in each.dimensions)
    elsewhere = next(each for each in within if each.is_failed and ("gateway", "PAYU") in each.dimensions)
    before = next(each for each in ends if each.is_failed and ("gateway", "RAZORPAY") in each.dimensions)
    for each in (bad, well, elsewhere, before):
        await api.post("/v1/watches", {"order_id": each.order_key})
    (told,) = await kinds_of(api, bad.order_key)
    assert (told["id"], told["cause_text"], told["state"]) == (spike.id, "gateway RAZORPAY", "open")
    for each in (well, elsewhere, before):
        assert await kinds_of(api, each.order_key) == []
    await amended(services, spike, samples=(well.order_key,))
    assert len(await kinds_of(api, well.order_key)) == 1
    page = await shown(api, f"/orders/{bad.order_key}")
    assert page.links == [f"../incidents/{spike.id}?account=shop"]
    assert "P1 gateway RAZORPAY open" in page.text


async def test_an_order_that_failed_after_the_end_was_no_part_of_it(api, services, spike, clock):
    await api.delete("/v1/alerts/alr_1")
    await clock.advance(60)
    later = Traffic(services).outcome("late", "RAZORPAY", is_failed=True, at=clock.now())
    async with services.storage.writing() as tx:
        await tx.add_outcomes([later], observed_at=clock.now(), is_dated=True)
    await api.post("/v1/watches", {"order_id": "late"})
    assert await kinds_of(api, "late") == []

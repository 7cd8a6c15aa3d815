"""Templates that were handed in: made beside the claims, never holding up anybody else."""

import asyncio

import msgspec
import pytest
from test_conversations import Why, _tell
from test_deliverer import _seen

from notifier.channels.handed.cells import LimitExceeded
from notifier.domain.handed import HandedTemplate
from notifier.errors import TemplateError
from notifier.workers.handed import HandedBodies
from support.builders import NOW
from support.fakes import UNAVAILABLE


class FakeCells:
    """Renders at once, or when its gate opens; raises `error` if there is one."""

    def __init__(self):
        self.rendered = []
        self.error = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def render(self, template, document):
        self.rendered.append(document["type"])
        await self.gate.wait()
        if self.error:
            raise self.error
        return msgspec.json.encode({"handed": template.name, "type": document["type"]})


def a_template(**members):
    given = {
        "account": "shop",
        "name": "mine",
        "channel": "webhook",
        "parts": {"json": "{}"},
        "updated_at": NOW,
    }
    return HandedTemplate(**(given | members))


@pytest.fixture
def cells():
    return FakeCells()


@pytest.fixture
def shelf(house, cells):
    shelf = {("shop", "mine"): a_template()}
    house.handed = HandedBodies(shelf, cells)
    return shelf


def bodies(house, name="mine"):
    sent = [parcel for parcel in house.channel.parcels if parcel.subscription_id == f"sub_{name}"]
    return [msgspec.json.decode(parcel.body) for parcel in sent]


async def live(house, *statuses):
    await house.watch("OW1")
    async with house.running(house.poller(), house.deliverer()):
        for status in statuses:
            house.source.put("OW1", status)
            await house.pass_time(10)


async def test_what_was_handed_in_makes_the_body(house, shelf):
    await house.subscribe(name="mine", template="mine")
    await house.subscribe(name="other")
    await live(house, "NEW", "CHARGED")

    assert bodies(house) == [{"handed": "mine", "type": kind} for kind in ("order.new", "order.charged")]
    assert [body["template"] for body in bodies(house, "other")] == [None, None]


async def test_a_slow_template_holds_up_its_own_subscription_alone(house, shelf, cells):
    await house.subscribe(name="mine", template="mine")
    await house.subscribe(name="other")
    cells.gate.clear()
    await house.watch("OW1")
    house.source.put("OW1", "NEW")
    async with house.running(house.poller(), house.deliverer()):
        await house.pass_time(20)
        house.source.put("OW1", "CHARGED")
        await house.pass_time(20)
        assert [body["type"] for body in bodies(house, "other")] == ["order.new", "order.charged"]
        assert (bodies(house), cells.rendered) == ([], ["order.new"])
        cells.gate.set()
        await house.pass_time(5)
    assert [body["type"] for body in bodies(house)] == ["order.new", "order.charged"]


async def test_the_body_of_a_page_is_asked_for_once_however_often_its_delivery_is_found(house, shelf, cells):
    await house.subscribe("incident.*", name="mine", template="mine")
    await house.subscribe(name="other")
    cells.gate.clear()
    await _tell(house, Why.OPENED)
    async with house.running(house.deliverer()):
        for order in ("OW1", "OW2", "OW3"):
            await _seen(house, order, "CHARGED")
            await house.pass_time(1)
        assert len(bodies(house, "other")) == 3
        assert cells.rendered == ["incident.opened"]
        cells.gate.set()
        await house.pass_time(5)
    assert bodies(house) == [{"handed": "mine", "type": "incident.opened"}]


async def test_a_template_that_fails_costs_no_attempt_and_is_replaced_by_the_default(house, shelf, cells):
    cells.error = TemplateError("webhook/mine.json.j2:1: 'x' is undefined")
    await house.subscribe(name="mine", template="mine")
    await live(house, "NEW", "CHARGED")

    assert [body["template"] for body in bodies(house)] == [None, None]
    assert [parcel.attempt for parcel in house.channel.parcels] == [1, 1]
    assert cells.rendered == ["order.new", "order.charged"]


async def test_a_template_that_was_handed_in_and_fails_is_told_to_others_once(house, shelf, cells):
    cells.error = TemplateError("webhook/mine.json.j2:1: 'x' is undefined")
    await house.subscribe(name="mine", template="mine")
    await house.subscribe("subscription.*", name="other")
    await live(house, "NEW", "CHARGED")

    assert [body["type"] for body in bodies(house, "other")] == ["subscription.misrendered"]


async def test_a_template_beyond_its_limits_is_not_tried_again_until_it_changes(house, shelf, cells):
    cells.error = LimitExceeded("takes longer than 5 s")
    await house.subscribe(name="mine", template="mine")
    await house.watch("OW1")
    async with house.running(house.poller(), house.deliverer()):
        for status in ("NEW", "PENDING_VBV"):
            house.source.put("OW1", status)
            await house.pass_time(10)
        assert cells.rendered == ["order.new"]
        cells.error, shelf["shop", "mine"] = None, a_template()
        house.source.put("OW1", "CHARGED")
        await house.pass_time(10)

    assert [body.get("template", "mine") for body in bodies(house)] == [None, None, "mine"]


async def test_a_retry_sends_the_body_of_the_first_attempt(house, shelf, cells):
    house.channel.outcomes.append(UNAVAILABLE)
    await house.subscribe(name="mine", template="mine")
    await live(house, "NEW")

    assert cells.rendered == ["order.new"]
    assert bodies(house) == [{"handed": "mine", "type": "order.new"}] * 2


async def test_a_template_of_another_account_or_channel_is_none(house, shelf):
    shelf.clear()
    shelf["else", "mine"] = a_template(account="else")
    shelf["shop", "yours"] = a_template(name="yours", channel="slack")
    await house.subscribe(name="mine", template="mine")
    await house.subscribe(name="yours", template="yours")
    await live(house, "NEW")

    assert bodies(house)[0]["template"] == "mine"
    assert bodies(house, "yours")[0]["template"] == "yours"

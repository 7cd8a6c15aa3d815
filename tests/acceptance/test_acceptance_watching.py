"""What operators see: readiness, counters, and an upstream that refuses the key."""

import re

import pytest
from acceptance_home import eventually

from notifier.sandbox.faults import Fault, FaultKind


@pytest.fixture
def _quick_probes(monkeypatch):
    monkeypatch.setattr("notifier.workers.trouble._FIRST_PROBE_S", 0.05)
    monkeypatch.setattr("notifier.workers.trouble._LONGEST_PROBE_S", 0.1)


async def test_ready_says_that_every_loop_turns(shop):
    ready = await shop.call("GET", "/readyz", status=200)
    assert ready["status"] == "ready"
    assert ready["storage"] == "ok"
    assert set(ready["loops"].values()) == {"alive"}
    assert {"poller:shop", "deliverer"} <= set(ready["loops"])
    assert ready["refused_accounts"] == []


async def test_metrics_count_polls_events_and_deliveries(shop, world):
    await shop.subscribe()
    world.sandbox.create("JP1", steps=())
    world.sandbox.faults.add(Fault(kind=FaultKind.OUTAGE))
    await shop.register("JP1")
    await eventually(lambda: shop.watched("JP1"), until=lambda watch: watch["last_error"])
    await shop.hurry("JP1")
    await shop.told("order.new")
    await shop.all_delivered()
    counted = await shop.samples()
    assert counted['notifier_polls_total{account="shop",outcome="server_error"}'] == 1
    assert counted['notifier_polls_total{account="shop",outcome="ok"}'] >= 1
    assert counted['notifier_events_total{type="order.new"}'] == 1
    assert counted['notifier_deliveries_total{channel="webhook",outcome="accepted"}'] == 1


@pytest.mark.usefixtures("_quick_probes")
async def test_a_refused_key_is_told_once_and_polling_resumes_when_it_is_accepted_again(shop, world):
    await shop.subscribe("/ops", "source.*")
    await shop.subscribe("/callbacks", "order.*")
    orders = [world.sandbox.create(f"JP{n}", steps=()) for n in range(3)]
    for n in range(3):
        await shop.register(f"JP{n}")
        await shop.told("order.new", f"JP{n}")
    world.sandbox.faults.add(Fault(kind=FaultKind.UNAUTHORIZED, count=None))
    refused = await shop.told("source.refused", path="/ops")
    assert refused.json()["data"]["order_id"] is None
    ready = await shop.call("GET", "/readyz", status=200)
    assert ready["refused_accounts"] == ["shop"]
    for order in orders:
        world.sandbox.force(order, status="CHARGED")
    name = 'notifier_polls_total{account="shop",outcome="refused"}'
    before = (await shop.samples())[name]
    await eventually(shop.samples, until=lambda counted: counted[name] >= before + 3)
    assert (await shop.types()).count("source.refused") == 1

    world.sandbox.faults.clear()
    recovered = await shop.told("source.recovered", path="/ops")
    assert re.fullmatch(r"after \d+ s", recovered.json()["data"]["current"])
    for n in range(3):
        await shop.told("order.charged", f"JP{n}")
    ready = await shop.call("GET", "/readyz", status=200)
    assert ready["refused_accounts"] == []
    assert shop.types_told("/ops") == ["source.refused", "source.recovered"]


@pytest.mark.usefixtures("_quick_probes")
async def test_a_refused_key_is_remembered_over_a_restart(home, world):
    async with home.running() as shop:
        world.sandbox.create("JP1", steps=())
        await shop.subscribe("/ops", "source.*")
        world.sandbox.faults.add(Fault(kind=FaultKind.FORBIDDEN, count=None))
        await shop.register("JP1")
        await shop.register("JP2")
        await shop.told("source.refused", path="/ops")
    async with home.running() as shop:
        ready = await shop.call("GET", "/readyz", status=200)
        assert ready["refused_accounts"] == ["shop"]
        world.sandbox.faults.clear()
        await shop.told("source.recovered", path="/ops")
        wanted = ["source.refused", "source.recovered", "order.new"]
        await eventually(shop.types, until=lambda types: types == wanted)

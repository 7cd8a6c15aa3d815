"""The daily audit."""

import pytest
import structlog

from notifier.workers.auditor import Auditor


@pytest.fixture
def auditor(house):
    return Auditor(storage=house.storage, clock=house.clock, metrics=house.metrics, accounts=("shop",))


def gauge(house, check):
    return house.metrics.registry.get_sample_value("notifier_audit_findings", {"check": check})


async def lose_a_delivery(house):
    house.source.put("OW1", "CHARGED")
    await house.subscribe("order.*")
    await house.watch("OW1")
    async with house.running(house.poller()):
        pass
    async with house.storage.writing() as tx:
        await tx._connection.exec_driver_sql("DELETE FROM deliveries")


async def test_what_is_lost_goes_to_the_log_and_the_gauges(house, auditor):
    await lose_a_delivery(house)
    with structlog.testing.capture_logs() as lines:
        await auditor.audit_daily()
    found = [line for line in lines if line["event"] == "audit.found"]
    assert [(line["check"], line["rows"]) for line in found] == [
        ("delivery_lost", 1),
        ("delivery_missing", 1),
    ]
    assert (gauge(house, "delivery_lost"), gauge(house, "event_lost")) == (1, 0)
    assert lines[-1]["findings"] == 2


async def test_it_is_asked_once_a_day_also_across_a_restart(house, auditor):
    await auditor.audit_daily()
    await lose_a_delivery(house)
    await house.clock.advance(23 * 3600)
    await auditor.audit_daily()
    assert gauge(house, "delivery_lost") == 0
    await house.clock.advance(3600)
    await auditor.audit_daily()
    assert gauge(house, "delivery_lost") == 1


async def test_a_clock_that_is_set_back_puts_no_audit_off(house, auditor):
    await auditor.audit_daily()
    await lose_a_delivery(house)
    house.clock.step(-30 * 86_400)
    house.clock.follow()
    await auditor.audit_daily()
    assert gauge(house, "delivery_lost") == 1

"""Laws of answers that are known again by their bytes."""

from contextlib import asynccontextmanager

from aiohttp import web
from source_kit import account, raw, serving

from notifier.domain.order import OrderId
from notifier.source.again import Again, Known
from notifier.source.contract import Failure, FailureReason
from notifier.source.http import order_status_source
from notifier.source.wire import OrderAnswer
from support.clock import FakeClock

UPI, OTHER = OrderId("TEA2002"), OrderId("TEA2003")


@asynccontextmanager
async def saying(*bodies: bytes):
    """Answer with one body after the other."""
    left = list(bodies)

    async def handler(_):
        return web.Response(body=left.pop(0))

    async with serving(handler) as (base_url, _):
        source = order_status_source("tea", account(base_url), clock=FakeClock())
        try:
            yield source
        finally:
            await source.close()


async def test_the_same_bytes_are_the_same_answer_without_being_read():
    async with saying(raw("upi"), raw("upi")) as source:
        first, second = await source.fetch(UPI), await source.fetch(UPI)
    assert isinstance(first, OrderAnswer)
    assert isinstance(second, Again)
    assert second.digest == first.digest
    assert second.snapshot() == first.snapshot()


async def test_other_bytes_are_read_and_so_are_those_from_before_that():
    changed = raw("upi").replace(b'"CHARGED"', b'"PENDING_VBV"')
    assert changed != raw("upi")
    async with saying(raw("upi"), changed, raw("upi")) as source:
        answers = [await source.fetch(UPI) for _ in range(3)]
    assert [type(each) for each in answers] == [OrderAnswer] * 3
    assert answers[0].digest == answers[2].digest != answers[1].digest


async def test_bytes_about_one_order_are_no_answer_about_another():
    async with saying(raw("upi"), raw("upi")) as source:
        await source.fetch(UPI)
        other = await source.fetch(OTHER)
    assert isinstance(other, Failure)
    assert other.reason is FailureReason.OTHER_ORDER


async def test_what_is_no_answer_is_read_anew_each_time():
    async with saying(b"{}", b"{}", raw("upi")) as source:
        answers = [await source.fetch(UPI) for _ in range(3)]
    assert [type(each) for each in answers] == [Failure, Failure, OrderAnswer]


def test_of_very_many_orders_the_first_met_is_forgotten():
    known = Known(most=2)
    for order_id in ("a", "b", "b", "c"):
        known.keep(OrderId(order_id), b"body", b"digest")
    assert [known.digest(OrderId(each), b"body") for each in "abc"] == [None, b"digest", b"digest"]

"""An order that lives by itself survives its sandbox."""

import asyncio

from notifier.sandbox.world import Sandbox
from support.clock import FakeClock


async def _first_order(sandbox: Sandbox) -> str:
    first: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def note(order_id: str) -> None:
        first.set_result(order_id)

    populating = asyncio.ensure_future(sandbox.keep_populated(note))
    order_id = await first
    populating.cancel()
    return order_id


async def test_a_self_living_order_goes_on_living_in_a_restarted_sandbox():
    clock = FakeClock()
    first = Sandbox(clock, seed=7)
    order_id = await _first_order(first)
    await clock.advance(90)
    before = first.find(order_id)
    after = Sandbox(clock, seed=7).find(order_id.lower())
    assert before is not None
    assert after is not None
    assert first.order_body(before, 60) == Sandbox(clock, seed=7).order_body(after, 60)
    assert first.age_s(before) == first.age_s(after)


def test_an_id_from_the_future_or_of_another_form_is_unknown():
    sandbox = Sandbox(FakeClock())
    assert sandbox.find("SBL9999999999999001") is None
    assert sandbox.find("SB1772432100000001") is None

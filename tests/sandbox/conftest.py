import aiohttp
import pytest

from notifier.sandbox.serve import Settings, World, running
from support.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def world(clock):
    async with running(Settings(), clock=clock) as world:
        yield world


class Merchant:
    """A merchant's client, as plain as can be."""

    def __init__(self, session: aiohttp.ClientSession, world: World) -> None:
        self.session = session
        self.url = world.upstream_url
        self.headers = {
            "Authorization": aiohttp.encode_basic_auth("sandbox-key", ""),
            "x-merchantid": "sandboxmart",
        }

    async def get(self, path: str, **kwargs):
        headers = kwargs.pop("headers", self.headers)
        async with self.session.get(self.url + path, headers=headers, **kwargs) as response:
            return response.status, await response.json()

    async def post(self, path: str, **kwargs):
        headers = kwargs.pop("headers", self.headers)
        async with self.session.post(self.url + path, headers=headers, **kwargs) as response:
            return response.status, await response.json()

    async def status(self, order_id: str) -> str:
        _, body = await self.get(f"/orders/{order_id}")
        return body["status"]


@pytest.fixture
async def merchant(world):
    async with aiohttp.ClientSession() as session:
        yield Merchant(session, world)

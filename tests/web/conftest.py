"""A real server on loopback over a real database; only the channels are stand-ins."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import msgspec
import pytest
from aiohttp.test_utils import TestClient, TestServer
from multidict import CIMultiDictProxy
from yarl import URL

from notifier.config.model import Config
from notifier.config.secret import Secret
from notifier.errors import ChannelMisconfigured, InvalidValue, StorageError
from notifier.metrics import Metrics
from notifier.web.server import application
from notifier.web.services import Services
from support.clock import FakeClock
from support.database import open_empty
from support.fakes import FakeChannel
from support.traffic import opened_incident

KEY = "operator-key-1"


@dataclass
class PickyChannel(FakeChannel):
    """Takes https only; shows nothing of a target that is a secret."""

    is_secretive: bool = False

    def check_target(self, target: str) -> None:
        if self.name == "email":
            raise ChannelMisconfigured("there is no mail server; set host in [email]")
        if not target.startswith("https://"):
            raise InvalidValue("target", "should begin with https://", "target")

    def shown_target(self, target: str) -> str:
        return "https://hooks.slack.example/***" if self.is_secretive else target


@dataclass
class Answered:
    status: int
    headers: CIMultiDictProxy[str]
    raw: bytes

    @property
    def body(self) -> Any:
        return msgspec.json.decode(self.raw)

    @property
    def fields(self) -> dict[str, str]:
        """Return which members were refused, each with its code."""
        return {each["field"]: each["code"] for each in self.body["errors"]}


class Api:
    """A caller with the operator's key."""

    def __init__(self, client: TestClient) -> None:
        self._client = client

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
        key: str | None = KEY,
    ) -> Answered:
        sent = {"Authorization": f"Bearer {key}"} if key else {}
        if body is not None:
            data = msgspec.json.encode(body)
        if data is not None:
            sent["Content-Type"] = "application/json"
        sent |= headers or {}
        url = URL(path, encoded=True)
        async with self._client.request(method, url, data=data, headers=sent) as response:
            return Answered(response.status, response.headers, await response.read())

    async def get(self, path: str, **more: Any) -> Answered:
        return await self.call("GET", path, **more)

    async def post(self, path: str, body: Any = None, **more: Any) -> Answered:
        return await self.call("POST", path, body, **more)

    async def patch(self, path: str, body: Any, **more: Any) -> Answered:
        return await self.call("PATCH", path, body, **more)

    async def delete(self, path: str, **more: Any) -> Answered:
        return await self.call("DELETE", path, **more)

    async def all(self, path: str, limit: int) -> list[Any]:
        """Read a list to its end, page by page."""
        items, cursor = [], ""
        while True:
            joint = "&" if "?" in path else "?"
            page = (await self.get(f"{path}{joint}limit={limit}{cursor}")).body
            assert len(page["items"]) <= limit
            items += page["items"]
            if page["next_cursor"] is None:
                return items
            cursor = f"&cursor={page['next_cursor']}"


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
async def storage(tmp_path, clock):
    opened = await open_empty(tmp_path / "web.db", clock=clock)
    yield opened
    await opened.close()


@pytest.fixture
def services(storage, clock):
    numbers = count(1)
    channels = {
        "webhook": PickyChannel(),
        "slack": PickyChannel(name="slack", signs=False, is_secretive=True),
        "email": PickyChannel(name="email", signs=False),
    }
    return Services(
        storage=storage,
        channels=channels,
        config=Config(),
        clock=clock,
        metrics=Metrics(),
        accounts={"shop": False},
        liveness=lambda: {"poller": True, "deliverer": True},
        new_id=lambda: f"{next(numbers):08d}",
        new_secret=lambda: Secret(f"whsec_c2VjcmV0LW51bWJlci{next(numbers)}"),
        operator_key=Secret(KEY),
    )


@pytest.fixture
async def serve():
    """Serve given services; what a test starts ends with it."""
    clients = []

    async def started(services: Services, **changes: Any) -> Api:
        client = TestClient(TestServer(application(replace(services, **changes))))
        await client.start_server()
        clients.append(client)
        return Api(client)

    yield started
    for client in clients:
        await client.close()


@pytest.fixture
async def api(serve, services):
    return await serve(services)


@pytest.fixture
async def spike(services, clock):
    """An incident that is open: one gateway fails, and somebody listens."""
    return await opened_incident(services, clock)


class FailingStorage:
    """A database out of reach."""

    def writing(self):
        raise StorageError("cannot open /secret/place/notifier.db")

    reading = writing


@pytest.fixture
def failing():
    return FailingStorage()

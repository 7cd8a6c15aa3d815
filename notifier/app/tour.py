"""`notifier demo`: a scripted tour of the real daemon, ending by itself; it fails unless all of it happened.

The daemon is a process of its own, so that it can be killed; sandbox, receiver and mailbox live in this one. The
second act, a spike, is in `spike`.
"""

import asyncio
import base64
import os
import secrets
import signal
import sys
import tempfile
from pathlib import Path

from notifier.app.guide import PATIENCE_S, Guide, Say, TourError
from notifier.app.spike import spike
from notifier.clock import SystemClock
from notifier.sandbox.lives.scenario import Step
from notifier.sandbox.mailbox import Mail
from notifier.sandbox.receiver import Failure, Received, SlackMessage
from notifier.sandbox.serve import Settings, World, running
from notifier.web.wording import line, moment, step

_FIRST, _SECOND = "DEMO-1", "DEMO-2"


async def tour(say: Say) -> None:
    """Take the tour.

    Raises: TourError naming the step that failed.
    """
    with tempfile.TemporaryDirectory(prefix="notifier-demo-") as directory:
        key = secrets.token_urlsafe(24)
        guide = Guide(say, key=key)
        async with running(Settings()) as world, guide.session():
            walk = _Walk(world, Path(directory), guide, key=key)
            try:
                await walk.through()
            finally:
                await walk.kill()
        await spike(say, Path(directory))


class _Walk:
    """The first act: its world, its daemon, and what was seen."""

    def __init__(self, world: World, directory: Path, guide: Guide, *, key: str) -> None:
        self._world = world
        self._directory = directory
        self._guide = guide
        self._key = key
        self._master_key = base64.b64encode(secrets.token_bytes(32)).decode()
        self._daemon: asyncio.subprocess.Process | None = None

    async def through(self) -> None:
        """Take every step of it."""
        say, step = self._guide.say, self._guide.step
        say("A daemon, a make-believe Juspay and three receivers start on loopback.")
        self._write_config()
        await self._start()
        await step("a subscription is made over REST; its secret is shown once", self._subscribe)
        self._world.sandbox.create(_FIRST, amount=38_600, steps=_paid(pending_s=3, paid_s=7))
        await step(f"{_FIRST} is registered: INR 386.00 expected", self._register, _FIRST)
        for event_type in ("order.new", "order.pending_vbv", "order.charged"):
            await step(
                f"signed callback {event_type}, signature verified", self._callback, _FIRST, event_type
            )
        await step("Slack message for the on-call channel", self._slack, _FIRST)
        await step("e-mail, threaded by order", self._mail, _FIRST)

        say("\nThe receiver goes down, then the daemon is killed with -9 while a payment is under way.")
        self._world.sandbox.create(_SECOND, amount=64_900, steps=_failed_then_paid())
        await self._register(_SECOND)
        await self._callback(_SECOND, "order.pending_vbv")
        self._world.receiver.fail(Failure(status=503, count=1, path="/callbacks"))
        await step("order.authorization_failed is refused by the receiver (503)", self._refused)
        await step("kill -9", self.kill)
        await asyncio.sleep(3)
        await self._start()
        await step("started again on the same database", self._ready)
        for event_type in ("order.authorization_failed", "order.late_success"):
            await step(
                f"signed callback {event_type}, signature verified", self._callback, _SECOND, event_type
            )
        await step("nothing is missing: the sequence has no gap", self._no_gap)
        await step("explain says why", self._explain)
        await step("SIGTERM drains and exits 0", self._stop)

    def _write_config(self) -> None:
        world = self._world
        (self._directory / "config.toml").write_text(
            f"""
[server]
port = 0
[storage]
url = "sqlite:{self._directory / "demo.db"}"
[accounts.demo]
base_url = "{world.upstream_url}"
merchant_id = "{world.sandbox.merchant_id}"
api_key_env = "DEMO_JUSPAY_KEY"
[polling]
price_s = 0.02
max_interval_s = 60
[delivery]
allowed_targets = ["127.0.0.0/8"]
allow_http = true
schedule = [2, 2, 4, 8]
[slack]
bot_token_env = "DEMO_SLACK_TOKEN"
api_url = "{world.receiver_url}/slack/api"
[email]
host = "{world.smtp_host}"
port = {world.smtp_port}
security = "none"
from = "notifier@demo.example"
[subscriptions.on-call]
channel = "slack"
target = "C0DEMO"
events = ["order.*"]
[subscriptions.people]
channel = "email"
digest_s = 0
target = "shop@demo.example"
events = ["order.charged"]
[logging]
level = "warning"
"""
        )

    async def _start(self) -> None:
        environ = os.environ | {
            "NOTIFIER_API_KEY": self._key,
            "NOTIFIER_MASTER_KEY": self._master_key,
            "DEMO_JUSPAY_KEY": self._world.sandbox.key,
            "DEMO_SLACK_TOKEN": self._world.receiver.slack_token,
        }
        self._daemon = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "notifier", "run", "--config", "config.toml",
            cwd=self._directory, env=environ, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert self._daemon.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            async for raw in self._daemon.stdout:
                words = raw.decode().split()
                if words[:1] == ["REST"]:
                    self._guide.url = words[1]
                    return
        raise TourError("the daemon ended before it listened")

    async def _subscribe(self) -> None:
        body = {"channel": "webhook", "target": f"{self._world.receiver_url}/callbacks", "events": ["*"]}
        made = await self._guide.call("POST", "/v1/subscriptions", body)
        self._world.receiver.secret = made["secret"]

    async def _register(self, order_id: str) -> None:
        order = self._world.sandbox.find(order_id)
        assert order is not None
        amount = f"{order.life.amount / 100:.2f}"
        body = {"order_id": order_id, "expect": {"amount": amount, "currency": "INR"}, "tags": ["demo"]}
        await self._guide.call("POST", "/v1/watches", body)

    async def _callback(self, order_id: str, event_type: str) -> str:
        def is_it(got: Received) -> bool:
            return (
                got.event_type == event_type and got.verified and got.json()["data"]["order_id"] == order_id
            )

        got = await self._world.receiver.callbacks.wait_for(is_it, PATIENCE_S)
        data = got.json()["data"]
        return f"      {step(data['previous'], data['current'])}   webhook-id {got.headers['webhook-id']}"

    async def _slack(self, order_id: str) -> str:
        def is_it(message: SlackMessage) -> bool:
            text = str(message.payload["text"])
            return order_id in text and "CHARGED" in text.upper()

        message = await self._world.receiver.slack.wait_for(is_it, PATIENCE_S)
        return f"      {message.payload['text']}"

    async def _mail(self, order_id: str) -> str:
        def is_it(mail: Mail) -> bool:
            return order_id in str(mail.message["Subject"])

        mail = await self._world.mailbox.wait_for(is_it, PATIENCE_S)
        return f"      Subject: {mail.message['Subject']}"

    async def _refused(self) -> str:
        def is_it(got: Received) -> bool:
            return got.event_type == "order.authorization_failed"

        await self._world.receiver.callbacks.wait_for(is_it, PATIENCE_S)
        await asyncio.sleep(0.5)  # The answer is to be on record; the next attempt is two seconds away.
        page = await self._guide.call("GET", f"/v1/deliveries?order_id={_SECOND}&state=pending")
        return "".join(f"      still owed: {item['event_type']}, {item['reason']}" for item in page["items"])

    async def kill(self) -> None:
        """Kill the daemon, if it runs."""
        if self._daemon is not None and self._daemon.returncode is None:
            self._daemon.kill()
            await self._daemon.wait()

    async def _ready(self) -> None:
        await self._guide.call("GET", "/readyz")

    async def _no_gap(self) -> str:
        numbers = sorted({int(got.headers["notifier-sequence"]) for got in self._world.receiver.callbacks})
        if numbers != list(range(1, len(numbers) + 1)):
            raise TourError(f"the sequence has a gap: {numbers}")
        events = await self._guide.call("GET", "/v1/events?limit=500")
        told = {got.event_id for got in self._world.receiver.callbacks}
        missing = [event["id"] for event in events["items"] if event["id"] not in told]
        if missing:
            raise TourError(f"never told: {missing}")
        return f"      {len(numbers)} events, numbers 1 to {len(numbers)}, each received"

    async def _explain(self) -> str:
        async with asyncio.timeout(PATIENCE_S):
            # What the receivers have got is on record a moment later.
            while (await self._guide.call("GET", f"/v1/deliveries?order_id={_SECOND}&state=pending"))[
                "items"
            ]:
                await SystemClock().sleep(0.2)
        document = await self._guide.call("GET", f"/v1/orders/{_SECOND}/timeline")
        now = SystemClock().now()
        lines = [f"      {moment(item['at'], now)}  {line(item, now).plain()}" for item in document["items"]]
        if not lines:
            raise TourError("the timeline is empty")
        return "\n".join(lines)

    async def _stop(self) -> None:
        assert self._daemon is not None
        self._daemon.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE_S):
            code = await self._daemon.wait()
        if code != 0:
            raise TourError(f"SIGTERM ended with {code}")


def _paid(*, pending_s: float, paid_s: float) -> tuple[Step, ...]:
    return (
        Step(at_s=0, status="NEW"),
        Step(at_s=pending_s, status="PENDING_VBV"),
        Step(at_s=paid_s, status="CHARGED"),
    )


def _failed_then_paid() -> tuple[Step, ...]:
    return (
        Step(at_s=0, status="PENDING_VBV"),
        Step(at_s=4, status="AUTHORIZATION_FAILED"),
        Step(at_s=9, status="CHARGED"),
    )

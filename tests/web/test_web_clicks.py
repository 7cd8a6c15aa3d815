"""Clicks on the buttons of Slack messages: who may send them, and what they come to."""

from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

import msgspec
import pytest

from notifier.config.model import Config
from notifier.config.secret import Secret
from notifier.domain.alert.incident import Incident
from notifier.domain.alert.report import IncidentState
from notifier.domain.alert.sample import sample_report
from notifier.web.slack_signature import signed
from support.clock import START
from support.fakes import FakeChannel

SECRET = Secret("8f742231b10e8888abcd99yyyzzz85a5")
PATH = "/v1/slack/actions"
INCIDENT = "inc_0123456789abcdef"


@dataclass
class AnsweringChannel(FakeChannel):
    answers: list[tuple[str, str]] = field(default_factory=list)

    async def answer(self, url: str, text: str) -> None:
        self.answers.append((url, text))


def form(action="acknowledge", value=f"shop/{INCIDENT}", user="U02ABCDEF", **known):
    action = {"type": "button", "action_id": action, "value": value}
    clicked = {
        "type": "block_actions",
        "user": {"id": user} | known,
        "actions": [action],
        "response_url": "https://hooks.slack.com/actions/1",
    }
    return urlencode({"payload": msgspec.json.encode(clicked).decode()}).encode()


@pytest.fixture
def channel():
    return AnsweringChannel(name="slack")


@pytest.fixture
async def clicks(serve, services, channel):
    config = Config.model_validate({"slack": {"signing_secret_env": "S"}}, context={"S": SECRET.reveal()})
    async with services.storage.writing() as tx:
        await tx.save_incident(an_incident())
    return await serve(replace(services, config=config, channels={"slack": channel}))


def an_incident():
    return Incident(
        account="shop",
        rule_id="alr_1",
        family="failures",
        report=sample_report("incident.opened", START),
        judged_through=START,
        told_at=START,
    )


async def click(api, body, *, at=START, secret=SECRET, **more):
    timestamp = str(int(at.timestamp()))
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Slack-Request-Timestamp": timestamp,
        "X-Slack-Signature": signed(body, timestamp=timestamp, secret=secret),
    } | more
    return await api.post(PATH, data=body, headers=headers, key=None)


async def test_an_acknowledgement_is_kept_told_and_answered(clicks, services, channel):
    assert (await click(clicks, form())).status == 200
    async with services.storage.reading() as tx:
        incident = await tx.incident("shop", INCIDENT)
        told = [logged.event.type for logged in await tx.events("shop")]
    assert (incident.report.state, incident.report.acknowledged_by) == (
        IncidentState.ACKNOWLEDGED,
        "U02ABCDEF",
    )
    assert told == ["incident.acknowledged"]
    assert channel.answers == [("https://hooks.slack.com/actions/1", "Acknowledged.")]


async def test_who_clicked_is_known_by_name_and_id(clicks, services):
    await click(clicks, form(name="jane"))
    async with services.storage.reading() as tx:
        incident = await tx.incident("shop", INCIDENT)
    assert incident.report.acknowledged_by == "jane (U02ABCDEF)"


async def test_a_silence_until_the_end_covers_the_incident(clicks, services, channel):
    await click(clicks, form("silence"))
    async with services.storage.reading() as tx:
        (silence,) = await tx.silences("shop", now=START)
    assert (silence.incident_id, silence.by, silence.until_at) == (INCIDENT, "U02ABCDEF", None)
    assert [text for _, text in channel.answers] == ["Silenced until it ends or grows."]


async def test_a_second_click_on_silence_adds_no_second_silence(clicks, services):
    for _ in range(2):
        await click(clicks, form("silence"))
    async with services.storage.reading() as tx:
        assert len(await tx.silences("shop", now=START)) == 1


@pytest.mark.parametrize("value", ["shop/inc_ffffffffffffffff", "other/inc_0123456789abcdef", "", "shop/"])
async def test_what_is_not_there_is_said_to_who_clicked_and_is_no_error(clicks, channel, value):
    assert (await click(clicks, form(value=value))).status == 200
    [(_, text)] = channel.answers
    assert text.startswith("Nothing was done")


async def test_a_click_that_opens_a_page_does_nothing(clicks, channel):
    assert (await click(clicks, form("open"))).status == 200
    assert channel.answers == []


@pytest.mark.parametrize("seconds", [-301, 301])
async def test_an_old_signature_is_refused(clicks, services, seconds):
    answered = await click(clicks, form(), at=START.fromtimestamp(START.timestamp() + seconds, START.tzinfo))
    assert answered.status == 401
    async with services.storage.reading() as tx:
        assert (await tx.incident("shop", INCIDENT)).report.state is IncidentState.OPEN


@pytest.mark.parametrize(
    "wrong",
    [{"X-Slack-Signature": "v0=00"}, {"X-Slack-Signature": ""}, {"X-Slack-Request-Timestamp": "soon"},
     {"X-Slack-Request-Timestamp": "1" * 400}],
)  # fmt: skip
async def test_a_wrong_signature_is_refused(clicks, wrong):
    assert (await click(clicks, form(), **wrong)).status == 401


async def test_another_secret_or_none_is_refused(clicks, serve, services):
    assert (await click(clicks, form(), secret=Secret("other"))).status == 401
    assert (await click(await serve(services), form())).status == 401


@pytest.mark.parametrize(
    "body", [b"", b"payload=1", b"other=1", b"payload=%7B%7D", b"\xff", form(user="<!channel>")]
)
async def test_what_is_no_click_is_refused(clicks, body):
    assert (await click(clicks, body)).status == 400

"""What every channel promises, tried on all of them."""

from collections.abc import Callable
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from channel_builders import SECRET, TOKEN, a_document, a_parcel, a_slack, a_webhook, an_email
from channel_sinks import answers

from notifier.channels.contract import Channel
from notifier.config.secret import Secret
from notifier.domain.delivery import Reason, Verdict
from notifier.domain.document import SAMPLE_TYPES
from notifier.errors import InvalidValue

HOSTILE = "</script>\r\nBcc: eve@evil.test\n<!channel> & \"'`*_~\x00\x1b[31m\u202e{{7*7}}"


class Bench:
    """One channel before its receiver, and how to make the receiver behave."""

    channel: Channel
    target: str

    def __init__(self, http, mail) -> None:
        self.http, self.mail = http, mail

    def parcel(self, **given: Any):
        return a_parcel(self.target, self.channel.render(a_document(), None), **given)

    def received(self) -> int:
        return len(self.http.got)

    def accept(self) -> None:
        self.http.answer = answers(200, "ok")

    def defer(self) -> None:
        self.http.answer = answers(503, "later", Retry_After="120")

    def refuse(self) -> None:
        self.http.answer = answers(410, "gone")

    def fall_silent(self) -> None:
        self.channel._timeout_s = 0.2
        self.http.answer = self.http.silent

    def answer_without_end(self) -> None:
        self.http.answer = self.http.endless


class WebhookBench(Bench):
    def __init__(self, http, mail) -> None:
        super().__init__(http, mail)
        self.channel, self.target = a_webhook(), http.url


class SlackHookBench(Bench):
    def __init__(self, http, mail) -> None:
        super().__init__(http, mail)
        self.channel, self.target = a_slack(), f"{http.url}/T000/B000/slack-secret"


class SlackBotBench(Bench):
    def __init__(self, http, mail) -> None:
        super().__init__(http, mail)
        self.channel, self.target = a_slack(api_url=http.url), "C024BE91L"
        self.accept()

    def accept(self) -> None:
        self.http.answer = answers(200, '{"ok":true,"ts":"1.2"}')

    def refuse(self) -> None:
        self.http.answer = answers(200, '{"ok":false,"error":"is_archived"}')

    def answer_without_end(self) -> None:
        self.http.answer = answers(200, '{"ok":true,"message":"' + "x" * 1_000_000)


class EmailBench(Bench):
    def __init__(self, http, mail) -> None:
        super().__init__(http, mail)
        self.channel, self.target = an_email(mail.port), "jane@shop.test"

    def received(self) -> int:
        return len(self.mail.mails)

    def accept(self) -> None:
        self.mail.rcpt_reply = "250 OK"

    def defer(self) -> None:
        self.mail.rcpt_reply = "451 later"

    def refuse(self) -> None:
        self.mail.rcpt_reply = f"550 {self.target} unknown"

    def fall_silent(self) -> None:
        self.channel = an_email(self.mail.port, timeout_s=0.3)
        self.mail.is_silent = True

    def answer_without_end(self) -> None:
        self.mail.rcpt_reply = "250 " + "x" * 200_000


@pytest_asyncio.fixture(params=[WebhookBench, SlackHookBench, SlackBotBench, EmailBench])
async def bench(request, http_sink, mail_sink):
    made = request.param(http_sink, mail_sink)
    yield made
    await made.channel.close()


async def test_an_accepted_message_arrives_once(bench):
    outcome = await bench.channel.send(bench.parcel())
    assert (outcome.verdict, outcome.reason, bench.received()) == (Verdict.ACCEPTED, Reason.ACCEPTED, 1)


async def test_a_deferred_message_is_to_be_tried_again(bench):
    bench.defer()
    outcome = await bench.channel.send(bench.parcel())
    assert outcome.verdict is Verdict.RETRY
    bench.accept()
    assert (await bench.channel.send(bench.parcel(attempt=2))).verdict is Verdict.ACCEPTED


async def test_a_refused_message_is_not_tried_again(bench):
    bench.refuse()
    assert (await bench.channel.send(bench.parcel())).verdict in {Verdict.REFUSED, Verdict.GONE}


async def test_silence_ends_as_a_timeout(bench):
    bench.fall_silent()
    outcome = await bench.channel.send(bench.parcel())
    assert (outcome.verdict, outcome.reason) == (Verdict.RETRY, Reason.TIMEOUT)


async def test_an_endless_answer_is_bounded(bench):
    bench.answer_without_end()
    outcome = await bench.channel.send(bench.parcel())
    assert len(outcome.answer) <= 4096
    if bench.channel.name == "email":
        assert outcome.reason is Reason.ANSWER_UNREADABLE
    else:
        assert outcome.verdict is Verdict.ACCEPTED


async def test_a_redirect_is_a_failure_and_not_followed(bench):
    if bench.channel.name == "email":
        pytest.skip("SMTP has no redirects")
    bench.http.answer = answers(307, "", Location=bench.http.url)
    outcome = await bench.channel.send(bench.parcel())
    assert (outcome.verdict, outcome.reason) == (Verdict.RETRY, Reason.REDIRECT)
    assert bench.received() == 1


async def test_a_closed_door_is_a_connection_failure(bench):
    await bench.http.stop()
    await bench.mail.stop()
    outcome = await bench.channel.send(bench.parcel())
    assert (outcome.verdict, outcome.reason) == (Verdict.RETRY, Reason.CONNECTION)


async def test_nothing_confided_shows_in_the_outcome_when_the_receiver_echoes_it(bench, caplog):
    async def echo(request):
        words = [*request.headers.values(), request.path]
        return web.Response(status=500, text=" ".join(words))

    bench.http.answer = echo
    bench.mail.rcpt_reply = "550 jane@shop.test unknown"
    address = {
        "secrets": (Secret(SECRET),),
        "headers": {"X-Token": "header-secret"},
        "basic_auth": Secret("user:basic-secret"),
    }
    parcel = bench.parcel(address=address)
    outcome = await bench.channel.send(parcel)
    shown = f"{outcome!r} {outcome.answer!r} {caplog.text}"
    for secret in (
        SECRET,
        "header-secret",
        "basic-secret",
        "dXNlcjpiYXNpYy1zZWNyZXQ=",
        TOKEN,
        "slack-secret",
    ):
        assert secret not in shown
    assert "jane@shop.test" not in repr(outcome)


def hostile(value: Any) -> Any:
    match value:
        case dict():
            return {key: hostile(each) for key, each in value.items()}
        case list():
            return [hostile(each) for each in value]
        case str():
            return value + HOSTILE
    return value


@pytest.mark.parametrize("keep", ["type", "subject"])
async def test_hostile_characters_in_every_field_are_carried_safely(bench, keep):
    document = hostile(a_document())
    document["type"], document["data"]["observed_at"] = "order.charged", "2026-11-22T10:15:30.123Z"
    if keep == "subject":
        document["data"]["subject"] = "order"
    body = bench.channel.render(document, None)
    parcel = a_parcel(bench.target, body, order_id=document["data"]["order_id"])
    assert (await bench.channel.send(parcel)).verdict is Verdict.ACCEPTED
    assert bench.received() == 1


@pytest.mark.parametrize("event_type", SAMPLE_TYPES)
@pytest.mark.parametrize(
    "make", [a_webhook, a_slack, lambda: an_email(25)], ids=["webhook", "slack", "email"]
)
def test_every_type_renders_with_and_without_an_order(event_type: str, make: Callable[[], Channel]):
    channel = make()
    for document in (a_document(event_type), a_document(event_type, order=None, previous=None, initial=True)):
        body = channel.render(document, None).decode()
        subject_id = document["data"]["subject_id"]
        is_named = subject_id is None or subject_id in body
        assert is_named or document["data"]["subject"] in {"source", "heartbeat", "test"}
        assert "None" not in body


@pytest.mark.parametrize("target", ["", " ", "https://", "not a target", "https://a\r\nb", "jane@", "\x00"])
def test_nonsense_is_no_target(bench, target):
    with pytest.raises(InvalidValue) as refused:
        bench.channel.check_target(target)
    assert refused.value.problem.path == "target"

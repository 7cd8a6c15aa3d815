"""The living message: posted once, edited and commented on, never lost and never doubled but for an unheard answer."""

from dataclasses import replace

import msgspec
import pytest
import pytest_asyncio
from channel_builders import a_document, a_parcel, a_slack

from notifier.channels.slack.limits import violations
from notifier.domain.alert.report import IncidentState, Severity, incident_document
from notifier.domain.alert.report import Reason as Why
from notifier.domain.alert.sample import sample_report
from notifier.domain.delivery import Reason, Verdict
from support.clock import START
from support.slack import FakeSlack

BOT = "C024BE91L"
OPENED = sample_report("incident.opened", START)
ENDED = sample_report("incident.resolved", START)
WAKING = {Why.REOPENED, Why.SCOPE_GREW, Why.SEVERITY_ROSE, Why.UNACKNOWLEDGED}


@pytest_asyncio.fixture
async def fake_slack():
    fake = FakeSlack()
    await fake.start()
    yield fake
    await fake.stop()


class Teller:
    """Tells an incident as the deliverer does: each attempt is given the handle that the last one left."""

    def __init__(self, fake, timeout_s=5, target=BOT):
        self.channel = a_slack(api_url=fake.url, timeout_s=timeout_s)
        self.target, self.handle, self.sequence = target, None, 0

    async def tell(self, report, event_id=None, sequence=None):
        self.sequence = sequence or self.sequence + 1
        document = a_document("incident.updated", sequence=self.sequence, incident=incident_document(report))
        self.body, self.event_id = self.channel.render(document, None), event_id or f"evt_{self.sequence}"
        return await self.attempt()

    async def attempt(self, **members):
        """Make an attempt at what was told last."""
        parcel = a_parcel(self.target, self.body, event_id=self.event_id, handle=self.handle, **members)
        outcome = await self.channel.send(parcel)
        self.handle = outcome.handle or self.handle
        return outcome


@pytest_asyncio.fixture
async def teller(fake_slack):
    made = Teller(fake_slack)
    yield made
    await made.channel.close()


def reason(why, **members):
    return replace(OPENED, reason=why, **members)


async def test_an_incident_is_one_message_that_is_edited_and_turns_green(fake_slack, teller):
    await teller.tell(OPENED)
    await teller.tell(reason(Why.FIGURES, failed=99))
    outcome = await teller.tell(ENDED)
    assert outcome.verdict is Verdict.ACCEPTED
    [message] = fake_slack.posted
    assert message.edits == 2
    assert message.payload["text"].startswith("🟢 P2 HDFC via RAZORPAY: over after 7 min")
    first, last = fake_slack.calls[0][1], message.payload
    assert len(last["blocks"]) < len(first["blocks"])


@pytest.mark.parametrize("why", [each for each in Why if each not in {Why.OPENED, Why.FIGURES}])
async def test_what_a_human_must_know_stands_in_the_thread_and_wakes_only_where_it_should(
    fake_slack, teller, why
):
    await teller.tell(OPENED)
    await teller.tell(reason(why, acknowledged_at=START, acknowledged_by="jane"))
    [message] = fake_slack.posted
    [told] = message.thread
    assert told["reply_broadcast"] is (why in WAKING)
    assert message.edits == 1


async def test_mere_figures_are_an_edit_and_nothing_else(fake_slack, teller):
    await teller.tell(OPENED)
    await teller.tell(reason(Why.FIGURES))
    assert fake_slack.methods() == ["chat.postMessage", "chat.update"]


@pytest.mark.parametrize("word", ["message_not_found", "cant_update_message", "edit_window_closed"])
async def test_a_message_that_cannot_be_edited_is_posted_anew_and_goes_on_there(fake_slack, teller, word):
    await teller.tell(OPENED)
    fake_slack.next_answers.append(word)
    outcome = await teller.tell(reason(Why.SEVERITY_ROSE, severity=Severity.P1))
    assert outcome.verdict is Verdict.ACCEPTED
    await teller.tell(reason(Why.FIGURES, failed=120))
    first, second = fake_slack.posted
    assert (first.edits, second.edits) == (0, 1)
    assert second.payload["text"].count("120 orders") == 1


async def test_a_message_that_somebody_deleted_is_posted_anew(fake_slack, teller):
    await teller.tell(OPENED)
    fake_slack.messages.clear()
    await teller.tell(reason(Why.SCOPE_GREW))
    assert [message.thread for message in fake_slack.posted] == [[]]


async def test_another_channel_gets_a_message_of_its_own(fake_slack, teller):
    await teller.tell(OPENED)
    teller.target = "C0OTHER99"
    await teller.tell(reason(Why.FIGURES))
    assert [message.channel for message in fake_slack.posted] == [BOT, "C0OTHER99"]


async def test_older_figures_never_undo_newer_ones(fake_slack, teller):
    await teller.tell(OPENED, sequence=5)
    await teller.tell(reason(Why.FIGURES, failed=120), sequence=9)
    outcome = await teller.tell(reason(Why.FIGURES, failed=110), sequence=7)
    assert (outcome.verdict, outcome.reason) == (Verdict.OUTDATED, Reason.NEWER_STATE)
    late = await teller.tell(reason(Why.SCOPE_GREW), sequence=8)
    assert late.verdict is Verdict.ACCEPTED
    [message] = fake_slack.posted
    assert (message.edits, len(message.thread)) == (1, 1)


async def test_a_page_goes_out_though_edits_are_limited_and_only_the_edit_is_made_again(fake_slack, teller):
    await teller.tell(OPENED)
    fake_slack.next_answers.append(429)
    limited = await teller.tell(reason(Why.SEVERITY_ROSE, severity=Severity.P1))
    assert (limited.verdict, limited.retry_after_s) == (Verdict.RETRY, 7)
    [message] = fake_slack.posted
    assert (message.edits, len(message.thread)) == (0, 1)
    assert (await teller.attempt()).verdict is Verdict.ACCEPTED
    assert (message.edits, len(message.thread)) == (1, 1)


async def test_an_edit_that_is_done_is_not_done_again_when_its_reply_failed(fake_slack, teller):
    await teller.tell(OPENED)
    fake_slack.next_answers.extend(["", 500])
    assert (await teller.tell(ENDED)).verdict is Verdict.RETRY
    assert (await teller.attempt()).verdict is Verdict.ACCEPTED
    [message] = fake_slack.posted
    assert (message.edits, len(message.thread)) == (1, 1)


async def test_what_is_sent_again_stands_in_the_thread_once_more_and_wakes_nobody(fake_slack, teller):
    await teller.tell(OPENED)
    await teller.tell(reason(Why.SCOPE_GREW))
    body, event_id = teller.body, teller.event_id
    await teller.tell(reason(Why.ACKNOWLEDGED, acknowledged_at=START))
    teller.body, teller.event_id = body, event_id
    await teller.attempt(replay_id="rpl_1")
    [message] = fake_slack.posted
    assert [reply["reply_broadcast"] for reply in message.thread] == [True, False, False]
    assert message.edits == 2


@pytest.mark.parametrize("trouble", [429, 500, 503, "fatal_error", "internal_error", "not_in_channel"])
async def test_after_trouble_a_page_arrives_once(fake_slack, teller, trouble):
    fake_slack.next_answers.append(trouble)
    assert (await teller.tell(OPENED)).verdict is Verdict.RETRY
    assert (await teller.attempt()).verdict is Verdict.ACCEPTED
    assert len(fake_slack.posted) == 1


async def test_only_an_unheard_answer_may_double_a_message_and_the_newer_one_lives_on(fake_slack):
    teller = Teller(fake_slack, timeout_s=0.3)
    fake_slack.next_answers.append(FakeSlack.SLOW)
    outcome = await teller.tell(OPENED)
    assert (outcome.verdict, outcome.reason) == (Verdict.RETRY, Reason.TIMEOUT)
    await teller.attempt()
    await teller.tell(reason(Why.FIGURES))
    assert [message.edits for message in fake_slack.posted] == [0, 1]
    await teller.channel.close()


@pytest.mark.parametrize(
    ("dislikes", "left"),
    [
        ({"data_visualization"}, {"table", "section"}),
        ({"data_visualization", "table"}, {"section", "rich_text"}),
        ({"section"}, set()),
    ],
)
async def test_what_slack_dislikes_goes_plainer_at_once_and_the_page_arrives(
    fake_slack, teller, dislikes, left
):
    fake_slack.dislikes |= dislikes
    assert (await teller.tell(OPENED)).verdict is Verdict.ACCEPTED
    [message] = fake_slack.posted
    kinds = {block["type"] for block in message.payload.get("blocks", ())}
    assert kinds >= left
    assert not kinds & dislikes
    bars = msgspec.json.encode(message.payload).decode()
    assert ("▃" in bars) == bool(left)
    await teller.tell(ENDED)
    assert message.edits == 1


async def test_an_edit_down_to_text_alone_leaves_no_old_blocks_behind(fake_slack, teller):
    await teller.tell(OPENED)
    fake_slack.dislikes |= {"section"}
    await teller.tell(ENDED)
    [message] = fake_slack.posted
    assert message.payload["text"].startswith("🟢")
    assert message.payload["blocks"] == []


async def test_blocks_that_are_too_long_together_go_plainer_too(fake_slack, teller):
    fake_slack.next_answers.append("msg_blocks_too_long")
    assert (await teller.tell(OPENED)).verdict is Verdict.ACCEPTED
    assert len(fake_slack.posted) == 1


async def test_a_webhook_gets_a_message_an_event_without_dead_buttons_and_no_mere_figures(http_sink):
    channel = a_slack(api_url="http://127.0.0.1:1")
    for why, calls in ((Why.OPENED, 1), (Why.FIGURES, 1), (Why.SEVERITY_ROSE, 2)):
        document = a_document("incident.updated", incident=incident_document(reason(why)))
        parcel = a_parcel(http_sink.url, channel.render(document, None))
        outcome = await channel.send(parcel)
        assert (outcome.verdict is Verdict.OUTDATED) == (why is Why.FIGURES)
        assert len(http_sink.got) == calls
    told = msgspec.json.decode(http_sink.got[0].body)
    assert not {"news", "reply", "channel"} & told.keys()
    assert violations(told) == []
    [actions] = [block for block in told["blocks"] if block["type"] == "actions"]
    assert [button["action_id"] for button in actions["elements"]] == ["open"]
    await channel.close()


async def test_an_end_shows_how_long_how_bad_how_much_and_who(teller, fake_slack):
    await teller.tell(ENDED)
    [message] = fake_slack.posted
    told = msgspec.json.encode(message.payload).decode()
    for fact in ("7 min", "42 %", "₹1.9 L", "31 orders", "by U02ABCDEF after 2 min"):
        assert fact in told
    assert ENDED.state is IncidentState.RESOLVED

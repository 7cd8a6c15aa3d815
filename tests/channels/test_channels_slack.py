"""Slack: the message, its limits, and what Slack's words mean."""

from html import unescape

import msgspec
import pytest
from aiohttp import web
from channel_builders import TOKEN, a_document, a_parcel, a_slack
from channel_sinks import answers
from hypothesis import given
from hypothesis import strategies as st
from slack_sdk.models.blocks import Block

from notifier.channels.reach import Reach
from notifier.channels.slack.limits import cut, fitted
from notifier.domain.delivery import Reason, Verdict
from notifier.domain.document import SAMPLE_TYPES
from notifier.errors import ChannelMisconfigured, InvalidValue, TemplateError
from notifier.templating import Templates, slack

BOT = "C024BE91L"


def message(event_type="order.charged", **data):
    return msgspec.json.decode(a_slack().render(a_document(event_type, **data), None))


def texts(blocks):
    """Return every text in the blocks, as one would read them."""
    for block in blocks:
        parts = [block.get("text"), *block.get("fields", ()), *block.get("elements", ())]
        yield from (unescape(part["text"]) for part in parts if part)


def test_one_message_says_which_order_what_happened_how_much_where_and_when():
    order = a_document()["data"]["order"] | {"txn_detail": {"gateway": "RAZORPAY"}}
    told = message(order=order)
    read = " ".join(texts(told["blocks"]))
    for fact in ("JP1636474794", "CHARGED", "INR 386.00", "RAZORPAY", "22 Nov 2026, 10:15:30 UTC", "evt_"):
        assert fact in read
    for fact in ("JP1636474794", "CHARGED", "INR 386.00"):
        assert fact in told["text"]


def test_a_refund_tells_its_own_amount_before_the_orders():
    refunds = [{"unique_request_id": "refund-sample", "amount": "86.00"}]
    order = a_document()["data"]["order"] | {"refunds": refunds}
    read = list(texts(message("refund.failure", order=order)["blocks"]))
    assert read.index("INR 86.00") < read.index("INR 386.00")
    assert "🔴" in read[0]


def test_another_attempt_is_no_good_news_yet():
    assert message("order.retried", phase="succeeded")["text"].startswith(
        "🔵 Order JP1636474794 was tried again"
    )


def test_news_of_the_notifier_looks_unlike_an_order():
    assert message("order.charged")["blocks"][0]["type"] == "header"
    system = message("source.failing", order=None)["blocks"][0]
    assert system["type"] == "section"
    assert system["text"]["text"].startswith("⚙️")


def test_nothing_is_linked_or_unfurled():
    for event_type in SAMPLE_TYPES:
        told = msgspec.json.decode(a_slack().render(a_document(event_type), None))
        told.pop("entry", None)
        body = msgspec.json.encode(told).decode()
        assert ("http" in body) == event_type.startswith("incident.")  # to our own address
        assert '"unfurl_links":false' in body


@pytest.mark.parametrize("event_type", SAMPLE_TYPES)
def test_the_kits_models_take_every_block(event_type):
    told = message(event_type)
    assert told["text"]
    known = [block for block in told["blocks"] if block["type"] != "data_visualization"]
    assert [block.to_dict()["type"] for block in Block.parse_all(known)]


def test_foreign_text_cannot_mention_or_link():
    told = message(order_id="<!channel> & <https://evil.test|ok>", account="<@U123>")
    told.pop("entry")
    body = msgspec.json.encode(told).decode()
    assert "<!channel>" not in body
    assert "<https" not in body
    assert "<@U" not in body
    assert "&lt;!channel&gt; &amp; &lt;https://evil.test|ok&gt;" in body


@given(st.text())
def test_escaping_for_slack_is_undone_by_reading(text):
    escaped = slack(text)
    assert not {"<", ">"} & set(escaped)
    assert escaped.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") == text


@given(st.text(alphabet="a&<>b", max_size=60), st.integers(1, 50))
def test_a_cut_text_is_short_and_breaks_no_entity(text, limit):
    short = cut(slack(text), limit)
    assert len(short) <= limit
    assert "&" not in short.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "")


def test_texts_too_long_are_cut_to_slacks_limits():
    told = message(order_id="&" * 3000, account="x" * 5000)
    lengths = [len(part["text"]) for block in told["blocks"] for part in [block.get("text")] if part]
    assert len(told["text"]) <= 4000
    assert lengths == [min(lengths[0], 150)]
    assert told["blocks"][0]["text"]["text"].endswith("&amp;…")
    assert all(len(text) <= 3000 for text in texts(told["blocks"]))


def test_too_many_blocks_and_fields_are_left_out():
    field = {"type": "plain_text", "text": "a"}
    told = fitted({"text": "a", "blocks": [{"type": "section", "fields": [field] * 12}] * 60})
    assert (len(told["blocks"]), len(told["blocks"][0]["fields"])) == (50, 10)


@pytest.mark.parametrize(
    "source",
    ["[]", "{}", '{"text": ""}', '{"text": 1}', '{"text": "a", "blocks": [{"type": "nonsense"}]}',
     '{"text": "a", "blocks": [{"type": "header"}]}', '{"text": "a", "blocks": [1]}', '{"text": "a", "blocks": 7}',
     '{"text": "a"'],
)  # fmt: skip
def test_a_template_that_makes_no_message_is_an_error_that_names_it(tmp_path, source):
    (tmp_path / "slack").mkdir()
    (tmp_path / "slack" / "broken.json.j2").write_text(source)
    channel = a_slack()
    channel._templates = Templates(tmp_path)
    with pytest.raises(TemplateError, match=r"slack/broken\.json\.j2"):
        channel.render(a_document(), "broken")


async def judged(http_sink, target, status, text, **headers):
    http_sink.answer = answers(status, text, **headers)
    channel = a_slack(api_url=http_sink.url)
    outcome = await channel.send(a_parcel(target or http_sink.url, b'{"text":"a"}'))
    await channel.close()
    return outcome


@pytest.mark.parametrize(
    ("status", "text", "verdict", "reason"),
    [
        (200, "ok", Verdict.ACCEPTED, Reason.ACCEPTED),
        (400, "invalid_payload", Verdict.REFUSED, Reason.REFUSED_BY_SERVICE),
        (403, "invalid_token", Verdict.RETRY, Reason.UNAUTHORIZED),
        (403, "action_prohibited", Verdict.RETRY, Reason.UNAUTHORIZED),
        (404, "channel_not_found", Verdict.REFUSED, Reason.REFUSED_BY_SERVICE),
        (404, "no_service", Verdict.GONE, Reason.GONE),
        (404, "<html>proxy</html>", Verdict.RETRY, Reason.HTTP_STATUS),
        (410, "channel_is_archived", Verdict.GONE, Reason.GONE),
        (500, "rollup_error", Verdict.RETRY, Reason.HTTP_STATUS),
        (503, "", Verdict.RETRY, Reason.HTTP_STATUS),
    ],
)
async def test_a_word_of_a_webhook_means(http_sink, status, text, verdict, reason):
    outcome = await judged(http_sink, None, status, text)
    assert (outcome.verdict, outcome.reason) == (verdict, reason)


@pytest.mark.parametrize(
    ("text", "verdict", "reason"),
    [
        ('{"ok":true}', Verdict.ACCEPTED, Reason.ACCEPTED),
        ('{"ok":true,"message":{"text":"{\\"error\\":\\"is_archived\\"}"', Verdict.ACCEPTED, Reason.ACCEPTED),
        ('{"ok":false,"error":"channel_not_found"}', Verdict.REFUSED, Reason.REFUSED_BY_SERVICE),
        ('{"ok":false,"error":"is_archived"}', Verdict.GONE, Reason.GONE),
        ('{"ok":false,"error":"not_in_channel"}', Verdict.RETRY, Reason.UNAUTHORIZED),
        ('{"ok":false,"error":"invalid_auth"}', Verdict.OWN_FAULT, Reason.OWN_FAULT),
        ('{"ok":false,"error":"token_revoked"}', Verdict.OWN_FAULT, Reason.OWN_FAULT),
        ('{"ok":false,"error":"fatal_error"}', Verdict.RETRY, Reason.REFUSED_BY_SERVICE),
        ("<html>captive portal</html>", Verdict.RETRY, Reason.ANSWER_UNREADABLE),
        ("", Verdict.RETRY, Reason.ANSWER_UNREADABLE),
    ],
)
async def test_a_word_of_the_api_means(http_sink, text, verdict, reason):
    outcome = await judged(http_sink, BOT, 200, text)
    assert (outcome.verdict, outcome.reason) == (verdict, reason)


@pytest.mark.parametrize("target", [None, BOT])
async def test_a_rate_limit_is_obeyed(http_sink, target):
    outcome = await judged(http_sink, target, 429, '{"ok":false,"error":"ratelimited"}', Retry_After="30")
    assert (outcome.verdict, outcome.reason) == (Verdict.RETRY, Reason.RATE_LIMITED)
    assert outcome.retry_after_s == 30


async def test_the_bot_posts_to_its_channel_with_its_token(http_sink):
    await judged(http_sink, BOT, 200, '{"ok":true}')
    [got] = http_sink.got
    assert got.path == "/hook/chat.postMessage"
    assert got.headers["authorization"] == f"Bearer {TOKEN}"
    assert msgspec.json.decode(got.body) == {"channel": BOT, "text": "a"}


@pytest.mark.parametrize("target", [None, BOT])
async def test_a_message_is_never_lost_to_its_layout(http_sink, target):
    async def only_plain(request):
        is_plain = "blocks" not in msgspec.json.decode(await request.read())
        fine, wrong = (
            ('{"ok":true}', '{"ok":false,"error":"invalid_blocks"}') if target else ("ok", "invalid_blocks")
        )
        status = 200 if is_plain or target else 400
        return web.Response(status=status, text=fine if is_plain else wrong)

    http_sink.answer = only_plain
    channel = a_slack(api_url=http_sink.url)
    parcel = a_parcel(target or http_sink.url, channel.render(a_document(), None))
    assert (await channel.send(parcel)).verdict is Verdict.ACCEPTED
    assert len(http_sink.got) == 2
    await channel.close()


def test_a_webhook_address_is_shown_masked_and_a_channel_id_as_it_is():
    shown = a_slack().shown_target("https://hooks.slack.com/services/T0/B0/secret?x=secret")
    assert shown == "https://hooks.slack.com/***"
    assert a_slack().shown_target(BOT) == BOT


def test_targets_are_slacks_own_host_or_one_the_operator_named():
    strict = a_slack(Reach())
    strict.check_target("https://hooks.slack.com/services/T0/B0/secret")
    for target in (
        "https://hooks.slack.com.evil.test/x",
        "https://evil.test/hooks.slack.com",
        "http://hooks.slack.com/x",
    ):
        with pytest.raises(InvalidValue) as refused:
            strict.check_target(target)
        assert target not in str(refused.value)
    a_slack(Reach(hosts=frozenset({("chat.shop.test", None)}))).check_target("https://chat.shop.test/hooks/x")


def test_a_channel_id_needs_a_bot():
    a_slack(api_url="https://slack.com/api").check_target(BOT)
    with pytest.raises(ChannelMisconfigured, match="bot_token"):
        a_slack().check_target(BOT)


async def test_who_clicked_is_answered_at_slacks_own_address_and_nowhere_else(http_sink):
    named = a_slack(Reach(hosts=frozenset({("127.0.0.1", http_sink.port)})))
    await named.answer(http_sink.url, "Nothing was done: <!channel>")
    [got] = http_sink.got
    told = msgspec.json.decode(got.body)
    assert told["text"] == "Nothing was done: &lt;!channel&gt;"
    assert (told["response_type"], told["replace_original"]) == ("ephemeral", False)
    strict = a_slack(Reach())
    for url in (http_sink.url, "https://evil.test/hooks.slack.com", "", "nonsense"):
        await strict.answer(url, "Acknowledged.")
    assert len(http_sink.got) == 1
    await named.close()
    await strict.close()

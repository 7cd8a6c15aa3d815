"""Many news of orders in one message: what it says first, what it links, and what stays as it was."""

import msgspec
import pytest
from channel_builders import PUBLIC, TEMPLATES, a_document, a_parcel, a_slack, an_email

from notifier.channels.folded import context_of_fold
from notifier.channels.slack.limits import violations
from notifier.domain.digest import MOST_FOLDED
from notifier.errors import TemplateError
from notifier.templating import Templates

MANY = [
    ("order.charged", "OW1"),
    ("order.charged", "OW2"),
    ("refund.failure", "OW2"),
    ("order.retried", "OW3"),
]


def bodies(channel, told=MANY):
    return [channel.render(a_document(kind, order_id=of), None) for kind, of in told]


def folded(channel, told=MANY):
    return msgspec.json.decode(channel.fold(bodies(channel, told)))


def test_a_digest_says_the_worst_first_and_counts_by_type():
    mail = folded(an_email(25, public_url=PUBLIC))
    verdict = "4 changes of 3 orders: 1 refund.failure, 1 order.retried, 2 order.charged"
    assert mail["subject"] == f"[not live] [notifier] {verdict}"
    assert mail["text"].startswith(f"{verdict}.\n")
    assert mail["text"].index("refund.failure (1)") < mail["text"].index("order.charged (2)")
    assert f"- Order OW1 is now CHARGED, INR 386.00: {PUBLIC}/orders/OW1" in mail["text"]
    assert f'<a href="{PUBLIC}/orders/OW2">' in mail["html"]
    assert "href" not in folded(an_email(25))["html"]


def test_a_digest_of_one_order_stays_in_its_conversation():
    channel = an_email(25)
    one = [("order.new", "OW1"), ("order.charged", "OW1")]
    alone = msgspec.json.decode(bodies(channel, one)[0])
    assert folded(channel, one)["subject"] == alone["subject"]


def test_a_digest_of_the_most_is_no_larger_than_mail_programs_show():
    channel = an_email(25, public_url=PUBLIC)
    told = [("order.charged", f"{number:x<128}") for number in range(MOST_FOLDED)]
    assert len(channel.fold(bodies(channel, told))) < 100_000


def test_what_an_order_is_called_is_text_in_a_digest():
    mail = folded(an_email(25, public_url=PUBLIC), [("order.charged", '"><b>'), ("order.charged", "<i>")])
    assert "<b>" not in mail["html"]
    assert "<i>" not in mail["html"]
    message = folded(a_slack(), [("order.charged", "<!channel>"), ("order.charged", "*b*")])
    assert "<!channel>" not in message["text"]
    assert message["blocks"][1]["elements"][0]["elements"][1]["text"] == "<!channel>"


def test_a_folded_message_is_within_slacks_limits():
    channel = a_slack()
    told = [("order.charged", f"{number:x<128}") for number in range(MOST_FOLDED - 1)] + [("order.new", "X")]
    message = folded(channel, told)
    assert violations(message) == []
    assert message["text"] == "🔵 50 changes of 50 orders: 1 order.new, 49 order.charged"
    assert folded(channel)["text"].startswith("🔴 4 changes of 3 orders: 1 refund.failure")


async def test_what_a_body_keeps_for_digests_is_not_sent(http_sink):
    channel = a_slack()
    [body] = bodies(channel, MANY[:1])
    assert "entry" in msgspec.json.decode(body)
    await channel.send(a_parcel(http_sink.url, body))
    await channel.send(a_parcel(http_sink.url, channel.fold(bodies(channel))))
    await channel.close()
    assert [set(msgspec.json.decode(got.body)) & {"entry", "news"} for got in http_sink.got] == [set(), set()]


@pytest.mark.parametrize("make", [lambda: an_email(25), a_slack])
def test_a_body_of_before_there_were_digests_is_told_alone(make):
    with pytest.raises(TemplateError, match="earlier version"):
        make().fold([b'{"subject": "a", "text": "b", "html": "c"}'] * 2)


def test_many_types_are_summed_up():
    kinds = ("order.new", "order.charged", "refund.created", "refund.success", "mandate.active")
    entries = [
        msgspec.json.decode(body)["entry"] for body in bodies(an_email(25), [(kind, "OW1") for kind in kinds])
    ]
    assert context_of_fold(entries)["verdict"].endswith(", 2 others")
    assert context_of_fold(entries)["verdict"].startswith("5 changes of 1 order: ")


def test_the_operator_may_write_digests_of_his_own(tmp_path):
    (tmp_path / "email").mkdir()
    (tmp_path / "email" / "digest.body.txt.j2").write_text("{{ groups | length }} kinds")
    channel = an_email(25)
    channel._templates = Templates(tmp_path)
    assert folded(channel)["text"] == "3 kinds"
    assert TEMPLATES is not channel._templates

"""Mails: what they say, how they thread, and what a server's refusal means."""

import ssl
from dataclasses import replace
from email.utils import parsedate_to_datetime

import msgspec
import pytest
from aiosmtpd.smtp import AuthResult
from channel_builders import PUBLIC, TEMPLATES, a_document, a_parcel, an_email
from channel_sinks import MailSink
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from notifier.channels.email.channel import EmailChannel
from notifier.channels.email.message import mail_of
from notifier.channels.incident import incident_words
from notifier.config.told import Email
from notifier.domain.alert.report import Reason as Why
from notifier.domain.alert.report import incident_document
from notifier.domain.alert.sample import sample_report
from notifier.domain.alert.summary import summary_of
from notifier.domain.delivery import Reason, Verdict
from notifier.domain.leaving import token_of
from notifier.errors import ChannelMisconfigured, InvalidValue
from support.clock import START

JANE = "jane@shop.test"


async def send(mail_sink, event_type="order.charged", given=None, **options):
    channel = an_email(mail_sink.port, **options)
    document = a_document(event_type)
    parcel = a_parcel(JANE, channel.render(document, None), **(given or {}))
    return await channel.send(parcel)


def told(mail) -> dict[str, str]:
    parts = {part.get_content_type(): part.get_content() for part in mail.walk() if not part.is_multipart()}
    return {"text": parts["text/plain"], "html": parts["text/html"]}


async def test_a_mail_tells_the_whole_story_twice(mail_sink):
    await send(mail_sink)
    [mail] = mail_sink.mails
    assert mail.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    for part in told(mail).values():
        for fact in (
            "JP1636474794 is now CHARGED",
            "INR 386.00",
            "22 Nov 2026, 10:15:30 UTC",
            "order.charged",
        ):
            assert fact in part
    assert mail["Subject"] == "[not live] Order JP1636474794 (sandbox)"
    assert mail_sink.recipients == [[JANE]]


async def test_a_mail_is_fit_for_mail_programs_and_answers_to_nobody(mail_sink):
    await send(mail_sink)
    [mail] = mail_sink.mails
    assert parsedate_to_datetime(mail["Date"]) == START.replace(microsecond=0)
    assert (mail["Auto-Submitted"], mail["X-Auto-Response-Suppress"]) == ("auto-generated", "All")
    assert (mail["To"], mail["From"]) == (JANE, "Notifier <notifier@shop.test>")
    assert max(map(len, mail_sink.raw[0].split(b"\r\n"))) < 998


async def test_mails_of_one_order_hang_together_and_repeats_are_known_by_their_id(mail_sink):
    for event_id, order_id, attempt in (
        ("evt_1", "OW1", 1),
        ("evt_1", "OW1", 2),
        ("evt_2", "ow1", 1),
        ("evt_3", "X", 1),
    ):
        await send(mail_sink, given={"event_id": event_id, "order_id": order_id, "attempt": attempt})
    first, repeat, second, other = mail_sink.mails
    assert first["Message-ID"] == repeat["Message-ID"] != second["Message-ID"]
    assert first["References"] == second["References"] == first["In-Reply-To"] != other["References"]
    assert "OW1" not in first["References"]
    assert first["Message-ID"].endswith("@shop.test>")


async def test_news_of_no_order_starts_no_thread(mail_sink):
    await send(mail_sink, "source.failing", given={"order_id": None})
    [mail] = mail_sink.mails
    assert mail["References"] is None
    assert mail["Subject"] == "[not live] Gateway of account sandbox does not answer as it should"


def test_foreign_text_is_escaped_in_html_and_plain_in_text():
    body = msgspec.json.decode(an_email(25).render(a_document(order_id="<b>&</b>"), None))
    assert "Order <b>&</b>" in body["text"]
    assert "Order &lt;b&gt;&amp;&lt;/b&gt;" in body["html"]
    assert "<b>" not in body["html"]


@given(st.text(), st.text(min_size=1))
def test_a_subject_never_has_a_line_break(subject, order_id):
    parcel = a_parcel(JANE, b"", order_id=order_id)
    body = {"subject": subject.encode(errors="ignore").decode(), "text": "a", "html": "b"}
    mail = mail_of(parcel, body, sender="n@shop.test", recipient=JANE)
    assert not {"\r", "\n"} & set(str(mail["Subject"]))
    head = mail.as_bytes().partition(b"\r\n\r\n")[0].replace(b"\r\n ", b" ")
    names = [line.partition(b":")[0] for line in head.split(b"\r\n")]
    assert sorted(names) == sorted(name.encode() for name in mail.keys())  # noqa: SIM118 - a message is no dict
    assert len(names) == 12


def test_a_subject_from_a_template_is_one_short_line():
    document = a_document("order.charged", order_id="a\r\nBcc: eve@evil.test\u2028" + "x" * 500)
    subject = msgspec.json.decode(an_email(25).render(document, None))["subject"]
    assert len(subject) <= 200
    assert subject.isprintable()


@pytest.mark.parametrize(
    ("reply", "verdict", "reason"),
    [
        ("450 later", Verdict.RETRY, Reason.RECIPIENT_REFUSED),
        ("550 unknown", Verdict.REFUSED, Reason.RECIPIENT_REFUSED),
    ],
)
async def test_a_refused_recipient_is_final_only_from_500_on(mail_sink, reply, verdict, reason):
    mail_sink.rcpt_reply = reply
    outcome = await send(mail_sink)
    assert (outcome.verdict, outcome.reason, outcome.answer) == (verdict, reason, b"")


@pytest.mark.parametrize(("reply", "verdict"), [("451 later", Verdict.RETRY), ("554 spam", Verdict.REFUSED)])
async def test_a_refused_content_is_final_only_from_500_on(mail_sink, reply, verdict):
    mail_sink.data_reply = reply
    outcome = await send(mail_sink)
    assert (outcome.verdict, outcome.reason) == (verdict, Reason.REFUSED_BY_SERVICE)


async def test_a_server_without_tls_gets_no_mail_unless_the_operator_said_so(mail_sink):
    outcome = await send(mail_sink, security="starttls")
    assert (outcome.verdict, outcome.reason) == (Verdict.OWN_FAULT, Reason.OWN_FAULT)
    assert (await send(mail_sink, security="tls")).reason is Reason.TLS
    assert mail_sink.mails == []


async def test_a_server_that_knows_no_passwords_is_our_own_fault_and_shows_none(mail_sink, capsys):
    outcome = await send(mail_sink, username="us", password_env="MAIL_PASSWORD")
    assert (outcome.verdict, outcome.reason) == (Verdict.OWN_FAULT, Reason.OWN_FAULT)
    shown = capsys.readouterr()
    assert "mail-password" not in shown.out + shown.err


async def test_a_refused_password_is_our_own_fault():
    sink = MailSink()
    await sink.start(
        authenticator=lambda *_: AuthResult(success=False, handled=False),
        auth_require_tls=False,
    )
    outcome = await send(sink, username="us", password_env="MAIL_PASSWORD")
    await sink.stop()
    assert (outcome.verdict, outcome.reason) == (Verdict.OWN_FAULT, Reason.OWN_FAULT)


@pytest.mark.parametrize(
    ("security", "said", "reason"),
    [
        ("none", "email.server_unreachable", Reason.CONNECTION),
        ("tls", "email.server_unreachable", Reason.TLS),
        ("starttls", "email.server_refused_us", None),
    ],
)
async def test_trouble_with_the_mail_server_is_logged_with_its_address(mail_sink, security, said, reason):
    port = 1 if security == "none" else mail_sink.port
    channel = an_email(port, security=security)
    with capture_logs() as lines:
        await channel.send(a_parcel(JANE, channel.render(a_document(), None)))
    (line,) = lines
    assert (line["event"], line.get("reason")) == (said, reason)
    assert line["server"].endswith(f":{port}")
    assert JANE not in str(line)


async def test_starttls_checks_the_certificate(certificate):
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(certificate)
    sink = MailSink()
    await sink.start(tls_context=server, require_starttls=True)
    assert (await send(sink, security="starttls")).reason is Reason.TLS
    config = an_email(sink.port, security="starttls")._config
    trusting = ssl.create_default_context(cafile=str(certificate))
    channel = EmailChannel(TEMPLATES, config=config, tls_context=trusting)
    outcome = await channel.send(a_parcel(JANE, channel.render(a_document(), None)))
    await sink.stop()
    assert (outcome.verdict, len(sink.mails)) == (Verdict.ACCEPTED, 1)


@pytest.mark.parametrize(
    "target",
    ["jane", "@shop.test", "jane@", "Jane <jane@shop.test>", "jane@shop.test,eve@evil.test", "jane@shop.test\r\nBcc: e",
     "jane@shop.test\n", '"a b"@shop.test', "jane@shop..test", "jane@-shop.test", "jané@shop.test", "a@b@c", ".a@b",
     "jane@shop.test ", "a" * 250 + "@b.test"],
)  # fmt: skip
def test_only_one_bare_address_is_a_target(target):
    with pytest.raises(InvalidValue) as refused:
        an_email(25).check_target(target)
    assert refused.value.problem.path == "target"


@pytest.mark.parametrize("target", [JANE, "a.b+c_d@xn--bcher-kva.example", "root@localhost"])
def test_a_bare_address_is_accepted_and_shown(target):
    an_email(25).check_target(target)
    assert an_email(25).shown_target(target) == target


def test_without_a_server_the_channel_is_closed():
    with pytest.raises(ChannelMisconfigured, match="host and from"):
        EmailChannel(TEMPLATES, config=Email()).check_target(JANE)


async def test_mails_of_one_incident_hang_together_under_one_subject(mail_sink):
    for place, event_type in enumerate(("incident.opened", "incident.acknowledged", "incident.resolved")):
        await send(mail_sink, event_type, given={"event_id": f"evt_{place}", "order_id": None})
    roots = {(mail["References"], mail["In-Reply-To"]) for mail in mail_sink.mails}
    assert len(roots) == 1
    assert {str(mail["Subject"]) for mail in mail_sink.mails} == {
        "[not live] [notifier] HDFC via RAZORPAY – payment failures #42"  # noqa: RUF001
    }
    assert len({mail["Message-ID"] for mail in mail_sink.mails}) == 3
    order = (await send(mail_sink), mail_sink.mails[-1])[1]
    assert order["References"] not in {root for root, _ in roots}


def test_an_incident_that_has_grown_keeps_its_subject():
    report = replace(sample_report("incident.opened", START), first_cause=(("bank", "HDFC"),))
    words = [
        incident_words(incident_document(replace(report, cause=cause)))
        for cause in ((("bank", "HDFC"),), (("gateway", "PAYU"),), ())
    ]
    assert {each["topic"] for each in words} == {"HDFC \N{EN DASH} payment failures #42"}
    assert len({each["headline"] for each in words}) == 3


def test_an_end_without_traffic_is_not_called_well_again():
    report = sample_report("incident.resolved", START)
    well, given_up = (
        incident_words(incident_document(replace(report, is_stale=is_stale))) for is_stale in (False, True)
    )
    assert well["summary"].startswith("🟢")
    assert given_up["summary"].startswith("⚪ P2 HDFC via RAZORPAY: without traffic, judged no more after")


def test_a_summary_does_not_say_that_all_payments_fail():
    report = sample_report("incident.opened", START)
    draft = replace(summary_of([report, report], now=START), id="inc_1", number=7)
    words = incident_words(incident_document(draft))
    assert words["topic"] == "beyond the page budget \N{EN DASH} summary #7"
    assert words["summary"] == (
        "🔴 P2 beyond the page budget: 2 more incidents, "
        "the worst 41 % failing (normal 12 %), 86 orders, ₹1.9 L in 10 min"
    )
    assert words["facts"][0] == ("The worst", "41 % failing, normal 12 %")


def test_what_is_stale_for_our_own_lag_is_not_said_to_be_without_traffic():
    report = replace(sample_report("incident.opened", START), reason=Why.STALE)
    replies = [
        incident_words(incident_document(replace(report, lag_s=lag_s)))["reply"] for lag_s in (4.0, 1500.0)
    ]
    assert replies[0].startswith("There is no traffic to judge by")
    assert replies[1].startswith("Our own polls are 25 min late, so nothing is judged")


@pytest.mark.parametrize("event_type", ["incident.opened", "incident.acknowledged", "incident.updated"])
async def test_the_first_hundred_characters_of_an_incident_tell_the_whole_story(mail_sink, event_type):
    await send(mail_sink, event_type, given={"order_id": None})
    [mail] = mail_sink.mails
    parts = told(mail)
    preheader = parts["html"].partition('overflow:hidden;">')[2].partition("</div>")[0]
    start = (
        "👀 Acknowledged by U02ABCDEF" if event_type.endswith("acknowledged") else "failing (normal 12 %), "
    )
    assert start in parts["text"].strip()[:100]
    assert start in preheader[:100]
    words = ("RAZORPAY", " % failing", "normal 12 %", "Not affected", "Try first", "JP1636474794", "Share")
    assert [word for word in words if word not in parts["html"]] == []
    assert len(mail_sink.raw[0]) < 100_000
    assert "http" not in parts["text"]


async def test_an_incident_in_a_mail_links_where_there_is_an_address(mail_sink):
    await send(mail_sink, "incident.opened", given={"order_id": None}, public_url=PUBLIC)
    text = told(mail_sink.mails[0])["text"]
    assert f"{PUBLIC}/orders/JP1636474794" in text
    assert f"Open: {PUBLIC}/incidents/" in text


async def test_what_a_bank_wrote_is_text_in_a_mail_too():
    document = a_document("incident.opened")
    document["data"]["incident"]["codes"][0]["code"] = "<script>\u202e"
    html = msgspec.json.decode(an_email(25).render(document, None))["html"]
    assert "&lt;script&gt;" in html
    assert "\u202e" not in html


async def test_one_click_leaves_a_list_that_has_a_name(mail_sink):
    await send(mail_sink, public_url=PUBLIC, link_key=b"k")
    [mail] = mail_sink.mails
    assert mail["List-Id"] == "<sandbox.notifier.shop.test>"
    assert mail["List-Unsubscribe"] == f"<{PUBLIC}/v1/unsubscribe/{token_of(b'k', 'sub_1')}>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


@pytest.mark.parametrize(
    "given", [{}, {"link_key": b"k"}, {"link_key": b"k", "public_url": "http://10.0.0.1"}]
)
async def test_without_an_address_by_https_there_is_nothing_to_click(mail_sink, given):
    await send(mail_sink, **given)
    assert mail_sink.mails[0]["List-Unsubscribe"] is None
    assert mail_sink.mails[0]["List-Unsubscribe-Post"] is None


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        ("550 5.1.1 no such user", Verdict.GONE),
        ("556 5.1.10 takes no mail", Verdict.GONE),
        ("550 5.1.8 bad sender", Verdict.REFUSED),
        ("550 5.7.1 not allowed", Verdict.REFUSED),
        ("550 no 5.1.1 here", Verdict.REFUSED),
        ("450 5.1.1 greylisted", Verdict.RETRY),
        ("452 4.2.2 mailbox full", Verdict.RETRY),
    ],
)
async def test_an_address_that_is_none_ends_its_subscription_like_a_410(mail_sink, reply, verdict):
    mail_sink.rcpt_reply = reply
    outcome = await send(mail_sink)
    assert (outcome.verdict, outcome.reason) == (verdict, Reason.RECIPIENT_REFUSED)

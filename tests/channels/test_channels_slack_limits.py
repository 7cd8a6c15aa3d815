"""Whatever an incident holds, its message is within Slack's limits and means nothing but what it shows."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from channel_builders import a_document, a_slack
from hypothesis import given, settings
from hypothesis import strategies as st
from slack_sdk.models.blocks import Block

from notifier.channels.incident import duration, percent, short_money
from notifier.channels.slack.limits import fitted, violations
from notifier.channels.slack.plainer import plainer, sparkline
from notifier.domain.alert.report import Code, Reason, SliceFigures, Tier, incident_document
from notifier.domain.alert.sample import sample_report
from notifier.domain.alert.summary import SUMMARY
from notifier.domain.money import Money
from support.clock import START

CHANNEL = a_slack(api_url="http://127.0.0.1:1")
EVIL = st.one_of(
    st.sampled_from(
        ["<!channel>", "<@U024BE7LH>", "<https://evil.test|ok>", "```code```", "*bold* _it_ ~no~ `x`",
         ":rotating_light:", "\u202eevil\u2066", "شكراً جزيلاً", "🔥" * 300, "x" * 300, "a\nb\tc\x00",
         "&amp; & &lt;", "#general @here"]
    ),
    st.text(min_size=1, max_size=300),
)  # fmt: skip
OURS = ("<!date^",)


def rendered(report) -> dict[str, Any]:
    document = a_document("incident.updated", incident=incident_document(report))
    return msgspec.json.decode(CHANNEL.render(document, None))


def read_as_markup(value: Any) -> Iterator[str]:
    """Return every text in which Slack reads markup."""
    if isinstance(value, dict):
        if value.get("type") == "mrkdwn":
            yield value["text"]
        for each in value.values():
            yield from read_as_markup(each)
    elif isinstance(value, list):
        for each in value:
            yield from read_as_markup(each)


@st.composite
def reports(draw):
    figures = st.builds(
        SliceFigures, place=st.tuples(st.tuples(st.just("bank"), EVIL)), orders=st.integers(0, 10**9),
        failed=st.integers(0, 10**9), rate=st.floats(0, 1), normal=st.floats(0, 1), share=st.floats(0, 1),
    )  # fmt: skip
    return replace(
        sample_report(draw(st.sampled_from(["incident.opened", "incident.resolved"])), START),
        reason=draw(st.sampled_from(Reason)),
        tier=draw(st.sampled_from(Tier)),
        rule=draw(EVIL),
        outcome=draw(EVIL),
        cause=draw(st.tuples(st.tuples(st.just("gateway"), EVIL), st.tuples(st.just("bank"), EVIL))),
        acknowledged_by=draw(EVIL),
        acknowledged_at=START,
        codes=tuple(
            draw(st.lists(st.builds(Code, code=EVIL, orders=st.just(3), share=st.just(0.5)), max_size=3))
        ),
        slices=tuple(draw(st.lists(figures, max_size=5))),
        normal_slices=tuple(draw(st.lists(figures, max_size=5))),
        samples=tuple(draw(st.lists(EVIL, max_size=5))),
        hints=tuple(draw(st.lists(EVIL, max_size=2))),
        at_risk=tuple(
            draw(st.lists(st.builds(Money, st.integers(0, 2**63 - 1), st.just("INR")), max_size=4))
        ),
        false_per_month=draw(st.floats(0, 1000)),
    )


@settings(max_examples=60)
@given(reports())
def test_the_worst_values_break_no_limit_and_mean_nothing(report):
    told = rendered(report)
    assert violations(told) == []
    assert len(told["text"].replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">")) <= 150
    for text in (told["text"], told["news"]["reply"], *read_as_markup(told["blocks"])):
        left = text
        for own in OURS:
            left = left.replace(own, "")
        assert "<" not in left
        assert not set("\u202e\u2066\n\x00") & set(text)
    for block in Block.parse_all([each for each in told["blocks"] if each["type"] != "data_visualization"]):
        block.to_dict()


@settings(max_examples=30)
@given(reports())
def test_each_plainer_form_is_within_the_limits_until_there_is_text_alone(report):
    told, forms = rendered(report), 0
    while (simpler := plainer(told)) is not None:
        assert violations(simpler) == []
        told, forms = simpler, forms + 1
    assert forms <= 3
    assert "blocks" not in told
    assert told["text"]


def test_the_text_on_the_phone_says_where_how_bad_how_many_and_how_much():
    assert rendered(sample_report("incident.opened", START))["text"] == (
        "🔴 P2 HDFC via RAZORPAY: 41 % failing (normal 12 %), 86 orders, ₹1.9 L in 10 min"
    )


@pytest.mark.parametrize(
    ("members", "told"),
    [
        (
            {"outcome": "AUTHENTICATION_FAILED JUSPAY_DECLINED"},
            "HDFC via RAZORPAY: 41 % failing (normal 12 %)",
        ),
        ({"outcome": "refund FAILURE"}, "HDFC via RAZORPAY: 41 % refund failure (normal 12 %)"),
        ({"outcome": "stuck", "tier": Tier.STUCK, "cause": ()}, "all payments: 41 % stuck (normal 12 %)"),
        (
            {"outcome": "silence", "tier": Tier.SILENCE, "orders": 2},
            "HDFC via RAZORPAY: only 2 orders in 10 min",
        ),
        (
            {"outcome": "3 more incidents", "rule": SUMMARY, "cause": ()},
            "beyond the page budget: 3 more incidents, the worst 41 % failing (normal 12 %)",
        ),
    ],
)
def test_each_kind_of_trouble_has_its_words(members, told):
    report = replace(sample_report("incident.opened", START), **members)
    assert rendered(report)["blocks"][0]["text"]["text"] == f"🔴 P2 {told}"


def test_the_chart_has_three_lines_over_the_same_points():
    told = rendered(sample_report("incident.opened", START))
    [chart] = [block for block in told["blocks"] if block["type"] == "data_visualization"]
    categories = chart["chart"]["axis_config"]["categories"]
    assert (len(categories), categories[0], categories[-1]) == (20, "-57 min", "now")
    for line in chart["chart"]["series"]:
        assert [point["label"] for point in line["data"]] == categories
    assert [line["name"] for line in chart["chart"]["series"]] == ["Now", "Normal", "Alarm"]


def test_samples_and_the_button_lead_to_the_public_address():
    body = msgspec.json.encode(rendered(sample_report("incident.opened", START))).decode()
    assert "https://notifier.shop.test/orders/JP1636474794" in body
    assert "https://notifier.shop.test/incidents/inc_0123456789abcdef" in body


def test_buttons_name_account_and_incident_and_only_an_open_one_can_be_acknowledged():
    def buttons(event_type):
        told = rendered(sample_report(event_type, START))
        elements = [
            each for block in told["blocks"] if block["type"] == "actions" for each in block["elements"]
        ]
        return {each["action_id"]: each.get("value") for each in elements}

    assert buttons("incident.opened")["acknowledge"] == "sandbox/inc_0123456789abcdef"
    assert buttons("incident.acknowledged").keys() == {"silence", "open"}
    assert buttons("incident.resolved").keys() == {"open"}


@pytest.mark.parametrize(
    "block",
    [
        {"type": "table", "rows": [[{"type": "raw_text", "text": "x" * 90}] * 30] * 120},
        {"type": "actions", "elements": [
            {"type": "button", "action_id": f"a{each}", "text": {"type": "plain_text", "text": "x" * 90}, "value": "v"}
            for each in range(30)]},
        {"type": "data_visualization", "title": "x" * 90, "chart": {
            "type": "line", "axis_config": {"categories": [f"{each}" for each in range(30)]},
            "series": [{"name": "n" * 25, "data": [{"label": f"{each}", "value": each} for each in range(30)]}]}},
        {"type": "context", "elements": [{"type": "plain_text", "text": "a"}] * 12},
    ],
    ids=lambda block: block["type"],
)  # fmt: skip
def test_what_is_too_much_is_found_and_left_out(block):
    message = {"text": "a", "blocks": [block] * 3}
    assert violations(message)
    assert violations(fitted(message)) == []


def test_bars_stand_for_values():
    assert sparkline([0, 1, 2, 4, 8]) == "▁▂▃▅█"
    assert sparkline([0, 0]) == "▁▁"
    assert sparkline([-1, 1]) == "▁█"


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [("190430.00", "INR", "₹1.9 L"), ("25000000.00", "INR", "₹2.5 Cr"), ("386.00", "INR", "₹386"),
     ("12500.00", "USD", "$12.5 k"), ("99999999", "JPY", "JPY 100 M")],
)  # fmt: skip
def test_money_is_said_in_two_or_three_digits(amount, currency, text):
    assert short_money(amount, currency) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (45, "45 s"), (600, "10 min"), (3600, "1 h"), (7500, "2 h 5 min"), (266_400, "3 d 2 h")],
)
def test_a_duration_has_one_or_two_units(seconds, text):
    assert duration(seconds) == text


def test_shares_below_a_tenth_keep_a_digit():
    assert [percent(each) for each in (0, 0.042, 0.4095, 1)] == ["0 %", "4.2 %", "41 %", "100 %"]

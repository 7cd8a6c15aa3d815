"""docs/pictures/slack.html shows every kind of message as it is sent; NOTIFIER_DRAW=1 draws it anew."""

import os
from pathlib import Path

import msgspec
from channel_builders import a_document, a_slack

from notifier.channels.slack.channel import _without_dead_buttons
from notifier.channels.slack.living import Handle, News, _reply
from notifier.channels.slack.plainer import plainer
from support.slack_page import page

_PICTURE = Path(__file__).parents[2] / "docs" / "pictures" / "slack.html"
_PLACE = Handle(target="C024BE91L", channel="C024BE91L", ts="1.2", edited=1)
_STAGES = (
    ("An incident opens", "incident.opened"),
    ("It is acknowledged", "incident.acknowledged"),
    ("Its severity rises", "incident.updated"),
    ("It is over", "incident.resolved"),
)


def drawn():
    channel, shown = a_slack(api_url="http://127.0.0.1:1"), []
    for caption, event_type in _STAGES:
        message = msgspec.json.decode(channel.render(a_document(event_type), None))
        news = msgspec.convert(message["news"], News)
        shown.append((caption, message, [] if event_type == "incident.opened" else [_reply(_PLACE, news)]))
    opened = shown[0][1]
    shown.append(("By a webhook, without a way back", _without_dead_buttons(opened), []))
    charts = plainer(opened)
    tables = plainer(charts)
    shown.append(("Where Slack refuses charts", charts, []))
    shown.append(("Where it refuses tables, too", tables, []))
    shown.append(("Where it refuses every layout", plainer(tables), []))
    for caption, event_type in (("One order", "order.charged"), ("A refund that failed", "refund.failure"),
                                ("News of the notifier itself", "subscription.failing")):  # fmt: skip
        shown.append((caption, msgspec.json.decode(channel.render(a_document(event_type), None)), []))
    orders = (("order.charged", "JP1636474794"), ("refund.failure", "JP1636474801"), ("order.charged", "OW7"))
    bodies = [channel.render(a_document(kind, order_id=of), None) for kind, of in orders]
    shown.append(("Many orders at once", msgspec.json.decode(channel.fold(bodies)), []))
    return page(shown)


def test_the_picture_in_the_docs_is_what_is_sent():
    if os.environ.get("NOTIFIER_DRAW"):
        _PICTURE.write_text(drawn(), encoding="utf-8")
    assert _PICTURE.read_text(encoding="utf-8") == drawn()

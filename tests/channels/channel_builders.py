"""Channels and parcels for tests."""

from typing import Any

from notifier.channels.contract import Address, Parcel
from notifier.channels.egress import Egress
from notifier.channels.email.channel import EmailChannel
from notifier.channels.reach import Reach
from notifier.channels.slack.channel import SlackChannel
from notifier.channels.webhook.channel import WebhookChannel
from notifier.config.secret import Secret
from notifier.config.told import Email, Slack
from notifier.domain.document import sample_event_document
from notifier.templating import Templates
from support.clock import START, FakeClock

TEMPLATES = Templates()
OPEN = Reach(allow_private=True)
SECRET = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
TOKEN = "xoxb-bot-token"
SIGNING = "8f742231b10e8888abcd99yyyzzz85a5"
PUBLIC = "https://notifier.shop.test"
SENDER = "Notifier <notifier@shop.test>"


def a_webhook(reach: Reach = OPEN, timeout_s: float = 5) -> WebhookChannel:
    return WebhookChannel(TEMPLATES, Egress(reach), FakeClock(), timeout_s=timeout_s)


def a_slack(reach: Reach = OPEN, timeout_s: float = 5, api_url: str | None = None) -> SlackChannel:
    named = {"SLACK_TOKEN": TOKEN, "SLACK_SIGNING": SIGNING} if api_url else {}
    given = (
        {"bot_token_env": "SLACK_TOKEN", "signing_secret_env": "SLACK_SIGNING", "api_url": api_url}
        if api_url
        else {}
    )
    config = Slack.model_validate(given, context=named)
    return SlackChannel(
        TEMPLATES, Egress(reach), FakeClock(), config=config, timeout_s=timeout_s, public_url=PUBLIC
    )


def an_email(port: int, timeout_s: float = 5, **given: Any) -> EmailChannel:
    told = {"host": "127.0.0.1", "port": port, "from": SENDER, "security": "none", "timeout_s": timeout_s}
    context = {"MAIL_PASSWORD": "mail-password"}
    links = {name: given.pop(name) for name in ("public_url", "link_key") if name in given}
    return EmailChannel(TEMPLATES, config=Email.model_validate(told | given, context=context), **links)


def a_parcel(target: str, body: bytes, **given: Any) -> Parcel:
    address = Address(target=Secret(target), **given.pop("address", {"secrets": (Secret(SECRET),)}))
    members: dict[str, Any] = {
        "event_id": "evt_0123456789abcdef0123456789abcdef",
        "event_type": "order.charged",
        "account": "sandbox",
        "order_id": "JP1636474794",
        "subscription_id": "sub_1",
        "sequence": 7,
        "attempt": 1,
        "now": START,
    }
    return Parcel(body=body, address=address, **(members | given))


def a_document(event_type: str = "order.charged", **data: Any) -> dict[str, Any]:
    document = sample_event_document(event_type)
    document["data"] |= data
    return document

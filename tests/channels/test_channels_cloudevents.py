"""The body `cloudevents` against the rules of the CloudEvents 1.0 specification, and how it is sent."""

import re
from datetime import datetime

import msgspec
import pytest
from channel_builders import SECRET, a_document, a_parcel, a_webhook
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from notifier.channels.webhook.signature import verify
from notifier.domain.document import SAMPLE_TYPES
from support.clock import START

_MINUTE = r"\d{4}-\d\d-\d\dT\d\d:\d\d"
_OPTIONAL = {"subject", "time", "datacontenttype", "dataschema"}
_REQUIRED = {"specversion", "id", "source", "type"}


def attribute_faults(name, value):
    """Yield each rule of names and of the type system that an attribute breaks."""
    if not re.fullmatch(r"[a-z0-9]{1,20}", name):
        yield f"{name} is no name of an attribute"
    match value:
        case str():
            if not value and name in _REQUIRED | _OPTIONAL:
                yield f"{name} is empty"
            if re.search(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]", value):
                yield f"{name} has a character that no attribute may have"
        case int() if isinstance(value, bool) or -(2**31) <= value < 2**31:
            pass
        case _:
            yield f"{name} is of no type that an attribute can be"


_FORMS = {
    "specversion": r"1\.0",
    "time": rf"{_MINUTE}:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)",  # RFC 3339
    "datacontenttype": r"[\w!#$&^.+-]+/[\w!#$&^.+-]+",  # RFC 2046
    "source": r"([\w.~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-F]{2})+",  # RFC 3986
}


def faults(event):
    """Yield each rule of CloudEvents 1.0 (attributes, type system, JSON format) that the event breaks."""
    for name in _REQUIRED - set(event):
        yield f"{name} is missing"
    if "data" in event and "data_base64" in event:
        yield "data stands there twice"
    for name, value in event.items():
        if name not in {"data", "data_base64"}:
            yield from attribute_faults(name, value)
    for name, form in _FORMS.items():
        if name in event and not re.fullmatch(form, str(event[name]), re.ASCII):
            yield f"{name} is not of its form"


def event_of(document):
    return msgspec.json.decode(a_webhook().render(document, "cloudevents"))


@pytest.mark.parametrize("kind", SAMPLE_TYPES)
def test_every_type_makes_an_event_that_breaks_no_rule(kind):
    document = a_document(kind)
    event = event_of(document)

    assert list(faults(event)) == []
    assert (event["id"], event["type"], event["data"]) == (document["id"], kind, document["data"])
    assert datetime.fromisoformat(event["time"]) == datetime.fromisoformat(document["timestamp"])


@given(
    st.from_regex(r"[A-Za-z0-9_ä -]{1,64}", fullmatch=True),
    st.text(st.characters(exclude_categories=["Cc", "Cs", "Cn"]), min_size=1, max_size=128),
)
def test_any_account_and_order_make_an_event_that_breaks_no_rule(account, order_id):
    event = event_of(a_document(account=account, order_id=order_id))

    assert list(faults(event)) == []
    assert URL(event["source"], encoded=True).path == f"/accounts/{account}"
    assert event["partitionkey"] == order_id


@given(st.integers(0, 2**62), st.integers(0, 2**62))
def test_sequences_sort_as_text(one, other):
    texts = [event_of(a_document(sequence=each))["sequence"] for each in (one, other)]

    assert (texts[0] < texts[1]) == (one < other)


def test_an_event_about_no_order_has_no_attribute_that_says_nothing():
    assert "partitionkey" not in event_of(a_document("heartbeat"))
    assert event_of(a_document("source.failing"))["subject"] == "order"


def test_the_rules_can_be_broken():
    event = event_of(a_document())
    for broken in (
        {"Type": "x"}, {"order_id": "x"}, {"subject": ""}, {"time": "yesterday"}, {"specversion": "0.3"},
        {"sequence": 2**31}, {"livemode": None}, {"source": "a b"}, {"data_base64": "e30="}, {"id": "a\nb"},
    ):  # fmt: skip
        assert list(faults(event | broken)), broken
    assert list(faults({name: event[name] for name in event if name != "id"}))


async def test_it_is_sent_under_its_own_content_type_and_signed_to_the_byte(http_sink):
    channel = a_webhook()
    await channel.send(a_parcel(http_sink.url, channel.render(a_document(), "cloudevents")))
    await channel.close()
    [got] = http_sink.got

    assert got.headers["content-type"] == "application/cloudevents+json"
    assert verify([SECRET], got.headers, got.body, START) is None
    assert list(faults(msgspec.json.decode(got.body))) == []

"""Headers that a subscription may add: what the allow-list lets through, and that nothing else gets by."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain.headers import (
    LONGEST_NAME,
    LONGEST_VALUE,
    MOST,
    MOST_CHARACTERS,
    check_header_name,
    check_header_value,
    check_headers,
    may_be_added,
)
from notifier.errors import InvalidValue

GOOD = (
    "Authorization",
    "X-Shop",
    "x-api-key",
    "Api-Key",
    "apikey",
    "Ocp-Apim-Subscription-Key",
    "PRIVATE-TOKEN",
    "X-Client-Id",
    "X-Method",
    "X-Hostel",
)
_OF_THE_CONNECTION = (
    "Host", "Connection", "Keep-Alive", "TE", "Trailer", "Transfer-Encoding", "Upgrade", "Expect", "Cookie",
    "Content-Length", "Content-Type", "Content-Encoding", "Content-Key", "Proxy-Authorization", "Proxy-Token",
    "User-Agent", "Accept-Encoding", "Sec-WebSocket-Key", "Date", "Via", "Forwarded", "X-Forwarded-For", "x-real-ip",
    "X-HTTP-Method-Override", "X-Original-URL", "X-Rewrite-URL", "Idempotency-Key",
    "X-Forwarded", "X-Host", "X-Method-Override", "X-Client-IP", "X-Cluster-Client-IP", "X-Remote-User", "X-Remote-IP",
)  # fmt: skip
_OURS = ("webhook-id", "Webhook-Signature", "notifier-attempt", "Notifier-Token", "webhook-key")


@pytest.mark.parametrize("name", GOOD)
def test_names_of_credentials_and_of_ones_own_are_allowed(name):
    assert check_header_name(name) == name


@pytest.mark.parametrize("name", _OF_THE_CONNECTION + _OURS)
def test_what_is_not_a_subscriptions_to_set_is_refused_by_name(name):
    for each in (name, name.lower(), name.upper()):
        with pytest.raises(InvalidValue) as refused:
            check_header_name(each)
        assert (refused.value.problem.path, refused.value.problem.code) == (each, "reserved")
        assert not may_be_added(each)


@pytest.mark.parametrize(
    "name", ["", "X Y", "X:Y", "X-Ä", "X-A\r\nX-B", "X-\0", "x-" + "a" * LONGEST_NAME, "X_Y"]
)
def test_what_is_no_name_is_refused(name):
    with pytest.raises(InvalidValue) as refused:
        check_header_name(name)
    assert refused.value.problem.code == "name"


@pytest.mark.parametrize(
    "value", ["", " a", "a ", "a\r\nX-B: b", "a\n", "a\tb", "ä", "\x7f", "a" * (LONGEST_VALUE + 1)]
)
def test_a_value_that_could_break_the_request_is_refused_without_being_shown(value):
    with pytest.raises(ValueError, match="should be 1 to") as refused:
        check_header_value(value)
    assert len(value) < 3 or value not in str(refused.value)


def test_the_bounds_themselves_are_allowed():
    assert check_header_value("a" * LONGEST_VALUE)
    assert check_header_name("x-" + "a" * (LONGEST_NAME - 2))
    check_headers({f"X-{n:02}": "a" for n in range(MOST)})
    check_headers(
        {"X-A": "a" * 1021, "X-B": "a" * 1021, "X-C": "a" * 1021, "X-D": "a" * (MOST_CHARACTERS - 3072 - 3)}
    )


@given(st.text(max_size=80))
def test_no_name_that_is_accepted_can_end_a_line_or_name_the_body(name):
    try:
        check_header_name(name)
    except InvalidValue:
        return
    assert name.isascii()
    assert name.replace("-", "").isalnum()
    assert not name.lower().startswith(("content-", "webhook-", "notifier-"))


@given(st.text(max_size=30))
def test_no_value_that_is_accepted_can_end_a_line(value):
    try:
        check_header_value(value)
    except ValueError:
        return
    assert value.isascii()
    assert value.isprintable()
    assert value == value.strip()

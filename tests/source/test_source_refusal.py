"""Answers without an order: every HTTP status, every known error body."""

import json

import pytest
from source_kit import body_of, packed, raw

from notifier.source.contract import FailureReason
from notifier.source.refusal import is_refusal, refusal, safe_request_id

R = FailureReason
REQUEST_ID = "0d6a8f1e-aaaa-4bbb-8ccc-1234567890ab"


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"status":"error"}', raw("error_bare")], ids=lambda b: b[:9]
)
def test_every_other_status_speaks_for_itself(body):
    by_hundreds = {2: R.MALFORMED, 3: R.REDIRECT, 4: R.BAD_REQUEST}
    expected = {status: by_hundreds.get(status // 100, R.SERVER_ERROR) for status in [*range(201, 600), 999]}
    expected |= {401: R.REFUSED, 403: R.REFUSED, 404: R.NOT_FOUND, 429: R.RATE_LIMITED}
    expected |= {408: R.SERVER_ERROR, 425: R.SERVER_ERROR}
    assert {status: refusal(status, body).reason for status in expected} == expected
    assert refusal(418, body).http_status == 418


@pytest.mark.parametrize(
    ("http_status", "name", "reason", "detail"),
    [
        (400, "error_fields", R.BAD_REQUEST, "Mandatory fields are missing"),
        (400, "error_invalid", R.BAD_REQUEST, "INVALID_REQUEST"),
        (400, "error_legacy", R.BAD_REQUEST, "bad_request"),
        (400, "error_unknown_order", R.NOT_FOUND, "order_not_found"),
        (400, "error_no_txn", R.NOT_FOUND, "No txn Found"),
        (400, "error_not_found_word", R.NOT_FOUND, "NOT_FOUND"),
        (400, "error_denied", R.REFUSED, "access_denied"),
        (401, "error_denied", R.REFUSED, "access_denied"),
        (403, "error_origin", R.REFUSED, "access_denied"),
        (404, "error_unknown_order", R.NOT_FOUND, "order_not_found"),
        (429, "error_many", R.RATE_LIMITED, "too_many_requests"),
        (500, "error_inside", R.SERVER_ERROR, "internal_error"),
        (500, "error_unknown_order", R.SERVER_ERROR, "order_not_found"),
        (503, "error_bare", R.SERVER_ERROR, "error"),
        (200, "error_not_found_word", R.NOT_FOUND, "NOT_FOUND"),
        (200, "error_unknown_order", R.NOT_FOUND, "order_not_found"),
        (200, "error_denied", R.REFUSED, "access_denied"),
        (200, "error_many", R.RATE_LIMITED, "too_many_requests"),
        (200, "error_inside", R.SERVER_ERROR, "internal_error"),
        (200, "error_bare", R.SERVER_ERROR, "error"),
        (200, "error_invalid", R.BAD_REQUEST, "INVALID_REQUEST"),
        (200, "error_fields", R.BAD_REQUEST, "Mandatory fields are missing"),
    ],
)
def test_known_error_bodies(http_status, name, reason, detail):
    failure = refusal(http_status, raw(name))
    assert (failure.reason, failure.detail) == (reason, detail)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"error_code": "JP_900"}, R.SERVER_ERROR),
        ({"status": "ERROR"}, R.SERVER_ERROR),
        ({"status": "WEIRD", "status_id": -1}, R.SERVER_ERROR),
        ({"status": "WEIRD", "status_id": "40"}, R.NOT_FOUND),
        ({"code": "order_not_found"}, R.NOT_FOUND),
        ({"status": "CHARGED", "status_id": 21}, R.MALFORMED),
        ({"order_id": "TEA2001"}, R.MALFORMED),
        ({}, R.MALFORMED),
    ],
)
def test_a_200_without_an_order_is_an_error_only_if_it_says_so(body, reason):
    assert refusal(200, packed(body)).reason is reason


@pytest.mark.parametrize("word", ["ERROR", "error", "NOT_FOUND", "Bad Request", "Invalid Request"])
def test_words_of_the_call(word):
    assert is_refusal(word)


@pytest.mark.parametrize("word", ["CHARGED", "AUTHENTICATION_FAILED", "JUSPAY_DECLINED", "BREWED", "SUCCESS"])
def test_words_of_an_order(word):
    assert not is_refusal(word)


@pytest.mark.parametrize(
    "told", [body_of("error_denied")["error_info"], json.dumps(body_of("error_denied")["error_info"])]
)
def test_error_info_is_read_as_object_and_as_text(told):
    assert refusal(401, packed({"error_info": told})).request_id == REQUEST_ID
    assert refusal(401, packed({"error_info": told})).detail == "UNAUTHORIZED"


@pytest.mark.parametrize("told", ["FILTERED", "{", [], 3, None, {"request_id": {}, "code": []}])
def test_odd_error_info_is_nothing(told):
    failure = refusal(400, packed({"error_info": told}))
    assert (failure.reason, failure.request_id, failure.detail) == (R.BAD_REQUEST, None, "")


@pytest.mark.parametrize("code", ["meera@tea.example", "a" * 65, "x\ny<b>", "चाय", {"a": 1}])
def test_only_what_looks_like_a_code_becomes_the_detail(code):
    assert refusal(400, packed({"error_code": code, "status": "Bad Request"})).detail in {
        "Bad Request",
        "xyb",
    }


@pytest.mark.parametrize("given", [None, "", "a b", "<script>", "x" * 65])
def test_an_odd_request_id_is_dropped(given):
    assert safe_request_id(given) is None
    assert safe_request_id(REQUEST_ID) == REQUEST_ID

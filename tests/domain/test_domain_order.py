import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain.order import Phase, known_statuses, order_key, parse_order_id, phase_of, slug
from notifier.errors import InvalidValue

PHASES = {
    Phase.OPEN: "NEW CREATED STARTED PENDING_VBV PENDING_AUTHENTICATION VBV_SUCCESSFUL AUTHORIZING AUTHORIZED "
    "PARTIAL_CHARGED TO_BE_CHARGED CAPTURE_INITIATED VOID_INITIATED VOID_FAILED",
    Phase.SUCCEEDED: "CHARGED SUCCESS COD_INITIATED",
    Phase.FAILED: "AUTHENTICATION_FAILED AUTHORIZATION_FAILED JUSPAY_DECLINED DECLINED CAPTURE_FAILED VOIDED "
    "AUTO_VOIDED MERCHANT_VOIDED",
    Phase.REFUNDED: "AUTO_REFUNDED",
}


@pytest.mark.parametrize(("phase", "words"), PHASES.items())
def test_each_status_word_has_its_phase(phase, words):
    assert {phase_of(word) for word in words.split()} == {phase}


def test_no_other_word_has_a_phase():
    assert sorted(known_statuses()) == sorted(" ".join(PHASES.values()).split())


@pytest.mark.parametrize(
    "word", ["NOT_FOUND", "ERROR", "charged", "CHARGED ", "", "PARTIALLY_REFUNDED", "21"]
)
def test_a_word_never_seen_is_neither_success_nor_failure(word):
    assert phase_of(word) is Phase.UNKNOWN


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("PENDING_VBV", "pending_vbv"),
        ("Loan  Active!", "loan_active_"),
        ("A--B__C", "a_b_c"),
        ("ÉTÉ1", "_t_1"),
        ("\N{LATIN SMALL LETTER LONG S}\N{KELVIN SIGN}", "_"),  # Unicode folds both to ASCII letters
        ("???", "_"),
    ],
)
def test_a_slug_is_lower_case_with_one_underscore_for_each_run(word, expected):
    assert slug(word) == expected


@given(st.text())
def test_a_slug_of_a_slug_is_itself(word):
    assert slug(slug(word)) == slug(word)


@given(st.text())
def test_a_key_folds_ascii_case_and_nothing_else(text):
    key = order_key(text)
    assert order_key(key) == key
    assert len(key) == len(text)
    assert all(a == b or (a.isascii() and a.lower() == b) for a, b in zip(text, key, strict=True))


def test_spellings_that_differ_in_ascii_case_are_one_order():
    assert order_key("OW1") == order_key("ow1") == "ow1"
    assert order_key("ÉW1") != order_key("éW1")
    assert order_key("OW\N{KELVIN SIGN}") != order_key("OWK")


@pytest.mark.parametrize("text", ["a", "x" * 128, "JP-1_2/3 é", "...", "1" * 24])
def test_odd_but_harmless_ids_are_kept_as_written(text):
    assert parse_order_id(text) == text


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "length"),
        ("x" * 129, "length"),
        (".", "reserved"),
        ("..", "reserved"),
        ("a\nb", "control_character"),
        ("a\x7fb", "control_character"),
        ("a\x85b", "control_character"),
        ("a\ud800b", "control_character"),
    ],
)
def test_an_id_that_cannot_travel_is_refused(text, code):
    with pytest.raises(InvalidValue) as refused:
        parse_order_id(text)
    assert (refused.value.problem.path, refused.value.problem.code) == ("order_id", code)

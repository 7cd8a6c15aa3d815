"""Single values, in every spelling seen upstream and in a few never seen."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain.money import Money
from notifier.errors import InvalidValue
from notifier.source.scalars import (
    currency,
    decimal,
    fitting_minor_units,
    handle,
    instant,
    integer,
    minor_units,
    money,
    text,
    truth,
)

NOTHING = [None, "", "null", "NA", "FILTERED", {}, [], [1], {"a": 1}]


@pytest.mark.parametrize(
    "read", [text, truth, integer, decimal, currency, instant, handle, lambda v: minor_units(v, "INR")]
)
@pytest.mark.parametrize("value", NOTHING, ids=repr)
def test_what_says_nothing_is_unknown_to_every_reader(read, value):
    assert read(value) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("CHARGED", "CHARGED"),
        ("  00 ", "00"),
        (0, "0"),
        (Decimal("1.50"), "1.50"),
        (Decimal("23.0"), "23"),
        (10**30, "1" + "0" * 30),
        (True, None),
        ("   ", None),
        ("a\x00b\u202ec", "abc"),
        ("चाय", "चाय"),
        ("x" * 300, "x" * 256),
        ("na", "na"),
    ],
)
def test_text(value, expected):
    assert text(value) == expected


@pytest.mark.parametrize("value", [10, Decimal("10.0"), "10", "10.00"])
def test_a_number_has_one_decimal_text(value):
    assert decimal(value) == "10"


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, "0"), ("-2.50", "-2.5"), (Decimal("1E+2"), "100"), (100, "100"), (Decimal("1E+999"), None),
     (Decimal("NaN"), None), (10**31, None), ("ten", None), ("1e2", None), (True, None)],
)  # fmt: skip
def test_decimal(value, expected):
    assert decimal(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, True),
        (False, False),
        ("true", True),
        ("True", True),
        ("FALSE", False),
        (1, None),
        ("yes", None),
    ],
)
def test_truth(value, expected):
    assert truth(value) is expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(21, 21), ("21", 21), (-1, -1), ("-1", -1), (True, None), (Decimal("2.5"), None), (Decimal("23.0"), 23),
     (Decimal("1e99"), None), ("\uff12\uff11", None),
     ("2_1", None), (2**63, None), ("9" * 40, None)],
)  # fmt: skip
def test_integer(value, expected):
    assert integer(value) == expected


@pytest.mark.parametrize("value", [100, Decimal("100.0"), Decimal("1E+2"), "100", "100.00", "0100.000"])
def test_one_amount_in_all_its_spellings(value):
    assert minor_units(value, "INR") == 10_000


@pytest.mark.parametrize(
    "value", ["1e3", "1_000", "\u0661\u0660", "NaN", "Infinity", "12,50", "+5", ".5", True]
)
def test_what_is_no_decimal_number_is_an_unknown_amount(value):
    assert minor_units(value, "INR") is None


@pytest.mark.parametrize(
    "value",
    [Decimal("10.005"), "10.005", Decimal("1E-30"), Decimal("1E+999999"), Decimal("1E+999999999999999"),
     Decimal("1E-999999"), 2**63, "9" * 30,
     Decimal("1." + "0" * 40 + "1"), "1." + "0" * 29 + "1"],
)  # fmt: skip
def test_an_amount_that_its_currency_cannot_express_is_refused_and_never_rounded(value):
    with pytest.raises(InvalidValue):
        minor_units(value, "INR")
    assert fitting_minor_units(value, "INR") is None


def test_without_a_currency_no_number_is_an_amount():
    assert minor_units(100, None) is None
    assert money(100, None) is None


@pytest.mark.parametrize(("code", "expected"), [("INR", 1050), ("KWD", 10500), ("CLF", 105000)])
def test_each_currency_has_its_own_minor_unit(code, expected):
    assert minor_units(Decimal("10.50"), code) == expected


@given(st.integers(-(2**63) + 1, 2**63 - 1), st.sampled_from(["INR", "JPY", "KWD"]))
def test_every_amount_survives_its_own_text(minor, code):
    told = str(Money(minor, code))
    assert minor_units(told, code) == minor
    assert minor_units(Decimal(told), code) == minor


@pytest.mark.parametrize(("value", "expected"), [("INR", "INR"), ("inr", None), ("RUPEE", None), (356, None)])
def test_currency(value, expected):
    assert currency(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-04-11T10:00:05Z", datetime(2026, 4, 11, 10, 0, 5, tzinfo=UTC)),
        ("2026-04-11T10:00:05.056405Z", datetime(2026, 4, 11, 10, 0, 5, 56_000, tzinfo=UTC)),
        ("2026-04-11 10:00:05.056999 UTC", datetime(2026, 4, 11, 10, 0, 5, 56_000, tzinfo=UTC)),
        ("2026-04-11 10:00:05.123456789 UTC", datetime(2026, 4, 11, 10, 0, 5, 123_000, tzinfo=UTC)),
        ("2026-04-11T10:00:05.5Z", datetime(2026, 4, 11, 10, 0, 5, 500_000, tzinfo=UTC)),
        ("2026-04-11T15:30:05+05:30", datetime(2026, 4, 11, 10, 0, 5, tzinfo=UTC)),
        ("2026-04-11T08:00:05-0200", datetime(2026, 4, 11, 10, 0, 5, tzinfo=UTC)),
        ("1775865600", datetime(2026, 4, 11, tzinfo=UTC)),
        (1775865600, datetime(2026, 4, 11, tzinfo=UTC)),
    ],
)
def test_instants_in_all_their_forms(value, expected):
    assert instant(value) == expected


@pytest.mark.parametrize(
    "value",
    ["1111111T07:00:40Z", "2026-04-11", "2026-04-11T10:00:05", "2026-13-11T10:00:05Z", "2026-04-11T25:00:05Z",
     "0001-01-01T00:00:00+05:30", "9999-12-31T23:59:59-05:30", "1111111", 0, True, "2026-04-11T10:00:05Zulu",
     "\uff12026-04-11T10:00:05Z"],
)  # fmt: skip
def test_a_mangled_instant_is_unknown(value):
    assert instant(value) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [("9811100022@okaxis", "okaxis"), ("a@b@ybl", "ybl"), ("meera", None), ("meera@", None), ("x@a b", None),
     ("x@meera iyer 98111", None), (12, None)],
)  # fmt: skip
def test_of_a_payment_address_only_the_provider_is_read(value, expected):
    assert handle(value) == expected


@given(st.text() | st.integers() | st.decimals(allow_nan=False, allow_infinity=False) | st.booleans())
def test_a_reader_returns_its_own_kind_or_nothing(value):
    kinds = {text: str, truth: bool, integer: int, currency: str, instant: datetime, handle: str}
    for read, kind in kinds.items():
        assert isinstance(read(value), kind | None)
    assert isinstance(fitting_minor_units(value, "INR"), int | None)

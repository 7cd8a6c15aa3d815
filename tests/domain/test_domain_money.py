from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifier.domain.instant import EPOCH, from_ms, iso, seconds, to_ms
from notifier.domain.money import Money, exponent_of
from notifier.errors import InvalidValue
from support.builders import instants, moneys

well = settings(max_examples=max(80, settings.default.max_examples))
"""Money is tried more often than the rest."""


@well
@given(moneys(("INR", "JPY", "KWD", "CLF")))
def test_what_is_written_reads_back_exactly(money):
    assert Money.parse(str(money), money.currency) == money
    assert Money.parse(Decimal(str(money)), money.currency) == money


@pytest.mark.parametrize(
    ("amount", "currency", "minor", "text"),
    [
        ("386", "INR", 38_600, "386.00"),
        ("386.0", "INR", 38_600, "386.00"),
        ("386.000000", "INR", 38_600, "386.00"),
        ("3.86E+2", "INR", 38_600, "386.00"),
        (2, "JPY", 2, "2"),
        ("1.5", "KWD", 1_500, "1.500"),
        ("0.0001", "CLF", 1, "0.0001"),
        ("-0.05", "INR", -5, "-0.05"),
        ("92233720368547758.07", "INR", 2**63 - 1, "92233720368547758.07"),
    ],
)
def test_major_units_become_minor_units_of_their_currency(amount, currency, minor, text):
    money = Money.parse(amount, currency)
    assert (money.minor, money.currency, str(money)) == (minor, currency, text)


@pytest.mark.parametrize(
    ("amount", "currency", "field"),
    [
        ("386.001", "INR", "amount"),
        ("1.5", "JPY", "amount"),
        ("92233720368547758.08", "INR", "amount"),
        ("ten", "INR", "amount"),
        ("", "INR", "amount"),
        ("NaN", "INR", "amount"),
        ("sNaN", "INR", "amount"),
        ("-Infinity", "INR", "amount"),
        ("1e40", "INR", "amount"),
        # Python's own arithmetic would round these to something that fits, or overflow.
        ("1." + "0" * 30 + "1", "INR", "amount"),
        ("1." + "0" * 300 + "1", "INR", "amount"),
        ("1e-1000050", "INR", "amount"),
        ("1e9999999", "INR", "amount"),
        ("1e99999999999999999999", "INR", "amount"),
        ("1", "inr", "currency"),
        ("1", "RUPEE", "currency"),
        ("1", "", "currency"),
    ],
)
def test_a_misfit_is_refused_and_its_member_named(amount, currency, field):
    with pytest.raises(InvalidValue) as refused:
        Money.parse(amount, currency)
    assert refused.value.problem.path == field


@well
@given(st.text(max_size=12), st.text(max_size=4))
def test_any_text_is_read_or_refused(amount, currency):
    try:
        money = Money.parse(amount, currency)
    except InvalidValue:
        return
    assert Money.parse(str(money), currency) == money


def test_currencies_never_mix():
    assert Money(100, "INR") != Money(100, "USD")
    assert exponent_of("INR") == exponent_of("never seen") == 2


@given(instants())
def test_instants_keep_their_milliseconds_as_number_and_as_text(instant):
    assert from_ms(to_ms(instant)) == instant
    text = iso(instant)
    assert text.endswith("Z")
    assert len(text) == len("2026-11-22T10:15:30.123Z")


def test_an_instant_of_another_zone_is_told_in_utc():
    from datetime import datetime

    assert iso(datetime.fromisoformat("2026-11-22T15:45:30.123456+05:30")) == "2026-11-22T10:15:30.123Z"
    assert to_ms(EPOCH + seconds(1.5)) == 1500

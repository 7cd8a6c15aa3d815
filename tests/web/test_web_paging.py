from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.errors import InvalidValue
from notifier.web.paging import number_of, page, text_of, to_cursor

ids = st.text(st.characters(codec="ascii", categories=("L", "N", "P")), min_size=1, max_size=64)


@given(number=st.integers(0, 2**63 - 1), text=ids)
def test_a_cursor_gives_its_position_back(number, text):
    assert number_of("a", to_cursor("a", number)) == number
    assert text_of("a", to_cursor("a", text)) == text


@given(st.text(max_size=300))
def test_only_the_one_cursor_of_a_position_is_taken(text):
    position = None
    with suppress(InvalidValue):
        position = text_of("a", text)
    assert position is None or to_cursor("a", position) == text


def test_a_cursor_of_another_list_is_refused():
    with pytest.raises(InvalidValue):
        text_of("b", to_cursor("a", 1))
    for position in ("-1", "x", "٣", str(2**63), ""):
        if position:
            with pytest.raises(InvalidValue):
                number_of("a", to_cursor("a", position))


@given(rows=st.lists(st.integers(1, 10**6), unique=True).map(sorted), limit=st.integers(1, 7))
def test_pages_hold_every_row_once_and_in_order(rows, limit):
    seen, cursor = [], None
    while True:
        after = number_of("a", cursor)
        found = [row for row in rows if row > after][: limit + 1]
        part = page("a", found, limit, position=lambda row: row, show=lambda row: row)
        seen += part["items"]
        cursor = part["next_cursor"]
        if cursor is None:
            break
        assert len(part["items"]) == limit
    assert seen == rows

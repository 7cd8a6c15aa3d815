"""However callbacks are shuffled, repeated and delayed, the shipped receiver ends with the newest snapshots."""

import importlib.util
import sqlite3

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from receiver_kit import FOLDER, document


@pytest.fixture(scope="module")
def module():
    spec = importlib.util.spec_from_file_location("shipped_receiver", FOLDER / "receiver.py")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def told(number):
    """Return the nth callback of one subscription: some orders, several events a version, a number each."""
    order, version = number % 3, number // 6 + 1
    body = document(order_id=f"JP{order}", order_version=version, order={"status": f"S{version}"})
    return f"evt_{number}", msgspec.json.encode(body), "sub_1", number + 1


@given(st.integers(1, 40), st.data())
def test_any_order_with_any_repeats_ends_with_the_newest_snapshots_and_no_gap(module, count, data):
    all_of_them = list(range(count))
    repeats = data.draw(st.lists(st.sampled_from(all_of_them), max_size=40))
    arrivals = data.draw(st.permutations(all_of_them + repeats))
    store = module.Store(":memory:")
    try:
        words = [store.take(*told(number)) for number in arrivals]
        states = store._disk.execute("SELECT order_id, version, snapshot FROM states ORDER BY 1").fetchall()
        (events,) = store._disk.execute("SELECT count(*) FROM events").fetchone()
        gaps = store.missing("sub_1")
    finally:
        store._disk.close()
    newest = {f"JP{number % 3}": number // 6 + 1 for number in all_of_them}
    assert states == [(name, version, f'{{"status": "S{version}"}}') for name, version in newest.items()]
    assert (events, words.count("repeated"), gaps) == (count, len(repeats), [])


def test_a_failed_write_leaves_nothing_and_the_callback_may_come_again(module):
    store = module.Store(":memory:")
    try:
        store._disk.execute(
            "CREATE TRIGGER full BEFORE INSERT ON states BEGIN SELECT RAISE(ABORT, 'full'); END"
        )
        with pytest.raises(sqlite3.Error, match="full"):
            store.take(*told(0))
        store._disk.execute("DROP TRIGGER full")
        assert store.take(*told(0)) == "applied"
    finally:
        store._disk.close()

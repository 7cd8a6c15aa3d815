"""Lives from files and from dice."""

import gzip
import random
from dataclasses import replace
from statistics import median

import pytest

from notifier.errors import InvalidValue
from notifier.simulation.lives import Row, Sight, lives_of, read_lives
from notifier.simulation.making import OTHER, USUAL, made_lives

HEAD = "order_id,payment_method_type,at_s,subject,status\n"


def test_a_file_is_read_plain_or_gzipped_and_in_any_order_of_columns(tmp_path):
    plain, packed = tmp_path / "a.csv", tmp_path / "b.csv.gz"
    plain.write_text(HEAD + "A,UPI_INTENT,0,order,NEW\nA,UPI_INTENT,9.5,order,PENDING_VBV\n")
    packed.write_bytes(
        gzip.compress(
            b"status,subject,at_s,payment_method_type,order_id\nPENDING_VBV,order,9.5,UPI_INTENT,A\n"
        )
    )
    assert read_lives(plain) == read_lives(packed)
    assert read_lives(plain)[0].times == (9.5,)


def test_the_method_is_not_seen_while_an_order_is_new():
    rows = [Row("A", "CARD", 0, "order", "NEW"), Row("A", "CARD", 5, "order", "PENDING_VBV")]
    assert lives_of(rows)[0].sights == (Sight("NEW", "", ""), Sight("PENDING_VBV", "", "CARD"))


def test_rows_of_an_order_may_stand_apart_and_what_changes_nothing_is_no_change():
    rows = [
        Row("A", "NB", 30, "refund", "PENDING"),
        Row("B", "NB", 1, "order", "CHARGED"),
        Row("A", "NB", 0, "order", "NEW"),
        Row("A", "NB", 20, "order", "CHARGED"),
        Row("A", "NB", 25, "order", "CHARGED"),
    ]
    one, other = lives_of(rows)
    assert (one.order_id, one.times) == ("A", (20, 30))
    assert one.sights[-1] == Sight("CHARGED", "PENDING", "NB")
    assert other.times == (1,)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is empty"),
        ("order_id,at_s,subject,status\n", "line 1: names the column payment_method_type 0 times"),
        (HEAD + "A,NB,0,order,NEW\nA,NB,soon,order,NEW\n", "line 3: column at_s holds 'soon'"),
        (HEAD + "A,NB,-1,order,NEW\n", "line 2: column at_s holds '-1'"),
        (HEAD + "A,NB,inf,order,NEW\n", "line 2: column at_s"),
        (HEAD + "A,NB,0,loan,NEW\n", "line 2: column subject holds 'loan'"),
        (HEAD + "A,NB,0,order,\n", "line 2: column status is empty"),
        (HEAD + "A,NB,0\n", "line 2: has 3 values"),
    ],
)
def test_a_fault_is_told_with_its_line_and_column(tmp_path, text, told):
    file = tmp_path / "lives.csv"
    file.write_text(text)
    with pytest.raises(InvalidValue, match=told):
        read_lives(file)


def test_a_file_cut_short_is_refused(tmp_path):
    file = tmp_path / "lives.csv.gz"
    file.write_bytes(gzip.compress((HEAD + "A,NB,0,order,NEW\n" * 999).encode())[:60])
    with pytest.raises(InvalidValue, match="nor whole gzip"):
        read_lives(file)


def test_the_same_seed_makes_the_same_lives():
    assert made_lives(USUAL, random.Random(3), 50) == made_lives(USUAL, random.Random(3), 50)
    assert made_lives(USUAL, random.Random(3), 50) != made_lives(USUAL, random.Random(4), 50)


def test_scale_stretches_every_time():
    slow = made_lives(replace(USUAL, scale=2.0), random.Random(3), 200)
    for one, other in zip(made_lives(USUAL, random.Random(3), 200), slow, strict=True):
        assert other.times == pytest.approx([2 * at_s for at_s in one.times], abs=0.1)


@pytest.mark.parametrize("recipe", [USUAL, OTHER])
def test_made_lives_are_what_a_poller_may_meet(recipe):
    lives = made_lives(recipe, random.Random(5), 3000)
    statuses = {sight.status for life in lives for sight in life.sights}
    assert statuses == {
        "NEW",
        "PENDING_VBV",
        "AUTHORIZING",
        "CHARGED",
        "AUTHENTICATION_FAILED",
        "AUTHORIZATION_FAILED",
    }
    assert all(list(life.times) == sorted(life.times) for life in lives)
    untried = sum(not life.times for life in lives) / len(lives)
    assert untried == pytest.approx(recipe.never_tried, abs=0.025)
    assert 10 < median(life.times[0] for life in lives if life.times) < 60

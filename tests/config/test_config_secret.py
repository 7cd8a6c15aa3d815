"""A secret keeps itself."""

import copy
import json
import pickle

import msgspec
import pytest

from notifier.config.secret import Secret

HUSH = Secret("hush")


def test_a_secret_prints_as_stars_and_reveals_on_demand():
    assert f"{HUSH} {HUSH!r} {[HUSH]} {HUSH!s:>5}".replace(" ", "") == "******[***]***"
    assert HUSH.reveal() == "hush"


@pytest.mark.parametrize("encode", [json.dumps, msgspec.json.encode, pickle.dumps, copy.deepcopy])
def test_a_secret_is_not_written_anywhere_by_accident(encode):
    with pytest.raises(TypeError) as caught:
        encode({"key": HUSH})
    assert "hush" not in str(caught.value)


def test_secrets_are_equal_by_their_text_and_never_to_a_text():
    assert Secret("hush") == HUSH
    assert hash(Secret("hush")) == hash(HUSH)
    assert Secret("hüsh") != HUSH
    assert HUSH != "hush"

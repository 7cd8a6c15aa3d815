"""Envelopes good and bad: what is opened, and why the rest is not."""

import hmac
import json
from hashlib import sha256

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from source_kit import account

from notifier.source.contract import Failure, FailureReason
from notifier.source.envelope import opened, sealed
from notifier.source.keys import Keys, keys_of
from support.envelope import KID, answer, asked, b64, body, encrypted, inner, signed
from support.keys import key, public_pem, written, written_folders

R = FailureReason
TEXT = b'{"order_id":"TEA2002","status":"CHARGED"}'


@pytest.fixture(scope="module")
def keys(tmp_path_factory) -> Keys:
    found = keys_of("tea", account(**written(tmp_path_factory.mktemp("keys"))))
    assert found is not None
    return found


def reason_of(said: bytes, keys: Keys | None) -> FailureReason:
    failure = opened(said, keys)
    assert isinstance(failure, Failure), failure
    assert failure.http_status == 200
    assert len(failure.detail) < 100
    return failure.reason


@pytest.mark.parametrize("alg", ["RSA-OAEP", "RSA-OAEP-256"])
@pytest.mark.parametrize("form", ["A", "B", "bare", "text"])
@pytest.mark.parametrize("inside", ["A", "B"])
def test_every_form_is_opened_with_the_hash_that_its_header_names(keys, alg, form, inside):
    parts = encrypted(inner(signed(TEXT), inside), alg=alg, cty="JWT")
    assert opened(body(parts, form), keys) == TEXT


def test_what_we_seal_is_opened_by_the_other_side(keys):
    claims, outer, within = asked(sealed(TEXT, keys))
    assert claims == json.loads(TEXT)
    assert outer == {"alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": KID}
    assert within == {"alg": "RS256", "kid": KID}


def test_no_two_requests_are_sealed_alike(keys):
    assert sealed(TEXT, keys) != sealed(TEXT, keys)


def test_our_own_request_sent_back_is_not_an_answer(keys):
    assert reason_of(sealed(TEXT, keys), keys) is R.TAMPERED


@pytest.mark.parametrize(
    "plain",
    [
        b"",
        b"null",
        b"[]",
        b"<html>",
        b"\xff",
        TEXT,
        b'{"JWT":null}',
        b'{"header":"x"}',
        b'"eyJ x"',
        b"[" * 5000,
    ],
)
def test_what_is_no_envelope_is_left_to_others(keys, plain):
    assert opened(plain, keys) is None


@pytest.mark.parametrize(
    "odd",
    [
        b'{"JWT":7}',
        b'{"JWT":{}}',
        b'{"JWT":""}',
        b'{"JWT":"eyJ"}',
        b'{"JWT":"a.b"}',
        b'{"JWT":"a.b.c.d"}',
        b'{"JWT":"a.b.c.d.e.f"}',
        b'{"JWT":"a..c.d.e"}',
        b'{"JWT":"a.b.c.d.e=="}',
        '{"JWT":"a.b.c.d.é"}'.encode(),
        b'{"encryptedPayload":"x"}',
        b'{"header":1,"encryptedKey":2,"iv":3,"encryptedPayload":4,"tag":[5]}',
        b'{"JWT":"a.b.c.d.e"}',
        b'{"JWT":"bm90.b.c.d.e"}',
    ],
)
def test_an_envelope_that_is_none_is_malformed(keys, odd):
    assert reason_of(odd, keys) is R.MALFORMED


def test_a_header_that_is_no_object_is_malformed(keys):
    for head in (b"[]", b"7", b'{"enc":"A256GCM"}', b'{"alg":["RSA-OAEP"]}', b'{"alg":' * 90):
        assert reason_of(body([b64(head), *encrypted(TEXT)[1:]]), keys) is R.MALFORMED


def test_a_sealed_answer_without_keys_says_so():
    failure = opened(answer(TEXT), None)
    assert failure == Failure(
        reason=R.UNKNOWN_KEY, http_status=200, detail="encrypted, and no jwe keys are configured"
    )


@pytest.mark.parametrize(
    ("header", "detail"),
    [
        ({"alg": "none"}, "not allowed: none and A256GCM"),
        ({"alg": "dir"}, "not allowed: dir and A256GCM"),
        ({"alg": "RSA1_5"}, "not allowed: RSA1_5 and A256GCM"),
        ({"alg": "RSA-OAEP-384"}, "not allowed: RSA-OAEP-384 and A256GCM"),
        ({"alg": "rsa-oaep"}, "not allowed: rsa-oaep and A256GCM"),
        ({"alg": "A256GCM"}, "not allowed: A256GCM and A256GCM"),
        ({"alg": "x" * 70}, "not allowed: (odd) and A256GCM"),
        ({"enc": "A128CBC-HS256"}, "not allowed: RSA-OAEP-256 and A128CBC-HS256"),
        ({"enc": "A128GCM"}, "not allowed: RSA-OAEP-256 and A128GCM"),
        ({"enc": "RSA-OAEP"}, "not allowed: RSA-OAEP-256 and RSA-OAEP"),
        ({"enc": None}, "not allowed: RSA-OAEP-256"),
        ({"zip": "DEF"}, "not allowed: zip"),
        ({"crit": ["exp"], "exp": 1}, "not allowed: crit"),
    ],
)
def test_an_encryption_beyond_the_list_is_refused(keys, header, detail):
    failure = opened(body(encrypted(inner(signed(TEXT)), **header)), keys)
    assert failure == Failure(reason=R.ALGORITHM, http_status=200, detail=detail)


@pytest.mark.parametrize("inside", ["A", "B"])
@pytest.mark.parametrize(
    "header",
    [
        *({"alg": alg} for alg in ("none", "None", "HS256", "RS512", "PS256", "ES256", "RSA-OAEP", "")),
        {"enc": "A256GCM"},
        {"b64": False, "crit": ["b64"]},
        {"b64": True},
        {"crit": []},
    ],
    ids=str,
)
def test_a_signature_beyond_the_list_is_refused(keys, header, inside):
    assert reason_of(body(encrypted(inner(signed(TEXT, **header), inside))), keys) is R.ALGORITHM


def test_alg_none_without_a_signature_is_refused(keys):
    head, payload, _ = signed(TEXT, alg="none")
    for form in ("A", "B"):
        said = body(encrypted(inner([head, payload, ""], form)))
        assert reason_of(said, keys) is R.ALGORITHM


def test_a_signature_left_out_is_refused(keys):
    head, payload, _ = signed(TEXT)
    for form in ("A", "B"):
        assert reason_of(body(encrypted(inner([head, payload, ""], form))), keys) is R.SIGNATURE


def test_a_public_key_does_not_serve_as_a_shared_secret(keys):
    head, payload, _ = signed(TEXT, alg="HS256")
    forged = hmac.new(public_pem(key("theirs")).encode(), f"{head}.{payload}".encode(), sha256).digest()
    assert reason_of(body(encrypted(inner([head, payload, b64(forged)]))), keys) is R.ALGORITHM


def changed(text: str, at: int) -> str:
    return text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]


@pytest.mark.parametrize("part", range(1, 5))
@pytest.mark.parametrize("form", ["A", "B"])
def test_one_changed_letter_anywhere_is_noticed(keys, part, form):
    parts = encrypted(inner(signed(TEXT)))
    parts[part] = changed(parts[part], 3)
    assert reason_of(body(parts, form), keys) is R.TAMPERED


def test_a_header_exchanged_after_sealing_is_noticed(keys):
    sealed_256, sealed_1 = encrypted(inner(signed(TEXT))), encrypted(inner(signed(TEXT)), alg="RSA-OAEP")
    assert reason_of(body([sealed_1[0], *sealed_256[1:]]), keys) is R.TAMPERED
    assert reason_of(body([encrypted(b"", cty="JWT")[0], *sealed_256[1:]]), keys) is R.TAMPERED


@pytest.mark.parametrize("cut", [0, 1, 2, 11, 15])
def test_a_shortened_tag_is_refused(keys, cut):
    *rest, tag = encrypted(inner(signed(TEXT)))
    short = b64(b"x" * cut) or "AA"
    assert reason_of(body([*rest, short]), keys) is R.TAMPERED
    assert len(tag) == 22


def test_what_is_sealed_for_another_is_not_opened(keys):
    assert reason_of(body(encrypted(inner(signed(TEXT)), key("stranger"))), keys) is R.TAMPERED


@pytest.mark.parametrize("inside", ["A", "B"])
def test_what_a_stranger_signed_is_refused(keys, inside):
    said = body(encrypted(inner(signed(TEXT, key("stranger")), inside)))
    assert reason_of(said, keys) is R.SIGNATURE


def test_what_we_signed_ourselves_is_refused(keys):
    assert reason_of(body(encrypted(inner(signed(TEXT, key("ours"))))), keys) is R.SIGNATURE


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_changed_signed_text_is_refused(keys, part):
    parts, other = signed(TEXT), signed(TEXT + b" ", typ="JWT")
    parts[part] = other[part]
    assert reason_of(body(encrypted(inner(parts))), keys) is R.SIGNATURE


@pytest.mark.parametrize("form", ["B", "bare"])
def test_what_is_signed_and_not_encrypted_is_refused(keys, form):
    assert reason_of(body(signed(TEXT), form), keys) is R.UNSEALED


@pytest.mark.parametrize(
    "unsigned", [TEXT, b"", b"{", b"hello", b"a.b", b"a.b.c.d.e", b"\xff.b.c", b'{"header":1}']
)
def test_what_is_encrypted_and_not_signed_is_refused(keys, unsigned):
    assert reason_of(body(encrypted(unsigned)), keys) is R.SIGNATURE


@pytest.mark.parametrize("kid", ["key-2", "", "../key-1", "x" * 500])
def test_an_unknown_kid_is_named_if_it_can_be(keys, kid):
    outer = opened(body(encrypted(inner(signed(TEXT)), kid=kid)), keys)
    within = opened(body(encrypted(inner(signed(TEXT, kid=kid)))), keys)
    shown = kid if kid == "key-2" else "(odd)"
    assert outer == Failure(reason=R.UNKNOWN_KEY, http_status=200, detail=f"no key of kid {shown}")
    assert within == (outer if len(kid) < 500 else within)
    assert isinstance(within, Failure)


def test_a_header_without_a_kid_means_ours(keys):
    assert opened(body(encrypted(inner(signed(TEXT, kid=None)), kid=None)), keys) == TEXT


def test_two_kids_are_opened_while_keys_are_changed(tmp_path):
    both = written_folders(tmp_path, "new", old=("ours", "theirs"), new=("ours-2", "theirs-2"))
    keys = keys_of("tea", account(**both))
    assert keys is not None
    old = body(encrypted(inner(signed(TEXT, kid="old")), kid="old"))
    new = body(encrypted(inner(signed(TEXT, key("theirs-2"), kid="new")), key("ours-2"), kid="new"))
    mixed = body(encrypted(inner(signed(TEXT, kid="old")), key("ours-2"), kid="new"))
    crossed = body(encrypted(inner(signed(TEXT, kid="new")), kid="old"))
    assert [opened(each, keys) for each in (old, new, mixed)] == [TEXT] * 3
    assert reason_of(crossed, keys) is R.SIGNATURE


def test_a_large_answer_is_opened(keys):
    large = b'{"x":"' + b"y" * 400_000 + b'"}'
    assert opened(answer(large), keys) == large


def test_a_token_too_large_is_refused_before_it_is_read(keys):
    assert reason_of(b'{"JWT":"' + b"A" * (1 << 20) + b'"}', keys) is R.TOO_LARGE


@pytest.mark.parametrize("part", [0, 1])
def test_a_part_too_large_is_refused(keys, part):
    parts = encrypted(inner(signed(TEXT)))
    parts[part] = "A" * 5000
    assert reason_of(body(parts), keys) is R.TOO_LARGE


def test_an_inner_part_too_large_is_refused(keys):
    head, payload, signature = signed(TEXT)
    assert reason_of(body(encrypted(inner([head, payload, signature * 10]))), keys) is R.TOO_LARGE
    assert reason_of(body(encrypted(inner([head * 50, payload, signature]))), keys) is R.TOO_LARGE


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inside: st.lists(inside, max_size=2) | st.dictionaries(st.text(max_size=3), inside, max_size=2),
    max_leaves=4,
)
_NAMES = st.sampled_from(
    ["alg", "enc", "kid", "typ", "cty", "jku", "jwk", "x5u", "x5c", "x5t", "crit", "epk"]
)
_WORDS = st.sampled_from(["RS256", "RSA-OAEP", "RSA-OAEP-256", "A256GCM", "none", KID])
_SLOW = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@settings(max_examples=150, deadline=None, suppress_health_check=_SLOW)
@given(
    header=st.dictionaries(_NAMES | st.text(max_size=3), _JSON | _WORDS, max_size=4), is_outer=st.booleans()
)
def test_no_header_of_the_upstream_makes_us_raise(keys, header, is_outer):
    header = {
        name: value for name, value in header.items() if name not in {"alg", "enc"} or value is not None
    }
    assume(header != {"kid": KID})  # the genuine one
    known = {"alg": "RSA-OAEP-256", "enc": "A256GCM"} if is_outer else {"alg": "RS256"}
    head = b64(json.dumps(known | header).encode())
    parts = encrypted(inner(signed(TEXT)))
    said = [head, *parts[1:]] if is_outer else encrypted(inner([head, *signed(TEXT)[1:]]))
    assert isinstance(opened(body(said), keys), Failure)


@settings(max_examples=150, deadline=None, suppress_health_check=_SLOW)
@given(which=st.integers(0, 4), text=st.text("ABab01-_", min_size=1, max_size=40))
def test_no_part_of_the_upstream_makes_us_raise(keys, which, text):
    parts = encrypted(inner(signed(TEXT)))
    parts[which] = text
    assert isinstance(opened(body(parts), keys), Failure)


@settings(max_examples=100, deadline=None, suppress_health_check=_SLOW)
@given(inside=st.binary(max_size=60) | st.text('ABab01-_.{}"', max_size=60).map(str.encode))
def test_nothing_that_was_encrypted_makes_us_raise(keys, inside):
    assert isinstance(opened(body(encrypted(inside)), keys), Failure)

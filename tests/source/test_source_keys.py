"""The files that an operator gives for encrypted answers, sound and unsound."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from source_kit import account

from notifier.errors import ConfigError
from notifier.source.keys import key_problems, keys_of
from support.keys import key, private_pem, public_pem, written, written_folders

_PRIVATE, _PUBLIC = "accounts.tea.jwe_private_key_file", "accounts.tea.jwe_public_key_file"


def problems_of(**settings: str) -> list[tuple[str, str]]:
    with pytest.raises(ConfigError) as caught:
        keys_of("tea", account(**settings))
    assert "BEGIN" not in str(caught.value)
    return [(each.path, each.message) for each in caught.value.problems]


def test_an_account_that_names_no_keys_has_none():
    assert keys_of("tea", account()) is None


def test_a_pair_of_files_is_the_pair_of_its_kid(tmp_path):
    keys = keys_of("tea", account(**written(tmp_path, "key_0f")))
    assert keys is not None
    assert (keys.kid, list(keys.private), list(keys.public)) == ("key_0f", ["key_0f"], ["key_0f"])
    assert keys.private["key_0f"].is_private
    assert not keys.public["key_0f"].is_private


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_a_private_key_may_be_in_either_form(tmp_path, form):
    settings = written(tmp_path)
    (tmp_path / "private.pem").write_text(private_pem(key("ours"), form))
    assert keys_of("tea", account(**settings)) is not None


def test_a_public_key_may_be_in_the_older_form(tmp_path):
    settings = written(tmp_path)
    older = key("theirs").public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1)
    (tmp_path / "public.pem").write_bytes(older)
    assert keys_of("tea", account(**settings)) is not None


def test_a_folder_gives_a_key_for_each_kid(tmp_path):
    settings = written_folders(tmp_path, "new", old=("ours", "theirs"), new=("ours-2", "theirs-2"))
    (tmp_path / "private" / "README").write_text("not a key")
    keys = keys_of("tea", account(**settings))
    assert keys is not None
    assert (keys.kid, list(keys.private), list(keys.public)) == ("new", ["new", "old"], ["new", "old"])


def test_keys_show_no_key(tmp_path):
    keys = keys_of("tea", account(**written(tmp_path)))
    assert repr(keys) == "Keys(kid='key-1')"


@pytest.mark.parametrize("missing", ["jwe_kid", "jwe_private_key_file", "jwe_public_key_file"])
def test_the_three_settings_go_together_even_without_encryption(tmp_path, missing):
    settings = written(tmp_path)
    del settings[missing]
    message = "is missing; jwe_kid, jwe_private_key_file, jwe_public_key_file go together"
    assert problems_of(**settings) == [(f"accounts.tea.{missing}", message)]


def test_a_kid_that_is_in_neither_folder_is_told_for_both(tmp_path):
    settings = written_folders(tmp_path, "later", now=("ours", "theirs"))
    (path, private), (_, public) = problems_of(**settings)
    assert path == "accounts.tea.jwe_kid"
    assert private == f"needs a file later.pem in {tmp_path}/private, the folder of jwe_private_key_file"
    assert public == f"needs a file later.pem in {tmp_path}/public, the folder of jwe_public_key_file"


def locked() -> str:
    lock = BestAvailableEncryption(b"sesame")
    return key("ours").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock).decode()


def elliptic() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def elliptic_private() -> str:
    return elliptic().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def elliptic_public() -> str:
    return elliptic().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


_UNREAD = "holds no private key in PEM that can be read"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (lambda: "-----BEGIN nothing", _UNREAD),
        (lambda: public_pem(key("ours")), _UNREAD),
        (lambda: private_pem(key("ours"))[:700], _UNREAD),
        (locked, "is locked by a passphrase; store it without one, readable to the notifier alone"),
        (elliptic_private, "holds no RSA key"),
        (lambda: private_pem(key("small", 1024)), "holds a key of 1024 bits; 2048 to 8192 are taken"),
    ],
    ids=["text", "public", "cut", "locked", "elliptic", "small"],
)
def test_a_private_key_that_cannot_serve_is_told_by_its_file(tmp_path, text, message):
    settings = written(tmp_path)
    (tmp_path / "private.pem").write_text(text())
    assert problems_of(**settings) == [(_PRIVATE, f"file {tmp_path}/private.pem {message}")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (lambda: "hello", "holds no public key in PEM that can be read"),
        (lambda: private_pem(key("theirs")), "holds no public key in PEM that can be read"),
        (elliptic_public, "holds no RSA key"),
        (lambda: public_pem(key("small", 1024)), "holds a key of 1024 bits; 2048 to 8192 are taken"),
        (
            lambda: public_pem(key("ours")),
            "is the other half of our private key; the upstream's key is needed",
        ),
    ],
    ids=["text", "private", "elliptic", "small", "ours"],
)
def test_a_public_key_that_cannot_serve_is_told_by_its_file(tmp_path, text, message):
    settings = written(tmp_path)
    (tmp_path / "public.pem").write_text(text())
    assert problems_of(**settings) == [(_PUBLIC, f"file {tmp_path}/public.pem {message}")]


def test_a_bad_key_in_a_folder_is_told_by_its_own_file(tmp_path):
    settings = written_folders(tmp_path, "a", a=("ours", "theirs"), b=("ours-2", "theirs-2"))
    (tmp_path / "public" / "b.pem").write_text("hello")
    ((path, message),) = problems_of(**settings)
    assert (path, message.partition(" holds ")[0]) == (_PUBLIC, f"file {tmp_path}/public/b.pem")


def without_public(folder: Path) -> dict[str, str]:
    folder.mkdir()
    settings = written(folder)
    (folder / "public.pem").write_text("hello")
    return settings


def test_every_account_is_judged_at_once(tmp_path):
    accounts = {name: account(**without_public(tmp_path / name)) for name in ("coffee", "tea")}
    assert [each.path for each in key_problems(accounts | {"plain": account()})] == [
        "accounts.coffee.jwe_public_key_file",
        "accounts.tea.jwe_public_key_file",
    ]

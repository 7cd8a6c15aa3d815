"""docs/encryption.md: its commands make keys that are taken, its example loads, its words are those of the code."""

import shutil
import subprocess

import pytest
from docs_kit import blocks, code, page, table

from notifier.config.load import load
from notifier.source import envelope
from notifier.source.contract import FailureReason
from notifier.source.keys import keys_of

_PAGE = "docs/encryption.md"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="the page's commands are openssl's")
def test_the_commands_make_keys_and_the_example_takes_them(tmp_path):
    (commands,), (example,) = blocks(_PAGE, "sh"), blocks(_PAGE, "toml")
    made = subprocess.run(
        ["sh", "-e"], input=commands, cwd=tmp_path, text=True, capture_output=True, check=False
    )
    assert (made.returncode, made.stderr) == (0, "")
    assert (tmp_path / "private").stat().st_mode & 0o77 == 0

    (tmp_path / "private/new.pem").rename(tmp_path / "private/key_0f3a.pem")
    theirs = ["openssl", "genrsa", "-out", "theirs.pem", "2048"]
    public = ["openssl", "rsa", "-in", "theirs.pem", "-pubout", "-out", "public/key_0f3a.pem"]
    for command in (theirs, public):
        subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
    file = tmp_path / "config.toml"
    file.write_text(example.replace("/etc/notifier/jwe", str(tmp_path)))
    account = load(file, {"JUSPAY_API_KEY": "key"}).accounts["default"]

    keys = keys_of("default", account)
    assert keys is not None
    assert keys.kid == "key_0f3a"
    assert "BEGIN PUBLIC KEY" in (tmp_path / "upload.pem").read_text()


def test_what_is_allowed_is_what_the_code_allows():
    rows = {row[0]: code(row[1]) for row in table(_PAGE, "## What is taken")}

    assert set(rows["encryption of the key (`alg`)"]) == envelope._SEALING
    assert rows["encryption of the text (`enc`)"] == [envelope._CONTENT]
    assert rows["signature (`alg`)"] == [envelope._SIGNING]
    assert rows["encryption of the key (`alg`)"][-1] == envelope._SEALING_OURS
    assert "1 MiB for the whole answer, 1 KiB for a header" in page(_PAGE)
    assert (envelope._MOST_BYTES, envelope._MOST_HEADER_CHARACTERS) == (1 << 20, 1 << 10)


def test_every_reason_of_an_envelope_says_what_to_do():
    rows = {row[0].strip("`"): row[2] for row in table(_PAGE, "## When an answer is not taken")}
    own = {"unknown_key", "tampered", "signature", "unsealed", "algorithm"}

    assert own <= set(rows) <= set(FailureReason)
    assert all(rows.values())

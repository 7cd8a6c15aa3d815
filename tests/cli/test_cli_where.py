from pathlib import Path

import pytest

from notifier.cli.options import Misuse, Remote
from notifier.cli.where import find
from notifier.errors import ConfigError


def configured(text: str, *, url: str | None = None) -> Remote:
    Path("config.toml").write_text(text)
    return Remote(url=url)


def test_the_address_is_that_of_the_configuration():
    assert find(configured('[server]\nhost = "::1"\nport = 9000'), {}).url == "http://[::1]:9000"
    assert find(configured('[server]\nhost = "0.0.0.0"'), {}).url == "http://127.0.0.1:8080"


def test_the_environment_stands_over_the_file_and_the_option_over_both():
    options = configured("[server]\nport = 9000")
    assert find(options, {"NOTIFIER_SERVER__PORT": "9001"}).url == "http://127.0.0.1:9001"
    options = configured("[server]\nport = 9000", url="https://notifier.example/")
    assert find(options, {"NOTIFIER_SERVER__PORT": "9001"}).url == "https://notifier.example"


def test_secrets_of_accounts_are_not_needed():
    text = '[accounts.default]\nmerchant_id = "m"\napi_key_env = "NOT_SET_HERE"'
    assert find(configured(text), {}).url == "http://127.0.0.1:8080"


def test_an_address_given_needs_no_configuration():
    assert find(Remote(url="http://127.0.0.1:1"), {}).url == "http://127.0.0.1:1"
    with pytest.raises(ConfigError, match="--url or NOTIFIER_URL"):
        find(Remote(), {})


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "ftp://x", "http://", "http://x:99999"])
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(Misuse, match="no address of a daemon"):
        find(Remote(url=url), {})


def test_a_port_left_to_the_system_asks_for_the_address():
    with pytest.raises(Misuse, match="--url"):
        find(configured("[server]\nport = 0"), {})


def test_a_wrong_setting_is_told_with_its_path():
    with pytest.raises(ConfigError, match=r"^server\.port: "):
        find(configured("[server]\nport = 70000"), {})


def test_the_key_of_the_environment_goes_first():
    Path("notifier-sandbox.db.api-key").write_text("written\n")
    key = find(configured(""), {"NOTIFIER_API_KEY": "given"}).key
    assert key is not None
    assert key.reveal() == "given"


def test_on_loopback_the_key_that_the_daemon_wrote_is_found():
    Path("notifier-sandbox.db.api-key").write_text("written\n")
    key = find(configured(""), {}).key
    assert key is not None
    assert key.reveal() == "written"
    account = '[accounts.a]\n[storage]\nurl = "sqlite:own.db"'
    assert find(configured(account), {}).key is None
    Path("own.db.api-key").write_text("own")
    key = find(configured(account), {}).key
    assert key is not None
    assert key.reveal() == "own"


def test_the_written_key_never_leaves_this_machine():
    Path("notifier-sandbox.db.api-key").write_text("written\n")
    daemon = find(configured("", url="https://notifier.example"), {})
    assert daemon.key is None
    assert "NOTIFIER_API_KEY" in daemon.advice


def test_without_a_key_the_advice_names_the_file():
    assert "notifier-sandbox.db.api-key" in find(configured(""), {}).advice

"""The README and every page: commands that exist, links that lead somewhere, a receiver that works."""

import re
import shlex

import pytest
from docs_kit import PAGES, ROOT, blocks, commands, page, prose, table
from standardwebhooks import Webhook

from notifier.channels.webhook import signature
from notifier.cli.entry import app
from notifier.clock import SystemClock

_NAMES = [str(path.relative_to(ROOT)) for path in PAGES]
_GROUPS = {"watch", "subscription", "alerts", "db", "keys"}


def _make_verbs() -> set[str]:
    return set(re.findall(r"^([a-z]+):.*## ", page("Makefile"), re.MULTILINE))


def test_the_readme_begins_with_two_commands_that_work():
    commands = re.findall(r"^    (\S.*)$", page("README.md"), re.MULTILINE)

    assert commands[0].startswith("git clone https://")
    assert commands[1] == "make run"
    assert "run" in _make_verbs()


def test_the_readme_leads_to_the_tour_and_to_the_tests():
    assert {"`make demo`", "`make test`"} <= set(re.findall(r"`make [a-z]+`", page("README.md")))


@pytest.mark.parametrize("name", _NAMES)
def test_every_make_verb_in_a_page_exists(name):
    in_code = re.findall(r"`[^`]+`|^    .*$", page(name), re.MULTILINE)
    named = {verb for text in in_code for verb in re.findall(r"\bmake ([a-z]+)", text)}

    assert named <= _make_verbs()


def test_contributing_lists_every_make_verb():
    rows = table("CONTRIBUTING.md", "## Set-up")

    assert {row[0].strip("`").removeprefix("make ") for row in rows} == _make_verbs() - {"help"}


@pytest.mark.parametrize("name", _NAMES)
def test_every_command_in_a_shell_block_is_understood(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for file in ("callback.txt", "event.json"):
        (tmp_path / file).touch()

    for block in blocks(name, "sh"):
        for command in commands(block):
            tokens = shlex.split(command, comments=True)
            if tokens[:1] == ["notifier"]:
                verb, *_ = app.parse_args(tokens[1:], print_error=False, exit_on_error=False)
                assert callable(verb), command


@pytest.mark.parametrize("name", _NAMES)
def test_every_command_named_in_a_text_exists(name):
    for tokens in map(str.split, re.findall(r"`notifier ([^`]+)`", page(name))):
        verb, *rest = tokens
        command = app[verb]
        if verb in _GROUPS and rest:
            assert command[rest[0]]


@pytest.mark.parametrize("name", _NAMES)
def test_every_link_between_pages_leads_somewhere(name):
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page(name))):
        if not link.startswith("https://"):
            target = (ROOT / name).parent / link.partition("#")[0]
            assert target.exists(), link


@pytest.mark.parametrize("name", _NAMES)
def test_every_path_that_a_page_names_exists(name):
    for path in re.findall(r"`((?:notifier|templates|tests|docs)/[A-Za-z0-9_./]+)`", page(name)):
        assert (ROOT / path).exists(), path


def test_the_receiver_of_the_readme_takes_what_we_sign_and_drops_repeats():
    (snippet,) = blocks("README.md", "python")
    secret = signature.new_secret()
    space = {"SECRET": secret}
    exec(snippet, space)
    event_id, body, now = "evt_1", b'{"id":"evt_1","type":"order.charged"}', SystemClock().now()
    headers = {
        "webhook-id": event_id,
        "webhook-timestamp": signature.timestamp(now),
        "webhook-signature": signature.sign([secret], event_id=event_id, at=now, body=body),
    }

    assert len(snippet.splitlines()) <= 10
    assert space["receive"](headers, body) == 204
    assert space["receive"](headers, body) == 204
    assert space["seen"] == {"evt_1"}
    assert space["receive"](headers, body.replace(b"charged", b"failed_")) == 401
    assert space["receive"](headers | {"webhook-id": "evt_2"}, body) == 401
    assert issubclass(space["WebhookVerificationError"], Exception)
    assert space["Webhook"] is Webhook


def test_the_configuration_of_the_readme_is_one_the_daemon_takes(tmp_path):
    from notifier.config.load import load

    file = tmp_path / "config.toml"
    file.write_text("\n".join(blocks("README.md", "toml")))

    config = load(file, {"JUSPAY_API_KEY": "key"})

    assert config.accounts["default"].merchant_id == "acme"
    assert [*config.alerts] == ["authorization-failures"]

from pathlib import Path

import pytest

from notifier.domain.document import SAMPLE_TYPES
from notifier.sandbox.serve import running
from notifier.storage.engine import migrate
from support.clock import FakeClock
from support.keys import written


def configured(text: str = "") -> None:
    Path("config.toml").write_text(text)


def template(name: str, text: str) -> None:
    file = Path("own") / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def paths(ran) -> list[str]:
    return sorted(each["path"] for each in ran.json["problems"])


async def test_the_shipped_configuration_is_in_order(cli):
    ran = await cli("check", "--config", str(Path(__file__).parents[2] / "config.toml"))
    assert (ran.status, ran.err) == (0, "")
    assert "templates of webhook: cloudevents, default, juspay" in ran.out


async def test_everything_wrong_is_told_at_once_each_with_its_path(cli):
    configured(
        """
[server]
hots = "x"
[polling]
min_interval_s = 0
[templates]
directory = "own"
"""
    )
    template("slack/default.json.j2", "{{ event.nonsense }}")
    ran = await cli("check", "--json")
    assert ran.status == 2
    assert paths(ran) == ["polling.min_interval_s", "server.hots", "templates.slack.default"]
    people = await cli("check")
    assert people.status == 2
    assert len([line for line in people.err.splitlines() if line.startswith("notifier: ")]) == 3
    assert "did you mean host?" in people.err


async def test_a_broken_template_is_told_with_file_line_and_type(cli):
    configured('[templates]\ndirectory = "own"')
    template("webhook/mine.json.j2", '{\n"id": {{ event.nope | json }}\n}')
    (problem,) = (await cli("check", "--json")).json["problems"]
    assert problem["path"] == "templates.webhook.mine"
    assert "mine.json.j2:2" in problem["message"]
    assert f"(order.new and {len(SAMPLE_TYPES) - 1} other types)" in problem["message"]


async def test_a_template_that_fails_on_one_type_is_found(cli):
    configured('[templates]\ndirectory = "own"')
    template("webhook/mine.json.j2", "{{ (1 // (event.type != 'refund.failure')) | json }}")
    (problem,) = (await cli("check", "--json")).json["problems"]
    assert "(refund.failure)" in problem["message"]


async def test_a_template_of_one_type_is_judged_by_that_type(cli):
    configured('[templates]\ndirectory = "own"')
    template("webhook/refund.failure.json.j2", "{{ (1 // (event.type == 'refund.failure')) | json }}")
    assert (await cli("check")).status == 0


async def test_targets_are_judged_by_their_channels(cli, monkeypatch):
    monkeypatch.setenv("KEY", "k")
    configured(
        """
[accounts.shop]
merchant_id = "m"
api_key_env = "KEY"
[subscriptions.plain]
channel = "webhook"
target = "http://shop.example/hooks"
events = ["order.*"]
[subscriptions.mail]
channel = "email"
target = "jane@shop.example"
events = ["order.*"]
[subscriptions.shape]
channel = "webhook"
target = "https://shop.example/hooks"
events = ["order.*"]
template = "absent"
[subscriptions.good]
channel = "webhook"
target = "https://shop.example/hooks"
events = ["order.*"]
[operators]
channel = "webhook"
target = "https://127.0.0.1/ops"
"""
    )
    ran = await cli("check", "--json")
    assert ran.status == 2
    assert paths(ran) == [
        "operators.target",
        "subscriptions.mail.channel",
        "subscriptions.plain.target",
        "subscriptions.shape.template",
    ]


async def test_a_server_open_to_others_needs_its_key(cli):
    configured('[server]\nhost = "0.0.0.0"')
    assert paths(await cli("check", "--json")) == ["server.api_key_env"]


async def test_a_database_of_the_present_version_passes(cli):
    configured()
    await migrate(Path("notifier-sandbox.db"), clock=FakeClock())
    ran = await cli("check")
    assert ran.status == 0
    assert "notifier-sandbox.db is of the present version" in ran.out


async def test_a_file_that_is_no_database_is_a_problem(cli, tmp_path):
    configured()
    (tmp_path / "notifier-sandbox.db").write_bytes(b"not a database" * 100)
    assert paths(await cli("check", "--json")) == ["storage.url"]


async def test_a_directory_of_templates_must_exist(cli):
    configured('[templates]\ndirectory = "nowhere"')
    assert paths(await cli("check", "--json")) == ["templates.directory"]


ACCOUNT = '[accounts.shop]\nmerchant_id = "sandboxmart"\napi_key_env = "KEY"\nbase_url = "{}"\n'


async def test_online_the_upstream_must_take_the_key(cli, monkeypatch):
    async with running() as world:
        configured(ACCOUNT.format(world.upstream_url))
        monkeypatch.setenv("KEY", "sandbox-key")
        ran = await cli("check", "--online")
        assert (ran.status, ran.err) == (0, "")
        assert f"account shop: {world.upstream_url} takes the key" in ran.out
        monkeypatch.setenv("KEY", "wrong")
        ran = await cli("check", "--online", "--json")
        assert (ran.status, paths(ran)) == (2, ["accounts.shop.api_key"])
    ran = await cli("check", "--online", "--json")
    assert paths(ran) == ["accounts.shop.base_url"]


def encrypted(folder: Path, url: str) -> None:
    settings = "".join(f'{name} = "{value}"\n' for name, value in written(folder).items())
    configured(ACCOUNT.format(url) + 'encryption = "jwe"\n' + settings)


async def test_the_keys_of_encrypted_answers_are_named_by_kid(cli, monkeypatch, tmp_path):
    monkeypatch.setenv("KEY", "k")
    encrypted(tmp_path, "https://api.juspay.in")
    ran = await cli("check")
    assert (ran.status, ran.err) == (0, "")
    assert "keys of account shop: key-1" in ran.out


@pytest.mark.parametrize("more", [(), ("--online",)])
async def test_a_key_that_cannot_serve_is_told_by_setting_and_file(cli, monkeypatch, tmp_path, more):
    monkeypatch.setenv("KEY", "k")
    encrypted(tmp_path, "http://127.0.0.1:1")
    (tmp_path / "private.pem").write_text("-----BEGIN PRIVATE KEY-----\nhush\n-----END PRIVATE KEY-----")
    ran = await cli("check", "--json", *more)
    (problem,) = ran.json["problems"]
    assert (ran.status, problem["path"]) == (2, "accounts.shop.jwe_private_key_file")
    assert f"file {tmp_path}/private.pem holds no private key" in problem["message"]
    assert "hush" not in ran.out + ran.err


MAIL = '[email]\nhost = "{}"\nport = {}\nsecurity = "none"\nfrom = "n@shop.example"\n'


async def test_online_the_mail_server_must_let_us_in(cli):
    async with running() as world:
        configured(MAIL.format(world.smtp_host, world.smtp_port))
        ran = await cli("check", "--online")
        assert (ran.status, ran.err) == (0, "")
        assert "lets us in" in ran.out
        port = world.smtp_port
    configured(MAIL.format("127.0.0.1", port))
    assert paths(await cli("check", "--online", "--json")) == ["email.host"]

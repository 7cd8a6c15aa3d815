"""Files and environments, good and bad."""

from base64 import b64encode
from pathlib import Path

import pytest

from notifier.config.load import load
from notifier.config.model import SCHEDULE, Config
from notifier.config.secret import Secret
from notifier.errors import ConfigError

HERE = Path(__file__).parent
HUSH = "hush-hush"
ENVIRON = {"KEY": HUSH}
ACCOUNT = '[accounts.default]\nmerchant_id = "acme"\napi_key_env = "KEY"\n'
ORDERS = (
    '[subscriptions.orders]\nchannel = "webhook"\nevents = ["order.*"]\ntarget = "https://shop.example.com"\n'
)


def loaded(tmp_path: Path, text: str, **environ: str) -> Config:
    path = tmp_path / "config.toml"
    path.write_text(text, encoding="utf-8")
    return load(path, ENVIRON | environ)


def messages(tmp_path: Path, text: str, **environ: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, text, **environ)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize("path", sorted((HERE / "bad").glob("*.toml")), ids=lambda path: path.stem)
def test_a_bad_file_is_refused_with_the_message_of_its_first_line(path, monkeypatch):
    monkeypatch.chdir(HERE.parent.parent)
    expected = path.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ").split(" | ")

    with pytest.raises(ConfigError) as caught:
        load(path, ENVIRON)

    assert [str(problem).replace(str(path), "{path}") for problem in caught.value.problems] == expected
    assert "hush" not in str(caught.value).replace("/nowhere/hush.txt", "")


def test_a_missing_file_says_which_and_how_to_name_another(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot read .*absent\.toml: No such file .*--config"):
        load(tmp_path / "absent.toml", {})


def test_a_file_that_is_no_text_is_refused_by_name(tmp_path):
    path = tmp_path / "config.toml"
    path.write_bytes(b'host = "\xff"')
    with pytest.raises(ConfigError, match=r"config\.toml is not TOML"):
        load(path, {})


def test_an_empty_file_names_no_account_and_equals_the_defaults(tmp_path):
    config = loaded(tmp_path, "")

    assert config.accounts == {}
    assert config == Config()


def test_all_problems_are_told_at_once(tmp_path):
    text = "[server]\nport = -1\nhots = 1\n[accounts.a]\n[polling]\nprice_s = 0\n"

    assert messages(tmp_path, text, NOTIFIER_DELIVERY__SCHEDULE="soon") == [
        "server.port: should be greater than or equal to 0",
        "server.hots: is not a known key; did you mean host?",
        "accounts.a.merchant_id: is missing",
        "accounts.a.api_key_env: is missing; name the environment variable that holds it, or give api_key_file",
        "polling.price_s: should be greater than 0",
        "delivery.schedule: should be a list (from NOTIFIER_DELIVERY__SCHEDULE)",
    ]


def test_problems_carry_a_word_for_programs(tmp_path):
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, "[server]\nhots = 1\n[accounts.a]\napi_key_env = 'KEY'\n[polling]\nprice_s = 0\n")
    assert [problem.code for problem in caught.value.problems] == ["unknown", "missing", "invalid"]


def test_the_environment_stands_over_the_file(tmp_path):
    config = loaded(
        tmp_path,
        ACCOUNT + "[server]\nport = 1\n",
        NOTIFIER_SERVER__PORT="9000",
        NOTIFIER_ACCOUNTS__DEFAULT__REQUESTS_PER_S="2.5",
        NOTIFIER_DELIVERY__ALLOW_HTTP="true",
        NOTIFIER_EMAIL__FROM="notifier@example.com",
    )

    assert config.server.port == 9000
    assert config.accounts["default"].requests_per_s == 2.5
    assert config.delivery.allow_http is True
    assert config.email.sender == "notifier@example.com"


def test_the_environment_can_name_an_account_that_no_file_names(tmp_path):
    config = loaded(
        tmp_path,
        "",
        NOTIFIER_ACCOUNTS__ACME__MERCHANT_ID="acme",
        NOTIFIER_ACCOUNTS__ACME__API_KEY_ENV="KEY",
    )
    assert config.accounts["acme"].api_key == Secret(HUSH)


@pytest.mark.parametrize(
    ("variable", "message"),
    [
        ("NOTIFIER_SERVER__PROT", "server.prot: is not a known key; did you mean port? (from {variable})"),
        ("NOTIFIER_X__Y", "x: is not a known key (from {variable})"),
        ("NOTIFIER_DELIVERY__SCHEDULE", "delivery.schedule: should be a list (from {variable})"),
        ("NOTIFIER_POLLING__PRICE_S__X", "polling.price_s.x: is no single value that {variable} could set"),
        ("NOTIFIER_ACCOUNTS__DEFAULT", "accounts.default: is no single value that {variable} could set"),
    ],
)
def test_a_variable_that_fits_no_key_is_an_error_naming_it(tmp_path, variable, message):
    text = ACCOUNT + "[polling]\nprice_s = 3\n"
    assert messages(tmp_path, text, **{variable: "9"}) == [message.format(variable=variable)]


def test_variables_without_a_section_are_no_overrides(tmp_path):
    names = ("NOTIFIER_CONFIG", "NOTIFIER_URL", "NOTIFIER_PORT", "OTHER__PORT")
    assert loaded(tmp_path, "", **dict.fromkeys(names, "x")) == Config()


def test_the_servers_keys_are_read_from_the_variables_named_by_default(tmp_path):
    master = b64encode(bytes(32)).decode()

    server = loaded(tmp_path, "", NOTIFIER_API_KEY=HUSH, NOTIFIER_MASTER_KEY=master).server

    assert (server.api_key, server.master_key) == (Secret(HUSH), Secret(master))
    assert server.next_master_key is None


def test_the_next_master_key_stands_in_the_variable_of_the_present_one_with_new_at_its_end(tmp_path):
    key = b64encode(bytes(32)).decode()
    assert loaded(tmp_path, "", NOTIFIER_MASTER_KEY_NEW=key).server.next_master_key == Secret(key)
    elsewhere = '[server]\nmaster_key_env = "VAULT_KEY"\n'
    assert loaded(tmp_path, elsewhere, VAULT_KEY_NEW=key).server.next_master_key == Secret(key)
    with pytest.raises(ConfigError, match=r"server\.master_key_env: does not hold 32 bytes"):
        loaded(tmp_path, "", NOTIFIER_MASTER_KEY_NEW="short")


def test_the_servers_keys_may_be_unset(tmp_path):
    server = loaded(tmp_path, '[server]\napi_key_env = "ELSEWHERE"\n').server
    assert (server.api_key, server.master_key) == (None, None)


def test_a_named_file_outweighs_the_variable_named_by_default(tmp_path):
    text = f'[server]\napi_key_file = "{HERE}/good/key.txt"\n'
    assert loaded(tmp_path, text, NOTIFIER_API_KEY=HUSH).server.api_key == Secret("key from a file")


def test_every_secret_of_an_account_is_at_hand(tmp_path):
    text = (
        ACCOUNT
        + f'encryption = "jwe"\njwe_kid = "k"\njwe_private_key_file = "{HERE}/good/key.txt"\n'
        + f'jwe_public_key_file = "{HERE}/good/key.txt"\n'
        + '[accounts.default.credit]\nbase_url = "https://credit.example.com/"\napi_key_env = "CREDIT"\n'
        + '[accounts.default.hints]\nuser_env = "USER"\npassword_env = "PASSWORD"\n'
    )

    account = loaded(tmp_path, text, CREDIT="c", USER="u", PASSWORD="p").accounts["default"]

    assert account.credit
    assert account.hints
    assert account.api_key == Secret(HUSH)
    assert account.jwe_private_keys == account.jwe_public_keys == {"k": Secret("key from a file")}
    assert (account.credit.base_url, account.credit.api_key) == ("https://credit.example.com", Secret("c"))
    assert (account.hints.user, account.hints.password) == (Secret("u"), Secret("p"))


def test_the_keys_for_encrypted_answers_may_lie_in_folders_by_kid(tmp_path):
    for side in ("private", "public"):
        (tmp_path / side).mkdir()
        (tmp_path / side / "notes.txt").write_text("not a key")
        for kid in ("key_1", "key_2"):
            (tmp_path / side / f"{kid}.pem").write_text(f"{side} {HUSH} {kid}\n")
    settings = (
        f'encryption = "jwe"\njwe_kid = "key_2"\njwe_private_key_file = "{tmp_path}/private"\n'
        f'jwe_public_key_file = "{tmp_path}/public"\n'
    )
    account = loaded(tmp_path, ACCOUNT + settings).accounts["default"]
    assert account.jwe_private_keys == {
        "key_1": Secret(f"private {HUSH} key_1"),
        "key_2": Secret(f"private {HUSH} key_2"),
    }
    assert account.jwe_public_keys["key_1"] == Secret(f"public {HUSH} key_1")
    assert HUSH not in repr(account) + repr(account.jwe_private_keys)


def test_a_folder_of_keys_must_hold_some_and_each_be_readable(tmp_path):
    empty, broken = tmp_path / "empty", tmp_path / "broken"
    empty.mkdir()
    broken.mkdir()
    (broken / "key_1.pem").write_text(" \n")
    settings = f'jwe_kid = "k"\njwe_private_key_file = "{empty}"\njwe_public_key_file = "{broken}"\n'
    assert messages(tmp_path, ACCOUNT + settings) == [
        f"accounts.default.jwe_private_key_file: folder {empty} holds no file that ends in .pem",
        f"accounts.default.jwe_public_key_file: file {broken}/key_1.pem is empty",
    ]


def test_only_keys_for_encrypted_answers_may_lie_in_a_folder(tmp_path):
    settings = f'[accounts.default]\nmerchant_id = "acme"\napi_key_file = "{tmp_path}"\n'
    (message,) = messages(tmp_path, settings)
    assert message.startswith(f"accounts.default.api_key_file: file {tmp_path} cannot be read")


def test_no_secret_shows_in_print_or_dump(tmp_path):
    text = (
        ACCOUNT + ORDERS + 'secret_env = "KEY"\nheaders_env = { X-Token = "KEY" }\n'
        'basic_auth = { username = "u", password_env = "KEY" }\nheaders = { X-Old = "hush-hush" }\n'
        '[slack]\nbot_token_env = "KEY"\n[operators]\nchannel = "slack"\ntarget_env = "KEY"\n'
        'heartbeat_url_env = "KEY"\n[email]\nusername = "u"\npassword_env = "KEY"\n'
    )

    config = loaded(tmp_path, text, NOTIFIER_API_KEY=HUSH)

    assert HUSH not in repr(config) + str(config) + repr(vars(config.slack))
    assert HUSH not in config.model_dump_json(exclude={"subscriptions": {"orders": {"headers"}}})


def test_a_subscription_gives_its_rest_body_with_only_what_was_written(tmp_path):
    text = (
        ORDERS + 'secret_env = "KEY"\nheaders = { X-Shop = "north" }\nheaders_env = { X-Token = "KEY" }\n'
        'basic_auth = { username = "u", password_env = "KEY" }\nschedule = [1, 2]\n'
        "since = 2026-11-01T00:00:00Z\n"
        'filter = { all = [{ path = "data.order.amount", op = "ge", value = "5.00" }] }\n'
    )

    assert loaded(tmp_path, text).subscriptions["orders"].body() == {
        "channel": "webhook",
        "target": "https://shop.example.com",
        "events": ["order.*"],
        "filter": {"all": [{"path": "data.order.amount", "op": "ge", "value": "5.00"}]},
        "schedule": [1, 2],
        "since": "2026-11-01T00:00:00Z",
        "headers": {"X-Shop": "north", "X-Token": HUSH},
        "basic_auth": {"username": "u", "password": HUSH},
        "secret": HUSH,
    }


def test_a_target_may_be_a_secret(tmp_path):
    text = '[subscriptions.oncall]\nchannel = "slack"\nevents = ["order.stuck"]\ntarget_env = "KEY"\n'
    assert loaded(tmp_path, text).subscriptions["oncall"].body()["target"] == HUSH


def test_an_alert_is_taken_as_it_stands(tmp_path):
    text = '[alerts.failures]\noutcome = "refund"\nplain = { window_s = 900, more_than = 20 }\n'
    assert loaded(tmp_path, text).alerts["failures"].body() == {
        "outcome": "refund",
        "plain": {"window_s": 900, "more_than": 20},
    }


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        *[(host, True) for host in ("127.0.0.1", "127.9.9.9", "::1", "localhost")],
        *[(host, False) for host in ("0.0.0.0", "::", "10.0.0.1", "notifier.example.com")],
    ],
)
def test_only_this_machine_is_loopback(tmp_path, host, expected):
    assert loaded(tmp_path, f'[server]\nhost = "{host}"\n').server.is_loopback is expected


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:notifier.db", Path("notifier.db")),
        ("sqlite:/var/lib/n.db", Path("/var/lib/n.db")),
        ("postgresql://db.example.com/notifier", None),
    ],
)
def test_the_storage_url_names_a_file_or_a_server(tmp_path, url, path):
    assert loaded(tmp_path, f'[storage]\nurl = "{url}"\n').storage.sqlite_path == path


@pytest.mark.parametrize(
    "target", ["shop", "Shop.Example.com:8080", "10.0.0.0/8", "fd00::/8", "[::1]:80", "::1"]
)
def test_an_allowed_target_is_a_host_a_port_of_it_or_a_network(tmp_path, target):
    config = loaded(tmp_path, f'[delivery]\nallowed_targets = ["{target}"]\n')
    assert config.delivery.allowed_targets == (target.lower(),)


@pytest.mark.parametrize("target", ["a:b:c", "db:", ":", "[1.2]:80", "[::g]", "shop:0", "shop:65536"])
def test_what_no_target_could_ever_be_is_refused_as_it_is_read(tmp_path, target):
    with pytest.raises(ConfigError, match="allowed_targets"):
        loaded(tmp_path, f'[delivery]\nallowed_targets = ["{target}"]\n')


def test_the_default_schedule_spans_three_days_in_more_than_a_dozen_attempts_and_fits_the_expiry():
    assert sum(SCHEDULE) == 3 * 86_400
    assert len(SCHEDULE) + 1 >= 12
    assert sum(SCHEDULE) * 1.1 <= Config().delivery.expires_after_s


def test_nothing_changes_after_loading(tmp_path):
    config = loaded(tmp_path, "")
    with pytest.raises(ValueError, match="frozen"):
        config.server.port = 1


def test_a_user_of_hints_that_basic_auth_cannot_carry_is_refused(tmp_path):
    text = ACCOUNT + '[accounts.default.hints]\nuser_env = "USER"\npassword_env = "PASSWORD"\n'
    with pytest.raises(
        ConfigError, match=r"^accounts\.default\.hints: .*the user's name has a colon"
    ) as caught:
        loaded(tmp_path, text, USER="quiet:one", PASSWORD="a:b")
    assert "quiet" not in str(caught.value)
    assert loaded(tmp_path, text, USER="quiet", PASSWORD="a:b").accounts["default"].hints

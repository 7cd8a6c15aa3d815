"""A start that cannot succeed says in one line what is wrong, with which thing, and ends."""

import os

import pytest
from acceptance_home import ran


async def refused(home, *tokens, status):
    """Run the command, which must fail with this status; return its errors, a line each."""
    code, output, errors = await ran(*tokens, directory=home.directory, environ=home.environ)
    lines = errors.splitlines()
    assert code == status, (output, errors)
    assert all(line.startswith("notifier: ") for line in lines), errors
    return lines


@pytest.mark.parametrize("verb", ["run", "check"])
async def test_unknown_keys_and_wrong_types_are_all_told_by_their_paths(home, verb):
    home.settings = {"POLLING__PRICE_S": "cheap"}
    home.more = """
[delivery.retries]
most = 3
[subscriptions.shop]
chanel = "webhook"
events = "order.*"
"""
    home.write_config()
    code, output, errors = await ran(verb, directory=home.directory, environ=home.environ)
    said = output + errors
    assert code == 2
    assert "Traceback" not in said
    for path in (
        "polling.price_s",
        "delivery.retries",
        "subscriptions.shop.chanel",
        "subscriptions.shop.events",
    ):
        assert path in said
    assert "did you mean channel?" in said


async def test_a_port_that_is_taken_is_named(home, shop):
    port = shop.url.rpartition(":")[2]
    home.settings = {"SERVER__PORT": port, "STORAGE__URL": f"sqlite:{home.directory / 'other.db'}"}
    home.write_config()
    (line,) = await refused(home, "run", status=2)
    assert port in line
    assert "in use" in line


async def test_a_database_in_use_names_its_holder(home, shop):
    (line,) = await refused(home, "run", status=1)
    assert str(home.database) in line
    assert f"process {os.getpid()} (notifier run)" in line
    await shop.call("GET", "/readyz", status=200)


@pytest.mark.parametrize(
    "place", ["/proc/notifier.db", "{directory}/config.toml/notifier.db", "/nowhere/notifier.db"]
)
async def test_a_directory_that_takes_no_files_is_named(home, place):
    path = place.format(directory=home.directory)
    home.settings = {"STORAGE__URL": f"sqlite:{path}"}
    home.write_config()
    (line,) = await refused(home, "run", status=1)
    assert path in line


async def test_a_file_that_is_no_database_is_named(home):
    home.database.write_bytes(b"this is no database " * 1000)
    home.write_config()
    (line,) = await refused(home, "run", status=1)
    assert str(home.database) in line
    assert home.database.read_bytes().startswith(b"this is no database ")


async def test_a_lost_master_key_is_named_and_the_database_left_alone(home, shop):
    await shop.subscribe()
    home.settings = {"MASTER_KEY": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}
    copy = home.directory / "copy.db"
    async with shop.daemon.storage.reading():
        for name in (home.database, home.database.with_name("notifier.db-wal")):
            copy.with_name(copy.name + name.name.removeprefix("notifier.db")).write_bytes(name.read_bytes())
    home.settings["STORAGE__URL"] = f"sqlite:{copy}"
    (line,) = await refused(home, "run", status=1)
    assert "master key" in line

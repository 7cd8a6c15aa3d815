import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from rich.text import Text

from notifier import __version__
from notifier.cli.failure import lines_of, single, status_of
from notifier.cli.options import Failed
from notifier.cli.screen import safe
from notifier.errors import StorageLocked

HEAVY = {"sqlalchemy", "aiohttp", "pydantic", "jinja2", "slack_sdk", "aiosmtplib", "cryptography", "alembic"}


def notifier(*tokens: str, **more) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "notifier", *tokens],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        **more,
    )


def test_help_imports_nothing_heavy():
    program = (
        "import sys; from notifier.cli import main; status = main(['--help']);"
        f"print(sorted({HEAVY} & set(sys.modules)), status)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True
    )
    assert ran.stdout.splitlines()[-1] == "[] 0"
    for verb in ("run", "check", "sandbox", "watch", "subscription", "explain", "events", "deliveries", "render",
                 "verify", "db", "keys", "demo"):  # fmt: skip
        assert f" {verb} " in ran.stdout


def test_the_version_is_the_packages():
    ran = notifier("--version")
    assert (ran.returncode, ran.stdout.strip()) == (0, __version__)


def test_an_unknown_verb_is_wrong_use_in_one_line_with_a_suggestion():
    ran = notifier("wach")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert len(ran.stderr.splitlines()) == 1
    assert 'Did you mean "watch"' in ran.stderr


def test_every_problem_of_the_configuration_is_a_line_of_its_own(tmp_path):
    (tmp_path / "config.toml").write_text("[server]\nport = -1\nhots = 'x'\n[polling]\nmin_interval_s = 0\n")
    ran = notifier("run", cwd=tmp_path)
    assert ran.returncode == 2
    assert [line.split(":")[1].strip() for line in ran.stderr.splitlines()] == [
        "server.port", "server.hots", "polling.min_interval_s"
    ]  # fmt: skip
    assert "did you mean host?" in ran.stderr


@pytest.mark.parametrize("verb", [("watch", "list"), ("check",), ("db", "status"), ("run",)])
async def test_a_missing_configuration_is_wrong_use(cli, verb):
    ran = await cli(*verb)
    assert ran.status == 2
    assert "cannot read config.toml" in ran.err
    assert "Traceback" not in ran.err


async def test_on_sqlite_one_process_does_all(cli):
    Path("config.toml").write_text("")  # noqa: ASYNC240 - a test's own file
    ran = await cli("run", "--role", "web")
    assert ran.status == 2
    assert "SQLite belongs to one process" in ran.err


async def test_a_traceback_is_shown_only_when_asked_for(cli):
    assert "Traceback" not in (await cli("db", "status")).err
    assert "Traceback" in (await cli("db", "status", "--debug")).err


def test_an_interrupt_ends_quietly_with_130(tmp_path):
    program = (
        "import os, signal, sys; import notifier.clock as c; from notifier.cli import main\n"
        "from notifier.cli import reading\n"
        "class Asked:\n"
        "    async def get(self, path, **query):\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "        await c.SystemClock().sleep(30)\n"
        "async def end(self):\n"
        "    await Asked().get('')\n"
        "reading.Log.end = end\n"
        "sys.exit(main(['events', '--follow', '--url', 'http://127.0.0.1:9']))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False
    )
    assert (ran.returncode, ran.stderr, ran.stdout) == (130, "", "")


def test_a_reader_that_goes_away_is_no_defect(tmp_path):
    (tmp_path / "config.toml").write_text("")
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        ran = subprocess.run(
            [sys.executable, "-m", "notifier", "render", "webhook/default"],
            cwd=tmp_path, stdout=write_end, stderr=subprocess.PIPE, text=True, timeout=30, check=False,
        )  # fmt: skip
    finally:
        os.close(write_end)
    assert (ran.returncode, ran.stderr) == (1, "")


def test_remarks_never_stand_in_the_result(tmp_path):
    (tmp_path / "config.toml").write_text("")
    assert notifier("db", "migrate", cwd=tmp_path).returncode == 0
    ran = notifier("db", "prune", "--json", cwd=tmp_path)
    assert ran.stdout == '{"database":"notifier-sandbox.db","deleted":0}\n'
    assert "master" in ran.stderr


def test_the_sandbox_introduces_itself_and_ends_in_order_when_told(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "notifier", "sandbox", "--port", "0", "--jwe-dir", "keys", "--json"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        rest, errors = process.communicate(timeout=20)
    finally:
        process.kill()
    assert '"merchant_id":"sandboxmart","api_key":"sandbox-key","credit_api_key":"sandbox-credit-key"' in line
    assert '"encryption":{"kid":"sandbox-kid","directory":"keys"}' in line
    assert sorted(path.name for path in (tmp_path / "keys").iterdir()) == [
        "juspay_private.pem", "juspay_public.pem", "merchant_private.pem", "merchant_public.pem",
    ]  # fmt: skip
    assert (process.returncode, rest, errors) == (0, "", "")


def test_keys_that_cannot_be_written_are_wrong_use(tmp_path):
    (tmp_path / "taken").write_text("")
    ran = notifier("sandbox", "--port", "0", "--jwe-dir", "taken", cwd=tmp_path)
    assert ran.returncode == 2
    assert ran.stderr.startswith("notifier: --jwe-dir taken: ")


def test_the_first_error_of_a_group_is_told():
    locked = StorageLocked("notifier.db is in use by process 7")
    assert lines_of(single(ExceptionGroup("all", [ExceptionGroup("one", [locked])]))) == [str(locked)]
    assert status_of(locked) == 1


def test_an_error_is_one_line_whatever_stands_in_it():
    (line,) = lines_of(Failed("evil\x1b[2Jtext\nsecond"))
    assert line == "evil\\x1b[2Jtext second"


def test_a_missing_file_is_told_by_its_name():
    with pytest.raises(FileNotFoundError) as caught:
        Path("/nonexistent/x").read_bytes()
    assert lines_of(caught.value) == ["/nonexistent/x: No such file or directory"]


def test_foreign_text_neither_colours_nor_steers():
    shown = Text.from_markup(safe("[bold]x[/bold]\x1b[31m"))
    assert (shown.plain, shown.spans) == ("[bold]x[/bold]\\x1b[31m", [])
    assert safe(None) == ""
    assert safe(["a", True, {"b": 1}]) == 'a, true, {"b":1}'

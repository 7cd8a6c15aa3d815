"""Lines on standard error: their shape, and what never stands in them."""

import json
import logging

import pytest
import structlog

from notifier.config.secret import Secret
from notifier.logs import configure, get_logger

HUSH = "hush-hush"


@pytest.fixture(autouse=True)
def _logging_as_before():
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def lines(capsys):
    return lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_json_line_carries_event_level_logger_utc_time_and_keys(lines):
    configure("info", "json")
    get_logger("notifier.app").info("app.started", port=8080)

    (line,) = lines()

    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "app.started", "level": "info", "logger": "notifier.app", "port": 8080}


def test_a_logger_made_before_the_set_up_follows_it(lines):
    log = get_logger("notifier.early")
    configure("warning", "json")
    log.warning("poll.delayed")

    assert [line["event"] for line in lines()] == ["poll.delayed"]


def test_a_line_below_the_level_is_dropped_before_anything_is_worked_out(lines):
    class Costly:
        def __repr__(self) -> str:
            raise AssertionError("rendered")

    configure("info", "json")
    get_logger("notifier.app").debug("poll.finished", detail=Costly())

    assert lines() == []


@pytest.mark.parametrize("form", ["console", "json"])
def test_no_secret_reaches_a_line(capsys, form):
    configure("debug", form)
    get_logger("notifier.app").info(
        "delivery.attempted",
        webhook_secret=HUSH,
        apikey=HUSH,
        headers={"Authorization": HUSH, "x": [{"bot_token": HUSH}]},
        given=Secret(HUSH),
        several=[Secret(HUSH)],
    )
    logging.getLogger("library").error("with %s", Secret(HUSH), extra={"password": HUSH})

    written = capsys.readouterr().err
    assert HUSH not in written
    assert written.count("***") >= 6
    assert "delivery.attempted" in written


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_traceback_shows_no_local_variables(capsys, form):
    configure("info", form)
    halves = ["hush", "hush"]
    for log in (get_logger("notifier.app"), logging.getLogger("library")):
        try:
            local = "-".join(halves)
            int(local == HUSH) / 0
        except ZeroDivisionError:
            log.exception("loop.failed")

    written = capsys.readouterr().err
    assert written.count("ZeroDivisionError: division by zero") == 2
    assert HUSH not in written


def test_a_librarys_line_takes_the_same_shape(lines):
    configure("info", "json")
    logging.getLogger("aiohttp.server").error("cannot %s", "read")

    (line,) = lines()

    del line["timestamp"]
    assert line == {"event": "cannot read", "level": "error", "logger": "aiohttp.server"}


def test_chatty_libraries_are_heard_from_warnings_on(lines):
    configure("debug", "json")
    for name in ("aiohttp.access", "apscheduler.scheduler"):
        logging.getLogger(name).info("routine")
        logging.getLogger(name).warning("trouble")

    assert [line["event"] for line in lines()] == ["trouble", "trouble"]


def test_foreign_text_cannot_forge_a_line_for_people(capsys):
    configure("info", "console")
    get_logger("notifier.app").info("poll.finished", status="NEW\n2026 app.started \x1b[31m")
    logging.getLogger("library").error("bad\nforged line")

    written = capsys.readouterr().err
    assert written.count("\n") == 2
    assert "\x1b" not in written
    assert "bad\\nforged line" in written


def test_what_json_does_not_know_is_written_as_python_shows_it(lines):
    configure("info", "json")
    get_logger("notifier.app").info("poll.finished", reason=ZeroDivisionError("x"))

    assert lines()[0]["reason"] == "ZeroDivisionError('x')"

"""Every example of docs/api.md, run in its order against a real daemon."""

import asyncio
import json
import os
import re
import shlex
import sys
from argparse import ArgumentParser
from string import Template
from typing import Any

import aiohttp
import pytest
from docs_kit import ROOT, blocks, commands, words
from yarl import URL

from notifier.cli import main
from notifier.web.routes import ROUTES

_KEY = "operator-key-of-the-examples"
_TARGET = "https://shop.example.com/hooks"
_WITHOUT_A_DAEMON = {"check", "run"}


class Daemon:
    """A daemon on the sandbox, and what its first lines say."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def line(self, pattern: str) -> str:
        """Return the group of the next line that matches."""
        assert self._process.stdout is not None
        async for raw in self._process.stdout:
            if found := re.match(pattern, raw.decode()):
                return found[1]
        raise AssertionError(f"the daemon ended before it said {pattern}")


@pytest.fixture
async def daemon(tmp_path):
    (tmp_path / "config.toml").write_text("[server]\nport = 0\n[templates]\nover_rest = true\n")
    environ = {name: value for name, value in os.environ.items() if not name.startswith("NOTIFIER_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "notifier", "run",
        cwd=tmp_path, env=environ | {"NOTIFIER_API_KEY": _KEY, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    yield Daemon(process)
    process.kill()
    await process.communicate()


@pytest.fixture
async def http():
    async with aiohttp.ClientSession() as session:
        yield session


def _curl() -> ArgumentParser:
    parser = ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("-X", dest="method", default="GET")
    parser.add_argument("-H", dest="headers", action="append", default=[])
    parser.add_argument("-d", dest="data")
    return parser


def _examples() -> list[tuple[list[str], int]]:
    found = []
    for block in blocks("docs/api.md", "sh"):
        for command in commands(block):
            if command.startswith("curl "):
                call, _, status = command.rpartition("#")
                found.append((shlex.split(call)[1:], int(status)))
    return found


def _route_of(method: str, path: str) -> tuple[str, str]:
    """Return the route that a call takes; one written out goes before one with an id in it."""
    fitting = [
        route.path
        for route in ROUTES
        if route.method == method and re.fullmatch(re.sub(r"\{[a-z_]+\}", "[^/]+", route.path), path)
    ]
    return method, min(fitting, key=lambda each: "{" in each)


def _remember(space: dict[str, str], called: tuple[str, str], answer: Any) -> None:
    if called == ("POST", "/v1/subscriptions"):
        space["SUBSCRIPTION"] = answer["id"]
    if called == ("POST", "/v1/subscriptions/{id}/replay"):
        space["REPLAY"] = answer["id"]
    if called == ("POST", "/v1/alerts"):
        space["ALERT"] = answer["id"]
    if called == ("POST", "/v1/silences"):
        space["SILENCE"] = answer["id"]
    if called == ("GET", "/v1/events"):
        space["EVENT"] = answer["items"][0]["id"]
    if called == ("GET", "/v1/deliveries") and answer["items"]:
        space["DELIVERY"] = answer["items"][0]["id"]


async def test_every_example_of_the_rest_page_answers_as_it_says(daemon, http):
    upstream = await daemon.line(r"  upstream  (\S+)")
    receiver = await daemon.line(r"  told      (\S+),")
    space = {"NOTIFIER_URL": await daemon.line(r"  REST      (\S+)"), "NOTIFIER_API_KEY": _KEY}
    order = {"order_id": "ORDER-1", "amount": 386, "steps": [{"at_s": 0, "status": "NEW"}]}
    async with http.post(f"{upstream}/sandbox/orders", json=order) as opened:
        assert opened.status == 201

    called = set()
    for tokens, expected in _examples():
        call = _curl().parse_args([Template(token).substitute(space) for token in tokens])
        headers = dict(header.split(": ", 1) for header in call.headers)
        body = call.data and call.data.replace(_TARGET, receiver)
        async with http.request(call.method, call.url, headers=headers, data=body) as response:
            text = await response.text()
            assert response.status == expected, f"{call.method} {call.url}: {text}"
            is_json = response.content_type == "application/json"
        route = _route_of(call.method, URL(call.url).path)
        called.add(route)
        if is_json:
            _remember(space, route, json.loads(text))
        if route == ("POST", "/v1/watches"):
            await daemon.line(r"callback  (ORDER-1) .*signature verified")
        if route[1] == "/readyz":
            assert set(words("docs/operations.md", "## Health")) == set(json.loads(text))

    assert called == {(route.method, route.path) for route in ROUTES}


async def test_the_commands_of_the_readme_do_what_it_says(daemon, tmp_path, monkeypatch, capsys):
    receiver = await daemon.line(r"  told      (\S+),")
    monkeypatch.setenv("NOTIFIER_URL", await daemon.line(r"  REST      (\S+)"))
    monkeypatch.setenv("NOTIFIER_API_KEY", _KEY)
    monkeypatch.chdir(tmp_path)
    asked = [shlex.split(command) for block in blocks("README.md", "sh") for command in commands(block)]
    made, verbs = "", set()
    for _, verb, *rest in [tokens for tokens in asked if tokens[0] == "notifier"]:
        if verb in _WITHOUT_A_DAEMON:
            continue
        given = [made if word.startswith("sub_") else word.replace(_TARGET, receiver) for word in rest]
        status = await asyncio.to_thread(main, [verb, *given])
        told = "".join(capsys.readouterr())
        assert status == 0, f"{verb} {given}: {told}"
        if verb == "subscription":
            made = re.search(r"sub_\w+", told)[0]
            assert "whsec_" in told
        verbs.add(verb)
    assert verbs == {"subscription", "watch", "explain", "deliveries", "replay"}

"""docs/sandbox.md names all that the sandbox can do, and nothing that it cannot."""

import re

import msgspec
from docs_kit import page, words

from notifier.clock import SystemClock
from notifier.sandbox.calls.routes import application
from notifier.sandbox.control.shapes import NewOrder
from notifier.sandbox.faults import Call, Fault, FaultKind
from notifier.sandbox.lives.scripts import SCRIPTS
from notifier.sandbox.manners import Manners, UnknownOrder
from notifier.sandbox.webhooks.hook import Hook
from notifier.sandbox.webhooks.sender import Sender
from notifier.sandbox.world import Sandbox

NAME = "docs/sandbox.md"


def members(shape):
    return {field.name for field in msgspec.structs.fields(shape)}


def test_every_script_and_every_fault_is_listed_once():
    assert sorted(words(NAME, "## Lives")) == sorted(SCRIPTS)
    assert sorted(words(NAME, "## Faults")) == sorted(FaultKind)


def test_every_doubt_is_listed_with_its_default():
    assert set(words(NAME, "## Doubts")) == members(Manners)
    assert set(words(NAME, "## Doubts", 1)) == {Manners().unknown_order}
    text = page(NAME)
    assert all(f"`{manner}`" in text for manner in UnknownOrder)


def test_the_members_of_bodies_are_named():
    text = page(NAME)
    example = re.search(r'`(\{"kind".*?\})`', text)
    assert msgspec.json.decode(example[1], type=Fault).call in Call
    assert members(Fault) == set(msgspec.json.decode(example[1]))
    hook = re.search(r'`(\{"url".*?\})`', text)
    assert set(words(NAME, "## Webhooks")) | set(msgspec.json.decode(hook[1])) == members(Hook)
    assert all(f"`{name}`" in text for name in members(NewOrder))


def test_every_call_is_listed():
    sandbox = Sandbox(SystemClock())
    served = {
        (route.method, route.resource.canonical)
        for route in application(sandbox, Sender(sandbox)).router.routes()
        if route.method != "HEAD"
    }
    listed = set()
    for heading in ("## Calls", "## By hand"):
        rows = re.findall(
            r"^\| (.*?) \|", page(NAME).partition(f"\n{heading}\n")[2].partition("\n\n```")[0], re.MULTILINE
        )
        for cell in rows:
            for verbs, path in re.findall(r"((?:GET|POST|DELETE|[`, ]|or)+)(/[\w/{}.-]+)", cell):
                listed |= {(verb, path) for verb in re.findall(r"GET|POST|DELETE", verbs)}
    pages = {"/", "/sandbox", "/sandbox/", "/sandbox/page", "/orders/{order_id}/payment-page"}
    assert {call for call in served if call[1] not in pages} == listed

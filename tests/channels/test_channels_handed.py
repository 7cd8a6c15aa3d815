"""Templates that were handed in: rendered in a process apart, whatever is in them."""

import asyncio
import json
import os
import resource
from datetime import UTC, datetime

import pytest
from channel_builders import TEMPLATES, a_document, a_webhook

from notifier.channels.handed.cells import Cells, LimitExceeded
from notifier.domain.handed import PARTS, HandedTemplate
from notifier.errors import TemplateError
from support.clock import settle


@pytest.fixture
async def cells():
    opened = Cells(count=1)
    yield opened
    await opened.close()


def a_template(
    source: str = '{"id": {{ event.id | json }}}', channel: str = "webhook", **parts: str
) -> HandedTemplate:
    given = parts or dict.fromkeys(PARTS[channel], source)
    return HandedTemplate(
        account="shop", name="mine", channel=channel, parts=given, updated_at=datetime(2026, 3, 2, tzinfo=UTC)
    )


def pids(cells):
    return [cell._process.pid for cell in cells._all]


async def test_a_body_is_the_one_that_the_channel_would_have_made(cells):
    document = a_document(order_id="Ünï")
    default = a_template((TEMPLATES._directories[0] / "webhook/default.json.j2").read_text())

    assert await cells.render(default, document) == a_webhook().render(document, "default")
    assert json.loads(await cells.render(a_template(), document)) == {"id": document["id"]}


async def test_each_channel_makes_its_own_form_of_it(cells):
    mail = a_template(
        channel="email", **{"subject.txt": "a\nb", "body.txt": "{{ title }}", "body.html": "{{ '<' }}"}
    )

    made = json.loads(await cells.render(mail, a_document()))
    assert (made["subject"], made["html"]) == ("a b", "&lt;")
    assert json.loads(
        await cells.render(a_template('{"text": "{{ topic }}"}', channel="slack"), a_document())
    )["text"]


async def test_one_process_serves_many_and_is_kept(cells):
    for _ in range(3):
        await cells.render(a_template(), a_document())
        with pytest.raises(TemplateError, match=r"webhook/mine.json.j2:1"):
            await cells.render(a_template("{{ nothing }}"), a_document())
    assert len({*pids(cells)}) == 1


HOSTILE = {
    "an endless loop": "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "a huge text": "{{ 'x' * 2000000000 }}",
    "a huge number": "{{ 9 ** (9 ** 9) }}",
    "a huge list": "{{ [0] * 900000000 }}",
    "growth by doubling": "{% set a = namespace(x='x') %}{% for i in range(60) %}{% set a.x = a.x ~ a.x %}{% endfor %}",
    "a number as text": "{{ '%1000000000d' | format(1) }}",
    "padding": "{{ 'x'.center(1500000000) }}",
}
REFUSED = {
    "too long": "{% for i in range(99999) %}{{ i }}{% endfor %}",
    "a range": "{{ range(1000000000) | list }}",
    "recursion": "{% macro m(n) %}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}",
    "attributes": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "attributes by filter": "{{ ''|attr('__class__') }}",
    "attributes by format": "{{ '{0.__class__}'.format(event) ~ event.x.y }}",
    "a function's globals": "{{ range.__globals__ }}",
    "a change of the event": "{{ event.update({}) }}",
    "another file": "{% include '/etc/passwd' %}",
    "a file above": "{% include '../../etc/passwd' %}",
    "no JSON": "{",
    "bad syntax": "{% if %}",
}


@pytest.mark.parametrize("case", HOSTILE)
async def test_what_asks_for_too_much_ends_its_process_and_nothing_else(cells, case):
    began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(LimitExceeded):
        await cells.render(a_template(HOSTILE[case]), a_document())

    assert pids(cells) == []
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - began < 32 * 1024


async def test_what_may_not_be_done_is_refused_with_the_reason_and_costs_no_process(cells):
    await cells.render(a_template(), a_document())
    before = pids(cells)
    for source in REFUSED.values():
        with pytest.raises(TemplateError) as refused:
            await cells.render(a_template(source), a_document())
        assert str(refused.value)
        assert "root:" not in str(refused.value)
    assert pids(cells) == before


@pytest.mark.parametrize("source", ["{{ " + "(" * 99_999 + "1" + ")" * 99_999 + " }}", "{% if 1 %}" * 5000])
async def test_source_that_is_nested_without_end_is_refused(cells, source):
    with pytest.raises(TemplateError):
        await cells.render(a_template(source), a_document())


async def test_the_process_has_nothing_of_ours_in_its_environment(cells, monkeypatch):
    monkeypatch.setenv("NOTIFIER_API_KEY", "k-of-the-house")
    await cells.render(a_template(), a_document())
    with open(f"/proc/{pids(cells)[0]}/environ", "rb") as file:  # noqa: ASYNC230, PTH123
        environ = file.read()
    assert b"k-of-the-house" not in environ
    assert environ.startswith(b"PYTHONPATH=")


async def test_a_process_that_was_killed_while_it_was_idle_is_replaced_and_no_template_is_blamed(cells):
    await cells.render(a_template(), a_document())
    (killed,) = cells._all
    os.kill(killed._process.pid, 9)
    await killed._process.wait()
    assert json.loads(await cells.render(a_template(), a_document()))
    assert len(pids(cells)) == 1


async def test_a_process_that_cannot_be_started_is_a_failure_of_that_body_alone(cells, monkeypatch):
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    with pytest.raises(TemplateError, match="did not start"):
        await cells.render(a_template(), a_document())
    monkeypatch.undo()
    assert json.loads(await cells.render(a_template(), a_document()))


async def test_whoever_goes_away_meanwhile_leaves_no_process_in_the_middle(cells):
    await cells.render(a_template(), a_document())
    waiting = asyncio.create_task(cells.render(a_template(HOSTILE["an endless loop"]), a_document()))
    await settle(10)
    assert cells._free.empty()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert pids(cells) == []


async def test_closing_ends_every_process(cells):
    await cells.render(a_template(), a_document())
    (pid,) = pids(cells)
    await cells.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)

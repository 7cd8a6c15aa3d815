"""Templates: which file is taken, what it may do, and what is said when it fails."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain.document import sample_event_document
from notifier.errors import TemplateError
from notifier.templating import FILTERS, MOST_CHARACTERS, SHIPPED, Templates, header, money, to_json, when


@pytest.fixture
def write(tmp_path):
    def write(name: str, source: str) -> Templates:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
        return Templates(tmp_path)

    return write


def render(templates, name=None, part="json", event_type="order.charged", **context):
    return templates.render("webhook", name, event_type=event_type, part=part, context=context)


def test_an_explicit_name_comes_first_then_the_type_then_default(write):
    write("webhook/mine.json.j2", "mine")
    write("webhook/order.charged.json.j2", "charged")
    templates = write("webhook/default.json.j2", "default")
    assert render(templates, "mine") == "mine"
    assert render(templates) == "charged"
    assert render(templates, event_type="order.new") == "default"
    assert render(templates, "default") == "default"


def test_the_shipped_default_can_be_had_whatever_the_operators_files_hold(write):
    templates = write("webhook/default.json.j2", "{{ broken")
    event = sample_event_document("order.charged")
    with pytest.raises(TemplateError):
        render(templates, event=event)
    assert json.loads(render(templates, SHIPPED, event=event)) == event


def test_the_operators_files_stand_before_the_shipped_ones_one_by_one(write):
    templates = write("email/default.subject.txt.j2", "mine")
    document = sample_event_document("heartbeat")
    told = {"title": "t", "facts": (), "tone": "plain", "event": document, "data": document["data"]}
    parts = {
        part: templates.render("email", None, event_type="heartbeat", part=part, context=told)
        for part in ("subject.txt", "body.txt")
    }
    assert parts["subject.txt"] == "mine"
    assert parts["body.txt"].startswith("t.")


def test_names_are_those_of_both_directories(write):
    write("webhook/order.charged.json.j2", "")
    write("email/short.body.html.j2", "")
    templates = write("webhook/lean.json.j2", "")
    assert set(templates.names("webhook")) >= {"default", "lean", "order.charged"}
    assert set(templates.names("email")) == {"default", "digest", "incident", "short"}
    assert templates.names("pigeon") == ()


@pytest.mark.parametrize("name", ["absent", "../secret", "/etc/passwd", "", ".", "a/b", "a\0"])
def test_a_name_that_is_none_is_an_error_and_opens_no_other_file(write, name):
    templates = write("secret.json.j2", "leaked")
    with pytest.raises(TemplateError, match="no template"):
        render(templates, name)


def test_a_hostile_event_type_falls_back_to_default(write):
    assert render(write("webhook/default.json.j2", "default"), event_type="../../x") == "default"


@pytest.mark.parametrize(
    ("source", "place", "word"),
    [
        ("a\n{% if %}", "default.json.j2:2", "Expected"),
        ("a\nb\n{{ nothing }}", "default.json.j2:3", "'nothing' is undefined"),
        ("{{ event.nothing }}", "default.json.j2:1", "nothing"),
        ("{{ nothing | json }}", "default.json.j2:1", "nothing"),
        ("\n{{ 1 / 0 }}", "default.json.j2:2", "ZeroDivisionError"),
        ("\n{{ 'x' + 1 }}", "default.json.j2:2", "TypeError"),
        ("{{ event.update({}) }}", "default.json.j2:1", "unsafe"),
        ("{{ event.__class__.__mro__ }}", "default.json.j2:1", "unsafe"),
        ("{{ ''|attr('__class__') }}", "default.json.j2:1", ""),
        ("{% include 'absent.j2' %}", "default.json.j2:1", "absent.j2"),
    ],
)
def test_a_failure_names_the_file_and_the_line(write, source, place, word):
    with pytest.raises(TemplateError) as failed:
        render(write("webhook/default.json.j2", source), event={"a": "1"})
    assert place in str(failed.value)
    assert word in str(failed.value)


@pytest.mark.parametrize("source", ["{{ 'x' * 300000 }}", "{% for i in range(99999) %}{{ i }}{% endfor %}"])
def test_output_is_bounded(write, source):
    with pytest.raises(TemplateError, match=str(MOST_CHARACTERS)):
        render(write("webhook/default.json.j2", source))


def test_only_html_escapes_by_itself(write):
    write("webhook/default.json.j2", "{{ a }}")
    templates = write("webhook/default.body.html.j2", "{{ a }}")
    assert render(templates, a="<&>") == "<&>"
    assert render(templates, part="body.html", a="<&>") == "&lt;&amp;&gt;"


def test_filters_say_money_and_time_as_people_do():
    assert money("386.00", "INR") == "INR 386.00"
    assert money("386.00") == "386.00"
    assert when("2026-11-22T10:15:30.123Z") == "22 Nov 2026, 10:15:30 UTC"
    assert when("2026-11-22T10:15:30.123Z", "Asia/Kolkata") == "22 Nov 2026, 15:45:30 IST"
    assert FILTERS["epoch"]("1970-01-02T00:00:00.999Z") == 86_400


@given(st.text())
def test_a_header_is_one_line(text):
    line = header(text)
    assert line.splitlines() in ([line], [])
    assert header(line) == line


@given(st.recursive(st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(), st.lists))
def test_json_is_read_back_as_it_was(value):
    assert json.loads(to_json(value)) == value


@pytest.mark.parametrize("reader", ["when", "epoch"])
def test_a_failure_is_told_without_the_value_that_a_filter_could_not_read(write, reader):
    templates = write("webhook/mine.json.j2", f"{{{{ phone | {reader} }}}}")
    with pytest.raises(TemplateError, match=r"mine\.json\.j2:1: ValueError$"):
        render(templates, "mine", phone="+919876543210")

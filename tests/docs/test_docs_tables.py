"""Tables of the other pages against the code: states, REST, operations, templates, configuration."""

import ast
import json
import re
from pathlib import Path

import pytest
from docs_kit import ROOT, blocks, code, modules, page, table, words

from notifier.channels.context import Tone, context_of
from notifier.channels.handed.cell import CPU_S, MEMORY_BYTES
from notifier.channels.handed.cells import WALL_S
from notifier.cli.failure import FAILED, INTERRUPTED, MISUSED
from notifier.config.accounts import Account
from notifier.config.model import Config, Delivery, Logging, Polling, Server, Storage, Templates
from notifier.config.told import Email, Slack
from notifier.domain.alert.report import IncidentState
from notifier.domain.alert.report import Reason as IncidentReason
from notifier.domain.cadence import Why
from notifier.domain.delivery import DeliveryState, Reason
from notifier.domain.document import sample_event_document
from notifier.domain.handed import PARTS
from notifier.domain.health import News
from notifier.domain.order import WatchState
from notifier.domain.replay import ReplayState
from notifier.domain.subscription import SubscriptionState
from notifier.metrics import Metrics
from notifier.source.contract import TRANSIENT, FailureReason
from notifier.storage.records import Check, SourceState
from notifier.templating import FILTERS, MOST_CHARACTERS
from notifier.templating import Templates as Files
from notifier.web.alert_shapes import NewAlert
from notifier.web.routes import ROUTES
from notifier.web.shapes import NewReplay, NewSubscription, NewWatch, SubscriptionPatch, WatchPatch

_STATES, _API, _OPERATIONS, _TEMPLATES = (
    f"docs/{name}.md" for name in ("states", "api", "operations", "templates")
)
_SETTINGS = "docs/configuration.md"


def _first(name: str, heading: str) -> list[str]:
    return [row[0].strip("`") for row in table(name, heading)]


@pytest.mark.parametrize(
    ("heading", "words_of_ours"),
    [
        ("## Watch", WatchState),
        ("## Why the next poll", Why),
        ("## Subscription", SubscriptionState),
        ("## Delivery", DeliveryState),
        ("## Reasons", Reason),
        ("## Replay", ReplayState),
        ("## Incident", IncidentState),
        ("## Why an incident is told", IncidentReason),
        ("## Source", SourceState),
        ("## Failures of a poll", FailureReason),
    ],
)
def test_every_word_of_a_machine_is_explained(heading, words_of_ours):
    assert _first(_STATES, heading) == list(words_of_ours)


@pytest.mark.parametrize(
    ("heading", "states"),
    [
        ("## Watch", WatchState),
        ("## Subscription", SubscriptionState),
        ("## Delivery", DeliveryState),
        ("## Replay", ReplayState),
        ("## Incident", IncidentState),
        ("## Source", SourceState),
    ],
)
def test_a_diagram_has_every_state_and_no_other(heading, states):
    diagram = page(_STATES).partition(f"\n{heading}\n")[2].partition("```mermaid\n")[2].partition("```")[0]
    arrows = re.findall(r"^    (\S+) --> (\w+)", diagram, re.MULTILINE)

    assert {end for arrow in arrows for end in arrow} - {"[*]"} == set(states)


def test_no_arrow_leaves_a_final_state_of_a_delivery():
    rows = {row[0].strip("`"): row[1] for row in table(_STATES, "## Delivery")}
    diagram = page(_STATES).partition("\n## Delivery\n")[2].partition("```mermaid\n")[2].partition("```")[0]
    left = set(re.findall(r"^    (\w+) -->", diagram, re.MULTILINE))

    for state in DeliveryState:
        assert rows[state] == ("yes" if state.is_final else "no")
        assert (state in left) != state.is_final


def test_failures_that_count_against_a_source_are_marked():
    marked = {row[0].strip("`") for row in table(_STATES, "## Failures of a poll") if row[1] == "yes"}

    assert marked == set(TRANSIENT)


def test_every_route_is_listed_with_its_statuses():
    listed = [
        (row[0].strip("`"), row[1].strip("`"), {int(each) for each in row[2].split(", ")})
        for row in table(_API, "## Every route")
    ]

    assert listed == [(route.method, route.path, set(route.success)) for route in ROUTES]


def test_the_calls_that_need_no_key_are_named():
    (said,) = re.findall(r"Every call but (.*) needs `Authorization", page(_API))

    assert set(code(said)) == {route.path for route in ROUTES if route.is_keyless}


@pytest.mark.parametrize(
    ("head", "shape"),
    [
        ("| member of `POST /v1/watches` | means |", NewWatch),
        ("| member of `PATCH /v1/watches/{order_id}` | means |", WatchPatch),
        ("| member of `POST /v1/subscriptions` | means |", NewSubscription),
        ("| member of `POST /v1/subscriptions/{id}/replay` | means |", NewReplay),
        ("| member of `POST /v1/alerts` | means |", NewAlert),
    ],
)
def test_every_member_of_a_body_is_explained(head, shape):
    rows = page(_API).partition(head)[2].partition("\n\n")[0].splitlines()[2:]

    assert {row.split("|")[1].strip().strip("`") for row in rows} == set(shape.model_fields)


def test_a_patch_takes_what_the_page_says():
    assert "`PATCH` takes the same but `channel` and `since`" in page(_API)
    assert set(NewSubscription.model_fields) - set(SubscriptionPatch.model_fields) == {"channel", "since"}


def test_every_check_of_the_audit_is_explained():
    assert _first(_OPERATIONS, "`notifier db audit` shows the rows:") == list(Check)


def test_every_exit_status_is_listed():
    assert [int(status) for status in _first(_OPERATIONS, "## Start and stop")] == [
        0, FAILED, MISUSED, INTERRUPTED
    ]  # fmt: skip


def test_every_metric_is_listed():
    families = (family for family in Metrics().registry.collect() if family.name.startswith("notifier_"))
    names = [f"{family.name}_total" if family.type == "counter" else family.name for family in families]

    assert sorted(_first(_OPERATIONS, "## Metrics")) == sorted(names)


def _log_lines() -> dict[str, set[str]]:
    """Return each line that the code can log, with its levels."""
    found: dict[str, set[str]] = {}
    for _, tree in modules():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            is_log = isinstance(node.func.value, ast.Name) and node.func.value.id in {"log", "_log"}
            if is_log and node.args and isinstance(node.args[0], ast.Constant):
                level = node.func.attr.replace("exception", "error")
                found.setdefault(node.args[0].value, set()).add(level)
    return found


def test_every_log_line_is_listed_with_its_levels():
    # These stand in the code as types of events.
    of_source = {f"source.{word}": {"warning"} for word in ("failing", "refused", "recovered")}
    told = of_source | {str(news): {"warning"} for news in News}
    listed = {row[0].strip("`"): set(row[1].split(", ")) for row in table(_OPERATIONS, "## Log lines")}

    assert listed == _log_lines() | told


def test_the_unit_gives_the_daemon_time_to_drain():
    (unit,) = blocks(_OPERATIONS, "ini")
    (stop_s,) = re.findall(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)

    assert int(stop_s) > Server().shutdown_grace_s
    assert f"RestartPreventExitStatus={MISUSED}" in unit


def test_the_rules_of_egress_are_those_of_the_configuration():
    named = {re.match(r"\w+", word)[0] for word in words(_OPERATIONS, "## Where messages may go")}

    assert named <= set(Delivery.model_fields)
    assert {"allow_http", "allowed_ports", "allow_private_targets", "allowed_targets"} == named
    assert Delivery().allowed_ports == (443, 8443)


def test_every_variable_of_a_template_is_explained():
    assert set(_first(_TEMPLATES, "## What a template is given")) == set(
        context_of(sample_event_document("order.charged"))
    )
    assert set(Tone) <= set(code(page(_TEMPLATES)))


def test_every_filter_is_explained():
    assert set(_first(_TEMPLATES, "## Filters")) == set(FILTERS)
    assert f"at most {MOST_CHARACTERS // 1024} KiB" in page(_TEMPLATES)


def test_the_parts_of_each_channel_are_those_of_its_shipped_template():
    shipped = {
        folder.name: {file.name.partition(".")[2].removesuffix(".j2") for file in folder.iterdir()}
        for folder in (ROOT / "templates").iterdir()
    }

    assert {
        row[0].strip("`"): set(code(row[1])) for row in table(_TEMPLATES, "## Channels and parts")
    } == shipped


def test_the_limits_of_templates_over_rest_are_those_that_are_held():
    text = page(_TEMPLATES).partition("## Templates over REST")[2].partition("\n## ")[0]

    assert f"{CPU_S} s of processor time, {MEMORY_BYTES // 1024**2} MiB of memory" in text.replace("\n", " ")
    assert f"it may take {WALL_S:.0f} s in all" in text.replace("\n", " ")
    assert {row[0].strip("`"): set(code(row[1])) for row in table(_TEMPLATES, "## Channels and parts")} == {
        channel: set(parts) for channel, parts in PARTS.items()
    }


def test_every_attribute_of_a_cloud_event_is_explained():
    document = sample_event_document("order.charged")
    context = {"event": document, "data": document["data"], "order": document["data"]["order"]}
    made = Files().render("webhook", "cloudevents", event_type="order.charged", part="json", context=context)
    rows = (
        page(_TEMPLATES)
        .partition("| attribute | of `cloudevents` holds |")[2]
        .partition("\n\n")[0]
        .splitlines()[2:]
    )

    assert [row.split("|")[1].strip().strip("`") for row in rows] == list(json.loads(made))


def test_the_example_of_a_template_takes_the_place_of_the_shipped_one(tmp_path):
    (path,) = re.findall(r"^`my-templates/(\S+)`:$", page(_TEMPLATES), re.MULTILINE)
    (body,) = blocks(_TEMPLATES, "jinja")
    file = tmp_path / path
    file.parent.mkdir()
    file.write_text(body)

    def said(event_type: str) -> str:
        context = context_of(sample_event_document(event_type))
        return Files(tmp_path).render("slack", None, event_type=event_type, part="json", context=context)

    assert json.loads(said("refund.failure"))["text"].startswith("Refund failed: ")
    assert not json.loads(said("refund.success"))["text"].startswith("Refund failed: ")


_ONLY_JUDGES = {Path("notifier/cli/check.py"), Path("notifier/app/support.py")}


def _used_outside_of_the_configuration() -> set[str]:
    """Return every attribute that some module reads; what is only judged has no effect."""
    return {
        node.attr
        for path, tree in modules()
        if path.parts[1] != "config" and path not in _ONLY_JUDGES
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
    }


def test_settings_said_to_be_without_effect_are_and_no_others():
    heading = "## Read, and without effect in this version"
    listed = {name.rpartition(".")[2] for name in _first(_SETTINGS, heading)}
    sections = (Account, Config, Delivery, Email, Logging, Polling, Server, Slack, Storage, Templates)
    declared = {
        name
        for section in sections
        for name in section.model_fields
        if not name.endswith(("api_key_env", "api_key_file", "master_key_env", "master_key_file"))
        and not name.startswith(("bot_token_", "signing_secret_", "password_"))
    }
    read = _used_outside_of_the_configuration() | {"url"}  # the database's, read as `sqlite_path`

    assert declared - read == listed

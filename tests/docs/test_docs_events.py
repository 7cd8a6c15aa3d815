"""docs/events.md and docs/receivers.md against what is sent."""

import ast
import re
from collections.abc import Iterator

import pytest
from docs_kit import code, modules, page, table, words

from notifier.app.crew import delivery_limits
from notifier.channels.answer import outcome_of
from notifier.channels.contract import Address, Parcel
from notifier.channels.egress import Reply
from notifier.channels.webhook.channel import _own_headers
from notifier.channels.webhook.signature import new_secret
from notifier.config.model import SCHEDULE, Config, Delivery
from notifier.config.secret import Secret
from notifier.domain.document import SAMPLE_TYPES, SCHEMA, event_document
from notifier.domain.event import DERIVED_SLUGS
from notifier.domain.order import Phase, WatchState, known_statuses, phase_of
from notifier.domain.snapshot import Subject
from notifier.storage.records import Lanes
from support.builders import NOW, an_event
from support.clock import FakeClock

_EVENTS, _RECEIVERS = "docs/events.md", "docs/receivers.md"
_TYPES = "## Types of this version"
_OF_STATUS = {"order", "txn", "refund", "offer", "mandate", "loan", "chargeback"}
_SAMPLES = {
    "notifier/domain/document.py",
    "notifier/domain/juspay_names.py",
    "notifier/web/wishes.py",
}
"""Where types stand that are shown and not told."""


def _outside_of_logs(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield every node but those of a line for the log."""
    yield tree
    if isinstance(tree, ast.Call) and ast.unparse(tree.func).startswith(("log.", "_log.")):
        return
    for child in ast.iter_child_nodes(tree):
        yield from _outside_of_logs(child)


def _told_by_name() -> set[str]:
    """Return every type that stands in the code where events are made."""
    form = re.compile(rf"({'|'.join(Subject)})\.[a-z_]+|heartbeat")
    constants = {
        node.value
        for path, tree in modules()
        if str(path) not in _SAMPLES and path.parts[1] in {"domain", "workers", "web"}
        for node in _outside_of_logs(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and form.fullmatch(node.value)
    }
    derived = {f"{subject}.{word}" for subject, slugs in DERIVED_SLUGS.items() for word in slugs}
    ended = {f"watch.{state}" for state in (WatchState.SETTLED, WatchState.ABANDONED, WatchState.NOT_FOUND)}
    return constants | derived | ended


def test_every_type_that_is_told_by_name_is_documented_and_no_other():
    documented = {row[0].strip("`") for row in table(_EVENTS, _TYPES)}

    assert {kind for kind in documented if "<" not in kind} == _told_by_name()
    assert {kind for kind in documented if "<" in kind} == {f"{subject}.<word>" for subject in _OF_STATUS}


def test_every_type_that_templates_know_is_either_told_or_said_to_come_later():
    later = set(code(page(_EVENTS).partition("## Types of later versions")[2].partition("##")[0]))
    told = _told_by_name()

    assert not later & told
    for kind in SAMPLE_TYPES:
        is_status = kind.partition(".")[0] in _OF_STATUS
        assert (kind in told or is_status) != (kind in later), kind


def test_the_document_is_described_member_by_member():
    document = event_document(an_event(), 1, None)

    assert words(_EVENTS, "## The document") == list(document)
    assert [row[0].strip("`") for row in table(_EVENTS, "## `data`")] == [
        *document["data"], "backlog", "incident", "skipped"
    ]  # fmt: skip
    assert f"| `schema` | {SCHEMA};" in page(_EVENTS)


def test_every_status_word_stands_with_its_phase():
    rows = {row[0]: code(row[1]) for row in table(_EVENTS, "## Phases")}

    assert set(rows) == set(Phase)
    assert {word for listed in rows.values() for word in listed} == set(known_statuses())
    for phase, listed in rows.items():
        assert {phase_of(word) for word in listed} <= {Phase(phase)}


def test_every_header_of_a_callback_is_documented():
    address = Address(target=Secret("https://shop.example/hooks"), secrets=(Secret(new_secret()),))
    parcel = Parcel(
        event_id="evt_1",
        event_type="order.charged",
        account="shop",
        order_id="JP1",
        subscription_id="sub_1",
        sequence=1,
        attempt=1,
        body=b"{}",
        now=NOW,
        address=address,
        behind=("evt_0",),
        replay_id="rpl_1",
    )

    assert [row[0].strip("`") for row in table(_RECEIVERS, "## Headers")] == [
        name for name in _own_headers(parcel) if name != "Content-Type"
    ]


_SHOWN_BY = {"anything else": (100, 400, 404, 500, 503), "300-399": (301, 308), "200-299": (200, 204, 299)}


@pytest.mark.parametrize("row", table(_RECEIVERS, "## What to answer")[:-1], ids=lambda row: row[0])
def test_what_an_answer_means_is_what_the_table_says(row):
    answered, meaning, reason = row
    verdicts = {"delivered": "accepted", "never again": "gone", "try again": "retry"}
    wanted = next(verdict for text, verdict in verdicts.items() if meaning.startswith(text))

    for status in _SHOWN_BY.get(answered) or map(int, answered.split(", ")):
        outcome = outcome_of(Reply(status=status, retry_after=None, body=b""), FakeClock())
        assert outcome.verdict == wanted
        assert code(reason) == [outcome.reason]


def test_the_waits_are_those_of_the_shipped_schedule():
    (shown,) = re.findall(r"^    ([0-9 ]+)$", page(_RECEIVERS), re.MULTILINE)

    assert tuple(map(int, shown.split())) == SCHEDULE
    assert len(SCHEDULE) + 1 == 17
    assert sum(SCHEDULE) == 3 * 86_400


def test_the_figures_for_receivers_are_the_defaults():
    text, shipped = page(_RECEIVERS), Delivery()
    limits = delivery_limits(Config(), Lanes(shipped.order_hold_attempts, shipped.order_hold_s))

    assert f"{limits.lease_s:.0f} s after it was taken" in text
    assert f"has had {shipped.order_hold_attempts} attempts or is {shipped.order_hold_s:.0f} s old" in text
    assert f"still owed {shipped.expires_after_s:.0f} s" in text
    assert f"may take {shipped.timeout_s:.0f} s in all" in text

"""docs/hints.md: the words that a hint can come to, and why one is ignored."""

from docs_kit import ROOT, code, page, table, words

from notifier.source.contract import FailureReason
from notifier.source.hint import Unread
from notifier.web.hints import MAX_BODY_BYTES, HintOutcome

_PAGE = "docs/hints.md"


def test_every_outcome_is_explained():
    assert words(_PAGE, "## What came of it") == list(HintOutcome)


def test_every_reason_to_ignore_a_hint_is_explained():
    rows = page(_PAGE).partition("| reason of `ignored` | it was |")[2].partition("\n\n")[0].splitlines()[2:]
    explained = {word for row in rows for word in code(row.split("|")[1])}
    envelope = (ROOT / "notifier/source/envelope.py").read_text()
    of_envelopes = {each.value for each in FailureReason if f"FailureReason.{each.name}" in envelope}

    assert explained == set(Unread) | of_envelopes | {FailureReason.TOO_LARGE}
    assert f"above {MAX_BODY_BYTES >> 20} MiB" in page(_PAGE)


def test_the_members_that_are_read_are_named():
    assert {"content.*.order_id", "content.mandate.mandate_id", "id", "event_name"} <= {
        word for row in table(_PAGE, "## What is read") for word in code(row[0])
    }

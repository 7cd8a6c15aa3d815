"""The checker itself: a journal in which all is well, and each way to doctor it."""

from dataclasses import replace

import pytest
from crash_checks import findings, repeats
from crash_journal import Delivery, Event, Journal, Kill, Listener, Receipt, Served


def event(sequence, word, order_id="JP1"):
    return Event(
        id=f"evt_{sequence}",
        sequence=sequence,
        order_id=order_id,
        version=sequence,
        type=f"order.{word.lower()}",
        field="status",
        current=word,
    )


def receipt(sequence, listener="hold", **members):
    usual = {"order_id": "JP1", "sequence": sequence, "attempt": 1, "life": 1, "at": 10.0 + sequence}
    return Receipt(**{"listener": listener, "event_id": f"evt_{sequence}", "answer": 204} | usual | members)


def delivery(sequence, listener="hold", **members):
    usual = {"state": "delivered", "reason": "accepted", "attempts": 1, "sequence": sequence}
    tries = {"tries": ((1, "accepted"),)}
    return Delivery(**{"listener": listener, "event_id": f"evt_{sequence}"} | usual | tries | members)


@pytest.fixture
def journal():
    """Three events of one order, each told once to two listeners; the daemon was killed once, to no effect."""
    words = ("NEW", "PENDING_VBV", "CHARGED")
    return Journal(
        listeners={
            "hold": Listener(name="hold"),
            "strict": Listener(name="strict", ordering="strict"),
        },
        kills=[Kill(life=1, at=14.0, point="after send")],
        served=[Served(order_id="JP1", status=word, life=1) for word in words for _ in range(2)],
        receipts=[receipt(n, name) for n in (1, 2, 3) for name in ("hold", "strict")],
        registered={"JP1"},
        finals={"JP1": "CHARGED"},
        events=[event(n, word) for n, word in enumerate(words, 1)],
        deliveries=[delivery(n, name) for n in (1, 2, 3) for name in ("hold", "strict")],
        versions={"JP1": list(enumerate(words, 1))},
    )


def found(journal):
    """Return the names of the checks that found something."""
    return {line.partition(":")[0] for line in findings(journal)}


def test_a_journal_in_which_all_is_well_has_no_findings(journal):
    assert findings(journal) == []


def test_a_callback_that_never_came_is_found(journal):
    journal.receipts = [
        each for each in journal.receipts if (each.listener, each.event_id) != ("hold", "evt_2")
    ]
    assert found(journal) == {"lost_deliveries"}


def test_a_callback_that_was_refused_for_good_is_found(journal):
    journal.receipts[2].answer = 500
    assert found(journal) == {"lost_deliveries"}


def test_an_event_nobody_was_owed_is_found(journal):
    journal.deliveries = [each for each in journal.deliveries if each.event_id != "evt_3"]
    assert "lost_deliveries" in found(journal)


@pytest.mark.parametrize("state", ["pending", "held", "failed", "cancelled"])
def test_a_delivery_that_did_not_end_well_is_found(journal, state):
    journal.deliveries[0] = replace(journal.deliveries[0], state=state)
    assert found(journal) == {"lost_deliveries"}


def test_a_snapshot_that_was_stored_and_not_told_is_found(journal):
    journal.versions["JP1"].insert(2, (9, "AUTHORIZING"))
    assert "untold_versions" in found(journal)


def test_a_status_that_was_served_and_held_and_not_told_is_found(journal):
    journal.served += [Served(order_id="JP1", status="AUTHORIZING", life=2)] * 2
    assert found(journal) == {"untold_served"}


def test_a_status_that_two_daemons_were_shown_once_each_may_go_untold(journal):
    journal.served += [Served(order_id="JP1", status="AUTHORIZING", life=life) for life in (1, 2, None, None)]
    assert findings(journal) == []


def test_a_last_word_that_was_not_told_is_found(journal):
    journal.finals["JP1"] = "AUTHORIZATION_FAILED"
    assert found(journal) == {"untold_finals"}


def test_a_registration_that_was_answered_and_forgotten_is_found(journal):
    journal.registered.add("JP2")
    assert found(journal) == {"lost_registrations"}


def swapped(journal, listener):
    """Let the second event overtake the first."""
    first, second = (
        next(n for n, each in enumerate(journal.receipts) if (each.listener, each.event_id) == (listener, of))
        for of in ("evt_1", "evt_2")
    )
    receipts = journal.receipts
    receipts[first], receipts[second] = receipts[second], receipts[first]
    return receipts[first]


def test_an_overtaking_without_a_mark_is_found(journal):
    swapped(journal, "hold")
    assert found(journal) == {"broken_lanes"}


def test_an_overtaking_that_names_the_earlier_event_is_none(journal):
    swapped(journal, "hold").behind = ("evt_1",)
    assert findings(journal) == []


def test_an_overtaking_that_names_another_event_is_found(journal):
    swapped(journal, "hold").behind = ("evt_0",)
    assert found(journal) == {"broken_lanes"}


def test_an_overtaking_in_a_strict_lane_is_found_marked_or_not(journal):
    swapped(journal, "strict").behind = ("evt_1",)
    assert found(journal) == {"broken_lanes"}


def repeated(journal, *, life=2, recorded="no_outcome"):
    """Let the last event be told twice, the second time by that life."""
    journal.receipts.append(receipt(3, attempt=2, life=life, at=20.0))
    place = next(
        n for n, each in enumerate(journal.deliveries) if (each.listener, each.event_id) == ("hold", "evt_3")
    )
    journal.deliveries[place] = delivery(3, attempts=2, tries=((1, recorded), (2, "accepted")))
    return journal


def test_a_repeat_is_explained_by_a_kill_before_its_record(journal):
    repeated(journal)
    assert findings(journal) == []
    (repeat,) = repeats(journal)
    assert (repeat.point, repeat.why_not) == ("after send", "")


def test_a_repeat_by_the_same_daemon_is_found(journal):
    assert found(repeated(journal, life=1)) == {"unexplained_repeats"}


def test_a_repeat_without_a_kill_is_found(journal):
    journal.kills.clear()
    assert found(repeated(journal)) == {"unexplained_repeats"}


def test_a_repeat_of_what_was_on_record_is_found(journal):
    assert "unexplained_repeats" in found(repeated(journal, recorded="accepted"))


def test_a_repeat_of_what_was_taken_long_before_the_kill_is_found(journal):
    journal.kills = [Kill(life=1, at=30.0, point="after send")]
    assert found(repeated(journal)) == {"unexplained_repeats"}


def test_a_hole_in_the_numbers_is_found(journal):
    journal.deliveries = [replace(each, sequence=each.sequence + 1) for each in journal.deliveries]
    journal.receipts = [replace(each, sequence=each.sequence + 1) for each in journal.receipts]
    assert found(journal) == {"broken_sequences"}


def test_a_number_used_for_two_events_is_found(journal):
    journal.receipts[2].sequence = 1
    assert found(journal) == {"broken_sequences"}


def test_a_signature_that_does_not_verify_is_found(journal):
    journal.receipts[0].is_verified = False
    assert found(journal) == {"broken_signatures"}


@pytest.mark.parametrize(
    "members",
    [
        {"attempts": 2},
        {"tries": ()},
        {"tries": ((2, "accepted"),), "attempts": 2},
        {"tries": ((1, "accepted"), (2, "accepted")), "attempts": 2},
    ],
)
def test_attempts_that_do_not_add_up_are_found(journal, members):
    journal.deliveries[0] = replace(journal.deliveries[0], **members)
    assert found(journal) == {"miscounted_attempts"}


def skipped(journal, *, by):
    """Let the second event be superseded by the third, for a listener in mode latest."""
    journal.listeners["hold"] = Listener(name="hold", mode="latest")
    journal.receipts = [
        each for each in journal.receipts if (each.listener, each.event_id) != ("hold", "evt_2")
    ]
    numbers = {"evt_1": 1, "evt_3": 2}
    for each in journal.receipts:
        if each.listener == "hold":
            each.sequence = numbers[each.event_id]
            each.skipped = by if each.event_id == "evt_3" else ()
    gone = {"state": "superseded", "reason": "newer_state", "attempts": 0, "tries": ()}
    journal.deliveries = [
        each if each.listener == "strict" else replace(each, sequence=numbers.get(each.event_id), **changed)
        for each in journal.deliveries
        for changed in [gone if each.event_id == "evt_2" else {}]
    ]
    return journal


def test_what_a_later_body_names_as_skipped_is_not_lost(journal):
    assert findings(skipped(journal, by=("evt_2",))) == []


def test_what_no_later_body_names_as_skipped_is_lost(journal):
    assert found(skipped(journal, by=())) == {"lost_deliveries"}

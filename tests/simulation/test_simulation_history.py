"""The lives that the daemon saw, as rows for the simulator."""

from notifier.simulation.history import rows_of
from notifier.storage.records import StoredSnapshot
from support.builders import a_refund, a_snapshot, an_order, at


def stored(version, order, *, seen, not_before=None, **members):
    return StoredSnapshot(
        version=version,
        snapshot=a_snapshot(order, **members),
        observed_at=at(seen),
        not_before=None if not_before is None else at(not_before),
    )


def told(rows):
    return [(row.at_s, row.subject, row.status) for row in rows]


def test_a_change_is_dated_halfway_between_two_looks_where_the_upstream_does_not_say():
    rows = rows_of(
        "shop:A",
        [
            stored(1, an_order("NEW", date_created=at(0)), seen=2),
            stored(2, an_order("PENDING_VBV", payment_method_type="CARD"), seen=30, not_before=20),
        ],
    )
    assert told(rows) == [(0, "order", "NEW"), (25, "order", "PENDING_VBV")]
    assert rows[1].method == "CARD"


def test_the_upstreams_word_dates_a_change_if_it_falls_between_the_looks():
    versions = [
        stored(1, an_order("NEW", date_created=at(0)), seen=2),
        stored(2, an_order("CHARGED"), seen=40, not_before=20, last_updated=at(33)),
    ]
    assert told(rows_of("shop:A", versions))[-1] == (33, "order", "CHARGED")
    versions[1] = stored(2, an_order("CHARGED"), seen=40, not_before=20, last_updated=at(3600))
    assert told(rows_of("shop:A", versions))[-1] == (30, "order", "CHARGED")


def test_a_refund_is_told_by_its_stages():
    versions = [
        stored(1, an_order("NEW", date_created=at(0)), seen=1),
        stored(2, an_order("CHARGED"), seen=20, not_before=10),
        stored(3, an_order("CHARGED"), seen=60, not_before=40, refunds=(a_refund(sent_to_gateway=True),)),
        stored(4, an_order("CHARGED"), seen=100, not_before=80, refunds=(a_refund(status="SUCCESS"),)),
    ]
    assert told(rows_of("shop:A", versions))[2:] == [
        (50, "refund", "PENDING_SENT"),
        (90, "refund", "SUCCESS"),
    ]


def test_an_order_that_was_over_when_it_was_first_seen_tells_nothing():
    assert rows_of("shop:A", [stored(1, an_order("CHARGED", date_created=at(-9000)), seen=2)]) == []
    assert rows_of("shop:A", []) == []


def test_a_status_that_is_missing_for_a_while_is_no_change():
    """It once was a row without a status, for which the whole file could not be read again."""
    versions = [
        stored(1, an_order("NEW", date_created=at(0)), seen=1),
        stored(2, an_order("CHARGED"), seen=20, not_before=10, refunds=(a_refund(sent_to_gateway=True),)),
        stored(3, an_order(""), seen=60, not_before=40, refunds=(a_refund(status=None),)),
        stored(4, an_order("CHARGED"), seen=100, not_before=80, refunds=(a_refund(status="SUCCESS"),)),
    ]
    assert told(rows_of("shop:A", versions))[1:] == [
        (15, "order", "CHARGED"),
        (15, "refund", "PENDING_SENT"),
        (90, "refund", "SUCCESS"),
    ]

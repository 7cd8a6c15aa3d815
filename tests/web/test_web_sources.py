"""Reading an order that several sources speak of."""

from dataclasses import replace

from notifier.domain.order import Source, order_key
from notifier.web.wording import line
from support.builders import a_credit, a_loan, a_mandate, a_snapshot
from support.clock import START


async def versions(storage, *snapshots):
    """Add versions of JP1, each with the last words of the other sources beside it."""
    last = {}
    for snapshot in snapshots:
        beside = tuple(each for source, each in last.items() if source is not snapshot.source)
        last[snapshot.source] = seen = replace(snapshot, observed_at=START)
        async with storage.writing() as tx:
            watch = await tx.watch("shop", order_key("JP1"))
            await tx.add_snapshot(watch, replace(seen, beside=beside), observed_at=START, not_before=None)


async def test_the_present_is_what_all_sources_said_last(api, storage):
    await api.post("/v1/watches", {"order_id": "JP1"})
    await versions(storage, a_snapshot(), a_credit("Offer Selected"), a_mandate("PAUSED"))
    read = (await api.get("/v1/orders/JP1")).body
    assert (read["version"], read["source"], read["phase"]) == (3, "mandate", "succeeded")
    assert read["order"]["status"] == "CHARGED"
    assert read["order"]["loan"]["txn_list"] == [{"txn_id": "l1", "sub_status": "Offer Selected"}]
    assert read["order"]["mandate"]["mandate_status"] == "PAUSED"
    first = (await api.get("/v1/orders/JP1/snapshots?version=1")).body
    assert not {"loan", "mandate"} & set(first["order"])


async def test_a_timeline_compares_each_source_with_itself_and_names_it(api, storage, clock):
    await api.post("/v1/watches", {"order_id": "JP1"})
    moved = a_credit(a_loan("l1", "KYC Verified"))
    moved = replace(moved, credit=replace(moved.credit, order_status="PENDING_VBV"))
    await versions(storage, a_credit("Offer Selected"), a_snapshot(), moved)
    story = (await api.get("/v1/orders/JP1/timeline")).body["items"]
    seen = [each for each in story if each["kind"] == "snapshot"]
    assert [each["status"] for each in seen] == [None, "CHARGED", None]
    assert [(each["field"], each["previous"], each["current"]) for each in seen[2]["changes"]] == [
        ("order_status", None, "PENDING_VBV"),
        ("sub_status", "Offer Selected", "KYC Verified"),
    ]
    told = line(seen[2], clock.now())
    assert told.plain().startswith("snapshot   version 3 by hypercredit:")
    assert told.changes[1] == "loan l1 sub_status: Offer Selected → KYC Verified"
    assert line(seen[1], clock.now()).plain().startswith("snapshot   version 2: CHARGED")
    assert {each["source"] for each in seen} == {Source.ORDER, Source.HYPERCREDIT}

"""The body `juspay` of every step of every life, against the upstream's own answer at that step."""

import json
from dataclasses import replace
from decimal import Decimal

import pytest
from lives import LIVES

from notifier.domain.document import event_document, order_document
from notifier.domain.juspay_members import FILTERED
from notifier.domain.order import OrderId, Source
from notifier.domain.snapshot import Subject
from notifier.source.hint import read_hint
from notifier.templating import Templates
from support.beside import seen
from support.builders import NOW, an_event
from support.upstream import ORDER_ID

# Noise is not how the upstream spells; and no order is in one currency and its payment in another.
_ODD = {"another currency", *LIVES["noise"]}
STEPS = [(name, step) for name in LIVES for step in LIVES[name] if step not in _ODD]
TEMPLATES = Templates()
# What the upstream may write in more than one way, or we put in a form of its own.
_EMPTY = (None, "", [], "null", "NA", FILTERED)


def told(snapshot, event_type, subject_id=None):
    """Return what the template makes of an event of this snapshot, its numbers exact."""
    event = an_event(
        event_type,
        order_id=OrderId(ORDER_ID),
        subject=Subject(event_type.partition(".")[0]),
        subject_id=subject_id,
        source=snapshot.source,
    )
    shown = replace(snapshot, observed_at=NOW)
    document = event_document(event, 7, order_document(event.order_id, shown))
    text = TEMPLATES.render(
        "webhook", "juspay", event_type=event.type, part="json", context={"event": document}
    )
    return json.loads(text, parse_float=Decimal)


def content(name, step):
    body = LIVES[name][step]
    snapshot = seen(body)
    if snapshot.source is Source.MANDATE:  # what its amounts are in is said by the order
        snapshot = replace(snapshot, beside=(seen(LIVES["a_mandate"]["CREATED"]),))
    kinds = {
        Source.ORDER: "order.charged",
        Source.MANDATE: "mandate.active",
        Source.HYPERCREDIT: "loan.loan_active",
    }
    made = told(snapshot, kinds[snapshot.source])["content"]
    return made["mandate" if snapshot.source is Source.MANDATE else "order"], body


def values(given):
    """Return every plain value of a body."""
    match given:
        case dict():
            return {each for inner in given.values() for each in values(inner)}
        case list():
            return {each for inner in given for each in values(inner)}
    return {given}


def differences(made, given, said, path=""):
    """Yield every member that says another thing than the upstream did, or says it in another type.

    A member that it leaves out may repeat what it `said` elsewhere.
    """
    if made == FILTERED or (made in _EMPTY and given in _EMPTY):
        return
    match made, given:
        case dict(), dict():
            for name, value in made.items():
                if name not in given:
                    yield from (
                        [] if value in (*_EMPTY, *said) else [f"{path}.{name}: {value!r} was never said"]
                    )
                else:
                    yield from differences(value, given[name], said, f"{path}.{name}")
        case list(), list() if len(made) == len(given):
            for n, (one, other) in enumerate(zip(by_name(made), by_name(given), strict=True)):
                yield from differences(one, other, said, f"{path}[{n}]")
        case _:
            if made != given or isinstance(made, str) != isinstance(given, str):
                yield f"{path}: {made!r} for {given!r}"


def by_name(rows):
    return sorted(rows, key=lambda row: str(row.get("unique_request_id") or row.get("txn_id") or ""))


@pytest.mark.parametrize(("name", "step"), STEPS)
def test_what_is_said_is_what_the_upstream_said_in_its_types_or_masked(name, step):
    made, given = content(name, step)
    exact = json.loads(json.dumps(given), parse_float=Decimal)

    assert list(differences(made, exact, values(exact))) == []
    assert made["order_id"] == ORDER_ID


@pytest.mark.parametrize(("name", "step"), STEPS)
def test_whoever_reads_the_body_like_an_answer_of_the_upstream_learns_what_we_know(name, step):
    made, given = content(name, step)
    spelled = json.loads(json.dumps(made, default=float))
    again, known = seen(spelled | {"order_id": ORDER_ID}), seen(given)
    if known.source is Source.MANDATE:
        known = replace(known, mandate=replace(known.mandate, response_code=again.mandate.response_code))
    if known.order is not None:
        # Of who paid nothing leaves in this shape, and what it cannot say about gateways' own offers.
        lost = {"payer_handle": None, "attempt": again.order.attempt}
        known = replace(known, order=replace(known.order, **lost))

    assert replace(again, last_updated=None, reader=known.reader) == replace(known, last_updated=None)


@pytest.mark.parametrize(("name", "step"), STEPS)
def test_nobody_is_named_in_it(name, step):
    made, _ = content(name, step)

    assert not [
        word
        for word in ("nila", "9800000007", "t0ken", "4242")
        if word in json.dumps(made, default=str).lower()
    ]


def test_money_is_written_as_the_upstream_writes_it_and_never_by_a_float():
    snapshot = seen(LIVES["refunds"]["a part back"])
    huge = replace(snapshot.order.amount, minor=9_007_199_254_740_993_01)
    made = told(replace(snapshot, order=replace(snapshot.order, amount=huge)), "refund.success", "RF-1")
    order = made["content"]["order"]

    assert order["amount"] == Decimal("9007199254740993.01")
    assert order["amount_refunded"] == Decimal("1000.56")
    assert order["effective_amount"] == 1500
    assert isinstance(order["effective_amount"], int)


@pytest.mark.parametrize(
    ("event_type", "life", "step", "source"),
    [
        ("order.charged", "a_card_payment", "CHARGED", Source.ORDER),
        ("order.retried", "three_attempts", "CHARGED in the 3rd attempt", Source.ORDER),
        ("mandate.active", "a_mandate", "ACTIVE", Source.MANDATE),
        ("loan.loan_active", "a_loan", "Loan Active", Source.HYPERCREDIT),
    ],
)
def test_a_reader_of_the_upstreams_webhooks_finds_the_order(event_type, life, step, source):
    made = told(seen(LIVES[life][step]), event_type)
    hint = read_hint(json.dumps(made, default=float).encode())

    assert (hint.order_id, hint.source) == (ORDER_ID, source)

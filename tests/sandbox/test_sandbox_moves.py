"""Pushing orders by hand, and hurrying their scripts."""

import pytest

from notifier.errors import InvalidValue
from notifier.sandbox.lives.moves import Move, Part, moved, moves
from notifier.sandbox.lives.scenario import Life, Method
from notifier.sandbox.lives.scripts import SCRIPTS


def scripted(name, amount=100_00):
    return SCRIPTS[name].life(order_id="OW1", amount=amount)


def words(life, age_s, part):
    return [(move.id, move.to) for move in moves(life, age_s) if move.part is part]


def push(life, age_s, part, to, id=""):  # noqa: A002 - the member's name
    return moved(life, age_s, Move(part=part, to=to, id=id))


def test_a_payment_is_pushed_from_one_word_to_the_next():
    life = Life(order_id="O", amount=100_00)
    for age_s, word in enumerate(
        ("PENDING_VBV", "AUTHORIZATION_FAILED", "PENDING_VBV", "AUTHORIZING", "CHARGED")
    ):
        life = push(life, age_s, Part.ORDER, word)
    assert (life.look(9).status, life.look(9).attempt) == ("CHARGED", 2)


@pytest.mark.parametrize("to", ["CHARGED", "VOIDED", "NEW", "nonsense"])
def test_what_cannot_happen_is_refused_with_what_can(to):
    with pytest.raises(InvalidValue, match="order PENDING_VBV"):
        push(Life(order_id="O", amount=1), 0, Part.ORDER, to)


def test_a_refund_is_pushed_through_its_stages():
    life = push(scripted("charged"), 60, Part.REFUND, "HALF")
    assert life.look(60).refunded == 50_00
    (mark,) = {id for id, _ in words(life, 60, Part.REFUND) if id}  # noqa: A001
    for age_s, word in enumerate(("SENT", "MANUAL_REVIEW", "SUCCESS", "ARN"), start=61):
        assert (mark, word) in words(life, age_s, Part.REFUND)
        life = push(life, age_s, Part.REFUND, word, mark)
    (row,) = life.look(99).refunds
    assert (row.status, row.sent_to_gateway, row.has_arn) == ("SUCCESS", True, True)
    assert {id for id, _ in words(life, 99, Part.REFUND)} == {""}  # noqa: A001


def test_a_refund_that_failed_leaves_room_for_another():
    life = push(scripted("charged"), 60, Part.REFUND, "ALL")
    assert ("", "ALL") not in words(life, 60, Part.REFUND)
    mark = life.look(60).refunds[0].unique_request_id
    life = push(push(life, 61, Part.REFUND, "SENT", mark), 62, Part.REFUND, "FAILURE", mark)
    life = push(life, 63, Part.REFUND, "ALL")
    assert [row.status for row in life.look(63).refunds] == ["FAILURE", "PENDING"]
    assert len({row.unique_request_id for row in life.look(63).refunds}) == 2


def test_a_push_ends_what_the_script_had_in_mind_for_that_part_only():
    life = scripted("refund_failed")
    mark = life.look(400).refunds[0].unique_request_id
    life = push(push(life, 400, Part.REFUND, "SENT", mark), 401, Part.REFUND, "SUCCESS", mark)
    assert life.look(10**6).refunds[0].status == "SUCCESS"
    assert life.look(10**6).status == "CHARGED"


def test_an_auto_refund_by_hand_brings_its_row():
    life = push(scripted("charged"), 60, Part.ORDER, "AUTO_REFUNDED")
    (row,) = life.look(60).refunds
    assert (row.initiated_by, row.amount) == ("AUTO_REFUNDED", 100_00)


def test_a_mandate_is_paused_resumed_and_revoked():
    life = scripted("mandate_revoked")
    for age_s, word in ((100, "PAUSED"), (101, "ACTIVE"), (102, "REVOKED")):
        life = push(life, age_s, Part.MANDATE, word)
    assert life.look(10**6).mandate_status == "REVOKED"
    assert words(life, 103, Part.MANDATE) == []


def test_a_loan_skips_is_refused_and_tries_another_lender():
    life = Life(order_id="O", amount=100_00, method=Method.LOAN)
    life = push(life, 1, Part.LOAN, "Offer Received", "1")
    life = push(life, 2, Part.LOAN, "Loan Rejected", "1")
    assert life.look(2).status == "AUTHORIZATION_FAILED"
    life = push(life, 3, Part.LOAN, "Offer Received", "2")
    assert life.look(3).status == "PENDING_VBV"
    life = push(life, 4, Part.LOAN, "Loan Active", "2")
    assert life.look(4).status == "CHARGED"
    assert words(life, 4, Part.LOAN) == []


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_move_of_every_script_can_be_made_and_shows(name):
    life = scripted(name)
    for age_s in {0.0, *(step.at_s for step in life.steps)}:
        for move in moves(life, age_s):
            after = moved(life, age_s, move)
            assert after.look(age_s) != life.look(age_s), move


@pytest.mark.parametrize("name", SCRIPTS)
def test_hurrying_comes_to_the_same_end_step_by_step(name):
    life = scripted(name)
    hurried = life
    for _ in life.steps:
        hurried = hurried.hurried(5)
    assert hurried.ends_s <= 5 or not hurried.steps
    end, early = life.look(10**9), hurried.look(5)
    assert (early.status, early.mandate_status) == (end.status, end.mandate_status)
    assert [row.status for row in early.refunds] == [row.status for row in end.refunds]
    assert [row.stage for row in early.applications] == [row.stage for row in end.applications]
    assert all(row.asked_s <= row.changed_s for row in early.refunds)


async def test_an_order_is_pushed_over_http(merchant, world):
    world.sandbox.create("A", steps=())
    _, shown = await merchant.get("/sandbox/orders/a")
    assert shown["moves"] == [{"part": "order", "id": "", "to": "PENDING_VBV"}]
    status, shown = await merchant.post(
        "/sandbox/orders/a/moves", json={"part": "order", "to": "PENDING_VBV"}
    )
    assert (status, shown["status"]) == (200, "PENDING_VBV")
    status, problem = await merchant.post("/sandbox/orders/a/moves", json={"part": "order", "to": "VOIDED"})
    assert (status, problem["field"]) == (422, "to")
    assert (await merchant.get("/sandbox/orders/nobody"))[0] == 404


async def test_an_order_is_hurried_over_http(merchant, world):
    world.sandbox.create("A", script="charged")
    seen = [(await merchant.post("/sandbox/orders/A/next"))[1]["status"] for _ in range(3)]
    assert seen == ["PENDING_VBV", "CHARGED", "CHARGED"]

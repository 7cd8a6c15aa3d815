import random
from collections import Counter
from itertools import pairwise

import pytest

from notifier.sandbox.lives.chance import random_life, random_loan
from notifier.sandbox.lives.following import offer_status
from notifier.sandbox.lives.loans import REFUSED
from notifier.sandbox.lives.refunds import refund_steps
from notifier.sandbox.lives.scenario import Life, RefundOutcome, Step, course
from notifier.sandbox.lives.scripts import SCRIPTS, script_for_amount


def statuses(life: Life) -> list[str]:
    looks = [life.look(step.at_s).status for step in life.steps]
    return ["NEW", *(after for before, after in pairwise(["NEW", *looks]) if before != after)]


def refunds(life: Life) -> list[tuple[str, bool, bool]]:
    rows = [life.look(step.at_s).refunds for step in life.steps]
    return [(row[0].status, row[0].sent_to_gateway, row[0].has_arn) for row in rows if row]


def scripted(name: str) -> Life:
    return SCRIPTS[name].life(order_id="OW1", amount=100_00)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("charged", ["NEW", "PENDING_VBV", "CHARGED"]),
        ("authorizing", ["NEW", "PENDING_VBV", "AUTHORIZING", "CHARGED"]),
        ("failed", ["NEW", "PENDING_VBV", "AUTHORIZATION_FAILED"]),
        ("authentication_failed", ["NEW", "PENDING_VBV", "AUTHENTICATION_FAILED"]),
        ("declined", ["NEW", "PENDING_VBV", "JUSPAY_DECLINED"]),
        ("retry", ["NEW", "PENDING_VBV", "AUTHORIZATION_FAILED", "PENDING_VBV", "CHARGED"]),
        ("late_success", ["NEW", "PENDING_VBV", "AUTHENTICATION_FAILED", "CHARGED"]),
        ("auto_refunded", ["NEW", "PENDING_VBV", "AUTHENTICATION_FAILED", "CHARGED", "AUTO_REFUNDED"]),
        ("preauth", ["NEW", "PENDING_VBV", "AUTHORIZED", "CAPTURE_INITIATED", "CHARGED"]),
        ("voided", ["NEW", "PENDING_VBV", "AUTHORIZED", "VOID_INITIATED", "VOIDED"]),
        ("loan_session", ["NEW"]),
        ("loan_two_applications", ["NEW", "PENDING_VBV", "CHARGED"]),
        ("abandoned", ["NEW"]),
        ("stuck", ["NEW", "PENDING_VBV"]),
    ],
)
def test_a_named_life_goes_through_its_words(name, words):
    assert statuses(scripted(name)) == words


def test_a_retry_is_the_second_attempt_and_a_late_success_still_the_first():
    assert scripted("retry").look(10_000).attempt == 2
    assert scripted("late_success").look(10_000).attempt == 1


def test_nobody_has_tried_while_an_order_is_new():
    assert scripted("retry").look(0).attempt == 0


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        (
            "refund",
            [
                ("PENDING", False, False),
                ("PENDING", True, False),
                ("SUCCESS", True, False),
                ("SUCCESS", True, True),
            ],
        ),
        ("refund_failed", [("PENDING", False, False), ("PENDING", True, False), ("FAILURE", True, False)]),
        (
            "refund_manual_review",
            [("PENDING", False, False), ("PENDING", True, False), ("MANUAL_REVIEW", True, False)],
        ),
        (
            "refund_reviewed",
            [
                ("PENDING", False, False),
                ("PENDING", True, False),
                ("MANUAL_REVIEW", True, False),
                ("SUCCESS", True, False),
                ("SUCCESS", True, True),
            ],
        ),
        ("refund_overdue", [("PENDING", False, False), ("PENDING", True, False)]),
        ("refund_instant", [("PENDING", True, False), ("SUCCESS", True, False), ("SUCCESS", True, True)]),
    ],
)
def test_a_refund_takes_its_course(name, rows):
    assert refunds(scripted(name)) == rows


def test_a_refund_waits_a_quarter_of_an_hour_in_the_queue():
    queued, sent, *_ = refund_steps(unique_request_id="R1", amount=1, asked_s=100)
    assert sent.at_s - queued.at_s == 900


def test_a_refund_counts_until_it_fails():
    life = scripted("refund_failed")
    assert life.look(400).refunded == 100_00
    assert life.look(life.ends_s).refunded == 0


def test_the_platforms_own_refund_is_marked_as_such():
    (row,) = scripted("auto_refunded").look(1_000_000).refunds
    assert row.initiated_by == "AUTO_REFUNDED"
    assert row.unique_request_id.startswith("AR")


def test_a_failed_auto_refund_takes_its_money_back_out_of_the_total():
    life = scripted("auto_refund_failed")
    assert life.look(1300).refunded == 100_00
    assert (life.look(life.ends_s).status, life.look(life.ends_s).refunded) == ("AUTO_REFUNDED", 0)


def test_a_failed_refund_is_tried_again_under_another_id():
    first, second = scripted("refund_retried").look(10**6).refunds
    assert (first.status, second.status) == ("FAILURE", "SUCCESS")
    assert first.unique_request_id != second.unique_request_id


def test_two_refunds_of_an_odd_amount_give_all_of_it_back():
    life = SCRIPTS["two_refunds"].life(order_id="O", amount=99_99)
    assert life.look(10**6).refunded == 99_99


def test_an_offer_is_refunded_in_part_and_then_whole():
    life = scripted("offer_refunded")
    words = [offer_status(life, life.look(age_s)) for age_s in (20, 100, 400, 8000)]
    assert words == ["INITIATED", "AVAILED", "PARTIALLY_REFUNDED", "REFUNDED"]


def test_a_refund_id_is_short_enough_for_juspay():
    life = SCRIPTS["refund"].life(order_id="O" * 60, amount=100)
    assert len(life.look(life.ends_s).refunds[0].unique_request_id) < 21


def test_a_forced_status_cancels_what_the_script_meant_to_do_but_not_the_refunds():
    life = scripted("charged").then(
        *refund_steps(unique_request_id="R1", amount=1, asked_s=60, outcome=RefundOutcome.PENDING)
    )
    forced = life.forced(30, "AUTHORIZATION_FAILED")
    assert statuses(forced) == ["NEW", "PENDING_VBV", "AUTHORIZATION_FAILED"]
    assert len(forced.look(2000).refunds) == 1


def test_before_a_change_is_what_was_shown_before_it():
    life = Life(order_id="O", amount=1, steps=course((10, "PENDING_VBV"), (20, "CHARGED")))
    assert life.look(life.before(25)).status == "PENDING_VBV"
    assert life.look(life.before(15)).status == "NEW"
    assert life.before(5) == 0


def test_steps_are_put_in_order():
    life = Life(order_id="O", amount=1).then(
        Step(at_s=9, status="CHARGED"), Step(at_s=3, status="PENDING_VBV")
    )
    assert statuses(life) == ["NEW", "PENDING_VBV", "CHARGED"]


@pytest.mark.parametrize(
    ("amount", "end"),
    [
        (499_99, "CHARGED"),
        (500_00, "AUTHORIZATION_FAILED"),
        (699_99, "AUTHORIZATION_FAILED"),
        (700_00, "CHARGED"),
    ],
)
def test_the_amount_decides(amount, end):
    life = SCRIPTS[script_for_amount(amount)].life(order_id="O", amount=amount)
    assert life.look(life.ends_s).status == end


def test_a_large_amount_pends_for_minutes_first():
    life = SCRIPTS[script_for_amount(700_00)].life(order_id="O", amount=700_00)
    assert life.look(200).status == "AUTHORIZING"


def test_dice_of_one_seed_fall_alike():
    lives = [[random_life(f"O{n}", dice) for n in range(50)] for dice in (random.Random(7), random.Random(7))]
    assert lives[0] == lives[1]
    assert random_life("O0", random.Random(8)) != lives[0][0]


def test_about_four_of_five_random_orders_are_paid():
    dice = random.Random(1)
    lives = [random_life(f"O{n}", dice) for n in range(3000)]
    ends = Counter(life.look(life.ends_s).status for life in lives)
    assert 0.77 < ends["CHARGED"] / 3000 < 0.85
    assert {
        "NEW",
        "PENDING_VBV",
        "AUTHENTICATION_FAILED",
        "AUTHORIZATION_FAILED",
        "AUTO_REFUNDED",
    } <= ends.keys()


def test_random_payments_by_upi_take_tens_of_seconds():
    dice = random.Random(2)
    lives = [random_life(f"O{n}", dice) for n in range(1000)]
    times = sorted(
        life.steps[1].at_s - life.steps[0].at_s
        for life in lives
        if life.method == "UPI_INTENT"
        and [step.status for step in life.steps[:2]] == ["PENDING_VBV", "CHARGED"]
    )
    assert 15 < times[len(times) // 2] < 30


def test_random_steps_never_go_back_in_time():
    dice = random.Random(3)
    for n in range(500):
        ages = [step.at_s for step in random_life(f"O{n}", dice).steps]
        assert ages == sorted(ages)


def test_random_loans_skip_swap_and_are_refused_but_end_in_a_lenders_word():
    dice = random.Random(4)
    lives = [random_loan(f"L{n}", dice) for n in range(300)]
    ends = Counter(row.stage for life in lives for row in life.look(life.ends_s).applications)
    assert set(ends) == {"Loan Active", *REFUSED}
    assert 0.5 < ends["Loan Active"] / 300 < 0.9
    spelt = Counter(step.application.stage for life in lives for step in life.steps)
    assert min(spelt["Agreement Singed"], spelt["Agreement Signed"]) > 10
    courses = {tuple(step.application.stage for step in life.steps) for life in lives}
    assert len(courses) > 50
    assert {len(life.look(life.ends_s).applications) for life in lives} == {1, 2}


def test_random_mandates_are_paused_and_revoked_now_and_then():
    dice = random.Random(6)
    lives = [life for n in range(6000) if (life := random_life(f"O{n}", dice)).registers_mandate]
    words = Counter(step.mandate_status for life in lives for step in life.steps if step.mandate_status)
    assert set(words) == {"PAUSED", "ACTIVE", "REVOKED"}
    assert words["PAUSED"] == words["ACTIVE"]

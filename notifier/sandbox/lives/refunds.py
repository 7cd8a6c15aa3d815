"""The course of a refund: queued, sent, decided, and the bank's reference at last."""

from collections.abc import Mapping
from dataclasses import replace

from notifier.sandbox.lives.scenario import Life, Refund, RefundOutcome, Step, tag

QUEUE_S = 900.0  # refunds wait so long at Juspay before the gateway hears of them
_GATEWAY_S = 3600.0
_PERSON_S = 86400.0
_ARN_S = 7200.0
_INSTANT_S = 30.0
_ALL = 100

_WORDS: Mapping[RefundOutcome, tuple[str, ...]] = {
    RefundOutcome.SUCCESS: ("SUCCESS",),
    RefundOutcome.FAILURE: ("FAILURE",),
    RefundOutcome.MANUAL_REVIEW: ("MANUAL_REVIEW",),
    RefundOutcome.REVIEW_SUCCESS: ("MANUAL_REVIEW", "SUCCESS"),
    RefundOutcome.REVIEW_FAILURE: ("MANUAL_REVIEW", "FAILURE"),
    RefundOutcome.PENDING: (),
    RefundOutcome.INSTANT: ("SUCCESS",),
}


def refund_steps(
    *,
    unique_request_id: str,
    amount: int,
    asked_s: float,
    outcome: RefundOutcome = RefundOutcome.SUCCESS,
    initiated_by: str = "API",
) -> tuple[Step, ...]:
    """Return the course of a refund: queued, sent, decided, and the ARN after a success."""
    instant = outcome is RefundOutcome.INSTANT
    row = Refund(
        unique_request_id=unique_request_id,
        amount=amount,
        asked_s=asked_s,
        changed_s=asked_s,
        sent_to_gateway=instant,
        initiated_by=initiated_by,
        refund_type="INSTANT" if instant else "STANDARD",
    )
    rows = [row]
    if not instant:
        rows.append(row := replace(row, sent_to_gateway=True, changed_s=asked_s + QUEUE_S))
    wait_s = _INSTANT_S if instant else _GATEWAY_S
    for word in _WORDS[outcome]:
        rows.append(row := replace(row, status=word, changed_s=row.changed_s + wait_s))
        wait_s = _PERSON_S
    if row.status == "SUCCESS":
        rows.append(replace(row, has_arn=True, changed_s=row.changed_s + _ARN_S))
    return tuple(Step(at_s=row.changed_s, refund=row) for row in rows)


def refunded(
    life: Life, *, asked_s: float, outcome: RefundOutcome = RefundOutcome.SUCCESS, percent: int = _ALL
) -> Life:
    """Return the life with a share of what was paid refunded; by the platform if it is AUTO_REFUNDED.

    100 percent is all that is left by then.
    """
    look = life.look(asked_s)
    automatic = look.status == "AUTO_REFUNDED"
    asked_before = {step.refund.unique_request_id for step in life.steps if step.refund is not None}
    mark = tag(f"{life.order_id}#{len(asked_before)}" if asked_before else life.order_id)[:12]
    steps = refund_steps(
        unique_request_id=("AR" if automatic else "RF") + mark,
        amount=life.effective - look.refunded if percent == _ALL else life.effective * percent // _ALL,
        asked_s=asked_s,
        outcome=outcome,
        initiated_by="AUTO_REFUNDED" if automatic else "API",
    )
    return life.then(*steps)

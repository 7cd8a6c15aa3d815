"""One order on the page: what it is, what its script does next, and a button for everything that can happen."""

from notifier.sandbox.control.html import button, row
from notifier.sandbox.frame import number
from notifier.sandbox.lives.following import mandate_status, offer_status
from notifier.sandbox.lives.moves import ALL, ARN, HALF, SENT, Move, Part, moves
from notifier.sandbox.lives.scenario import Look, Method, Step
from notifier.sandbox.world import Order

_LABELS = {
    ALL: "Refund all",
    HALF: "Refund half",
    SENT: "To the gateway",
    ARN: "Bank reference comes",
    "PENDING_VBV": "Customer tries to pay",
    "AUTO_REFUNDED": "Juspay returns it",
}
_MINUTE_S, _HOUR_S = 60, 3600


def card(order: Order, age_s: float) -> str:
    """Return the order as it is at that age, with its refunds, mandate, offer and loans."""
    look = order.look(age_s)
    buttons = _Buttons(order, age_s)
    rows = [
        row(
            order.life.order_id,
            look.status,
            f"{_money(order, order.life.effective)}, {order.life.method}",
            [*buttons.next(), *buttons.of(Part.REFUND), *buttons.of(Part.ORDER)],
        ),
        *(
            row(
                f"refund {each.unique_request_id}",
                each.status,
                f"{_money(order, each.amount)}{'' if each.sent_to_gateway else ', queued'}",
                buttons.of(Part.REFUND, each.unique_request_id),
            )
            for each in look.refunds
        ),
        *_followers(order, look, buttons),
        *_loans(order, look, buttons),
    ]
    return f'<div class="card">{"".join(rows)}</div>'


class _Buttons:
    def __init__(self, order: Order, age_s: float) -> None:
        self._order = order
        self._age_s = age_s
        self._moves = moves(order.life, age_s)

    def of(self, part: Part, mark: str = "") -> list[str]:
        found = [move for move in self._moves if (move.part, move.id) == (part, mark)]
        return [button(_LABELS.get(move.to, move.to), self._fields(move)) for move in found]

    def next(self) -> list[str]:
        order = self._order
        upcoming = next((step for step in order.life.steps if step.at_s > self._age_s), None)
        if upcoming is None:
            return []
        wait = _span((upcoming.at_s - self._age_s) / order.frame.speed)
        fields = {"do": "next", "order_id": order.life.order_id}
        return [button(f"Skip to {_what(upcoming)} (in {wait})", fields, main=True)]

    def _fields(self, move: Move) -> dict[str, str]:
        name = {"do": "move", "order_id": self._order.life.order_id}
        return name | {"part": move.part, "id": move.id, "to": move.to}


def _followers(order: Order, look: Look, buttons: _Buttons) -> list[str]:
    rows = []
    if (word := mandate_status(order.life, look)) is not None:
        rows.append(row("mandate", word, "", buttons.of(Part.MANDATE)))
    if order.life.discount and look.attempt:
        rows.append(
            row("offer", offer_status(order.life, look), f"{_money(order, order.life.discount)} off", [])
        )
    return rows


def _loans(order: Order, look: Look, buttons: _Buttons) -> list[str]:
    if order.life.method is not Method.LOAN:
        return []
    rows = [
        row(f"loan, {each.lender}", each.stage, "", buttons.of(Part.LOAN, str(each.number)))
        for each in look.applications
    ]
    if others := buttons.of(Part.LOAN, str(len(look.applications) + 1)):
        rows.append(row("another lender", "not asked", "", others))
    return rows


def _what(step: Step) -> str:
    """Return what the script has in mind, in a few words."""
    if step.application is not None:
        return step.application.stage
    if step.refund is not None:
        if step.refund.has_arn:
            return "bank reference"
        sent = step.refund.status == "PENDING" and step.refund.sent_to_gateway
        return "refund sent" if sent else f"refund {step.refund.status}"
    return f"mandate {step.mandate_status}" if step.status is None else step.status


def _money(order: Order, amount: int) -> str:
    return f"{order.life.currency} {number(amount):,.2f}"


def _span(seconds: float) -> str:
    if seconds < 2 * _MINUTE_S:
        return f"{seconds:.0f} s"
    if seconds < 2 * _HOUR_S:
        return f"{seconds / _MINUTE_S:.0f} min"
    return f"{seconds / _HOUR_S:.0f} h"

"""Where `payment_links` lead: the page on which a make-believe customer pays, or does not."""

from html import escape

from aiohttp import web
from yarl import URL

from notifier.sandbox.control.html import chip, page
from notifier.sandbox.frame import number
from notifier.sandbox.lives.moves import Move, Part, moves
from notifier.sandbox.world import Order, Sandbox

_ANSWERS = {
    "CHARGED": "Pay",
    "AUTHORIZATION_FAILED": "Let the bank refuse",
    "AUTHENTICATION_FAILED": "Leave without paying",
}
_WEB = frozenset({"http", "https"})
_RETURN_URL = "https://shop.example.com/pay/return"


class Paying:
    """`/orders/{id}/payment-page`, by the id that Juspay gave the order; it asks for no key."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def routes(self) -> list[web.RouteDef]:
        """Return where the page is."""
        path = "/orders/{order_id}/payment-page"
        return [web.get(path, self._show), web.post(path, self._answer)]

    async def _show(self, request: web.Request) -> web.Response:
        order = self._found(request)
        status = order.look(self._sandbox.age_s(order)).status
        back = URL(order.life.given.get("return_url", _RETURN_URL))
        back = back.update_query(order_id=order.life.order_id, status=status)
        links = f'<p><a href="{escape(str(back))}">Back to the shop</a></p>' if back.scheme in _WEB else ""
        body = (
            f'<div class="card pay" id="pay" data-live><p class="note">A make-believe payment page</p>'
            f"<p>Order <b>{escape(order.life.order_id)}</b></p>"
            f'<p class="sum">{escape(order.life.currency)} {number(order.life.effective):,.2f}</p>'
            f"<p>{chip(status)}</p>{self._buttons(order)}{links}</div>"
        )
        return page(f"Pay {order.life.order_id}", body)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        order = self._found(request)
        word = str((await request.post()).get("to"))
        if word in _ANSWERS and self._can_pay(order):
            trying = Move(part=Part.ORDER, to="PENDING_VBV")
            if trying in moves(order.life, self._sandbox.age_s(order)):
                order = self._sandbox.move(order, trying)
            self._sandbox.move(order, Move(part=Part.ORDER, to=word))
        raise web.HTTPSeeOther(request.path)

    def _buttons(self, order: Order) -> str:
        if not self._can_pay(order):
            return ""
        return "".join(
            f'<form method="post"><input type="hidden" name="to" value="{word}"><button>{label}</button></form>'
            for word, label in _ANSWERS.items()
        )

    def _can_pay(self, order: Order) -> bool:
        words = {move.to for move in moves(order.life, self._sandbox.age_s(order)) if move.part is Part.ORDER}
        return "PENDING_VBV" in words or words >= _ANSWERS.keys()

    def _found(self, request: web.Request) -> Order:
        order = self._sandbox.find_page(request.match_info["order_id"])
        if order is None:
            raise web.HTTPNotFound(text="No such order; it may be of an earlier run of this sandbox.")
        return order

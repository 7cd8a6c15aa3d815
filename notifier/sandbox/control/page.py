"""The sandbox's page: every order with what can happen to it next, and a button for each."""

from collections import defaultdict
from collections.abc import Mapping
from html import escape

import msgspec
from aiohttp import web

from notifier.errors import InvalidValue
from notifier.sandbox.control.card import card
from notifier.sandbox.control.html import button, choice, entry, facts, filled, page
from notifier.sandbox.faults import Fault, FaultKind
from notifier.sandbox.frame import hundredths
from notifier.sandbox.lives.moves import Move, Part
from notifier.sandbox.lives.scripts import SCRIPTS
from notifier.sandbox.webhooks.hook import Hook
from notifier.sandbox.webhooks.sender import Sender
from notifier.sandbox.world import RANDOM, RANDOM_LOAN, Order, Sandbox

_SHOWN = 40
_TRIES = 10
_BY_AMOUNT = "by its amount"


class Page:
    """Shows `/sandbox/` and does what its buttons say."""

    def __init__(self, sandbox: Sandbox, sender: Sender) -> None:
        self._sandbox = sandbox
        self._sender = sender

    def routes(self) -> list[web.RouteDef]:
        """Return where the page is."""
        return [
            web.get("/", self._to_page),
            web.get("/sandbox", self._to_page),
            web.get("/sandbox/", self._show),
            web.get("/sandbox/page", self._to_page),
            web.post("/sandbox/page", self._do),
        ]

    async def _to_page(self, _request: web.Request) -> web.StreamResponse:
        raise web.HTTPFound("/sandbox/")

    async def _show(self, request: web.Request) -> web.Response:
        return self._whole(_address(request))

    def _whole(self, origin: str, problem: str = "") -> web.Response:
        sandbox = self._sandbox
        known = {
            "base URL": origin,
            "merchant id": sandbox.merchant_id,
            "key": sandbox.key,
            "credit key": sandbox.credit_key,
            "encryption": "off" if sandbox.keys is None else f"on, key id {sandbox.keys.kid}",
            "speed": "as in life" if sandbox.speed == 1 else f"{sandbox.speed:g} times as fast as in life",
        }
        orders = list(sandbox)[: -_SHOWN - 1 : -1]
        cards = (
            "".join(card(order, sandbox.age_s(order)) for order in orders)
            or '<p class="note">No order yet.</p>'
        )
        told = f'<p class="bad">{escape(problem)}</p>' if problem else ""
        body = (
            "<h1>Sandbox</h1><p>A make-believe Juspay. No money moves here, and nobody is charged.</p>"
            f"{facts(known)}{told}"
            f'<h2>Open an order</h2>{_new_order()}<h2>Orders</h2><div id="orders" data-live>{cards}</div>'
            f'<h2>Webhooks</h2>{_new_hook()}<div id="webhooks" data-live>{self._hooks()}</div>'
            f'<h2>Faults</h2>{_new_fault()}<div id="faults" data-live>{self._faults()}</div>'
        )
        return page("Sandbox", body)

    def _hooks(self) -> str:
        hooks = [f"<p><code>{escape(hook.url)}</code></p>" for hook in self._sender]
        if not hooks:
            return '<p class="note">Nobody is told.</p>'
        lines = "".join(
            f"<tr><td>{escape(each.event_name)}</td><td>{escape(each.order_id)}</td>"
            f"<td>try {each.number}</td><td>{each.status or f'no answer ({each.error})'}</td></tr>"
            for each in list(self._sender.tries)[: -_TRIES - 1 : -1]
        )
        return f"{''.join(hooks)}{button('Tell nobody', {'do': 'no_hooks'})}<table>{lines}</table>"

    def _faults(self) -> str:
        lines = [_fault_line(fault) for fault in self._sandbox.faults]
        if not lines:
            return '<p class="note">All is well.</p>'
        return f"{''.join(lines)}{button('Behave again', {'do': 'no_faults'})}"

    async def _do(self, request: web.Request) -> web.StreamResponse:
        form = defaultdict(str, {name: str(value) for name, value in (await request.post()).items()})
        try:
            self._done(form)
        except (InvalidValue, ValueError, msgspec.ValidationError) as error:
            return self._whole(_address(request), str(error))
        raise web.HTTPSeeOther("/sandbox/")

    def _done(self, form: Mapping[str, str]) -> None:
        sandbox = self._sandbox
        match form.get("do"):
            case "move":
                move = Move(part=Part(form["part"]), id=form["id"], to=form["to"])
                sandbox.move(self._found(form), move)
            case "next":
                sandbox.hurry(self._found(form))
            case "open":
                script = form["script"]
                sandbox.create(
                    form["order_id"].strip() or None,
                    amount=hundredths(form["amount"]) if form["amount"].strip() else None,
                    script=None if script == _BY_AMOUNT else script,
                )
            case "hook":
                wish = {name: form[name] for name in ("url", "user", "password")}
                habits = {"masked": form["form"] == "masked", "jwt": form["form"] == "jwt"}
                self._sender.add(msgspec.convert(wish | habits, Hook))
            case "no_hooks":
                self._sender.clear()
            case "fault":
                count = form["count"].strip()
                sandbox.faults.add(Fault(kind=FaultKind(form["kind"]), count=int(count) if count else None))
            case "no_faults":
                sandbox.faults.clear()
            case other:
                raise InvalidValue("do", f"{other!r} is nothing this page does")

    def _found(self, form: Mapping[str, str]) -> Order:
        order = self._sandbox.find(form["order_id"])
        if order is None:
            raise InvalidValue("order_id", f"no order {form['order_id']!r} in this sandbox")
        return order


def _address(request: web.Request) -> str:
    return str(request.url.origin()).rstrip("/")


def _fault_line(fault: Fault) -> str:
    often = "until cleared" if fault.count is None else f"for {fault.count} more"
    which = f", order {escape(fault.order_id)}" if fault.order_id else ""
    return f"<p><code>{escape(fault.kind)}</code> {often}{which}</p>"


def _new_order() -> str:
    scripts = (_BY_AMOUNT, *SCRIPTS, RANDOM, RANDOM_LOAN)
    return filled(
        "open",
        [
            entry("order_id", "Order id", "made up"),
            entry("amount", "Amount in rupees", "249.50"),
            choice("script", "Its life", scripts),
        ],
        "Open",
    )


def _new_hook() -> str:
    return filled(
        "hook",
        [
            entry("url", "URL", "http://127.0.0.1:8080/v1/hints/juspay"),
            entry("user", "User"),
            entry("password", "Password"),
            choice("form", "Body", ("plain", "masked", "jwt")),
        ],
        "Tell it",
    )


def _new_fault() -> str:
    fields = [choice("kind", "Fault", FaultKind), entry("count", "For so many answers", "until cleared")]
    return filled("fault", fields, "Misbehave")

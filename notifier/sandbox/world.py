"""The sandbox's memory: orders in the order of their creation, and what may be done to them."""

import asyncio
import random
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from notifier.clock import Clock
from notifier.domain.instant import from_ms, to_ms
from notifier.errors import InvalidValue
from notifier.sandbox.bodies.customer import GIVEN, customer
from notifier.sandbox.bodies.loan import loan_answer
from notifier.sandbox.bodies.mandate import mandate_answer
from notifier.sandbox.bodies.order import juspay_id, order_body
from notifier.sandbox.faults import Faults
from notifier.sandbox.frame import Frame, Json
from notifier.sandbox.jose import Keys
from notifier.sandbox.lives.chance import random_life, random_loan
from notifier.sandbox.lives.following import mandate_id, mandate_status
from notifier.sandbox.lives.moves import Move, moved
from notifier.sandbox.lives.refunds import refund_steps
from notifier.sandbox.lives.scenario import Life, Look, Method, RefundOutcome, Step
from notifier.sandbox.lives.scripts import SCRIPTS, Script, script_for_amount
from notifier.sandbox.manners import Manners

MERCHANT_ID = "sandboxmart"
KEY = "sandbox-key"
CREDIT_KEY = "sandbox-credit-key"
RANDOM = "random"
RANDOM_LOAN = "random_loan"
_WEBHOOK = "metadata.webhook_url"
_USUAL_AMOUNT = 249_50
_MOST_REFUNDS = 25
_SELF_LIVING = re.compile(r"sbl(\d{13})\d{3}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A life that has begun; `webhook_url` is where the merchant wants to be told of this one."""

    life: Life
    frame: Frame
    webhook_url: str | None = None

    def look(self, age_s: float) -> Look:
        """Return the order at that age."""
        return self.life.look(age_s)


class Sandbox:
    """A make-believe Juspay for one merchant.

    `speed` is how many seconds of a life pass in one of the clock's. At most `keep` orders are remembered:
    the oldest finished one makes room, or the oldest of all. With `keys` encryption is on.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        merchant_id: str = MERCHANT_ID,
        key: str = KEY,
        credit_key: str = CREDIT_KEY,
        speed: float = 1,
        seed: int = 0,
        keep: int = 2000,
        keys: Keys | None = None,
    ) -> None:
        self.clock = clock
        self.merchant_id = merchant_id
        self.key = key
        self.credit_key = credit_key
        self.speed = speed
        self._seed = seed
        self.dice = random.Random(seed)
        self.faults = Faults()
        self.manners = Manners()
        self.keys = keys
        self.pages: str | None = None
        self.changed = asyncio.Event()
        self._keep = keep
        self._orders: dict[str, Order] = {}
        self._opened = 0

    def __iter__(self) -> Iterator[Order]:
        return iter(self._orders.values())

    def find(self, order_id: str) -> Order | None:
        """Return the order by its id in any case, None when there is none.

        An order that lives by itself is all in its id, so it goes on living after the sandbox was restarted.
        """
        return self._orders.get(order_id.lower()) or self._revived(order_id)

    def find_mandate(self, wanted: str) -> Order | None:
        """Return the order that registered the mandate, None when there is none or its payment has not begun."""
        found = next((order for order in self if mandate_id(order.life) == wanted), None)
        if found is None or mandate_status(found.life, found.look(self.age_s(found))) is None:
            return None
        return found

    def find_page(self, wanted: str) -> Order | None:
        """Return the order by the id that Juspay gave it."""
        return next((order for order in self if juspay_id(order.life) == wanted), None)

    def age_s(self, order: Order) -> float:
        """Return how old the order's life is now."""
        return order.frame.age_s(self.clock.now())

    def create(
        self,
        order_id: str | None = None,
        *,
        amount: int | None = None,
        currency: str = "INR",
        method: Method | None = None,
        script: str | None = None,
        steps: Sequence[Step] | None = None,
        registers_mandate: bool = False,
        given: Mapping[str, str] | None = None,
    ) -> Order:
        """Open an order and return it; an id that exists already returns the order it has.

        `amount` is in hundredths. Without a script the amount decides, "random" and "random_loan" draw; `steps`
        replace its course. Of what is
        `given` the order shows what an order can hold. Raises InvalidValue when there is no such script.
        """
        order_id = order_id or self._new_id()
        if (present := self.find(order_id)) is not None:
            return present
        life = self._life(order_id, amount, currency=currency, method=method, script=script)
        given = given or {}
        life = replace(
            life,
            registers_mandate=life.registers_mandate or registers_mandate,
            given={name: given[name] for name in GIVEN if name in given},
        )
        if steps is not None:
            life = replace(life, steps=()).then(*steps)
        self._make_room()
        return self._put(
            Order(life=life, frame=self._frame(self.clock.now()), webhook_url=given.get(_WEBHOOK))
        )

    def _life(
        self, order_id: str, amount: int | None, *, currency: str, method: Method | None, script: str | None
    ) -> Life:
        if script == RANDOM:
            return random_life(order_id, self.dice)
        if script == RANDOM_LOAN:
            return random_loan(order_id, self.dice)
        amount = amount or _USUAL_AMOUNT
        scripted = _script(script or script_for_amount(amount))
        return scripted.life(order_id=order_id, amount=amount, currency=currency, method=method)

    def ask_refund(
        self,
        order: Order,
        *,
        unique_request_id: str,
        amount: int,
        outcome: RefundOutcome = RefundOutcome.SUCCESS,
    ) -> Order:
        """Begin a refund now; raises InvalidValue with Juspay's own code when it would refuse."""
        age_s = self.age_s(order)
        look = order.look(age_s)
        if look.status != "CHARGED":
            raise InvalidValue(
                "order_id", "only a CHARGED order can be refunded", code="invalid.order.not_successful"
            )
        if any(row.unique_request_id == unique_request_id for row in look.refunds):
            raise InvalidValue("unique_request_id", "this refund exists already", code="duplicate.call")
        if len(look.refunds) >= _MOST_REFUNDS:
            raise InvalidValue("order_id", "no more than 25 refunds an order", code="request.exceeded")
        if look.refunded + amount > order.life.effective:
            raise InvalidValue("amount", "more than is left to refund", code="invalid.amount.exceeded")
        steps = refund_steps(
            unique_request_id=unique_request_id, amount=amount, asked_s=age_s, outcome=outcome
        )
        return self._put(replace(order, life=order.life.then(*steps)))

    def force(self, order: Order, *, status: str | None = None, mandate_status: str | None = None) -> Order:
        """Set a status by hand, now; what the script meant to do to the order status later is off."""
        age_s = self.age_s(order)
        life = order.life if status is None else order.life.forced(age_s, status)
        if mandate_status is not None:
            life = life.then(Step(at_s=age_s, mandate_status=mandate_status))
        return self._put(replace(order, life=life))

    def move(self, order: Order, move: Move) -> Order:
        """Make one thing of the order happen now; raises InvalidValue when it cannot happen."""
        return self._put(replace(order, life=moved(order.life, self.age_s(order), move)))

    def hurry(self, order: Order) -> Order:
        """Make happen now what would happen next, and the rest as much earlier."""
        return self._put(replace(order, life=order.life.hurried(self.age_s(order))))

    def order_body(self, order: Order, age_s: float, *, full_gateway_response: bool = False) -> Json:
        """Return the order status at that age."""
        return order_body(
            order.life,
            age_s,
            order.frame,
            full_gateway_response=full_gateway_response,
            mandate_follows=self.manners.mandate_follows,
        )

    def loan_body(self, order: Order, age_s: float) -> Json:
        """Return the answer of the credit call at that age."""
        return loan_answer(
            order.life,
            age_s,
            order.frame,
            status_follows=self.manners.loan_status_follows,
            ids_differ=self.manners.loan_ids_differ,
        )

    def mandate_body(self, order: Order, age_s: float) -> Json:
        """Return the answer of the mandate call at that age."""
        return mandate_answer(order.life, age_s, order.frame, customer_id=customer(order.life)["customer_id"])

    async def keep_populated(
        self, on_new_order: Callable[[str], Awaitable[None]], *, every_s: float = 4
    ) -> None:
        """Open a random order every few seconds and tell of it, until cancelled."""
        while True:
            order = self._self_living(self._new_id("SBL"), self.clock.now())
            await on_new_order(order.life.order_id)
            await self.clock.sleep(every_s * self.dice.uniform(0.5, 1.5))

    def _revived(self, order_id: str) -> Order | None:
        made = _SELF_LIVING.fullmatch(order_id.lower())
        if made is None or from_ms(int(made[1])) > self.clock.now():
            return None
        return self._self_living(order_id.upper(), from_ms(int(made[1])))

    def _self_living(self, order_id: str, created_at: datetime) -> Order:
        life = random_life(order_id, random.Random(f"{self._seed}/{order_id}"))
        self._make_room()
        return self._put(Order(life=life, frame=self._frame(created_at)))

    def _frame(self, created_at: datetime) -> Frame:
        frame = Frame(merchant_id=self.merchant_id, created_at=created_at, speed=self.speed)
        return frame if self.pages is None else replace(frame, pages=self.pages)

    def _new_id(self, prefix: str = "SB") -> str:
        # The instant keeps ids apart over restarts of a sandbox whose watcher remembers the old ones.
        self._opened += 1
        return f"{prefix}{to_ms(self.clock.now())}{self._opened % 1000:03d}"

    def _put(self, order: Order) -> Order:
        self._orders[order.life.order_id.lower()] = order
        self.changed.set()
        return order

    def _make_room(self) -> None:
        if len(self._orders) < self._keep:
            return
        finished = (key for key, order in self._orders.items() if self.age_s(order) > order.life.ends_s)
        del self._orders[next(finished, next(iter(self._orders)))]


def _script(name: str) -> Script:
    if name not in SCRIPTS:
        raise InvalidValue(
            "script", f"no script {name!r}; take one of {', '.join((*SCRIPTS, RANDOM, RANDOM_LOAN))}"
        )
    return SCRIPTS[name]

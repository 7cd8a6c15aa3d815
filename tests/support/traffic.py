"""Traffic by the minute for alerts: outcomes as polls leave them, at a rate that a test sets by gateway."""

from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any

from notifier.domain.alert.alert import Alert, AlertId
from notifier.domain.alert.incident import Incident
from notifier.domain.alert.outcome import Family, Outcome
from notifier.domain.alert.rule import Plain
from notifier.domain.money import Money
from notifier.domain.order import OrderKey
from notifier.storage.records import Lanes
from notifier.storage.telling import delivery_ids
from notifier.workers.alerter import Alerter
from notifier.workers.recording import Telling
from support.clock import START

BEGIN = START.replace(minute=0, second=0, microsecond=0)
NORMAL = 0.1


def an_alert(**members: Any) -> Alert:
    given = {"id": AlertId("alr_1"), "account": "shop", "name": "failures"}
    return Alert(**(given | members))


@dataclass
class Traffic:
    """So many orders a minute at each gateway; `rates` says how many of them fail."""

    house: Any
    per_minute: int = 20
    word: str = "AUTHORIZATION_FAILED"
    rates: dict[str, float] = field(
        default_factory=lambda: {"RAZORPAY": NORMAL, "PAYU": NORMAL, "CCAVENUE": NORMAL}
    )
    numbers: Any = field(default_factory=lambda: count(1))
    carry: dict[str, float] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)

    def alerter(self, **members: Any) -> Alerter:
        house = self.house
        given = {
            "storage": house.storage,
            "clock": house.clock,
            "metrics": house.metrics,
            "telling": self.telling,
            "accounts": ("shop",),
        }
        return Alerter(**(given | members))

    @property
    def telling(self) -> Telling:
        return Telling(
            expires_after_s=285_120, lanes=Lanes(), new_id=delivery_ids(), livemode=lambda _: False
        )

    async def flow(self, minutes: int = 1) -> None:
        """Let minutes of traffic end and be seen, at the present time and after it; the clock goes along."""
        for _ in range(minutes):
            at = self.house.clock.now()
            made = [each for gateway, rate in self.rates.items() for each in self._of(gateway, rate, at)]
            async with self.house.storage.writing() as tx:
                await tx.add_outcomes(made, observed_at=at + timedelta(seconds=50), is_dated=True)
            await self.house.clock.advance(60)

    async def past(self, minutes: int) -> None:
        """Have had so many minutes of traffic before now."""
        now = self.house.clock.now()
        async with self.house.storage.writing() as tx:
            for ago in range(minutes, 0, -1):
                at = now - timedelta(minutes=ago)
                made = [each for gateway, rate in self.rates.items() for each in self._of(gateway, rate, at)]
                await tx.add_outcomes(made, observed_at=at + timedelta(seconds=50), is_dated=True)

    async def lived(self, alerter: Alerter, minutes: int) -> None:
        for _ in range(minutes):
            await self.flow()
            await alerter.judge()

    def _of(self, gateway: str, rate: float, at: Any) -> list[Outcome]:
        due = self.per_minute * rate + self.carry.get(gateway, 0.0)
        bad = int(due)
        self.carry[gateway] = due - bad
        made = []
        for number in range(self.per_minute):
            key = f"o{next(self.numbers)}"
            is_failed = number < bad
            if is_failed:
                self.failed.append(key)
            made.append(self.outcome(key, gateway, is_failed=is_failed, at=at + timedelta(seconds=number)))
        return made

    def outcome(self, key: str, gateway: str, *, is_failed: bool, at: Any) -> Outcome:
        dims = (("gateway", gateway), ("payment_method_type", "NB"))
        return Outcome(
            account="shop",
            order_key=OrderKey(key),
            family=Family.ORDER,
            subject_id=None,
            ended_at=at,
            word=self.word if is_failed else "CHARGED",
            is_failed=is_failed,
            dimensions=(*dims, ("resp_code", "BANK_DOWN")) if is_failed else dims,
            amount=Money(100_00, "INR"),
        )


async def kept(house: Any) -> list[Incident]:
    async with house.storage.reading() as tx:
        return (await tx.incidents("shop"))[::-1]


async def told(house: Any, *types: str) -> list[tuple[str, str]]:
    """Every telling of incidents but mere edits: type and reason."""
    found = [
        (each.event.type, each.event.incident.reason)
        for each in await all_events(house)
        if each.event.incident
    ]
    return [each for each in found if each[1] != "figures" and (not types or each[0] in types)]


async def all_events(house: Any) -> list[Any]:
    events: list[Any] = []
    async with house.storage.reading() as tx:
        while page := await tx.events("shop", after=events[-1].sequence if events else 0, limit=500):
            events += page
    return events


async def opened_incident(services, clock):
    """Let one gateway fail until an incident of it is open; return it."""
    traffic = Traffic(services)
    await clock.advance(2700)
    async with services.storage.writing() as tx:
        await tx.save_alert(an_alert(tiers=frozenset(), plain=Plain(window=5, rate=0.4, least=20)))
    await traffic.past(60)
    traffic.rates["RAZORPAY"] = 0.9
    await traffic.lived(traffic.alerter(), 4)
    async with services.storage.reading() as tx:
        (incident,) = await tx.incidents("shop")
    return incident

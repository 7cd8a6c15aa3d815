"""One attempt at a delivery: what is handed to its channel, and what the answer makes of the delivery."""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache

from notifier.channels.contract import Address, Channel, Parcel
from notifier.clock import Clock
from notifier.domain.delivery import Delivery, Outcome, Reason, Verdict, advance, summary_of
from notifier.logs import get_logger
from notifier.metrics import Metrics
from notifier.storage.records import AttemptRecord, DueDelivery
from notifier.workers.lines import Claimed, DeliveryLimits

Made = tuple[Claimed, AttemptRecord | None, Delivery, Outcome | None]
"""A claim, its attempt, the delivery after it, and what the channel said; no attempt where it was given back."""

log = get_logger(__name__)


class Attempts:
    """Makes attempts, counts and times them."""

    def __init__(
        self, channels: Mapping[str, Channel], limits: DeliveryLimits, *, clock: Clock, metrics: Metrics
    ) -> None:
        self._channels = channels
        self._limits = limits
        self._clock = clock
        self._attempts_of = lru_cache(maxsize=None)(metrics.deliveries_total.labels)
        self._durations = {name: metrics.delivery_duration_s.labels(name) for name in channels}

    async def make(self, claimed: Claimed, started_at: datetime) -> Made:
        """Try once; what comes of it is for the caller to record."""
        clock, due = self._clock, claimed.due
        channel = self._channels[due.subscription.channel]
        began = clock.monotonic()
        try:
            outcome = await channel.send(_parcel(claimed, started_at))
        except Exception:
            # A channel answers with values; what it raises is our defect and must not cost the receiver an attempt.
            log.exception("delivery.failed", delivery=claimed.delivery.id, channel=channel.name)
            outcome = Outcome(verdict=Verdict.OWN_FAULT, reason=Reason.OWN_FAULT)
        duration_s = clock.monotonic() - began
        now = clock.now()
        self._attempts_of(channel.name, outcome.reason).inc()
        self._durations[channel.name].observe(duration_s)
        after = advance(
            claimed.delivery, outcome, now=now, schedule=schedule_of(due, self._limits), roll=clock.roll()
        )
        record = AttemptRecord(
            delivery_id=claimed.delivery.id,
            number=claimed.delivery.attempts,
            started_at=started_at,
            duration_ms=round(duration_s * 1000),
            reason=outcome.reason,
            http_status=outcome.http_status,
            retry_after_s=outcome.retry_after_s,
            answer=outcome.answer if self._limits.keep_answers else summary_of(outcome.answer),
        )
        log.info(
            "delivery.attempted",
            delivery=after.id,
            event_id=due.logged.event.id,
            event_type=due.logged.event.type,
            subscription=due.subscription.id,
            channel=channel.name,
            attempt=record.number,
            outcome=outcome.reason,
            http_status=outcome.http_status,
            state=after.state,
            duration_ms=record.duration_ms,
        )
        return claimed, record, after, outcome


def schedule_of(due: DueDelivery, limits: DeliveryLimits) -> tuple[float, ...]:
    """Return the waits before further attempts: the subscription's own, or everybody's."""
    own = due.subscription.schedule
    return limits.schedule if own is None else own


def _parcel(claimed: Claimed, now: datetime) -> Parcel:
    due = claimed.due
    secrets = due.secrets
    return Parcel(
        event_id=due.logged.event.id,
        event_type=due.logged.event.type,
        account=due.subscription.account,
        order_id=due.logged.event.order_id,
        subscription_id=due.subscription.id,
        sequence=claimed.sequence,
        attempt=claimed.delivery.attempts,
        body=claimed.body,
        now=now,
        address=Address(
            target=secrets.target,
            secrets=secrets.live(now),
            headers=secrets.headers,
            basic_auth=secrets.basic_auth,
        ),
        behind=due.behind,
        replay_id=due.replay_id,
        handle=claimed.handle,
    )

"""What is read: rows of storage as JSON objects, without anything secret."""

from collections.abc import Mapping
from datetime import datetime

from notifier.channels.contract import Channel
from notifier.domain.cadence.plan import Outlook
from notifier.domain.delivery import DeliveryState
from notifier.domain.document import Document, event_document, order_document
from notifier.domain.event import Expectation
from notifier.domain.health import ListenerHealth, TargetHealth
from notifier.domain.instant import iso
from notifier.domain.replay import Replay
from notifier.domain.standing import order_phase
from notifier.domain.subscription import Subscription
from notifier.storage.records import (
    AttemptRecord,
    DeliveryView,
    LoggedEvent,
    Made,
    StoredSnapshot,
    SubscriptionSecrets,
    Watch,
)

MASK = "***"


def instant(at: datetime | None) -> str | None:
    """Return the instant as text, or None."""
    return None if at is None else iso(at)


def watch_document(watch: Watch) -> Document:
    """Return a watch as it reads."""
    return {
        "account": watch.account,
        "order_id": watch.order_id,
        "state": watch.state,
        "status": watch.status,
        "phase": watch.phase,
        "version": watch.version,
        "next_poll_at": instant(watch.next_poll_at),
        "next_poll_why": watch.next_poll_why,
        "sources": sorted(watch.sources),
        "mandate_id": watch.mandate_id,
        "routing_id": watch.routing_id,
        "expect": _expect(watch.expect),
        "tags": sorted(watch.tags),
        "until": instant(watch.until_at),
        "initial": watch.initial,
        "registered_at": instant(watch.registered_at),
        "last_polled_at": instant(watch.last_polled_at),
        "last_changed_at": instant(watch.last_changed_at),
        "polls": watch.polls,
        "failures": watch.failures,
        "last_error": watch.last_error,
    }


def outlook_document(found: Outlook | None) -> Document | None:
    """Return why a look is when it is: each part's regret, which together reach the price, or the bound that held."""
    if found is None:
        return None
    return {
        "price_s": round(found.price_s, 3),
        "wait_s": round(found.wait.seconds, 3),
        "bound": found.wait.bound,
        "stretch": round(found.stretch, 2),
        "parts": [
            {
                "situation": "/".join(filter(None, share.situation)),
                "age_s": round(share.age_s, 3),
                "hazard_per_s": float(f"{share.hazard_per_s:.4g}"),
                "weight": share.weight,
                "regret_s": round(share.regret_s, 3),
            }
            for share in found.shares
        ],
    }


def _expect(expect: Expectation | None) -> Document | None:
    if expect is None:
        return None
    amounts = {"amount": expect.amount, "effective_amount": expect.effective_amount}
    given = {name: money for name, money in amounts.items() if money is not None}
    currency = next((money.currency for money in given.values()), None)
    return {name: str(money) for name, money in given.items()} | {"currency": currency}


def snapshot_document(watch: Watch, stored: StoredSnapshot) -> Document:
    """Return one version of an order; `source` is who brought it, `order` all that was known by then."""
    return {
        "account": watch.account,
        "order_id": watch.order_id,
        "version": stored.version,
        "source": stored.snapshot.source,
        "phase": order_phase(stored.snapshot),
        "observed_at": instant(stored.observed_at),
        "not_before": instant(stored.not_before),
        "order": order_document(watch.order_id, stored.snapshot),
    }


def subscription_document(
    subscription: Subscription,
    secrets: SubscriptionSecrets,
    channels: Mapping[str, Channel],
    *,
    now: datetime,
) -> Document:
    """Return a subscription as it reads: names of headers without values, targets as their channel shows them."""
    channel = channels.get(subscription.channel)
    conditions = [{"path": each.path, "op": each.op, "value": each.value} for each in subscription.conditions]
    return {
        "id": subscription.id,
        "account": subscription.account,
        "name": subscription.name,
        "channel": subscription.channel,
        "target": channel.shown_target(secrets.target.reveal()) if channel else MASK,
        "events": subscription.events,
        "filter": {"all": conditions} if conditions else None,
        "tags": subscription.tags,
        "template": subscription.template,
        "mode": subscription.mode,
        "ordering": subscription.ordering,
        "schedule": subscription.schedule,
        "expires_after_s": subscription.expires_after_s,
        "rate_per_s": subscription.rate_per_s,
        "digest_s": subscription.digest_s,
        "headers": dict.fromkeys(secrets.headers, MASK),
        "basic_auth": {"username": MASK, "password": MASK} if secrets.basic_auth else None,
        "old_secrets_until": [instant(each.until_at) for each in secrets.old if now < each.until_at],
        "state": subscription.state,
        "disabled_by": subscription.disabled_by,
        "order_id": subscription.order_key,
        "managed": subscription.managed,
    }


def health_document(listener: ListenerHealth, target: TargetHealth, *, now: datetime) -> Document:
    """Return how a subscription and its target stand."""
    return {
        "failures": listener.failures,
        "failing_since": instant(listener.since),
        "resting_until": instant(target.rests_until) if target.rests(now) else None,
    }


def logged_document(logged: LoggedEvent) -> Document:
    """Return an event exactly as it is pushed."""
    event, snapshot = logged.event, logged.snapshot
    if event.order_id is None or snapshot is None:
        return event_document(event, logged.sequence, None)
    return event_document(event, logged.sequence, order_document(event.order_id, snapshot))


def delivery_document(view: DeliveryView) -> Document:
    """Return a delivery as it stands."""
    delivery = view.delivery
    return {
        "id": delivery.id,
        "account": view.account,
        "subscription": view.subscription_id,
        "event_id": view.event_id,
        "event_type": view.event_type,
        "order_id": view.order_id,
        "sequence": view.sequence,
        "state": delivery.state,
        "reason": delivery.reason,
        "attempt_count": delivery.attempts,
        "created_at": instant(delivery.created_at),
        "due_at": instant(delivery.due_at),
        "expires_at": instant(delivery.expires_at),
        "finished_at": instant(delivery.finished_at),
        "replay_id": view.replay_id,
    }


def attempt_document(attempt: AttemptRecord) -> Document:
    """Return an attempt; the answer is foreign bytes, shown as text as far as they are any."""
    return {
        "number": attempt.number,
        "started_at": instant(attempt.started_at),
        "duration_ms": attempt.duration_ms,
        "reason": attempt.reason,
        "http_status": attempt.http_status,
        "retry_after_s": attempt.retry_after_s,
        "answer": attempt.answer.decode("utf-8", "replace"),
    }


def replay_document(replay: Replay, made: Made, log_begins_at: datetime | None) -> Document:
    """Return a replay with how far it has come."""
    ended: Document = {state.value: made.states.get(state, 0) for state in DeliveryState if state.is_final}
    return {
        "id": replay.id,
        "account": replay.account,
        "subscription": replay.subscription_id,
        "state": replay.state,
        "matched": replay.matched,
        "made": replay.made,
        "pending": made.owed,
        **ended,
        "gone": replay.gone,
        "log_begins_at": instant(log_begins_at),
        "created_at": instant(replay.created_at),
        "finished_at": instant(replay.finished_at),
    }

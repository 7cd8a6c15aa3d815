"""Alerts: the rules by which outcomes are judged."""

from dataclasses import replace

import msgspec

from notifier.domain.alert.alert import Acceptance, Alert, AlertId
from notifier.domain.alert.counts import minute_of, start_of
from notifier.domain.alert.report import IncidentState, Place, place_text
from notifier.errors import Conflict
from notifier.storage.alarming import Told, change, end_all
from notifier.storage.alerting import Learned
from notifier.storage.contract import Transaction
from notifier.storage.records import Lanes
from notifier.web.alert_documents import alert_document
from notifier.web.alert_shapes import AlertMembers, NewAlert, NewNormal
from notifier.web.documents import instant
from notifier.web.idempotency import once
from notifier.web.paging import page, text_of
from notifier.web.routing import Answer, Call
from notifier.web.shapes import ListQuery

_LIST = "alerts"
_MOST_ACCEPTED = 100


async def create(call: Call) -> Answer:
    """Add an alert; it judges from the next minute on, having learned from what is kept."""
    body: NewAlert = call.body

    async def work(tx: Transaction) -> Answer:
        fresh = Alert(id=AlertId(f"alr_{call.services.new_id()}"), account=call.account, name=body.name)
        alert = body.amended(fresh)
        await tx.save_alert(alert)
        return Answer(status=201, body=alert_document(alert))

    return await once(call, work)


async def index(call: Call) -> Answer:
    """List alerts."""
    query: ListQuery = call.query
    async with call.services.storage.reading() as tx:
        rows = await tx.alerts(call.account, after=text_of(_LIST, query.cursor), limit=query.limit + 1)
    return Answer(body=page(_LIST, rows, query.limit, position=lambda alert: alert.id, show=alert_document))


async def read(call: Call) -> Answer:
    """Show an alert, and up to when it has judged."""
    async with call.services.storage.reading() as tx:
        alert = await _found(call, tx)
        learned = await tx.alert_learned(alert.id)
        incidents = await tx.incidents(call.account, state=IncidentState.OPEN, limit=500)
    still_open = [each.id for each in incidents if each.rule_id == alert.id]
    return Answer(body=alert_document(alert, learned) | {"open_incidents": still_open})


async def amend(call: Call) -> Answer:
    """Change the members given. One that counts something else learns anew, and what is open of it ends."""
    body: AlertMembers = call.body
    async with call.services.storage.writing() as tx:
        alert = _own(await _found(call, tx))
        changed = body.amended(alert)
        await change(tx, alert, changed, telling=telling_of(call), now=call.services.clock.now())
        return Answer(body=alert_document(changed))


async def remove(call: Call) -> Answer:
    """Delete an alert; what is open of it ends."""
    async with call.services.storage.writing() as tx:
        alert = _own(await _found(call, tx))
        await end_all(tx, alert.account, alert.id, telling=telling_of(call), now=call.services.clock.now())
        await tx.remove_alert(alert.account, alert.id)
    return Answer(status=204)


async def accept(call: Call) -> Answer:
    """Take the last hour of a place for its new normal, with the next minute that is judged."""
    body: NewNormal = call.body
    async with call.services.storage.writing() as tx:
        alert = await _found(call, tx)
        learned = await tx.alert_learned(alert.id)
        if body.place not in _places(learned):
            raise Conflict(f"alert {alert.id} has learned nothing of {place_text(body.place)} yet")
        at = start_of(minute_of(call.services.clock.now()) + 1)
        wish = Acceptance(cause=body.place, at=at, by=body.by)
        await tx.save_alert(replace(alert, accepted=(*alert.accepted, wish)[-_MOST_ACCEPTED:]))
    cause = {"cause": dict(wish.cause), "cause_text": place_text(wish.cause)}
    return Answer(status=202, body={"alert": alert.id, **cause, "at": instant(wish.at), "by": wish.by})


def _places(learned: Learned) -> list[Place]:
    places = msgspec.json.decode(learned.state)["places"] if learned.state else []
    return [tuple((name, value) for name, value in place) for place in places]


def telling_of(call: Call) -> Told:
    """Return how incidents are told."""
    services, delivery = call.services, call.services.config.delivery
    return Told(
        expires_after_s=delivery.expires_after_s,
        lanes=Lanes(delivery.order_hold_attempts, delivery.order_hold_s),
        new_id=lambda: f"dlv_{services.new_id()}",
        livemode=lambda account: services.accounts[account],
    )


async def _found(call: Call, tx: Transaction) -> Alert:
    return await tx.alert(call.account, AlertId(call.id))


def _own(alert: Alert) -> Alert:
    if alert.managed is not None:
        raise Conflict(f"alert {alert.id} is managed by {alert.managed}; change it there, not over REST")
    return alert

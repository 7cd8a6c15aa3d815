"""Incidents: reading them, taking care of them, and not being told of them."""

from datetime import datetime

from notifier.domain.alert.incident import Incident, acknowledged
from notifier.domain.alert.silence import Silence, SilenceId
from notifier.errors import Conflict
from notifier.storage.alarming import keep
from notifier.storage.contract import Transaction
from notifier.web.alert_documents import kept_document, silence_document
from notifier.web.alert_shapes import Acknowledgement, IncidentQuery, NewSilence, SilenceWish
from notifier.web.alerts import telling_of
from notifier.web.idempotency import once
from notifier.web.paging import number_of, page
from notifier.web.routing import Answer, Call

_LIST = "incidents"


async def index(call: Call) -> Answer:
    """List incidents, newest first."""
    query: IncidentQuery = call.query
    now = call.services.clock.now()
    async with call.services.storage.reading() as tx:
        rows = await tx.incidents(
            call.account,
            state=query.state,
            before=number_of(_LIST, query.cursor),
            limit=query.limit + 1,
        )
        silences = await tx.silences(call.account, now=now)
    return Answer(
        body=page(
            _LIST,
            rows,
            query.limit,
            position=lambda incident: incident.report.number,
            show=lambda incident: kept_document(incident, silences, now=now),
        )
    )


async def read(call: Call) -> Answer:
    """Show an incident."""
    async with call.services.storage.reading() as tx:
        return await _shown(call, tx, await tx.incident(call.account, call.id))


async def acknowledge(call: Call) -> Answer:
    """Note who takes care of it: nobody is reminded any more, until it grows."""
    body: Acknowledgement = call.body

    async def work(tx: Transaction) -> Answer:
        kept = await take_care(call, tx, call.account, call.id, by=body.by, note=body.note)
        return await _shown(call, tx, kept)

    return await once(call, work)


async def silence(call: Call) -> Answer:
    """Tell nothing more of this incident for a while, or until it ends or grows."""
    body: SilenceWish = call.body

    async def work(tx: Transaction) -> Answer:
        until_at = body.until_at(call.services.clock.now())
        wish = await hush(call, tx, call.account, call.id, by=body.by, note=body.note, until_at=until_at)
        return Answer(status=201, body=silence_document(wish))

    return await once(call, work)


async def take_care(
    call: Call, tx: Transaction, account: str, incident_id: str, *, by: str, note: str | None = None
) -> Incident:
    """Acknowledge an incident for somebody, however they asked.

    Raises: NotFound; Conflict when it is over.
    """
    incident, now = _open(await tx.incident(account, incident_id)), call.services.clock.now()
    moved, reason = acknowledged(incident, by=by, note=note, now=now)
    return await keep(
        tx,
        moved,
        reason,
        was=incident.report.state,
        silences=await tx.silences(account, now=now),
        telling=telling_of(call),
        now=now,
    )


async def hush(
    call: Call,
    tx: Transaction,
    account: str,
    incident_id: str,
    *,
    by: str,
    note: str | None = None,
    until_at: datetime | None = None,
) -> Silence:
    """Silence an incident for somebody, until it ends or grows where no instant is given.

    Raises: NotFound; Conflict when it is over.
    """
    incident, now = _open(await tx.incident(account, incident_id)), call.services.clock.now()
    for known in await tx.silences(account, now=now):
        if until_at is None and known.until_at is None and known.covers(incident, now):
            return known  # A second click asks for nothing more.
    wish = Silence(
        id=SilenceId(f"sil_{call.services.new_id()}"),
        account=account,
        by=by,
        note=note,
        created_at=now,
        incident_id=incident.id,
        until_at=until_at,
        cause=incident.report.cause,
        severity=incident.report.severity,
    )
    await tx.add_silence(wish)
    return wish


async def silences(call: Call) -> Answer:
    """List the silences that are not over."""
    async with call.services.storage.reading() as tx:
        found = await tx.silences(call.account, now=call.services.clock.now())
    return Answer(body={"items": [silence_document(each) for each in found], "next_cursor": None})


async def add_silence(call: Call) -> Answer:
    """Tell nothing of incidents of a rule or a cause, for a while."""
    body: NewSilence = call.body

    async def work(tx: Transaction) -> Answer:
        now = call.services.clock.now()
        wish = Silence(
            id=SilenceId(f"sil_{call.services.new_id()}"),
            account=call.account,
            by=body.by,
            note=body.note,
            created_at=now,
            rule=body.rule,
            matchers=tuple(body.matchers.items()),
            until_at=body.until_at(now),
        )
        await tx.add_silence(wish)
        return Answer(status=201, body=silence_document(wish))

    return await once(call, work)


async def end_silence(call: Call) -> Answer:
    """End a silence; what is still open is told at the next judged minute."""
    async with call.services.storage.writing() as tx:
        await tx.drop_silence(call.account, SilenceId(call.id))
    return Answer(status=204)


def _open(incident: Incident) -> Incident:
    if incident.is_over:
        raise Conflict(f"incident {incident.id} is resolved")
    return incident


async def _shown(call: Call, tx: Transaction, incident: Incident) -> Answer:
    now = call.services.clock.now()
    silences = await tx.silences(call.account, now=now)
    return Answer(body=kept_document(incident, silences, now=now))

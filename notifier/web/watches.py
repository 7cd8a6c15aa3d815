"""The watchlist: which orders are looked at."""

from dataclasses import replace

from notifier.errors import InvalidValue
from notifier.storage.contract import Transaction
from notifier.web.documents import outlook_document, watch_document
from notifier.web.enrolment import enrol, prepare
from notifier.web.idempotency import once
from notifier.web.paging import number_of, page
from notifier.web.problems import OverBudget
from notifier.web.routing import Answer, Call
from notifier.web.shapes import NewWatch, WatchPatch, WatchQuery

_LIST = "watches"


async def register(call: Call) -> Answer:
    """Watch an order, or merge into the watch there is; secrets of new subscriptions are shown this once."""
    body: NewWatch = call.body
    enrolment = prepare(call.services, call.account, body)

    async def work(tx: Transaction) -> Answer:
        done = await enrol(tx, enrolment, now=call.services.clock.now())
        document = watch_document(done.watch)
        if not done.told:
            return Answer(status=done.status, body=document)
        return Answer(
            status=done.status,
            body=document | {"notify": done.told_without_secrets},
            once={"notify": done.told},
        )

    return await once(call, work)


async def index(call: Call) -> Answer:
    """List watches, oldest registration first."""
    query: WatchQuery = call.query
    after = number_of(_LIST, query.cursor)
    async with call.services.storage.reading() as tx:
        rows = await tx.watches(
            call.account,
            state=query.state,
            tag=query.tag,
            status=query.status,
            after=after,
            limit=query.limit + 1,
        )
    return Answer(body=page(_LIST, rows, query.limit, position=lambda watch: watch.id, show=watch_document))


async def read(call: Call) -> Answer:
    """Show a watch: where it stands, when it is looked at next and why then."""
    async with call.services.storage.reading() as tx:
        watch = await tx.watch(call.account, call.order_key)
    return Answer(body=watch_document(watch) | {"next_poll": outlook_document(call.services.outlook(watch))})


async def amend(call: Call) -> Answer:
    """Pause, resume, or change what people may change."""
    body: WatchPatch = call.body
    now = call.services.clock.now()
    if body.until is not None and body.until <= now:
        raise InvalidValue("until", "is over; give an instant to come", "past")
    async with call.services.storage.writing() as tx:
        watch = await tx.watch(call.account, call.order_key)
        changed = await tx.amend_watch(replace(watch, **body.changes()), now=now)
    return Answer(body=watch_document(changed))


async def remove(call: Call) -> Answer:
    """Stop looking; what is owed still goes."""
    async with call.services.storage.writing() as tx:
        await tx.remove_watch(call.account, call.order_key)
    return Answer(status=204)


async def poll(call: Call) -> Answer:
    """Look as soon as the budget allows; a paused watch only remembers.

    Raises: OverBudget when people ask for more looks than their share of it.
    """
    wait_s = call.services.may_ask(call.account)
    if wait_s > 0:
        raise OverBudget(call.account, wait_s)
    async with call.services.storage.writing() as tx:
        watch = await tx.ask(call.account, call.order_key, now=call.services.clock.now())
    return Answer(status=202, body=watch_document(watch))

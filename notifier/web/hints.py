"""The upstream's own webhooks as reasons to look at once; nothing that they say becomes state (6.14).

Every authentic request is answered 200, whatever it holds: the upstream would send it again until it is.
"""

import base64
import binascii
import hmac
from collections.abc import Iterable
from contextlib import suppress
from enum import StrEnum
from hashlib import sha256

from aiohttp import web

from notifier.config.accounts import Hints
from notifier.domain.order import OrderKey, Source, WatchState, order_key
from notifier.errors import NotFound
from notifier.logs import get_logger
from notifier.source.contract import Failure, FailureReason
from notifier.source.hint import Hint, Unread, read_hint
from notifier.web.asking import Asking, Wish
from notifier.web.enrolment import enrol, prepare
from notifier.web.routing import Answer, Call
from notifier.web.services import Services
from notifier.web.shapes import NewWatch

MAX_BODY_BYTES = 1 << 20
ASKING = web.AppKey("asking", Asking)
_REALM = {"WWW-Authenticate": 'Basic realm="notifier", charset="UTF-8"'}
_NOBODY = ""

log = get_logger(__name__)


class HintOutcome(StrEnum):
    """What came of a hint; the list is closed and stands in answers and metrics."""

    POLLED = "polled"
    REMEMBERED = "remembered"
    REGISTERED = "registered"
    UNKNOWN = "unknown"
    IGNORED = "ignored"
    REFUSED = "refused"


async def receive(call: Call) -> Answer:
    """Take a webhook: look at the order it speaks of, or say why not.

    Raises: HTTPUnauthorized, alike for wrong credentials, an unknown account, one without hints, and a path without
    an account where there are several: nobody learns which accounts there are.
    """
    services = call.services
    account = _named_account(call)
    hints = services.config.accounts[account].hints if account in services.config.accounts else None
    if not _is_authentic(call.request, hints) or hints is None:
        _count(services, account if hints else _NOBODY, HintOutcome.REFUSED)
        raise web.HTTPUnauthorized(text="send the account's webhook user and password", headers=_REALM)
    outcome = await _outcome(call, account, hints)
    _count(services, account, outcome)
    return Answer(body={"outcome": outcome})


def _named_account(call: Call) -> str:
    named = call.request.match_info.get("account")
    accounts = call.services.accounts
    return named or (next(iter(accounts)) if len(accounts) == 1 else _NOBODY)


def _is_authentic(request: web.Request, hints: Hints | None) -> bool:
    """Compare both parts in constant time, and as much where there is nothing to compare with."""
    user, _, password = _credentials(request).partition(b":")
    expected = [hints.user.reveal(), hints.password.reveal()] if hints else [_NOBODY, _NOBODY]
    is_user, is_password = (
        hmac.compare_digest(sha256(given).digest(), sha256(own.encode("utf-8", "surrogateescape")).digest())
        for given, own in zip((user, password), expected, strict=True)
    )
    return is_user & is_password & (hints is not None)


def _credentials(request: web.Request) -> bytes:
    """Return `user:password` as it was sent (RFC 7617), nothing for what is no such header."""
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    try:
        return base64.b64decode(encoded.strip(), validate=True) if scheme.lower() == "basic" else b""
    except (binascii.Error, ValueError):
        return b""


async def _outcome(call: Call, account: str, hints: Hints) -> HintOutcome:
    hint = await _read(call, account)
    if not isinstance(hint, Hint):
        log.info("hint.ignored", account=account, reason=hint)
        return HintOutcome.IGNORED
    asking = call.request.app[ASKING]
    keys = await _watched(call.services, account, hint)
    asked = [await asking.ask(Wish(account, key, hint.source)) for key in keys]
    states = {watch.state for watch in asked if watch is not None}
    if states:
        return HintOutcome.POLLED if WatchState.ACTIVE in states else HintOutcome.REMEMBERED
    if hints.register_unknown and await _registered(call.services, account, hint):
        return HintOutcome.REGISTERED
    return HintOutcome.UNKNOWN


async def _read(call: Call, account: str) -> Hint | str:
    """Return the hint, or the word for why there is none."""
    try:
        body = await _body(call.request)
    except web.RequestPayloadError:
        return Unread.UNREADABLE
    if body is None:
        return FailureReason.TOO_LARGE
    opener = call.services.openers.get(account)
    opened = opener(body) if opener else None
    if isinstance(opened, Failure):
        return opened.reason
    return read_hint(body if opened is None else opened)


async def _body(request: web.Request) -> bytes | None:
    """Return the body, or None when it is longer than any webhook."""
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            return None
    return bytes(body)


async def _watched(services: Services, account: str, hint: Hint) -> Iterable[OrderKey]:
    """Return the orders that a hint speaks of and that are watched; the reader's door leaves the writer alone."""
    keys: list[OrderKey] = []
    async with services.storage.reading() as tx:
        if hint.order_id is not None:
            with suppress(NotFound):
                keys.append((await tx.watch(account, order_key(hint.order_id))).order_key)
        if hint.mandate_id is not None:
            keys += [watch.order_key for watch in await tx.watches_of_mandate(account, hint.mandate_id)]
    return dict.fromkeys(keys)


async def _registered(services: Services, account: str, hint: Hint) -> bool:
    """Watch an order that nobody registered; one that somebody removed is known, and stays removed.

    A loan's order is asked of HyperCredit, too, where the account has it.
    """
    if hint.order_id is None:
        return False
    is_loan = hint.source is Source.HYPERCREDIT and services.config.accounts[account].credit is not None
    sources = (Source.ORDER, Source.HYPERCREDIT) if is_loan else (Source.ORDER,)
    enrolment = prepare(services, account, NewWatch(order_id=hint.order_id, sources=sources))
    async with services.storage.writing() as tx:
        if await tx.is_removed(account, order_key(hint.order_id)):
            return False
        await enrol(tx, enrolment, now=services.clock.now())
    return True


def _count(services: Services, account: str, outcome: HintOutcome) -> None:
    services.metrics.hints_total.labels(account, outcome).inc()

"""Doing a POST once: the work and the memory of its answer are one transaction (interface 3)."""

from collections.abc import Awaitable, Callable
from hashlib import sha256

import msgspec

from notifier.errors import Conflict, InvalidValue
from notifier.storage.contract import Transaction
from notifier.storage.records import RememberedAnswer
from notifier.web.routing import Answer, Call

Work = Callable[[Transaction], Awaitable[Answer]]

_HEADER = "Idempotency-Key"
_MAX_LENGTH = 255


class _UsedMeanwhileError(Exception):
    """Another request with this key committed first; its answer is there to be read now."""


async def once(call: Call, work: Work) -> Answer:
    """Do the work in a write transaction, or answer what the same request was answered before.

    A refused request is not remembered: mended, it may come again under its key.

    Raises: InvalidValue when the key was used for another request; Conflict.
    """
    key = _key_of(call)
    if key is None:
        async with call.services.storage.writing() as tx:
            return await work(tx)
    try:
        return await _remembering(call, key, work)
    except _UsedMeanwhileError:
        return await _remembering(call, key, work)


async def _remembering(call: Call, key: str, work: Work) -> Answer:
    account, route = call.account, f"{call.route.method} {call.route.path}"
    digest = _digest(call)
    now = call.services.clock.now()
    async with call.services.storage.writing() as tx:
        known = await tx.remembered_answer(key, route, account)
        if known is not None and known.digest != digest:
            raise InvalidValue(_HEADER, "was used for another request; take a fresh one", "key_reused")
        if known is not None:
            return Answer(status=known.http_status, body=msgspec.json.decode(known.body))
        given = await work(tx)
        memory = RememberedAnswer(
            key=key,
            route=route,
            account=account,
            digest=digest,
            http_status=given.status,
            body=msgspec.json.encode(given.body),
        )
        try:
            await tx.remember_answer(memory, now=now)
        except Conflict:
            raise _UsedMeanwhileError from None
        return given


def _key_of(call: Call) -> str | None:
    key = call.request.headers.get(_HEADER)
    if key is not None and not (1 <= len(key) <= _MAX_LENGTH and key.isascii() and key.isprintable()):
        raise InvalidValue(_HEADER, f"give 1 to {_MAX_LENGTH} printable ASCII characters", "invalid")
    return key


def _digest(call: Call) -> bytes:
    """Tell requests apart by path, too: the id in it is not part of the route."""
    return sha256(b"\n".join((call.request.raw_path.encode("utf-8", "surrogateescape"), call.raw))).digest()

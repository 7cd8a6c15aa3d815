"""Many registrations in one call: NDJSON in, NDJSON out, both streamed, so that memory does not grow with the list.

Lines are taken as they come in, some hundred to a transaction. A group that storage refuses is done again line by
line: the culprit is told, the others stand.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from aiohttp import StreamReader, web
from pydantic import ValidationError

from notifier.domain.document import Document
from notifier.errors import Conflict, InvalidValue, StorageError
from notifier.web.enrolment import Enrolled, Enrolment, enrol, prepare
from notifier.web.problems import BadSyntax, from_validation
from notifier.web.routing import Call, chosen_account
from notifier.web.shapes import NewWatch

MAX_LINES = 100_000
MAX_LINE_BYTES = 64 * 1024
_GROUP = 200
"""Short enough that polls and deliveries need not wait long for the one who writes."""


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of the request: an enrolment, or the answer that it gets instead."""

    number: int
    order_id: str | None
    enrolment: Enrolment | None
    refusal: Document | None


async def bulk(call: Call) -> web.StreamResponse:
    """Register every good line; answer each line with its number, status, order id, and error if any."""
    if call.query.account is not None:
        chosen_account(call.services.accounts, call.query.account)
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    response.enable_chunked_encoding()
    await response.prepare(call.request)
    async for group in _groups(call.request.content):
        lines = [_read(call, number, text) for number, text in group]
        answers = await _settle(call, lines)
        await response.write(b"".join(msgspec.json.encode(answer) + b"\n" for answer in answers))
    await response.write_eof()
    return response


async def _groups(content: StreamReader) -> AsyncIterator[list[tuple[int, bytes | None]]]:
    """Yield numbered lines as they arrive, without blank ones; a line too long is None, the one too many ends it."""
    number, rest, is_skipping = 0, b"", False
    while True:
        chunk = await content.readany()
        *whole, rest = (rest + chunk).split(b"\n")
        if not chunk and (rest or is_skipping):
            whole, rest = [rest], b""
        group: list[tuple[int, bytes | None]] = []
        for text in whole:
            number += 1
            is_long = is_skipping or len(text) > MAX_LINE_BYTES
            is_skipping = False
            if is_long or text.strip():
                group.append((number, None if is_long else text))
            if number > MAX_LINES:
                break
        if len(rest) > MAX_LINE_BYTES:
            rest, is_skipping = b"", True
        for start in range(0, len(group), _GROUP):
            yield group[start : start + _GROUP]
        if not chunk or number > MAX_LINES:
            return


def _read(call: Call, number: int, text: bytes | None) -> _Line:
    if number > MAX_LINES:
        message = f"more than {MAX_LINES} lines; send the rest in another call"
        return _refused(number, 413, message)
    if text is None:
        return _refused(number, 413, f"the line is longer than {MAX_LINE_BYTES} bytes")
    try:
        body = NewWatch.model_validate_json(text)
    except ValidationError as error:
        refusal = from_validation(error)
        status = 400 if isinstance(refusal, BadSyntax) else 422
        return _refused(number, status, str(refusal), _id_in(text))
    try:
        account = chosen_account(call.services.accounts, call.query.account, body.account)
        enrolment = prepare(call.services, account, body)
    except InvalidValue as error:
        return _refused(number, 422, str(error), body.order_id)
    return _Line(number, body.order_id, enrolment, None)


async def _settle(call: Call, lines: Sequence[_Line]) -> list[Document]:
    good = [line for line in lines if line.enrolment]
    try:
        done = await _enrol_all(call, good)
    except StorageError:
        done = {}
        for line in good:
            done |= await _enrol_alone(call, line)
    return [line.refusal or done[line.number] for line in lines]


async def _enrol_all(call: Call, lines: Sequence[_Line]) -> dict[int, Document]:
    if not lines:
        return {}
    now = call.services.clock.now()
    async with call.services.storage.writing() as tx:
        return {
            line.number: _answer(line, await enrol(tx, line.enrolment, now=now))
            for line in lines
            if line.enrolment
        }


async def _enrol_alone(call: Call, line: _Line) -> dict[int, Document]:
    try:
        return await _enrol_all(call, [line])
    except Conflict as error:
        return {line.number: _document(line.number, 409, line.order_id, error=str(error))}
    except StorageError:
        message = "the database is out of reach; send this line again"
        return {line.number: _document(line.number, 503, line.order_id, error=message)}


def _answer(line: _Line, done: Enrolled) -> Document:
    told = {"notify": done.told} if done.told else {}
    return _document(line.number, done.status, done.watch.order_id, **told)


def _refused(number: int, status: int, message: str, order_id: str | None = None) -> _Line:
    return _Line(number, order_id, None, _document(number, status, order_id, error=message))


def _document(number: int, status: int, order_id: str | None, **more: Any) -> Document:
    return {"line": number, "status": status, "order_id": order_id, **more}


def _id_in(text: bytes) -> str | None:
    """Return the id in a refused line as far as there is one, so that its sender can find it."""
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None
    order_id = found.get("order_id") if isinstance(found, dict) else None
    return order_id if isinstance(order_id, str) else None

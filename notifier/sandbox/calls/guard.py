"""Who may call: the Basic key, and the merchant's own id."""

import base64
import hmac
from collections.abc import Awaitable, Callable

from aiohttp import web

from notifier.errors import InvalidValue
from notifier.sandbox.calls import answers
from notifier.sandbox.world import Sandbox

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def guarded(handler: Handler, sandbox: Sandbox, *, key: str | None, header: bool = True) -> Handler:
    """Return the handler behind the key, with its refusals as Juspay words them.

    `key` None is for envelopes, which are signed: a key may be sent, and must be right if it is. `header` is
    whether the call knows `x-merchantid` as mandatory.
    """

    async def guarded(request: web.Request) -> web.StreamResponse:
        sent = "Authorization" in request.headers
        if (key is not None or sent) and not _is_key(request, key or sandbox.key):
            return answers.unauthorized()
        merchant_id = request.headers.get("x-merchantid", request.headers.get("x-merchant-id"))
        if merchant_id is None and header and sandbox.manners.merchant_header:
            return answers.missing("x-merchantid")
        if merchant_id not in {None, sandbox.merchant_id}:
            return answers.unauthorized()
        try:
            return await handler(request)
        except InvalidValue as error:
            return answers.refused(error.problem)

    return guarded


def _is_key(request: web.Request, key: str) -> bool:
    """Compare the user of Basic authorization; official clients differ in whether a colon follows it."""
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return False
    try:
        sent = base64.b64decode(encoded, validate=True).removesuffix(b":")
    except ValueError:
        return False
    return hmac.compare_digest(sent, key.encode())

"""Templates that are handed in: off unless configured, and tried with every type of event before they are kept."""

import re

from notifier.channels.handed.cells import LimitExceeded
from notifier.domain.document import SAMPLE_TYPES, Document, sample_event_document
from notifier.domain.handed import PARTS, HandedTemplate
from notifier.errors import Conflict, InvalidValue, NotFound, TemplateError
from notifier.web.documents import instant
from notifier.web.routing import Answer, Call
from notifier.web.shapes import TemplateWish

_NAME = re.compile(r"[a-z0-9_-]{1,64}")
_MOST = 100


async def index(call: Call) -> Answer:
    """List the account's templates, without their texts."""
    account = call.account
    rows = [each for (of, _), each in sorted(call.services.shelf.items()) if of == account]
    return Answer(body={"items": [_shown(row) for row in rows], "next_cursor": None})


async def read(call: Call) -> Answer:
    """Show a template."""
    found = _found(call)
    return Answer(body=_shown(found) | {"parts": dict(found.parts)})


async def put(call: Call) -> Answer:
    """Keep a template, once it has been rendered with a sample of every type of event."""
    services, body = call.services, call.body
    if not services.config.templates.over_rest:
        raise InvalidValue(
            "", "templates over REST are off; set over_rest = true in [templates]", "unsupported"
        )
    template = _wished(call, body)
    await _try(call, template)
    async with services.storage.writing() as tx:
        await tx.keep_template(template)
    key = (template.account, template.name)
    is_new, services.shelf[key] = key not in services.shelf, template
    return Answer(status=201 if is_new else 200, body=_shown(template) | {"parts": dict(template.parts)})


async def remove(call: Call) -> Answer:
    """Forget a template; what still names it is made by its channel's default."""
    found = _found(call)
    async with call.services.storage.writing() as tx:
        await tx.drop_template(found.account, found.name)
    call.services.shelf.pop((found.account, found.name), None)
    return Answer(status=204)


def _wished(call: Call, body: TemplateWish) -> HandedTemplate:
    services, name, account = call.services, call.id, call.account
    if not _NAME.fullmatch(name):
        raise InvalidValue("name", "should be 1 to 64 of a-z, 0-9, '_' and '-'", "name")
    needed = PARTS.get(body.channel)
    if needed is None:
        raise InvalidValue("channel", f"is not known; there are: {', '.join(PARTS)}", "unknown_channel")
    if set(body.parts) != set(needed):
        raise InvalidValue("parts", f"should be {', '.join(needed)}, no more and no fewer", "parts")
    if name in services.template_files(body.channel):
        raise Conflict(f"a file holds the template {body.channel}/{name}; take another name")
    others = [of for of, each in services.shelf if (of, each) != (account, name)]
    if others.count(account) >= _MOST:
        raise InvalidValue("name", f"is one too many: an account may have {_MOST} templates", "length")
    return HandedTemplate(
        account=account,
        name=name,
        channel=body.channel,
        parts=dict(body.parts),
        updated_at=services.clock.now(),
    )


async def _try(call: Call, template: HandedTemplate) -> None:
    for kind in SAMPLE_TYPES:
        try:
            await call.services.cells.render(template, sample_event_document(kind))
        except LimitExceeded as error:
            raise InvalidValue("parts", f"{error} ({kind})", "limit") from None
        except TemplateError as error:
            raise InvalidValue("parts", f"{error} ({kind})", "template") from None


def _found(call: Call) -> HandedTemplate:
    found = call.services.shelf.get((call.account, call.id))
    if found is None:
        raise NotFound(f"there is no template {call.id!r} that was handed in")
    return found


def _shown(template: HandedTemplate) -> Document:
    return {
        "name": template.name,
        "account": template.account,
        "channel": template.channel,
        "updated_at": instant(template.updated_at),
    }

"""Signed callbacks (interface 5)."""

from base64 import b64encode
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from notifier.channels.answer import outcome_of, without
from notifier.channels.contract import Address, Parcel
from notifier.channels.egress import Egress
from notifier.channels.webhook.signature import sign, timestamp
from notifier.clock import Clock
from notifier.domain.delivery import Outcome
from notifier.domain.headers import may_be_added
from notifier.domain.snapshot import Subject
from notifier.errors import TemplateError
from notifier.templating import Templates

# A number stays as it is written: through a float it might lose digits.
_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_ENCODER = msgspec.json.Encoder(decimal_format="number")
# Bodies are frozen and templates change, so what a body is stands in the body.
_CLOUD_EVENT = b'{"specversion":'
_MOST_BEHIND = 50  # ids; servers refuse header lines above 8 KiB


class WebhookChannel:
    """Posts the event's document, or what a template makes of it, with signatures after Standard Webhooks."""

    name = "webhook"
    signs = True
    converses_about: frozenset[Subject] = frozenset()

    def __init__(self, templates: Templates, egress: Egress, clock: Clock, *, timeout_s: float) -> None:
        self._templates = templates
        self._egress = egress
        self._clock = clock
        self._timeout_s = timeout_s

    def check_target(self, target: str) -> None:
        self._egress.check_url(target)

    def shown_target(self, target: str) -> str:
        return target

    def render(self, document: Mapping[str, Any], template: str | None) -> bytes:
        context = {"event": document, "data": document["data"], "order": document["data"]["order"]}
        text = self._templates.render(
            self.name, template, event_type=document["type"], part="json", context=context
        )
        try:
            return _ENCODER.encode(_DECODER.decode(text))
        except msgspec.DecodeError as error:
            name = f"{self.name}/{template or 'default'}.json.j2"
            raise TemplateError(f"{name} does not make JSON of {document['type']}: {error}") from None

    async def send(self, parcel: Parcel) -> Outcome:
        address, headers = parcel.address, _own_headers(parcel)
        has_own = bool(address.headers) or address.basic_auth is not None
        if has_own:
            headers |= _added_headers(address)
        reply = await self._egress.post(
            address.target.reveal(), body=parcel.body, headers=headers, timeout_s=self._timeout_s
        )
        if isinstance(reply, Outcome):
            return reply
        outcome = outcome_of(reply, self._clock)
        if has_own:
            return outcome._replace(answer=without(outcome.answer, _confided(address)))
        return outcome

    async def close(self) -> None:
        await self._egress.close()


def _own_headers(parcel: Parcel) -> dict[str, str]:
    secrets = [secret.reveal() for secret in parcel.address.secrets]
    headers = {
        "Content-Type": f"application/{'cloudevents+' if parcel.body.startswith(_CLOUD_EVENT) else ''}json",
        "webhook-id": parcel.event_id,
        "webhook-timestamp": timestamp(parcel.now),
        "webhook-signature": sign(secrets, event_id=parcel.event_id, at=parcel.now, body=parcel.body),
        "notifier-attempt": str(parcel.attempt),
        "notifier-subscription": parcel.subscription_id,
        "notifier-sequence": str(parcel.sequence),
    }
    if parcel.behind:
        headers["notifier-behind"] = " ".join(parcel.behind[:_MOST_BEHIND])
    if parcel.replay_id is not None:
        headers["notifier-replay"] = parcel.replay_id
    return headers


def _added_headers(address: Address) -> dict[str, str]:
    basic_auth = _basic_auth(address)
    taken = {name.lower() for name in basic_auth}
    added = {
        name: value
        for name, value in address.headers.items()
        if may_be_added(name) and name.lower() not in taken
    }
    return added | basic_auth


def _confided(address: Address) -> list[str]:
    confided = [*address.headers.values(), *_basic_auth(address).values()]
    if address.basic_auth is not None:
        confided.append(address.basic_auth.reveal().partition(":")[2])
    return confided


def _basic_auth(address: Address) -> dict[str, str]:
    if address.basic_auth is None:
        return {}
    return {"Authorization": f"Basic {b64encode(address.basic_auth.reveal().encode()).decode()}"}

"""A webhook as it is sent: the envelope, what it tells, and what is masked in it."""

import json
from dataclasses import dataclass

from notifier.domain.instant import to_ms
from notifier.sandbox.bodies.distorted import FILTERED, as_text
from notifier.sandbox.frame import Json
from notifier.sandbox.jose import Form, Shape
from notifier.sandbox.lives.following import mandate_id, mandate_status
from notifier.sandbox.lives.scenario import tag
from notifier.sandbox.webhooks.happenings import Content, Happening
from notifier.sandbox.webhooks.hook import Hook
from notifier.sandbox.world import Order, Sandbox

_COMPACT = Form(envelope=Shape.COMPACT, inner=Shape.COMPACT)
_MASKED = frozenset(
    {
        *("customer_email", "customer_phone", "customer_id", "card", "upi", "payer_vpa", "benefits"),
        *("txn_flow_type", "activated_at", "last_activated_at", "payment_info", "provider_name"),
        *("mandate_token", "mandate_debit_token", "bank_details", "notification_type", "txn_date"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One webhook for one receiver; every try sends the same bytes."""

    event_id: str
    event_name: str
    order_id: str
    body: bytes


def written(sandbox: Sandbox, order: Order, happening: Happening, hook: Hook) -> Letter:
    """Return what the receiver is sent of this."""
    content = _content(sandbox, order, happening)
    if hook.masked:
        content = _masked(content)
    if hook.as_text:
        content = as_text(content)
    mark = tag(f"{order.life.order_id} {happening.event_name} {happening.at_s}")
    is_loan = happening.content is Content.LOAN
    body: Json = {
        "id": f"LSP{mark[:32]}" if is_loan else f"evt_V2_{mark[:32]}",
        "event_name": happening.event_name,
        "date_created": _odd_date(order, happening, mark) if is_loan else order.frame.stamp(happening.at_s),
        "content": {"order" if is_loan else happening.content.value: content},
    }
    if hook.jwt and sandbox.keys is not None:
        text = json.dumps(sandbox.keys.sealed(body, _COMPACT))
    else:
        text = json.dumps(body)
    return Letter(
        event_id=body["id"],
        event_name=happening.event_name,
        order_id=order.life.order_id,
        body=text.encode(),
    )


def fits(order: Order, happening: Happening) -> bool:
    """Return whether the order has at that age what the webhook tells about."""
    look = order.look(happening.at_s)
    match happening.content:
        case Content.ORDER:
            return True
        case Content.TXN:
            return look.attempt > 0
        case Content.MANDATE | Content.NOTE:
            return mandate_status(order.life, look) is not None
        case Content.LOAN:
            return bool(look.applications)


def _content(sandbox: Sandbox, order: Order, happening: Happening) -> Json:
    at_s = happening.at_s
    match happening.content:
        case Content.ORDER:
            return sandbox.order_body(order, at_s)
        case Content.TXN:
            body = sandbox.order_body(order, at_s)
            kept = ("payment_method_type", "payment_method", "auth_type", "payment_gateway_response")
            return {**body["txn_detail"], **{name: body[name] for name in kept if name in body}}
        case Content.MANDATE:
            return sandbox.mandate_body(order, at_s)
        case Content.NOTE:
            return _note(order, happening)
        case Content.LOAN:
            return sandbox.loan_body(order, at_s)


def _note(order: Order, happening: Happening) -> Json:
    """Return the pre-debit note: the one webhook that does not name its order."""
    epoch = str(to_ms(order.frame.at(happening.at_s)) // 1000)
    note: Json = {
        "object": "notification",
        "last_updated": epoch,
        "provider_name": "DUMMY",
        "status": "SUCCESS",
        "description": "Sending pre-debit notification",
        "id": str(int(tag(order.life.order_id)[:10], 16)),
        "mandate": {"mandate_id": mandate_id(order.life)},
        "source_object": "MANDATE",
        "date_created": epoch,
        "notification_type": "EMAIL",
        "source_info": {"txn_date": epoch, "amount": "1.0"},
        "object_reference_id": f"pdn{tag(order.life.order_id)[:10]}",
    }
    if happening.event_name == "NOTIFICATION_FAILED":
        note |= {
            "status": "FAILURE",
            "response_code": "JP_852",
            "response_message": "Gateway not supported.",
        }
    return note


def _odd_date(order: Order, happening: Happening, mark: str) -> str:
    """Return the instant as loan webhooks have it: with nanoseconds, a blank, and UTC."""
    nanoseconds = int(mark[:3], 16) % 1000
    return f"{order.frame.at(happening.at_s):%Y-%m-%d %H:%M:%S.%f}{nanoseconds:03d} UTC"


def _masked(body: Json) -> Json:
    masked = {name: FILTERED if name in _MASKED else _below(value) for name, value in body.items()}
    created = masked.get("date_created")
    if isinstance(created, str) and "T" in created:  # a mask that took the date for a number
        masked["date_created"] = f"1111111T{created.partition('T')[2]}"
    return masked


def _below(value: object) -> object:
    match value:
        case dict():
            return {name: FILTERED if name in _MASKED else _below(member) for name, member in value.items()}
        case list():
            return [_below(member) for member in value]
        case _:
            return value

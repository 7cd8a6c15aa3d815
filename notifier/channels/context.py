"""What templates for people are given: the event, and the words and facts in it that a person looks for."""

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import Any

from notifier.channels.incident import headline, incident_words
from notifier.domain.order import Phase
from notifier.domain.snapshot import Subject
from notifier.templating import money, when

Fact = tuple[str, str]
"""A label and its value."""


class Tone(StrEnum):
    """How news feels, for colours and marks; `system` is about the notifier itself."""

    GOOD = "good"
    BAD = "bad"
    PLAIN = "plain"
    SYSTEM = "system"


def context_of(document: Mapping[str, Any], *, public_url: str = "") -> dict[str, Any]:
    """Return the variables of a template for people.

    `event` the whole document, `data` and `order` out of it (`order` may be none); `title` one sentence of what
    happened; `topic` what it happened to; `facts` pairs of label and value; `tone` one of Tone; `incident` the words
    of an incident (`incident_words`), none for other events.
    """
    data = document["data"]
    incident = data.get("incident")
    words = incident_words(incident, public_url=public_url) if incident else None
    return {
        "event": document,
        "data": data,
        "order": data["order"],
        "title": title(document),
        "topic": _topic(data),
        "facts": _facts_of_incident(words) if words else tuple(_facts(document["type"], data)),
        "tone": _tone(document["type"], data),
        "incident": words,
    }


def title(document: Mapping[str, Any]) -> str:
    """Return what happened as one sentence without its full stop."""
    data, kind = document["data"], document["type"]
    if data.get("incident"):
        return headline(data["incident"])
    word = _WORDS.get(kind)
    if word is not None:
        return f"{_topic(data)} {word(data)}"
    if data["subject"] == Subject.LOAN:
        first = " at the first look" if data["initial"] else ""
        return f"{_topic(data)} is at stage {data['current']}{first}"
    if data["initial"]:
        return f"{_topic(data)} is {data['current']} at the first look"
    return f"{_topic(data)} is now {data['current']}" if data["current"] else f"{_topic(data)}: {kind}"


def _topic(data: Mapping[str, Any]) -> str:
    subject, subject_id, order_id = data["subject"], data["subject_id"], data["order_id"]
    match subject:
        case Subject.ORDER | Subject.WATCH:
            return f"Order {order_id}"
        case Subject.INCIDENT if data.get("incident"):
            return f"Incident #{data['incident']['number']}"
        case Subject.SOURCE:
            return f"Gateway of account {data['account']}"
        case Subject.HEARTBEAT | Subject.TEST:
            return "Notifier"
        case _:
            named = f"{_NOUNS.get(subject, subject)} {subject_id or ''}".strip()
    return f"Order {order_id}: {named}" if order_id else f"{named[0].upper()}{named[1:]}"


_NOUNS = {Subject.TXN: "payment"}


def _said(word: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda _: word


_WORDS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "order.retried": _said("was tried again"),
    "order.late_success": _said("was paid after all"),
    "order.amount_mismatch": lambda data: f"has another {_member(data)} than expected: {data['current']}",
    "order.refunded": _said("is refunded in full"),
    "order.stuck": lambda data: f"is stuck in {data['current']}" if data["current"] else "is stuck",
    "refund.created": _said("was created"),
    "refund.sent": _said("was sent to the gateway"),
    "refund.arn_available": lambda data: f"has its ARN: {data['current']}",
    "refund.overdue": _said("is overdue"),
    "mandate.resumed": _said("was resumed"),
    "watch.settled": _said("is settled and no longer watched"),
    "watch.not_found": _said("is not known to the gateway"),
    "watch.abandoned": _said("was given up unsettled"),
    "source.failing": _said("does not answer as it should"),
    "source.recovered": _said("answers again"),
    "source.refused": _said("refuses our credentials; its orders are not polled"),
    "subscription.failing": _said("does not get its messages"),
    "subscription.recovered": _said("gets its messages again"),
    "subscription.disabled": _said("was disabled"),
    "subscription.misrendered": lambda data: f"has a template that fails: {data['current']}",
    "delivery.exhausted": _said("was given up after its last attempt"),
    "heartbeat": _said("is alive"),
    "test.ping": _said("sends this as a test; nothing happened"),
}

_GOOD = {"recovered", "active", "resumed", "availed", "settled", "loan_granted", "loan_active"}
_BAD = {"failure", "failed", "overdue", "manual_review", "stuck", "amount_mismatch", "failing", "refused",
        "disabled", "misrendered", "exhausted", "not_found", "abandoned", "expired", "revoked", "loan_rejected",
        "kyc_rejected", "no_offers"}  # fmt: skip
_ABOUT_US = {
    Subject.SOURCE,
    Subject.SUBSCRIPTION,
    Subject.DELIVERY,
    Subject.HEARTBEAT,
    Subject.TEST,
}
_TONES = {Phase.SUCCEEDED: Tone.GOOD, Phase.FAILED: Tone.BAD}


def _tone(kind: str, data: Mapping[str, Any]) -> Tone:
    word = kind.rpartition(".")[2]
    if data["subject"] == Subject.INCIDENT:
        return Tone.GOOD if word == "resolved" else Tone.BAD
    if data["subject"] in _ABOUT_US:
        return Tone.SYSTEM
    if word in _BAD or data["subject"] == Subject.CHARGEBACK:
        return Tone.BAD
    if kind == "order.retried":
        return Tone.PLAIN
    if data["subject"] == Subject.ORDER:
        return _TONES.get(data["phase"], Tone.PLAIN)
    return Tone.GOOD if word in _GOOD or word in {"success", "charged"} else Tone.PLAIN


def _facts_of_incident(words: Mapping[str, Any]) -> tuple[Fact, ...]:
    return (*words["facts"], ("Since", when(words["since"])), ("Incident", words["id"]))


def _facts(kind: str, data: Mapping[str, Any]) -> Iterator[Fact]:
    """Give the facts by weight, since a small screen shows the first ones."""
    order = data["order"] or {}
    if data["subject"] == Subject.LOAN:
        order = order.get("loan") or {}  # a loan is paid out by its lender, whatever the order was paid by
    row = _row(data, order)
    whole = money(order.get("amount"), order.get("currency")) if order.get("amount") else None
    part = money(row["amount"], row.get("currency") or order.get("currency")) if row.get("amount") else None
    limit = money(row["max_amount"], order.get("currency")) if row.get("max_amount") else None
    detail = order.get("txn_detail") or {}
    is_step = data["current"] and data["previous"] and data["current"] != data["previous"]
    for label, value in (
        ("Amount", part or whole),
        ("Limit", " ".join(filter(None, (limit, row.get("frequency"))))),
        (_step(kind, data), f"{data['previous']} → {data['current']}" if is_step else None),
        ("Lender", row.get("payment_method") if data["subject"] == Subject.LOAN else None),
        ("Application", row.get("epg_txn_id")),
        ("Gateway", row.get("gateway") or detail.get("gateway")),
        ("Method", order.get("payment_method") or order.get("payment_method_type")),
        ("Response", order.get("bank_error_code") or order.get("resp_code")),
        ("Order amount", whole if part and part != whole else None),
    ):
        if value:
            yield label, str(value)


def _step(kind: str, data: Mapping[str, Any]) -> str:
    """Name what stands on both sides of the arrow."""
    if kind == "order.amount_mismatch":
        return "Expected → seen"
    return "Stage" if data["subject"] == Subject.LOAN else _member(data).capitalize()


def _member(data: Mapping[str, Any]) -> str:
    return str(data["field"] or "status").replace("_", " ")


_ROWS = {
    Subject.REFUND: ("refunds", "unique_request_id"),
    Subject.TXN: ("txn_list", "txn_id"),
    Subject.LOAN: ("txn_list", "txn_id"),
}


def _row(data: Mapping[str, Any], order: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the refund, payment, loan or mandate that the event speaks of, as far as the snapshot has it."""
    if data["subject"] == Subject.MANDATE:
        return order.get("mandate") or {}
    rows, key = _ROWS.get(data["subject"], ("", ""))
    found: Mapping[str, Any]
    for found in order.get(rows) or ():
        if found.get(key) == data["subject_id"]:
            return found
    return {}

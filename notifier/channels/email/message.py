"""One mail as it goes over the wire: headers, thread, text and HTML."""

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any

from notifier.channels.contract import Parcel
from notifier.domain.order import order_key
from notifier.templating import header

_NO_LABEL = re.compile(r"[^A-Za-z0-9]+")


def mail_of(
    parcel: Parcel, body: Mapping[str, Any], *, sender: str, recipient: str, leave_url: str = ""
) -> EmailMessage:
    """Return the mail for one recipient.

    `body` holds `subject`, `text` and `html`. The Message-ID is the same on every attempt, and all mails of an
    order, or of what `thread` names, hang below one root that is never sent itself. A POST to `leave_url`
    unsubscribes (RFC 8058).
    """
    domain = domain_of(sender)
    mail = EmailMessage(policy=SMTP)
    mail["From"] = sender
    mail["To"] = recipient
    mail["Subject"] = header(body["subject"])
    mail["Date"] = format_datetime(_whole_second(parcel.now))
    mail["Message-ID"] = f"<{_hash(parcel.event_id, parcel.subscription_id)}@{domain}>"
    if root := _root(parcel, body):
        mail["In-Reply-To"] = mail["References"] = f"<{root}@{domain}>"
    mail["List-Id"] = f"<{_NO_LABEL.sub('-', parcel.account)}.notifier.{domain}>"
    if leave_url:
        mail["List-Unsubscribe"] = f"<{leave_url}>"
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail.set_content(body["text"])
    mail.add_alternative(body["html"], subtype="html")
    return mail


def domain_of(sender: str) -> str:
    """Return the domain of `notifier@example.com` or `Notifier <notifier@example.com>`."""
    return sender.rpartition("@")[2].rstrip("> ")


def _root(parcel: Parcel, body: Mapping[str, Any]) -> str:
    """Return what the mail's conversation hangs below; empty for a mail that stands alone."""
    if thread := body.get("thread"):
        return f"thread-{_hash(parcel.account, thread)}"
    return f"order-{_hash(parcel.account, order_key(parcel.order_id))}" if parcel.order_id else ""


def _hash(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _whole_second(at: datetime) -> datetime:
    return at.replace(microsecond=0)

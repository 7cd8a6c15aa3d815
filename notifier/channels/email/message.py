"""One mail as it goes over the wire: headers, thread, text and HTML."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from notifier.channels.contract import Parcel
from notifier.domain.order import order_key
from notifier.templating import header


def mail_of(parcel: Parcel, body: Mapping[str, str], *, sender: str, recipient: str) -> EmailMessage:
    """Return the mail for one recipient.

    `body` holds `subject`, `text` and `html`. The Message-ID is the same on every attempt, and all mails of an
    order hang below one root that is never sent itself.
    """
    domain = domain_of(sender)
    mail = EmailMessage(policy=SMTP)
    mail["From"] = sender
    mail["To"] = recipient
    mail["Subject"] = header(body["subject"])
    mail["Date"] = format_datetime(_whole_second(parcel.now))
    mail["Message-ID"] = f"<{_hash(parcel.event_id, parcel.subscription_id)}@{domain}>"
    if parcel.order_id is not None:
        root = f"<order-{_hash(parcel.account, order_key(parcel.order_id))}@{domain}>"
        mail["In-Reply-To"] = root
        mail["References"] = root
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail.set_content(body["text"])
    mail.add_alternative(body["html"], subtype="html")
    return mail


def domain_of(sender: str) -> str:
    """Return the domain of `notifier@example.com` or `Notifier <notifier@example.com>`."""
    return sender.rpartition("@")[2].rstrip("> ")


def _hash(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _whole_second(at: datetime) -> datetime:
    return at.replace(microsecond=0)

"""docs/pictures/email.html shows every kind of mail as it is sent; NOTIFIER_DRAW=1 draws it anew."""

import os
from html import escape
from pathlib import Path

import msgspec
from channel_builders import PUBLIC, a_document, an_email

_PICTURE = Path(__file__).parents[2] / "docs" / "pictures" / "email.html"
_STAGES = (
    ("An incident opens", "incident.opened"),
    ("It is acknowledged", "incident.acknowledged"),
    ("Its severity rises", "incident.updated"),
    ("It is over", "incident.resolved"),
    ("One order", "order.charged"),
    ("News of the notifier itself", "subscription.disabled"),
)
_DIGEST = (
    ("order.charged", "JP1636474794"), ("order.charged", "JP1636474801"), ("refund.failure", "JP1636474866"),
    ("order.late_success", "JP1636474870"), ("order.charged", "JP1636474871"),
)  # fmt: skip
_STYLE = (
    "body{font:15px/1.45 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}"
    "iframe{width:100%;height:30rem;border:1px solid #8886;border-radius:8px;background:#fff}"
    "pre{white-space:pre-wrap;border:1px solid #8886;border-radius:8px;padding:.6rem 1rem}.p{color:#888}"
)


def drawn() -> str:
    channel = an_email(25, public_url=PUBLIC)
    shown = [(caption, channel.render(a_document(kind), None)) for caption, kind in _STAGES]
    bodies = [channel.render(a_document(kind, order_id=of), None) for kind, of in _DIGEST]
    shown.append(("A minute of news in one mail", channel.fold(bodies)))
    parts = [_mail(caption, msgspec.json.decode(body)) for caption, body in shown]
    head = f'<meta charset="utf-8"><title>Mails</title><style>{_STYLE}</style>'
    return f'<!doctype html>\n<html lang="en">{head}\n<h1>Mails</h1>\n{"".join(parts)}</html>\n'


def _mail(caption, mail) -> str:
    return (
        f'<h2>{escape(caption)}</h2>\n<div class="p">Subject: {escape(mail["subject"])}</div>\n'
        f'<iframe sandbox title="{escape(caption)}" srcdoc="{escape(mail["html"])}"></iframe>\n'
        f"<details><summary>as text</summary><pre>{escape(mail['text'])}</pre></details>\n"
    )


def test_the_picture_in_the_docs_is_what_is_sent():
    if os.environ.get("NOTIFIER_DRAW"):
        _PICTURE.write_text(drawn(), encoding="utf-8")
    assert _PICTURE.read_text(encoding="utf-8") == drawn()

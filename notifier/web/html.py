"""Plain pages: no scripts, nothing fetched, readable in the dark and on a phone; text is escaped unless it is Html."""

from collections.abc import Iterable
from html import escape
from urllib.parse import quote

from aiohttp import web

_STYLE = (
    ":root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;"
    "padding:0 1rem}main{overflow-wrap:break-word;overflow-x:auto}table{border-collapse:collapse;width:100%}"
    "th,td{text-align:left;vertical-align:top;padding:.2rem .8rem .2rem 0;border-bottom:1px solid #8884}"
    "caption{text-align:left;font-weight:600;padding:1rem 0 .3rem}small{opacity:.75}"
    "svg{width:100%;max-width:40rem;height:auto}@media(max-width:40rem){body{margin:1rem auto}h1{font-size:1.3rem}"
    "th,td{padding-right:.4rem}table{font-size:.85rem}}"
)
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}
_FORM = _HEADERS | {"Content-Security-Policy": f"{_HEADERS['Content-Security-Policy']}; form-action 'self'"}


class Html(str):
    """Text that is markup already, made here or of nothing from outside."""

    __slots__ = ()


def shown(value: object) -> Html:
    """Return a value as markup, escaped unless it is that already."""
    return value if isinstance(value, Html) else Html(escape(str(value)))


def joined(*parts: object) -> Html:
    """Return parts one after another."""
    return Html("".join(map(shown, parts)))


def element(name: str, *parts: object, **attributes: str) -> Html:
    """Return an element; `_` in the name of an attribute stands for a hyphen, and after it for nothing."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(text)}"' for key, text in attributes.items()
    )
    return Html(f"<{name}{given}>{joined(*parts)}</{name}>")


def link(text: object, *path: str, **query: str) -> Html:
    """Return a link to a page of ours, from one that lies one folder below the root, wherever a proxy puts that."""
    asked = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
    href = "/".join(["..", *(quote(part, safe="") for part in path)]) + (f"?{asked}" if asked else "")
    return element("a", text, href=href)


def table(caption: str, heads: Iterable[str], rows: Iterable[Iterable[object]]) -> Html:
    """Return a table."""
    head = element("tr", *(element("th", each, scope="col") for each in heads))
    body = (element("tr", *(element("td", cell) for cell in row)) for row in rows)
    return element("table", element("caption", caption), element("thead", head), element("tbody", *body))


def pairs(caption: str, rows: Iterable[tuple[str, object]]) -> Html:
    """Return a table of names and values; pairs without a value are left out."""
    body = (
        element("tr", element("th", name, scope="row"), element("td", value)) for name, value in rows if value
    )
    return element("table", element("caption", caption), element("tbody", *body))


def page(title: str, *parts: object, has_form: bool = False) -> web.Response:
    """Return the answer: a page with this heading; a form on it may be sent to ourselves only."""
    text = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">{element("title", title)}'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="robots" content="noindex">'
        f"<style>{_STYLE}</style></head><body>{element('main', element('h1', title), *parts)}</body></html>"
    )
    return web.Response(
        text=text, content_type="text/html", charset="utf-8", headers=_FORM if has_form else _HEADERS
    )

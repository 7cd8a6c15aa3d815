"""The few pieces that the sandbox's pages are made of; everything put into them is escaped here."""

from collections.abc import Iterable, Mapping
from html import escape

from aiohttp import web

_STYLE = """
:root{color-scheme:light dark;--line:#8883;--soft:#8881;--good:#16803c;--bad:#c0362c;--open:#9a6700}
@media(prefers-color-scheme:dark){:root{--good:#4ac26b;--bad:#ff7b72;--open:#d29922}}
body{font:15px/1.5 system-ui,sans-serif;margin:0 auto;max-width:72rem;padding:1.5rem 1rem 3rem}
h1{font-size:1.4rem;margin:0}h2{font-size:1.05rem;margin:2rem 0 .5rem}p{margin:.3rem 0}
.note{opacity:.75}.facts{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem;margin:1rem 0}
.facts dt{opacity:.75}.facts dd{margin:0}code{font:13px/1.5 ui-monospace,monospace}
form{display:inline}form.wide{display:flex;flex-wrap:wrap;gap:.5rem;align-items:end;margin-bottom:.6rem}
form.wide button{margin:0}label{font-size:.85rem}
label>*{display:block}input,select,button{font:inherit;padding:.2rem .5rem;border:1px solid var(--line);
box-sizing:border-box;min-height:2rem;
border-radius:.35rem;background:var(--soft);color:inherit}button{cursor:pointer;font-size:.85rem;margin:.1rem 0}
button:hover{border-color:currentColor}button.main{font-weight:600;border-color:currentColor}
.card{border:1px solid var(--line);border-radius:.6rem;padding:.7rem .9rem;margin:.6rem 0}
.row{display:flex;flex-wrap:wrap;gap:.3rem .8rem;align-items:baseline}.row+.row{border-top:1px solid var(--line);
margin-top:.5rem;padding-top:.5rem}.row b{min-width:11rem}.push{margin-left:auto;text-align:right}
.chip{border:1px solid;border-radius:1rem;padding:0 .6rem;font-size:.85rem;font-weight:600}
.good{color:var(--good)}.bad{color:var(--bad)}.open{color:var(--open)}
.pay{max-width:26rem;margin:4rem auto;text-align:center}.pay .sum{font-size:2rem;margin:1rem}
.pay form{display:block;margin:.4rem 0}.pay button{width:100%;padding:.5rem}
table{border-collapse:collapse;width:100%;margin:.5rem 0}
td{padding:.2rem .8rem .2rem 0;border-bottom:1px solid var(--line)}
"""
# Asks for the page again and puts in what lives; what somebody is typing into stays as it is.
_LIVE = """
setInterval(async()=>{if(document.hidden)return;
const got=await fetch(location.href).catch(()=>null);if(!got||!got.ok)return;
const page=new DOMParser().parseFromString(await got.text(),'text/html');
for(const part of document.querySelectorAll('[data-live]')){const fresh=page.getElementById(part.id);
if(fresh&&fresh.innerHTML!==part.innerHTML)part.innerHTML=fresh.innerHTML}},2000)
"""
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
_GOOD = frozenset({"CHARGED", "SUCCESS", "ACTIVE", "AVAILED", "Loan Active", "VOIDED"})
_BAD = frozenset(
    {
        *("AUTHENTICATION_FAILED", "AUTHORIZATION_FAILED", "JUSPAY_DECLINED", "FAILURE", "FAILED"),
        *(
            "REVOKED",
            "EXPIRED",
            "CAPTURE_FAILED",
            "VOID_FAILED",
            "Loan Rejected",
            "KYC Rejected",
            "No Offers",
        ),
    }
)


def page(title: str, body: str) -> web.Response:
    """Return a whole page, which keeps its living parts fresh by itself."""
    text = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<style>{_STYLE}</style></head><body>{body}<script>{_LIVE}</script></body></html>"
    )
    return web.Response(text=text, content_type="text/html", charset="utf-8", headers=_HEADERS)


def chip(word: str) -> str:
    """Return a status as a label, in the colour of its kind."""
    kind = "good" if word in _GOOD else "bad" if word in _BAD else "open"
    return f'<span class="chip {kind}">{escape(word)}</span>'


def button(label: str, fields: Mapping[str, str], *, main: bool = False) -> str:
    """Return a form of one button, which posts the fields."""
    hidden = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in fields.items()
    )
    kind = ' class="main"' if main else ""
    return f'<form method="post" action="/sandbox/page">{hidden}<button{kind}>{escape(label)}</button></form>'


def row(head: str, status: str, more: str, buttons: Iterable[str]) -> str:
    """Return one line: a name, its status, what else there is to know, and what can happen."""
    return (
        f'<div class="row"><b>{escape(head)}</b>{chip(status)}<span class="note">{escape(more)}</span>'
        f'<span class="push">{" ".join(buttons)}</span></div>'
    )


def facts(pairs: Mapping[str, str]) -> str:
    """Return names and values."""
    lines = (f"<dt>{escape(name)}</dt><dd><code>{escape(value)}</code></dd>" for name, value in pairs.items())
    return f'<dl class="facts">{"".join(lines)}</dl>'


def choice(name: str, label: str, options: Iterable[str]) -> str:
    """Return a list to choose from."""
    lines = "".join(f"<option>{escape(option)}</option>" for option in options)
    return f'<label><span>{escape(label)}</span><select name="{escape(name)}">{lines}</select></label>'


def entry(name: str, label: str, placeholder: str = "") -> str:
    """Return a field to type into."""
    return (
        f'<label><span>{escape(label)}</span><input name="{escape(name)}" placeholder="{escape(placeholder)}"'
        ' autocomplete="off"></label>'
    )


def filled(action: str, fields: Iterable[str], label: str) -> str:
    """Return a form of several fields."""
    return (
        '<form class="wide" method="post" action="/sandbox/page">'
        f'<input type="hidden" name="do" value="{escape(action)}">'
        f"{''.join(fields)}<button>{escape(label)}</button></form>"
    )

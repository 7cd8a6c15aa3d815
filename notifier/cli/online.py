"""What `check --online` asks others: whether each account's key is taken, and the mail server lets us in."""

from uuid import uuid4

import aiosmtplib

from notifier.cli.check import Report
from notifier.clock import SystemClock
from notifier.config.model import Config
from notifier.domain.order import parse_order_id
from notifier.errors import ConfigError, Problem
from notifier.source.contract import Failure, FailureReason, StatusSource
from notifier.source.http import order_status_source
from notifier.source.hypercredit import hypercredit_source


async def accounts(report: Report, config: Config) -> None:
    """Ask each account's upstreams once for an order that cannot exist; 404 says that the key is good."""
    clock = SystemClock()
    for name, account in config.accounts.items():
        try:
            source = order_status_source(name, account, clock=clock)
            await _ask(report, name, f"accounts.{name}", account.base_url, source)
        except ConfigError:  # bad keys: told already
            continue
        if account.credit:
            credit = hypercredit_source(name, account, account.credit, clock=clock)
            await _ask(report, name, f"accounts.{name}.credit", account.credit.base_url, credit)


async def _ask(report: Report, name: str, path: str, base_url: str, source: StatusSource) -> None:
    try:
        answer = await source.fetch(parse_order_id(f"notifier-check-{uuid4().hex}"))
    finally:
        await source.close()
    problem = _judged(path, base_url, answer if isinstance(answer, Failure) else None)
    report.add(f"account {name}: {base_url} takes the key", [problem] if problem else [])


def _judged(path: str, base_url: str, failure: Failure | None) -> Problem | None:
    if failure is None:
        return Problem(f"{path}.base_url", f"{base_url} knows an order that cannot exist; is it Juspay?")
    if failure.reason is FailureReason.NOT_FOUND:
        return None
    status = f"HTTP {failure.http_status}" if failure.http_status else "no answer"
    if failure.reason is FailureReason.REFUSED:
        hint = "check the key, merchant_id, and whether this machine's address is allowed there"
        return Problem(f"{path}.api_key", f"{base_url} refuses the key ({status}); {hint}", "refused")
    message = f"{base_url} gives no good answer: {failure.reason}, {status} {failure.detail}".strip()
    return Problem(f"{path}.base_url", message, failure.reason)


async def mail_server(report: Report, config: Config) -> None:
    """Connect, say EHLO, and log in as the daemon would."""
    email = config.email
    if not email.host:
        return
    client = aiosmtplib.SMTP(
        hostname=email.host,
        port=email.port,
        username=email.username,
        password=email.password.reveal() if email.password else None,
        use_tls=email.security == "tls",
        start_tls=email.security == "starttls",
        timeout=email.timeout_s,
    )
    where = f"{email.host}:{email.port}"
    try:
        await client.connect()
        await client.ehlo()
        await client.quit()
    except aiosmtplib.SMTPAuthenticationError as error:
        report.add(
            "", [Problem("email.username", f"{where} refuses name and password ({error.code})", "refused")]
        )
    except (aiosmtplib.SMTPException, OSError) as error:
        report.add(
            "", [Problem("email.host", f"{where} does not let us in: {type(error).__name__}", "connection")]
        )
    else:
        report.add(f"mail server: {where} lets us in", [])
    finally:
        client.close()

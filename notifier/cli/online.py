"""What `check --online` asks others: whether each account's key is taken, and the mail server lets us in."""

from uuid import uuid4

import aiosmtplib

from notifier.cli.check import Report
from notifier.clock import SystemClock
from notifier.config.accounts import Account
from notifier.config.model import Config
from notifier.domain.order import parse_order_id
from notifier.errors import ConfigError, Problem
from notifier.source.contract import Failure, FailureReason
from notifier.source.http import order_status_source


async def accounts(report: Report, config: Config) -> None:
    """Ask each account's upstream once for an order that cannot exist; 404 says that the key is good."""
    for name, account in config.accounts.items():
        try:
            source = order_status_source(name, account, clock=SystemClock())
        except ConfigError:  # bad keys: told already
            continue
        try:
            answer = await source.fetch(parse_order_id(f"notifier-check-{uuid4().hex}"))
        finally:
            await source.close()
        problem = _judged(f"accounts.{name}", account, answer if isinstance(answer, Failure) else None)
        report.add(f"account {name}: {account.base_url} takes the key", [problem] if problem else [])


def _judged(path: str, account: Account, failure: Failure | None) -> Problem | None:
    if failure is None:
        return Problem(
            f"{path}.base_url", f"{account.base_url} knows an order that cannot exist; is it Juspay?"
        )
    if failure.reason is FailureReason.NOT_FOUND:
        return None
    status = f"HTTP {failure.http_status}" if failure.http_status else "no answer"
    if failure.reason is FailureReason.REFUSED:
        hint = "check the key, merchant_id, and whether this machine's address is allowed there"
        return Problem(f"{path}.api_key", f"{account.base_url} refuses the key ({status}); {hint}", "refused")
    message = f"{account.base_url} gives no good answer: {failure.reason}, {status} {failure.detail}".strip()
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

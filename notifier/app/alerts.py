"""Alerts written in the configuration: the tables are the truth at each start (interface 2)."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace

from pydantic import ValidationError

from notifier.app.crew import telling_of
from notifier.clock import Clock
from notifier.config.model import Config
from notifier.domain.alert.alert import Alert, AlertId, AlertState
from notifier.errors import ConfigError, InvalidValue, Problem
from notifier.storage.alarming import Telling, change
from notifier.storage.contract import Storage, Transaction
from notifier.web.alert_shapes import NewAlert
from notifier.web.problems import bad_members
from notifier.workers.alerter import all_alerts

CONFIG = "config"


def alerts_of(config: Config, accounts: Mapping[str, bool]) -> list[Alert]:
    """Read every [alerts.NAME] as its REST body; ids are still to be given.

    Raises: ConfigError with every problem and its dotted path.
    """
    found: list[Alert] = []
    problems: list[Problem] = []
    for name, table in config.alerts.items():
        path = f"alerts.{name}"
        account = table.account or (next(iter(accounts)) if len(accounts) == 1 else None)
        if account is None or account not in accounts:
            problems.append(
                Problem(f"{path}.account", f"name one of {', '.join(accounts)}", "account_required")
            )
            continue
        try:
            body = NewAlert.model_validate_json(json.dumps(table.body() | {"name": name}))
            alert = body.amended(Alert(id=AlertId(""), account=account, name=name, managed=CONFIG))
        except ValidationError as error:
            problems += [
                Problem(f"{path}.{each.path}", each.message, each.code) for each in bad_members(error)
            ]
        except InvalidValue as error:
            problems.append(
                Problem(f"{path}.{error.problem.path}", error.problem.message, error.problem.code)
            )
        else:
            found.append(alert)
    if problems:
        raise ConfigError(problems)
    return found


async def synchronise_alerts(
    config: Config,
    accounts: Mapping[str, bool],
    storage: Storage,
    *,
    clock: Clock,
    new_id: Callable[[], str],
) -> None:
    """Make storage's managed alerts those of the configuration."""
    wanted = alerts_of(config, accounts)
    telling = telling_of(config, accounts)
    async with storage.writing() as tx:
        for account in accounts:
            known = {each.name: each for each in await all_alerts(tx, account)}
            of_account = {each.name: each for each in wanted if each.account == account}
            for name, alert in of_account.items():
                await _write(tx, alert, known.get(name), new_id, telling=telling, clock=clock)
            for name, alert in known.items():
                if alert.managed == CONFIG and name not in of_account:
                    await _disable(tx, alert, telling=telling, clock=clock)


async def _write(
    tx: Transaction,
    alert: Alert,
    known: Alert | None,
    new_id: Callable[[], str],
    *,
    telling: Telling,
    clock: Clock,
) -> None:
    if known is None:
        await tx.save_alert(replace(alert, id=AlertId(f"alr_{new_id()}")))
        return
    if known.managed is None:
        raise ConfigError(
            [Problem(f"alerts.{alert.name}", f"an alert made over REST is named {alert.name!r}; delete one")]
        )
    changed = replace(alert, id=known.id, accepted=known.accepted)
    await change(tx, known, changed, telling=telling, now=clock.now())


async def _disable(tx: Transaction, alert: Alert, *, telling: Telling, clock: Clock) -> None:
    if alert.state is not AlertState.DISABLED:
        disabled = replace(alert, state=AlertState.DISABLED)
        await change(tx, alert, disabled, telling=telling, now=clock.now())

"""Subscriptions written in the configuration: the tables are the truth at each start (interface 2).

A table that vanished is disabled, not deleted: what happened meanwhile is owed and can be sent when it comes back.
Who left by the link in a mail stays out, whatever the table says, as long as it names the same address.
"""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

from pydantic import ValidationError

from notifier.channels.contract import Channel
from notifier.channels.webhook import signature
from notifier.clock import Clock
from notifier.config.model import Config
from notifier.config.secret import Secret
from notifier.domain.subscription import (
    OPERATORS,
    DisabledBy,
    Subscription,
    SubscriptionId,
    SubscriptionState,
)
from notifier.errors import ChannelMisconfigured, ConfigError, InvalidValue, Problem
from notifier.storage.contract import Storage, Transaction
from notifier.storage.records import SubscriptionSecrets
from notifier.web.problems import bad_members
from notifier.web.shapes import NewSubscription
from notifier.web.wishes import Wish, check_digest, subscribe

CONFIG = "config"
_PAGE = 500
_OF_OPERATORS = ("source.*", "subscription.*")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """One subscription that the configuration stands for."""

    account: str
    wish: NewSubscription
    secret: Secret | None
    managed: str


def wishes(
    config: Config, accounts: Mapping[str, bool], channels: Mapping[str, Channel]
) -> dict[str, tuple[str, NewSubscription]]:
    """Read every [subscriptions.NAME] as its REST body.

    Returns: (account, body) by name. Raises: ConfigError with every problem and its dotted path.
    """
    found: dict[str, tuple[str, NewSubscription]] = {}
    problems: list[Problem] = []
    for name, table in config.subscriptions.items():
        path = f"subscriptions.{name}"
        body = {"name": name} | {key: value for key, value in table.body().items() if key != "secret"}
        account = table.account or (next(iter(accounts)) if len(accounts) == 1 else None)
        if account is None or account not in accounts:
            problems.append(
                Problem(f"{path}.account", f"name one of {', '.join(accounts)}", "account_required")
            )
            continue
        try:
            wish = NewSubscription.model_validate_json(json.dumps(body))
            _check(wish, channels, table.secret)
        except ValidationError as error:
            problems += [
                Problem(f"{path}.{each.path}", each.message, each.code) for each in bad_members(error)
            ]
        except InvalidValue as error:
            problems.append(
                Problem(f"{path}.{error.problem.path}", error.problem.message, error.problem.code)
            )
        except ChannelMisconfigured as error:
            problems.append(Problem(f"{path}.channel", str(error)))
        else:
            found[name] = (account, wish)
    if problems:
        raise ConfigError(problems)
    return found


def _check(wish: NewSubscription, channels: Mapping[str, Channel], secret: Secret | None) -> None:
    if wish.channel not in channels:
        raise InvalidValue("channel", f"there is no {wish.channel!r}; take one of {', '.join(channels)}")
    channels[wish.channel].check_target(wish.target)
    check_digest(channels[wish.channel], wish.digest_s)
    if secret is not None:
        signature.check_secret(secret.reveal())


async def synchronise(
    config: Config,
    accounts: Mapping[str, bool],
    channels: Mapping[str, Channel],
    storage: Storage,
    *,
    clock: Clock,
    new_id: Callable[[], str],
    new_secret: Callable[[], Secret],
) -> None:
    """Make storage's managed subscriptions those of the configuration."""
    tables = [
        _Table(account=account, wish=wish, secret=config.subscriptions[name].secret, managed=CONFIG)
        for name, (account, wish) in wishes(config, accounts, channels).items()
    ]
    tables += _of_operators(config, accounts)
    async with storage.writing() as tx:
        for table in tables:
            await _write(
                tx,
                table,
                channels[table.wish.channel],
                clock=clock,
                new_id=new_id,
                new_secret=new_secret,
            )
        for account in accounts:
            names = {table.wish.name or "" for table in tables if table.account == account}
            await _disable_vanished(tx, account, names, clock)


def _of_operators(config: Config, accounts: Collection[str]) -> list[_Table]:
    """Return what `[operators]` stands for: one subscription of each account, to its troubles."""
    operators = config.operators
    if operators.channel is None or operators.address is None:
        return []
    if OPERATORS in config.subscriptions:
        raise ConfigError(
            [Problem(f"subscriptions.{OPERATORS}", "the name is that of [operators]; take another one")]
        )
    body = {
        "name": OPERATORS,
        "channel": operators.channel,
        "target": operators.address.reveal(),
        "events": _OF_OPERATORS,
    }
    wish = NewSubscription.model_validate_json(json.dumps(body))
    return [
        _Table(account=account, wish=wish, secret=operators.secret, managed=OPERATORS) for account in accounts
    ]


async def _write(
    tx: Transaction,
    table: _Table,
    channel: Channel,
    *,
    clock: Clock,
    new_id: Callable[[], str],
    new_secret: Callable[[], Secret],
) -> None:
    account, wish = table.account, table.wish
    existing = await tx.subscription_by_name(account, wish.name or "")
    fresh = Subscription(
        id=existing.id if existing else SubscriptionId(f"sub_{new_id()}"),
        account=account,
        channel=wish.channel,
        target=channel.shown_target(wish.target),
        managed=table.managed,
        **({"name": wish.name, "events": ()} | wish.changes()),
    )
    if existing is not None and existing.managed is None:
        place = OPERATORS if table.managed == OPERATORS else f"subscriptions.{wish.name}"
        raise ConfigError(
            [Problem(place, f"a subscription made over REST is named {wish.name!r}; delete one")]
        )
    present = await tx.secrets(existing.id) if existing else None
    kept = present.signing if present else ()
    if table.secret is not None:
        kept = (table.secret,)
    elif channel.signs and not kept:
        kept = (new_secret(),)
    secrets: SubscriptionSecrets = wish.secrets(kept)
    if existing is None:
        await subscribe(tx, Wish(fresh, secrets, wish.since), now=clock.now())
    else:
        if existing.disabled_by is DisabledBy.RECIPIENT and present and present.target == secrets.target:
            fresh = replace(fresh, state=existing.state, disabled_by=existing.disabled_by)
        await tx.amend_subscription(fresh, secrets, now=clock.now())


async def _disable_vanished(tx: Transaction, account: str, names: set[str], clock: Clock) -> None:
    after = ""
    while page := await tx.subscriptions(account, after=after, limit=_PAGE):
        after = page[-1].id
        for each in page:
            if (
                each.managed in {CONFIG, OPERATORS}
                and each.name not in names
                and each.state is not SubscriptionState.DISABLED
            ):
                gone = replace(each, state=SubscriptionState.DISABLED, disabled_by=DisabledBy.CONFIGURATION)
                await tx.amend_subscription(gone, None, now=clock.now())

"""Who is told: subscriptions with their secrets sealed, and what a change of their state does to what they are owed."""

from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import Select, bindparam, delete, insert, literal_column, select, union_all, update
from sqlalchemy.exc import IntegrityError

from notifier.config.secret import Secret
from notifier.domain.delivery import DeliveryState, Reason
from notifier.domain.order import OrderKey
from notifier.domain.replay import ReplayState
from notifier.domain.subscription import Subscription, SubscriptionId, SubscriptionState
from notifier.errors import Conflict, NotFound
from notifier.storage.records import OldSecret, SubscriptionSecrets
from notifier.storage.repository.base import AnyRow, Rows
from notifier.storage.repository.lanes import OWED, release_held
from notifier.storage.tables import deliveries, listeners, replays, subscriptions
from notifier.storage.vault import Vault

_LIVE = select(subscriptions.c.document).where(subscriptions.c.deleted_at.is_(None))
_OF_ACCOUNT = _LIVE.where(subscriptions.c.account == bindparam("account"))
# Two searches of one index; as one with OR, SQLite would read all of the account's.
_LISTENING = union_all(
    _OF_ACCOUNT.where(subscriptions.c.order_key.is_(None)),
    _OF_ACCOUNT.where(subscriptions.c.order_key == bindparam("key")),
)
_HELD_BECAUSE = {
    SubscriptionState.PAUSED: Reason.SUBSCRIPTION_PAUSED,
    SubscriptionState.DISABLED: Reason.SUBSCRIPTION_DISABLED,
}


@lru_cache(maxsize=1024)
def read_subscription(document: str) -> Subscription:
    """Read a subscription from its row; the same text is the same value, however often it is asked for."""
    return msgspec.json.decode(document, type=Subscription)


class _SealedOld(msgspec.Struct):
    secret: str
    until_at: datetime


class _Sealed(msgspec.Struct, omit_defaults=True):
    target: str
    signing: list[str] = []
    old: list[_SealedOld] = []
    headers: dict[str, str] = {}
    basic_auth: str | None = None


def seal(vault: Vault, subscription_id: str, secrets: SubscriptionSecrets) -> bytes:
    """Return the secrets as they lie in the subscription's row."""
    clear = _Sealed(
        target=secrets.target.reveal(),
        signing=[secret.reveal() for secret in secrets.signing],
        old=[_SealedOld(each.secret.reveal(), each.until_at) for each in secrets.old],
        headers=secrets.headers,
        basic_auth=secrets.basic_auth.reveal() if secrets.basic_auth else None,
    )
    return vault.seal(msgspec.json.encode(clear), _place(subscription_id))


def unseal(vault: Vault, subscription_id: str, sealed: bytes) -> SubscriptionSecrets:
    """Return the secrets of a subscription's row.

    Raises: StorageError when they do not open.
    """
    clear = msgspec.json.decode(vault.unseal(sealed, _place(subscription_id)), type=_Sealed)
    return SubscriptionSecrets(
        target=Secret(clear.target),
        signing=tuple(Secret(text) for text in clear.signing),
        old=tuple(OldSecret(secret=Secret(each.secret), until_at=each.until_at) for each in clear.old),
        headers=clear.headers,
        basic_auth=Secret(clear.basic_auth) if clear.basic_auth is not None else None,
    )


def _place(subscription_id: str) -> str:
    return f"subscriptions:{subscription_id}:secrets"


class Subscriptions(Rows):
    async def add_subscription(
        self, subscription: Subscription, secrets: SubscriptionSecrets, *, now: datetime
    ) -> None:
        row = _columns(subscription) | {
            "id": subscription.id,
            "account": subscription.account,
            "secrets": seal(self._vault, subscription.id, secrets),
            "sequence": 0,
            "created_at": now,
            "listens_after": await self.last_sequence(subscription.account),
        }
        try:
            await self._connection.execute(insert(subscriptions), row)
        except IntegrityError:
            raise _taken(subscription) from None

    async def subscription(self, account: str, subscription_id: SubscriptionId) -> Subscription:
        found = _LIVE.where(subscriptions.c.account == account, subscriptions.c.id == subscription_id)
        for subscription in await self._read(found):
            return subscription
        raise _no_such(subscription_id)

    async def subscription_by_name(self, account: str, name: str) -> Subscription | None:
        found = _LIVE.where(subscriptions.c.account == account, subscriptions.c.name == name)
        return next(iter(await self._read(found)), None)

    async def subscriptions(self, account: str, *, after: str = "", limit: int = 50) -> list[Subscription]:
        page = _LIVE.where(subscriptions.c.account == account, subscriptions.c.id > after)
        return await self._read(page.order_by(subscriptions.c.id).limit(limit))

    async def listening(self, account: str, order_key: OrderKey | None) -> list[Subscription]:
        found = await self._ask(_LISTENING, {"account": account, "key": order_key})
        return sorted(
            (read_subscription(document) for (document,) in found), key=lambda subscription: subscription.id
        )

    async def amend_subscription(
        self, subscription: Subscription, secrets: SubscriptionSecrets | None, *, now: datetime
    ) -> None:
        values = _columns(subscription)
        self.woken.subscriptions = True
        present = await self.subscription(subscription.account, subscription.id)
        if _ear(present) != _ear(subscription):
            values["listens_after"] = await self.last_sequence(subscription.account)
        if secrets is not None:
            values["secrets"] = seal(self._vault, subscription.id, secrets)
        try:
            await self._connection.execute(_of(subscription).values(values))
        except IntegrityError:
            raise _taken(subscription) from None
        reason = _HELD_BECAUSE.get(subscription.state)
        if reason is None or secrets is not None:
            # What failed before an edit, or before somebody enabled it again, says nothing of what comes.
            await self._connection.execute(
                delete(listeners).where(listeners.c.subscription_id == subscription.id)
            )
        if reason is None:
            released = await release_held(self._connection, subscription.id, now=now)
            self.woken.deliveries |= released > 0 or secrets is not None
            return
        # A claim keeps its lease: what became of that attempt is still recorded.
        hold = update(deliveries).where(deliveries.c.subscription_id == subscription.id, OWED)
        await self._connection.execute(hold.values(state=DeliveryState.HELD, reason=reason, due_at=None))

    async def drop_held(self, subscription_id: SubscriptionId, *, now: datetime) -> int:
        held = (
            deliveries.c.subscription_id == subscription_id,
            OWED,
            deliveries.c.state == DeliveryState.HELD,
        )
        dropped = update(deliveries).where(*held)
        result = await self._connection.execute(
            dropped.values(state=DeliveryState.CANCELLED, finished_at=now, lease_until=None, token=None)
        )
        await self._end_replays(subscription_id, now)
        return result.rowcount

    async def _end_replays(self, subscription_id: SubscriptionId, now: datetime) -> None:
        running = replays.c.state == literal_column("'running'")
        ended = update(replays).where(replays.c.subscription_id == subscription_id, running)
        await self._connection.execute(ended.values(state=ReplayState.CANCELLED, finished_at=now))

    async def remove_subscription(
        self, account: str, subscription_id: SubscriptionId, *, now: datetime
    ) -> None:
        self.woken.subscriptions = True
        await self._connection.execute(
            _of(await self.subscription(account, subscription_id)).values(deleted_at=now, secrets=None)
        )
        cancel = update(deliveries).where(deliveries.c.subscription_id == subscription_id, OWED)
        await self._connection.execute(
            cancel.values(
                state=DeliveryState.CANCELLED,
                reason=Reason.SUBSCRIPTION_DELETED,
                due_at=None,
                finished_at=now,
                lease_until=None,
                token=None,
            )
        )
        await self._end_replays(subscription_id, now)

    async def secrets(self, subscription_id: SubscriptionId) -> SubscriptionSecrets:
        sealed = await self._connection.scalar(
            select(subscriptions.c.secrets).where(subscriptions.c.id == subscription_id)
        )
        if sealed is None:
            raise _no_such(subscription_id)
        return unseal(self._vault, subscription_id, sealed)

    async def _read(self, statement: Select[Any]) -> list[Subscription]:
        rows: list[AnyRow] = list(await self._connection.execute(statement))
        return [row.document for row in rows]


def _of(subscription: Subscription) -> Any:
    return update(subscriptions).where(
        subscriptions.c.id == subscription.id,
        subscriptions.c.account == subscription.account,
        subscriptions.c.deleted_at.is_(None),
    )


def _columns(subscription: Subscription) -> dict[str, Any]:
    return {
        "name": subscription.name,
        "ordering": subscription.ordering,
        "order_key": subscription.order_key,
        "document": subscription,
    }


def _ear(subscription: Subscription) -> bytes:
    """Return what decides which events a subscription hears of, as it is written: lists read back as tuples."""
    rules = (
        subscription.events,
        subscription.conditions,
        subscription.tags,
        subscription.order_key,
        subscription.template,
    )
    return msgspec.json.encode(rules)


def _taken(subscription: Subscription) -> Conflict:
    return Conflict(
        f"account {subscription.account!r} has a subscription {subscription.name or subscription.id!r} already;"
        " choose another name"
    )


def _no_such(subscription_id: str) -> NotFound:
    return NotFound(f"there is no subscription {subscription_id!r}")

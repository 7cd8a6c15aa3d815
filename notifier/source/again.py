"""Answers known again by their bytes: most polls bring what the one before brought, and that is not read twice."""

from collections.abc import Callable
from dataclasses import dataclass

from notifier.domain.order import OrderId
from notifier.domain.snapshot import Snapshot
from notifier.source.contract import Answer, Failure

_MOST = 20_000


@dataclass(frozen=True, slots=True)
class Again:
    """A good answer whose very bytes were read before; they are read again only for its snapshot."""

    digest: bytes
    _read: Callable[[], Answer | Failure]

    def snapshot(self) -> Snapshot:
        """Build the snapshot."""
        answer = self._read()
        assert not isinstance(answer, Failure), "the same bytes were a good answer"
        return answer.snapshot()


class Known:
    """The digest of each order's last good body, by the body's hash; of very many orders those met last.

    The hash has 64 bits and a key of the process, so of a billion changes one is missed with odds of 1 to 10^10.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._digests: dict[OrderId, tuple[int, bytes]] = {}

    def digest(self, order_id: OrderId, body: bytes) -> bytes | None:
        """Return the digest of a body if it is the order's last good one, else None."""
        known = self._digests.get(order_id)
        return known[1] if known is not None and known[0] == hash(body) else None

    def keep(self, order_id: OrderId, body: bytes, digest: bytes) -> None:
        """Take a body for the order's last good one."""
        if len(self._digests) >= self._most and order_id not in self._digests:
            del self._digests[next(iter(self._digests))]
        self._digests[order_id] = hash(body), digest

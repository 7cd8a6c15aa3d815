"""Wake-ups: who waits for work hears of it in the moment in which it is committed."""

import asyncio
import weakref
from dataclasses import dataclass, field


class Bell:
    """Wakes everyone who listens; each has an event of its own to clear."""

    def __init__(self) -> None:
        self._listeners: weakref.WeakSet[asyncio.Event] = weakref.WeakSet()

    def listener(self) -> asyncio.Event:
        """Return an event that every ring sets, for as long as it is kept."""
        event = asyncio.Event()
        self._listeners.add(event)
        return event

    def ring(self) -> None:
        """Set the event of every listener."""
        for event in self._listeners:
            event.set()


@dataclass(frozen=True, slots=True)
class Signals:
    """Rung after a commit that made work due sooner, so that a worker need not wait out its sleep."""

    looks: Bell = field(default_factory=Bell)
    deliveries: Bell = field(default_factory=Bell)
    subscriptions: Bell = field(default_factory=Bell)
    """Rung after a subscription was edited, paused or deleted: what is claimed for it may be out of date."""

"""What the daemon keeps running: loops with a name, a soft stop and a sign of life."""

import asyncio
from typing import Protocol


class Worker(Protocol):
    """One loop. It ends by itself when told to stop, having written down what it held."""

    @property
    def name(self) -> str:
        """The word in logs, metrics and `/readyz`."""

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then finish what is in flight and return."""

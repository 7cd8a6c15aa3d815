"""Kill a rotation before each line that it runs, one process each, and see that the database opens every time.

Run as a program, with a database path and, to rotate between given keys, two keys; prints how many were killed.
"""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from given import SECRETS

from notifier.clock import SystemClock
from notifier.config.secret import Secret
from notifier.storage import keyring, resealing
from notifier.storage.engine import open_storage, rotate_master

KILLED = 9
_FILES = {keyring.__file__, resealing.__file__}


def _dying_before(nth: int) -> Callable[..., Any]:
    """Return what ends the process, without a word, before the nth line of a rotation that it comes to."""
    seen = set()

    def trace(frame: Any, what: str, _: Any) -> Any:
        if frame.f_code.co_filename not in _FILES and frame.f_code is not rotate_master.__code__:
            return None
        if what == "line":
            seen.add((frame.f_code, frame.f_lineno))
        if len(seen) == nth:
            os._exit(KILLED)
        return trace

    return trace


def _in_a_process_of_its_own(work: Coroutine[Any, Any, None], nth: int = 0) -> int:
    child = os.fork()
    if child == 0:
        if nth:
            sys.settrace(_dying_before(nth))
        try:
            asyncio.run(work)
        except BaseException as error:  # noqa: BLE001 - a child must not return into its parent's frames
            sys.stderr.write(f"{error!r}\n")
            os._exit(1)
        os._exit(0)
    work.close()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


async def _look(path: Path, keys: dict[str, Secret]) -> None:
    storage = await open_storage(path, clock=SystemClock(), **keys)
    async with storage.reading() as tx:
        assert [await tx.secrets(each) for each in ("sub_a", "sub_b")] == [SECRETS, SECRETS]
    await storage.close()


async def _rotate(path: Path, keys: dict[str, Secret]) -> None:
    await rotate_master(path, clock=SystemClock(), **keys)


def main(path: Path, *given: str) -> int:
    keys = dict(zip(("master_key", "next_master_key"), map(Secret, given), strict=False))
    back = dict(zip(("next_master_key", "master_key"), keys.values(), strict=False))
    asyncio.run(_look(path, keys))  # What is imported on the way is so in every process to come.
    killed = 0
    while (status := _in_a_process_of_its_own(_rotate(path, keys), killed + 1)) == KILLED:
        killed += 1
        if _in_a_process_of_its_own(_look(path, keys)):
            raise SystemExit(f"killed before line {killed}, it does not open")
        if back and _in_a_process_of_its_own(_rotate(path, back)):  # so that the next one has something to do
            raise SystemExit(f"killed before line {killed}, it cannot be rotated")
    if status or _in_a_process_of_its_own(_look(path, keys)):
        raise SystemExit("the rotation that nobody killed failed")
    return killed


if __name__ == "__main__":
    print(main(Path(sys.argv[1]), *sys.argv[2:]))  # noqa: T201

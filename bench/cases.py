"""Every case by its name: the bare loops, and the daemon's own parts on real SQLite with `synchronous=FULL`."""

from collections.abc import Callable, Coroutine
from typing import Any

from bench.deliveries import bare_post, deliver
from bench.ground import Figures
from bench.isolation import isolation
from bench.polls import bare_get, idle, polls
from bench.promptness import prompt

CASES: dict[str, Callable[[int], Coroutine[Any, Any, Figures]]] = {
    "get": bare_get,
    "poll-10000": polls(10_000),
    "poll-100000": polls(100_000),
    "post": bare_post,
    "deliver": deliver,
    "prompt": prompt,
    "isolation-well": isolation(are_some_bad=False),
    "isolation-again": isolation(are_some_bad=False),
    "isolation-bad": isolation(are_some_bad=True),
    "idle": idle,
}

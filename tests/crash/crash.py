"""`make crash N=1000`: kills so many daemons under load, in rounds of their own database, and tells what came of it."""

import asyncio
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from crash_checks import overtakings, repeats
from crash_round import Round, play

_KILLS_A_ROUND = 50


def main() -> int:
    """Return 0 if nothing was lost, told twice without a kill, or out of order."""
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    seed = os.environ.get("SEED") or str(random.randrange(10**9))
    print(f"seed {seed}; the same again: make crash N={kills} SEED={seed}", flush=True)
    rounds: list[Round] = []
    while (done := len(rounds) * _KILLS_A_ROUND) < kills:
        with TemporaryDirectory(prefix="crash-") as directory:
            count = min(_KILLS_A_ROUND, kills - done)
            rounds.append(asyncio.run(play(Path(directory), f"{seed}/{len(rounds)}", count)))
        print(_progress(rounds, kills), flush=True)
    print(table(rounds))
    return 1 if any(each.findings for each in rounds) else 0


def _progress(rounds: Sequence[Round], kills: int) -> str:
    last, done = rounds[-1], sum(len(each.journal.kills) for each in rounds)
    lines = [f"  {done:5} of {kills} kills, {last.took_s:.0f} s, seed {last.seed}"]
    return "\n".join([*lines, *(f"    FOUND {line}" for line in last.findings)])


def table(rounds: Sequence[Round]) -> str:
    """Return what a person wants to know, in lines."""
    journals = [each.journal for each in rounds]
    findings = [line for each in rounds for line in each.findings]
    all_repeats = [repeat for journal in journals for repeat in repeats(journal)]
    lost = [line for line in findings if line.startswith(("lost_", "untold_"))]
    states = Counter(delivery.state for journal in journals for delivery in journal.deliveries)
    kills = Counter(kill.point for journal in journals for kill in journal.kills)
    lives = {(id(journal), kill.life): kill for journal in journals for kill in journal.kills}
    waited = [
        lives[id(journal), repeat.earlier.life].at - repeat.earlier.at
        for journal in journals
        for repeat in repeats(journal)
        if not repeat.why_not
    ]
    by_point = Counter(repeat.point for repeat in all_repeats if not repeat.why_not)
    rows = [
        ("kills", sum(kills.values())),
        *((f"  {point}", count) for point, count in sorted(kills.items())),
        ("orders", sum(len(journal.finals) for journal in journals)),
        ("events", sum(len(journal.events) for journal in journals)),
        ("deliveries", sum(states.values())),
        *((f"  {state}", count) for state, count in sorted(states.items())),
        ("callbacks received", sum(len(journal.receipts) for journal in journals)),
        ("marked overtakings", sum(map(overtakings, journals))),
        ("unmarked or forbidden overtakings", sum(line.startswith("broken_lanes") for line in findings)),
        ("lost", len(lost)),
        ("repeats", len(all_repeats)),
        *((f"  in flight at a kill {point}", count) for point, count in sorted(by_point.items())),
        ("  not explained", sum(bool(repeat.why_not) for repeat in all_repeats)),
        ("  longest from callback to kill, s", f"{max(waited, default=0.0):.2f}"),
        ("findings in all", len(findings)),
        ("seconds", f"{sum(each.took_s for each in rounds):.0f}"),
    ]
    return "\n".join(f"{name:<48} {value:>8}" for name, value in rows)


if __name__ == "__main__":
    started = time.perf_counter()
    status = main()
    print(f"{'seconds by the wall':<48} {time.perf_counter() - started:>8.0f}")
    sys.exit(status)

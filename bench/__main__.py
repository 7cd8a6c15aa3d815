"""`make bench`: how close the daemon comes to bare loops over the same client, measured in one run on one machine.

The client side has one core, the server the other. Each figure is a process of its own; the ratio is what counts.
"""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

_CLIENT_CORE, _SERVER_CORE = 0, 1
_CASES = (
    ("get", "bare aiohttp GET + decode", None),
    ("poll-10000", "full poll cycle, 10,000 watches", "get"),
    ("poll-100000", "full poll cycle, 100,000 watches", "get"),
    ("post", "bare aiohttp POST", None),
    ("deliver", "delivery: render, sign, POST, record", "post"),
)
_PROMPT, _WELL, _AGAIN, _BAD = "prompt", "isolation-well", "isolation-again", "isolation-bad"


def main() -> None:
    """Measure every case and print the tables."""
    if sys.argv[1:2] == ["cadence"]:
        from bench.cadence import main as judge  # noqa: PLC0415 - the other cases need none of it

        judge(sys.argv[2:])
        return
    if sys.argv[1:2] == ["budget"]:
        from bench.budget import main as budget  # noqa: PLC0415

        budget(sys.argv[2:])
        return
    if sys.argv[1:2] == ["live"]:
        from bench.live import main as live  # noqa: PLC0415

        live(sys.argv[2:])
        return
    if sys.argv[1:] == ["settled"]:
        from bench.settled import main as settled  # noqa: PLC0415

        settled()
        return
    if sys.argv[1:] == ["alerts"]:
        from bench.alerts import spikes  # noqa: PLC0415 - it alone needs numpy

        spikes.main()
        return
    if len(sys.argv) > 1:
        _one(sys.argv[1], int(sys.argv[2]))
        return
    repeats = int(os.environ.get("BENCH_REPEATS", "3"))
    cases = [*(case for case, _, _ in _CASES), _PROMPT, _AGAIN, _WELL, _BAD]
    figures: dict[str, list[dict[str, float]]] = {case: [] for case in cases}
    # Interleaved, so that a noisy neighbour is shared by both sides of a ratio.
    for _ in range(repeats):
        for case in cases:
            figures[case].append(_measured(case))
    _print_rates(figures)
    _print_others(figures, _measured("idle"))
    from bench.alerts import spikes  # noqa: PLC0415 - it alone needs numpy

    spikes.brief()


def _one(case: str, port: int) -> None:
    from bench import cases  # noqa: PLC0415 - the parent process needs none of it
    from notifier.app.running import settle_garbage_collection  # noqa: PLC0415
    from notifier.logs import configure  # noqa: PLC0415

    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {_CLIENT_CORE})
    settle_garbage_collection()  # as the daemon does at its start; for the bare loops too
    configure("error", "console")
    print(json.dumps(asyncio.run(cases.CASES[case](port))))


def _measured(case: str) -> dict[str, float]:
    server = subprocess.Popen(
        [sys.executable, "-m", "bench.server", str(_SERVER_CORE)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        done = subprocess.run(
            [sys.executable, "-m", "bench", case, port], stdout=subprocess.PIPE, text=True, check=True
        )
        figure: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        print(f"  {case}: {figure}", file=sys.stderr)
        return figure
    finally:
        server.kill()
        server.wait()


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def _ratio(ours: list[dict[str, float]], others: list[dict[str, float]], what: str) -> str:
    ratios = [one[what] / other[what] for one, other in zip(ours, others, strict=True)]
    return f"**{_median(ratios):.2f}** ({min(ratios):.2f} to {max(ratios):.2f})"


def _print_rates(figures: dict[str, list[dict[str, float]]]) -> None:
    print("\n| what | per second (median of runs) | ratio to the bare loop (each run's own) |")
    print("|---|---|---|")
    for case, what, rival in _CASES:
        rates = [run["rate"] for run in figures[case]]
        ratio = _ratio(figures[case], figures[rival], "rate") if rival else ""
        print(f"| {what} | {_median(rates):,.0f} | {ratio} |")


def _print_others(figures: dict[str, list[dict[str, float]]], idle: dict[str, float]) -> None:
    print("\n| what | figure |")
    print("|---|---|")
    memory = max(run["rss_mb"] for run in figures["poll-100000"])
    print(f"| resident memory, 100,000 watches, polling flat out | {memory:.0f} MB |")
    print(f"| lateness of a due poll when idle, median | {idle['p50_ms']:.1f} ms |")
    print(f"| lateness of a due poll when idle, p99 | {idle['p99_ms']:.1f} ms |")
    _print_promptness(figures[_PROMPT])
    good = "90 good receivers beside 10 bad ones, to the same beside 10 more good ones"
    well, bad, again = figures[_WELL], figures[_BAD], figures[_AGAIN]
    per_s = _median([run["events_per_s"] for run in well + bad])
    print(f"| deliveries per second of {good}; meant to be at least 0.90 | {_ratio(bad, well, 'rate')} |")
    what = f"commit to acceptance at {per_s:.0f} events per second, p99, of {good}"
    print(f"| {what}; meant to be at most 1.20 | {_ratio(bad, well, 'p99_ms')} |")
    noise = "the same two ratios of two runs without bad ones: the noise of"
    print(f"| {noise} deliveries per second | {_ratio(again, well, 'rate')} |")
    print(f"| {noise} the p99 | {_ratio(again, well, 'p99_ms')} |")
    print(
        f"\n{sys.version.split()[0]}, {os.cpu_count()} cores, {Path('/proc/version').read_text().split(' (')[0]}"
    )


def _print_promptness(runs: list[dict[str, float]]) -> None:
    per_s = _median([run["events_per_s"] for run in runs])
    what = f"commit to first attempt at {per_s:.0f} events per second"
    print(f"| {what}, median | {_median([run['p50_ms'] for run in runs]):.1f} ms |")
    print(f"| {what}, p99; meant to be under 50 ms | {_median([run['p99_ms'] for run in runs]):.1f} ms |")


if __name__ == "__main__":
    main()

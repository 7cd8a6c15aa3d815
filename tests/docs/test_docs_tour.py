"""`make demo`: the tour runs to its end, and says what the README shows."""

import asyncio
import os
import re
import sys
from collections import Counter

import pytest
from docs_kit import ROOT, blocks, page

_EXPLAINED = "      hh:mm:ss"
_SPIKE = "A second daemon begins"
_DETAIL = "      "
_OVER = ": over after …"


def _blanked(text: str) -> list[str]:
    text = re.sub(r"evt_[0-9a-f]{32}", "evt_…", text)
    text = re.sub(r"\b\d+ ms\b", "… ms", re.sub(r"\b\d+ times\b", "… times", text))
    text = re.sub(r"\b\d\d:\d\d:\d\d\b", "hh:mm:ss", text).rstrip()
    before, spike, after = text.partition(_SPIKE)
    return (before + spike).splitlines()[:-1] + [
        _without_figures(line) for line in (spike + after).splitlines()
    ]


def _without_figures(line: str) -> str:
    """Leave out what no two spikes have alike: how many minutes it took, and so how many orders failed.

    What is at risk when it is over may be nothing, which is not said: that is up to the last few orders.
    """
    if not line.startswith(_DETAIL):
        return line
    line = re.sub(r"\d[\d,.]*( L| s| min)?", "…", line)
    return line.removesuffix(", ₹…") if _OVER in line else line


def test_make_demo_is_the_tour():
    assert re.search(r"^demo: setup .*\n\t@exec \$\(BIN\)/notifier demo$", page("Makefile"), re.MULTILINE)


@pytest.mark.timeout(300)
async def test_the_tour_ends_well_and_says_what_the_readme_shows(tmp_path):
    shown = _blanked(blocks("README.md", "text")[0])
    environ = {name: value for name, value in os.environ.items() if not name.startswith("NOTIFIER_")}

    tour = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "notifier", "demo",
        cwd=tmp_path, env=environ | {"PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await tour.communicate()
    told = _blanked(out.decode())

    assert tour.returncode == 0, err.decode()
    assert [line for line in told if not line.startswith(_EXPLAINED)] == [
        line for line in shown if not line.startswith(_EXPLAINED)
    ]
    # What happened within one millisecond may stand either way round.
    assert Counter(line for line in told if line.startswith(_EXPLAINED)) == Counter(
        line for line in shown if line.startswith(_EXPLAINED)
    )
    assert list(tmp_path.iterdir()) == []

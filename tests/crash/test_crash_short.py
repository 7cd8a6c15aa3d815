"""The short profile: a daemon killed once at every point, under load, on one database."""

import os
import random

import pytest
from crash_checks import repeats
from crash_daemon import POINTS
from crash_round import play


@pytest.mark.timeout(120)
async def test_nothing_is_lost_or_told_twice_by_a_daemon_killed_at_every_point(tmp_path):
    seed = os.environ.get("SEED") or str(random.randrange(10**9))
    played = await play(tmp_path, seed, kills=len(POINTS) + 1)
    journal, note = played.journal, f"again: SEED={seed}"

    assert played.findings == [], note
    assert {kill.point for kill in journal.kills} >= set(POINTS), note
    assert repeats(journal), note  # Else nothing was in flight, and nothing was tried.
    assert len(journal.finals) >= 10, note
    assert {delivery.state for delivery in journal.deliveries} <= {"delivered", "superseded"}, note

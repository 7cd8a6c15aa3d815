"""Hypothesis draws the same examples on every machine; HYPOTHESIS_PROFILE=deep searches longer and by chance."""

import os

from hypothesis import HealthCheck, settings

_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]
settings.register_profile(
    "quick", derandomize=True, max_examples=40, deadline=None, database=None, suppress_health_check=_SLOW
)
settings.register_profile(
    "deep", max_examples=3000, deadline=None, database=None, suppress_health_check=_SLOW
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

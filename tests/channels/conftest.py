"""Hypothesis draws the same examples on every machine, and the servers that channels are tried against."""

import os

import pytest_asyncio
from channel_sinks import HttpSink, MailSink
from hypothesis import HealthCheck, settings

settings.register_profile("channels", derandomize=True, max_examples=80, deadline=None, database=None,
                          suppress_health_check=[HealthCheck.too_slow])  # fmt: skip
settings.register_profile("deep", max_examples=3000, deadline=None, database=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "channels"))


@pytest_asyncio.fixture
async def http_sink():
    sink = HttpSink()
    await sink.start()
    yield sink
    await sink.stop()


@pytest_asyncio.fixture
async def mail_sink():
    sink = MailSink()
    await sink.start()
    yield sink
    await sink.stop()

"""GET /metrics as Prometheus reads it."""

import re

from hypothesis import given
from hypothesis.strategies import floats, lists, sampled_from
from prometheus_client import REGISTRY, CollectorRegistry, Histogram
from prometheus_client.parser import text_string_to_metric_families

from notifier.metrics import _LATE_S, Metrics


def families(metrics):
    body, _ = metrics.render()
    return {family.name: family for family in text_string_to_metric_families(body.decode())}


def test_what_is_counted_is_rendered_with_its_labels():
    metrics = Metrics()
    metrics.polls_total.labels(account="default", outcome="changed").inc(3)
    metrics.watches.labels(state="active").set(7)
    metrics.poll_lateness_s.observe(0.02)

    body, content_type = metrics.render()

    assert content_type.startswith("text/plain")
    assert b'notifier_polls_total{account="default",outcome="changed"} 3.0' in body
    assert b'notifier_watches{state="active"} 7.0' in body
    assert b'notifier_poll_lateness_seconds_bucket{le="0.05"} 1.0' in body


@given(values=lists(floats(0, 4000) | sampled_from([0.01, 0.05, 1800.0])))
def test_a_hot_histogram_counts_as_the_librarys_does(values):
    metrics, registry = Metrics(), CollectorRegistry()
    usual = Histogram("notifier_poll_lateness_seconds", "", buckets=_LATE_S, registry=registry)
    for value in values:
        metrics.poll_lateness_s.observe(value)
        usual.observe(value)

    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in registry.collect()
        for sample in family.samples
        if not sample.name.endswith("_created")
    }
    ours = families(metrics)["notifier_poll_lateness_seconds"].samples
    assert {(sample.name, *sample.labels.values()): sample.value for sample in ours} == samples


def test_every_name_has_our_prefix_and_its_unit():
    ours = [family for name, family in families(Metrics()).items() if not name.startswith("process_")]

    assert len(ours) >= 14
    assert all(family.name.startswith("notifier_") for family in ours)
    assert all(re.search("_seconds|_rows", f.name) for f in ours if f.type == "histogram")


def test_no_label_could_name_an_order():
    metrics = Metrics()
    labels = {
        label
        for metric in metrics.registry._collector_to_names
        for label in getattr(metric, "_labelnames", ())
    }
    assert labels == {
        "account",
        "outcome",
        "state",
        "source",
        "type",
        "channel",
        "worker",
        "job",
        "route",
        "status",
        "check",
        "reason",
    }


def test_two_daemons_in_one_process_count_apart_and_leave_the_global_registry_alone():
    one, other = Metrics(), Metrics()
    one.deliveries_owed.set(5)

    assert families(other)["notifier_deliveries_owed"].samples[0].value == 0
    assert not any(name.startswith("notifier_") for name in REGISTRY._names_to_collectors)

"""A small merchant with a seed: three gateways, four banks and their pairs, eleven orders a minute and pair."""

import copy
import json
import random
from itertools import product

import pytest

from notifier.domain.alert.detect import Detector, Tally
from notifier.domain.alert.report import Severity, Tier
from notifier.domain.alert.rule import Plain, Rule
from notifier.domain.alert.severity import hints_of, severity_of
from notifier.domain.alert.slices import WHOLE, is_within, places_of
from notifier.domain.alert.volume import Volume, stuck

GATEWAYS, BANKS = ("PAYU", "RAZORPAY", "STRIPE"), ("AXIS", "HDFC", "ICICI", "SBI")
PAIRS = [(("gateway", gateway), ("bank", bank)) for gateway, bank in product(GATEWAYS, BANKS)]
PLACES = [WHOLE, *((("gateway", each),) for each in GATEWAYS), *((("bank", each),) for each in BANKS), *PAIRS]
DAY, LEARNED = 1440, 1440
NORMAL, ORDERS = 0.12, 11
RULE = Rule(name="failures")


def minute_of_traffic(dice, broken=None, rate=NORMAL, orders=ORDERS):
    cells = {}
    for pair in PAIRS:
        chance = rate if broken is not None and is_within(pair, broken) else NORMAL
        failed = sum(dice.random() < chance for _ in range(orders))
        for place in places_of(pair, RULE.dimensions):
            cell = cells.setdefault(place, [0, 0])
            cell[0] += orders
            cell[1] += failed
    return [cells[place][0] for place in PLACES], [cells[place][1] for place in PLACES]


class Shop:
    def __init__(self, rule=RULE, seed=7):
        self.detector, self.dice, self.minute = Detector(rule, PLACES), random.Random(seed), 0

    def live(self, minutes, *, held=(), **traffic):
        """Let so many minutes pass; return the first verdict with a cause, else the last one."""
        verdict = None
        for _ in range(minutes):
            self.detector.close(self.minute, *minute_of_traffic(self.dice, **traffic), held=held)
            self.minute += 1
            verdict = self.detector.judge()
            if verdict.causes:
                return verdict
        return verdict


@pytest.fixture(scope="module")
def learned():
    shop = Shop()
    verdict = shop.live(LEARNED)
    assert verdict.causes == ()  # a clean day pages nobody, cold start and all
    assert shop.minute == LEARNED
    return shop


@pytest.fixture
def shop(learned):
    return copy.deepcopy(learned)


@pytest.mark.parametrize("broken", [WHOLE, PLACES[2], PLACES[5], PAIRS[5]])
def test_a_gross_spike_is_paged_within_minutes_as_one_incident_with_its_cause(shop, broken):
    verdict = shop.live(6, broken=broken, rate=0.6)
    assert [cause.place for cause in verdict.causes] == [broken]
    (cause,) = verdict.causes
    assert cause.finding.tier is Tier.PAGE
    assert cause.finding.excess > 11
    assert shop.minute - LEARNED <= 6


def test_children_of_a_cause_are_inhibited_and_its_siblings_shown_as_well(shop):
    shop.live(3, broken=PLACES[2], rate=0.9)
    (cause,) = shop.live(3, broken=PLACES[2], rate=0.9).causes
    assert {finding.place for finding in cause.inhibited} >= {PAIRS[4], PAIRS[5]}
    assert {figures.place for figures in cause.normal_slices} == {PLACES[1], PLACES[3]}
    assert cause.slices[0].place == PLACES[2]
    assert cause.share > 0.8


def test_two_faults_are_two_causes(shop):
    def both(dice):
        one, two = (minute_of_traffic(dice, broken=pair, rate=0.9) for pair in (PAIRS[0], PAIRS[11]))
        mixed = [0] * len(PLACES)
        for at, place in enumerate(PLACES):
            of_two = is_within(PAIRS[11], place)
            mixed[at] = two[1][at] if of_two and not is_within(PAIRS[0], place) else one[1][at]
        mixed[0] = sum(mixed[8:])
        return one[0], mixed

    for _ in range(5):
        shop.detector.close(shop.minute, *both(shop.dice))
        shop.minute += 1
    assert {cause.place for cause in shop.detector.judge().causes} == {PAIRS[0], PAIRS[11]}


def test_a_child_that_is_worse_than_its_cause_has_a_line_of_its_own(shop):
    for _ in range(6):
        orders, failed = minute_of_traffic(shop.dice, broken=PLACES[2], rate=0.4)
        worse = PLACES.index(PAIRS[5])
        more = orders[worse] - failed[worse]
        for at, place in enumerate(PLACES):
            failed[at] += more if is_within(PAIRS[5], place) else 0
        shop.detector.close(shop.minute, orders, failed)
        shop.minute += 1
    assert {cause.place for cause in shop.detector.judge().causes} == {PLACES[2], PAIRS[5]}


def test_suspicious_slices_are_named_before_they_page(shop):
    seen = []
    for _ in range(6):
        verdict = shop.live(1, broken=PLACES[5], rate=0.35)
        if verdict.causes:
            break
        seen += verdict.attention
    assert PLACES[5] in seen


def test_an_incident_does_not_teach_what_is_normal(shop):
    before = shop.detector.figures(PLACES[2], 60).normal
    held = copy.deepcopy(shop)
    for each, places in ((held, [PLACES[2]]), (shop, [])):
        for minute in range(each.minute, each.minute + 240):
            numbers = minute_of_traffic(each.dice, broken=PLACES[2], rate=0.5)
            each.detector.close(minute, *numbers, held=places)
    assert held.detector.figures(PLACES[2], 60).normal == pytest.approx(before, abs=0.005)
    assert shop.detector.figures(PLACES[2], 60).normal > before + 0.03


def test_a_place_is_well_again_once_its_last_orders_are(shop):
    for _ in range(10):
        shop.live(1, broken=PAIRS[5], rate=0.6)
    assert shop.detector.is_well(PAIRS[5], peak=0.6) is False
    for _ in range(12):
        shop.live(1, held=[PAIRS[5]])
    assert shop.detector.is_well(PAIRS[5], peak=0.6) is True


def test_a_place_without_traffic_is_not_well(shop):
    nothing = [0] * len(PLACES)
    for _ in range(31):
        shop.detector.close(shop.minute, nothing, nothing)
        shop.minute += 1
    assert shop.detector.is_well(PAIRS[5], peak=0.6) is None


def test_a_new_normal_is_taken_when_somebody_says_so(shop):
    for _ in range(60):
        shop.live(1, broken=PLACES[2], rate=0.5, held=[PLACES[2]])
    assert any(cause.place == PLACES[2] for cause in shop.detector.judge().causes)
    shop.detector.accept(PLACES[2])
    assert shop.detector.judge().causes == ()


def test_a_run_of_failures_pages_a_thin_slice():
    shop = Shop()
    for _ in range(3 * DAY // 10):
        for at in range(10):
            shop.live(1, orders=1 if at == 0 else 0)
    verdict = shop.live(30, orders=1, broken=PAIRS[5], rate=1.0)
    assert verdict.causes[0].place == PAIRS[5]
    assert verdict.causes[0].finding.tier is Tier.RUN


def test_plain_rules_say_more_than_so_many_and_more_than_such_a_rate():
    for plain, fires in (
        (Plain(window=5, failed=1000), False),
        (Plain(window=5, failed=50), True),
        (Plain(window=5, rate=0.5, least=20), False),
        (Plain(window=5, rate=0.05, least=20), True),
        (Plain(window=5, rate=0.05, least=2000), False),
    ):
        verdict = Shop(Rule(name="plain", plain=plain, tiers=frozenset())).live(6)
        assert bool(verdict.causes) is fires
        assert all(cause.finding.tier is Tier.PLAIN for cause in verdict.causes)


def told(detector, minutes, *, first=1000, failed=1):
    for at in range(first, first + minutes):
        for _ in range(5):
            detector.count(Tally(minute=at, dimensions=PAIRS[5], orders=1, failed=failed))


def test_slices_follow_the_traffic():
    detector = Detector(RULE)
    told(detector, 5)
    detector.step(1004)
    assert WHOLE in detector.places
    assert PLACES[2] in detector.places
    assert detector.figures(PLACES[2], 5).failed == 25


def test_a_minute_that_was_judged_is_restated_by_a_late_success():
    detector = Detector(RULE)
    told(detector, 5)
    detector.step(1004)
    detector.count(Tally(minute=1002, dimensions=PAIRS[5], orders=-1, failed=-1))
    figures = detector.figures(PLACES[2], 5)
    assert (figures.orders, figures.failed) == (24, 24)


def test_more_slices_than_the_limit_do_not_live():
    detector = Detector(Rule(name="few", slices=6))
    for at in range(130):
        for pair in PAIRS:
            detector.count(Tally(minute=at, dimensions=pair, orders=1, failed=0))
        detector.step(at)
    assert len(detector.places) == 6
    assert detector.places[0] == WHOLE


def test_what_was_learned_survives_a_restart(shop):
    document = json.loads(json.dumps(shop.detector.document()))
    again = Detector.from_document(RULE, document)
    assert json.loads(json.dumps(again.document())) == document
    assert list(again.places) == PLACES
    assert again.figures(PLACES[2], 60).normal == pytest.approx(
        shop.detector.figures(PLACES[2], 60).normal, abs=1e-4
    )


def test_a_quarter_is_too_quiet_only_against_the_same_one_of_weeks_before():
    volume, week = Volume(), 7 * DAY
    for minute in range(14, 3 * week, 15):
        volume.learn(minute, 40)
        assert volume.silence() is None
    volume.learn(3 * week + 14, 5)
    assert volume.silence().tier is Tier.SILENCE
    volume.learn(3 * week + 29, 35)
    assert volume.silence() is None


def test_a_quarter_that_nobody_saw_is_no_silence():
    volume, week = Volume(), 7 * DAY
    for minute in range(14, 2 * week, 15):
        volume.learn(minute, 40)
    restored = Volume(**json.loads(json.dumps(volume.document())))
    restored.learn(2 * week + 74, 39)
    assert restored.silence() is None
    restored.learn(2 * week + 89, 0)
    assert restored.silence() is not None


def test_too_many_orders_that_hang_are_found_by_place():
    found = stuck({PLACES[1]: (100, 30), PLACES[2]: (100, 6), PLACES[3]: (20, 20)})
    assert [(finding.place, finding.tier) for finding in found] == [(PLACES[1], Tier.STUCK)]


def test_severity_is_by_scope_value_and_tier(shop):
    (whole,) = shop.live(6, broken=WHOLE, rate=0.6).causes
    assert severity_of(whole, value_share=1.0) is Severity.P1


def test_a_gateway_that_mostly_fails_is_p1_only_with_much_of_the_value(shop):
    for _ in range(5):
        verdict = shop.live(1, broken=PLACES[2], rate=0.95)
    (cause,) = verdict.causes
    assert severity_of(cause, value_share=0.3) is Severity.P1
    assert severity_of(cause, value_share=0.1) is Severity.P2


def test_a_warning_is_for_working_hours(shop):
    rule = Rule(name="warn", tiers=frozenset({Tier.WARN}))
    warned = Shop(rule)
    warned.live(LEARNED)
    (cause, *_) = warned.live(30, broken=PLACES[2], rate=0.3).causes
    assert severity_of(cause, value_share=1.0) is Severity.P3


@pytest.mark.parametrize("place", [WHOLE, PLACES[1], PLACES[4], PAIRS[0], (("auth_type", "OTP"),)])
def test_every_cause_has_one_or_two_hints(place):
    assert 1 <= len(hints_of(place, Tier.PAGE)) <= 2


def test_a_thin_place_whose_last_orders_fail_is_not_well_for_what_went_well_before():
    """Under thirty orders in ten minutes were once judged by half an hour, with all that was good in it."""
    bad, good = (("gateway", "RAZORPAY"),), (("gateway", "PAYU"),)
    detector, minute, owed = (
        Detector(Rule(name="r", words=frozenset({"AUTHORIZATION_FAILED"}))),
        29_000_000,
        0.0,
    )
    for orders, rate in [(10, 0.12)] * 240 + [(10, 0.8)] * 2 + [(1, 0.8)] * 12:
        for place, share in ((bad, rate), (good, 0.12)):
            failed = round(owed := owed + orders * share) if place is bad else round(orders * share)
            failed = min(failed, orders)
            owed -= failed if place is bad else 0.0
            detector.count(Tally(minute=minute, dimensions=place, orders=orders, failed=failed))
        detector.step(minute)
        minute += 1
    lately = detector.seen(bad, 10)
    assert lately.orders < 30
    assert lately.rate > 0.7
    assert detector.is_well(bad, peak=0.8) is False

"""The page on the cadence states the figures that the code has."""

import pytest
from docs_kit import code, page, table

from notifier.domain.cadence.ages import BINS
from notifier.domain.cadence.law import Law
from notifier.domain.cadence.learning import Hazards
from notifier.domain.cadence.plan import Bound, Terms, outlook
from notifier.domain.cadence.prior import prior_of
from notifier.domain.cadence.situation import Kind, Part, Situation
from notifier.domain.cadence.stakes import Stake, weight_of
from notifier.domain.order import Source
from notifier.domain.polling import PollingPolicy
from notifier.web.documents import outlook_document
from notifier.web.wording import reckoned

PAGE = "docs/cadence.md"


def a_situation(kind: str, word: str) -> Situation:
    return Situation(Source.ORDER, Kind(kind), word, "", "shop")


def test_each_class_has_its_weight():
    rows = table(PAGE, "## What a second is worth, and how long at most")
    order = a_situation("order", "NEW")
    assert {code(row[0])[0]: float(row[2]) for row in rows} == {
        str(stake): weight_of(order, stake) for stake in Stake
    }


def test_each_kind_of_part_is_named():
    rows = {
        code(row[0])[0] if code(row[0]) else row[0]: row
        for row in table(PAGE, "Each stands in a **situation**, written from the general to the particular:")
    }
    assert code(rows["kind"][1]) == list(Kind)
    assert list(rows) == list(Situation._fields)


@pytest.mark.parametrize("row", table(PAGE, "## What is believed at first"), ids=lambda row: row[1])
def test_each_prior_is_as_it_is_told(row):
    kind, word, *seconds, _ = row
    law = Law(prior_of(a_situation(code(kind)[0], code(word)[0])))
    for age_s, expected_s in zip((0, 3600, 86_400), seconds, strict=True):
        assert 1 / law.hazard(age_s) == pytest.approx(float(expected_s), rel=0.02)


def test_the_example_is_worked_out_rightly():
    law = Law([0.01] * BINS)
    assert (law.odds(60, 70), law.regret_s(60, 70)) == pytest.approx((0.105, 0.5), abs=0.03)
    assert law.next_age(60, 3) - 60 == pytest.approx(23.5, abs=0.1)
    assert law.odds(60, 83.5) == pytest.approx(0.26, abs=0.01)


def test_the_example_is_explained_as_the_daemon_would():
    class Known:
        @staticmethod
        def law(_):
            return Law([0.01] * BINS)

    situation = a_situation("order", "PENDING_VBV")._replace(method="UPI_INTENT")
    part = Part(situation=situation, id="", mark="", since_s=0.0)
    found = outlook((part,), Terms(price_s=3.0, policy=PollingPolicy()), hazards=Known(), now_s=60.0)
    document = outlook_document(found)

    assert len(reckoned(document)) == 2
    for line in reckoned(document):
        assert f"            {line}\n" in page(PAGE)


def test_every_member_of_the_reckoning_is_explained():
    part = Part(situation=a_situation("order", "NEW"), id="", mark="", since_s=0.0)
    terms = Terms(price_s=3.0, policy=PollingPolicy())
    document = outlook_document(outlook((part,), terms, hazards=Hazards(), now_s=60.0))
    rest = page("docs/api.md").partition("| member of `next_poll` | means |\n")[2].partition("\n\n")[0]
    rows = {code(row)[0]: code(row)[1:] for row in rest.splitlines()[1:]}

    assert set(rows) == set(document)
    assert set(rows["parts"]) == set(document["parts"][0])
    assert rows["bound"] == [*Bound]


def test_what_nobody_has_seen_is_the_prior():
    situation = a_situation("order", "CHARGED")
    assert Hazards().law(situation).hazard(100) == pytest.approx(prior_of(situation)[40], rel=0.01)

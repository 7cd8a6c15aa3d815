"""`notifier simulate`, without a daemon."""

import random
import sys

import pytest

from notifier.simulation.making import USUAL, made_lives

MEMBERS = {"policy", "requests_per_order", "delay_mean_s", "delay_p50_s", "delay_p95_s", "delay_p99_s"}


@pytest.fixture
def lifecycles(tmp_path):
    file = tmp_path / "lives.csv"
    rows = ["order_id,payment_method_type,at_s,subject,status"]
    for life in made_lives(USUAL, random.Random(1), 300):
        rows.append(f"{life.order_id},CARD,0,order,NEW")
        for at_s, sight in zip(life.times, life.sights[1:], strict=True):
            subject, status = ("refund", sight.refund) if sight.refund else ("order", sight.status)
            rows.append(f"{life.order_id},{sight.method},{at_s},{subject},{status}")
    file.write_text("\n".join(rows) + "\n")
    return str(file)


async def test_policies_stand_side_by_side_for_programs(cli, lifecycles):
    ran = await cli(
        "simulate", "--lifecycles", lifecycles, "--policy", "fixed:60", "--policy", "hazard:5", "--json"
    )
    assert ran.status == 0
    assert ran.json["window_s"] == 7200
    assert [each["policy"] for each in ran.json["results"]] == ["fixed:60", "hazard:5"]
    assert all(set(each) == MEMBERS for each in ran.json["results"])
    fixed, hazard = ran.json["results"]
    assert fixed["requests_per_order"] == pytest.approx(120, abs=1.5)
    assert hazard["requests_per_order"] < 20


async def test_people_see_a_table_and_may_have_a_picture(cli, lifecycles, tmp_path):
    ran = await cli(
        "simulate", "--lifecycles", lifecycles, "--policy", "optimal:5", "phase:5", "--window-s", "3600",
        "--train", "200", "--plot", str(tmp_path / "frontier.svg"),
    )  # fmt: skip
    assert ran.status == 0
    assert "optimal:5" in ran.out
    assert "phase:5" in ran.out
    assert "100 orders judged, after 200" in ran.err
    assert (tmp_path / "frontier.svg").read_text().startswith("<?xml")


async def test_orders_that_never_change_have_figures_and_no_picture(cli, tmp_path):
    file = tmp_path / "lives.csv"
    file.write_text("order_id,payment_method_type,at_s,subject,status\nA,,0,order,NEW\n")
    ran = await cli(
        "simulate",
        "--lifecycles",
        str(file),
        "--policy",
        "fixed:60",
        "--plot",
        str(tmp_path / "frontier.png"),
    )
    assert ran.status == 2
    assert "fixed:60" in ran.out
    assert "no order that was judged changed" in ran.err
    assert not (tmp_path / "frontier.png").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--policy", "fast"), "is no policy"),
        (("--train", "300"), "leave some to judge on"),
        (("--plot", "frontier.gif"), "no .png or .svg"),
        (("--window-s", "0"), "window-s"),
    ],
)
async def test_wrong_use_is_told_in_one_line(cli, lifecycles, arguments, told):
    ran = await cli("simulate", "--lifecycles", lifecycles, *arguments)
    assert ran.status == 2
    assert told in ran.err
    assert len(ran.err.strip().splitlines()) == 1


async def test_a_fault_in_the_file_is_told_with_its_line(cli, tmp_path):
    file = tmp_path / "lives.csv"
    file.write_text("order_id,payment_method_type,at_s,subject,status\nA,CARD,now,order,NEW\n")
    ran = await cli("simulate", "--lifecycles", str(file))
    assert ran.status == 2
    assert "line 2" in ran.err


@pytest.mark.parametrize("library", ["numpy", "matplotlib"])
async def test_a_library_that_is_missing_is_named_and_missed_only_where_it_is_needed(
    cli, lifecycles, monkeypatch, library
):
    module, *arguments = {
        "numpy": ("optimal", "--policy", "optimal:5"),
        "matplotlib": ("plot", "--policy", "fixed:60", "--plot", "frontier.png"),
    }[library]
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.delitem(sys.modules, f"notifier.simulation.{module}", raising=False)
    ran = await cli("simulate", "--lifecycles", lifecycles, *arguments)
    assert ran.status == 2
    assert f"needs {library}; install the notifier with its extra `simulate`" in ran.err
    assert (await cli("simulate", "--lifecycles", lifecycles, "--policy", "hazard:5")).status == 0

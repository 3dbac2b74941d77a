"""Comparing plans: figures, who gains and loses, what is proven, what cannot be compared."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer.compare import COMMUNITIES, FIGURES, CompareError, Comparison, compare, write_comparison
from optimizer.compare_figures import _judge, gini
from optimizer.report.compare_table import comparison_text, figure_text
from optimizer.run_folder import RunError
from tests.report_run import HOSTILE, Page, make_run


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("runs")
    return {
        "base": make_run(folder / "base"),
        "cut": make_run(folder / "cut", "cut", cut=0.1, library=False),
        "same": make_run(folder / "same", "same"),
        "rough": make_run(folder / "rough", "rough", cut=0.01, gap=0.2),
    }


@pytest.fixture(scope="module")
def comparison(runs: dict[str, Path]) -> Comparison:
    return compare([runs["base"], runs["cut"]])


def test_figures_have_one_row_per_plan_and_differences_to_the_base(comparison: Comparison) -> None:
    frame = comparison.figures
    assert list(frame.columns) == FIGURES
    assert frame.groupby(["figure", "group"]).size().eq(2).all()
    base = frame[frame["scenario"] == "base"]
    assert base["difference"].isna().all()
    other = frame[frame["scenario"] == "cut"].reset_index(drop=True)
    assert np.allclose(other["difference"], other["value"] - base["value"].to_numpy())


def test_money_adds_up_by_source_and_purpose(comparison: Comparison) -> None:
    frame = comparison.figures
    for label, side in zip(comparison.labels, comparison.sides, strict=True):
        total = side.run.ledger["yuan"].sum()
        assert comparison.value("money", "", label) == total
        for figure in ("money_by_source", "money_by_purpose"):
            assert frame[(frame["figure"] == figure) & (frame["scenario"] == label)]["value"].sum() == total


def test_met_share_of_the_base_is_that_of_its_own_goal(comparison: Comparison) -> None:
    stage = comparison.base.run.stage("unmet_need")
    assert comparison.value("unmet_need") == pytest.approx(stage["value"])
    scores = comparison.base.run.scores
    whole = scores[scores["year"].isna()].set_index("community")["score"]
    assert np.allclose(comparison.base.scores, whole.reindex(comparison.base.scores.index))
    assert comparison.value("worst_off") == pytest.approx(whole.min(), abs=1e-6)


def test_main_reasons_are_named(comparison: Comparison) -> None:
    frame = comparison.communities
    assert list(frame.columns) == COMMUNITIES
    cut = frame[frame["scenario"] == "cut"].set_index("community")
    assert cut.loc["c000", "reason"] == "loses its station for library & culture"
    assert cut.loc["c002", "reason"] == "work funds −0.10"
    assert cut.loc["c005", "difference"] == 0
    assert cut.loc["c005", "reason"] == ""
    losers = comparison.changed("cut")
    assert losers["difference"].is_monotonic_increasing
    assert comparison.changed("cut", losers=False).empty


def test_only_numbers_get_a_minus_sign(runs: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(runs["base"], tmp_path / "worse")
    path = tmp_path / "worse" / "tables" / "met.csv"
    met = pd.read_csv(path)
    met.loc[(met["community"] == "c000") & (met["need"] == "affairs"), "met_amount"] = 0
    met.to_csv(path, index=False)
    rows = compare([runs["base"], tmp_path / "worse"]).communities.query("community == 'c000'")
    assert rows["reason"].iloc[-1].startswith("one-stop affairs −0.")


def test_gains_are_told_from_the_other_side(runs: dict[str, Path]) -> None:
    back = compare([runs["cut"], runs["base"]])
    rows = back.changed("base", losers=False)
    assert rows["reason"].iloc[0] == "gains a station for library & culture"


def test_equal_plans_do_not_differ(runs: dict[str, Path]) -> None:
    same = compare([runs["base"], runs["same"]])
    assert (same.figures["difference"].dropna() == 0).all()
    assert "same changes no community's met needs" in comparison_text(same)


def test_differences_within_the_gaps_are_not_proven(runs: dict[str, Path]) -> None:
    rough = compare([runs["base"], runs["rough"]])
    row = rough.figures.query("figure == 'met' and scenario == 'rough'").iloc[0]
    assert row["difference"] < 0
    assert row["proven"] == "no"
    assert rough.figures.query("figure == 'unmet_need' and scenario == 'rough'")["proven"].item() == "no"
    text = comparison_text(rough)
    assert "* smaller than the proven gaps: not proven" in text
    assert "not proven" in text


def test_no_star_is_explained_where_there_is_none(runs: dict[str, Path]) -> None:
    rough = compare([runs["base"], runs["rough"]])
    hair = rough.figures.assign(difference=rough.figures["difference"] * 1e-6)
    assert "*" not in comparison_text(replace(rough, figures=hair))


def test_differences_beyond_the_gaps_are_proven(comparison: Comparison) -> None:
    rows = comparison.figures[comparison.figures["scenario"] == "cut"].set_index(["figure", "group"])
    assert rows.loc[("unmet_need", ""), "proven"] == "yes"
    assert rows.loc[("met", ""), "proven"] == "yes"
    assert rows.loc[("stations", ""), "proven"] == ""


@pytest.mark.parametrize(
    ("a", "b", "slack_a", "slack_b", "sign", "expected"),
    [
        (100, 90, 5, 5, -1, "yes"),  # [95, 100] and [85, 90]
        (100, 96, 5, 5, -1, "no"),  # [95, 100] and [91, 96] overlap
        (100, 95, 5, 5, -1, "no"),  # they touch
        (0.5, 0.6, 0.05, 0.0, 1, "yes"),
        (0.5, 0.6, 0.2, 0.0, 1, "no"),
        (10, 13, 1, 1, 0, "yes"),
        (10, 12, 1, 1, 0, "no"),
        (10, 12, float("inf"), 1, 0, "no"),
        (10, 10, 0, 0, 0, "no"),
    ],
)
def test_rule_of_proof(a: float, b: float, slack_a: float, slack_b: float, sign: int, expected: str) -> None:
    assert _judge(a, b, slack_a, slack_b, sign) == expected
    assert _judge(b, a, slack_b, slack_a, sign) == expected


def test_needs_are_those_of_the_base(runs: dict[str, Path], tmp_path: Path) -> None:
    """A scenario that halves the norm meets it in full, but not the need of the base."""
    lower = make_run(tmp_path / "lower", "lower", cut=0.5)
    path = lower / "tables" / "met.csv"
    met = pd.read_csv(path)
    funds = met["need"] == "work_funds"
    met.loc[funds, "need_amount"] /= 2
    met.loc[funds, "met_share"] = 1.0
    met.to_csv(path, index=False)
    compared = compare([runs["base"], lower])
    assert compared.value("met_by_need", "work_funds", "lower") < 0.55
    assert any("measures needs differently" in note for note in compared.notes)
    assert compared.figures.query("figure == 'unmet_need' and scenario == 'lower'")["proven"].item() == ""


def test_other_years_or_communities_cannot_be_compared(runs: dict[str, Path], tmp_path: Path) -> None:
    longer = make_run(tmp_path / "longer", "longer", years=3)
    with pytest.raises(CompareError, match=r"2007–2009.*same horizon"):
        compare([runs["base"], longer])
    wider = make_run(tmp_path / "wider", "wider", columns=4)
    with pytest.raises(CompareError, match=r"0 missing, 2 more.*c006"):
        compare([runs["base"], wider])
    with pytest.raises(CompareError, match="at least two"):
        compare([runs["base"]])
    with pytest.raises(RunError, match=r"no run\.json"):
        compare([runs["base"], tmp_path])


def test_two_runs_of_one_scenario_keep_apart(runs: dict[str, Path], tmp_path: Path) -> None:
    twice = compare([runs["base"], make_run(tmp_path / "second", "base", cut=0.2)])
    assert twice.labels == ["base (base)", "base (second)"]


def test_what_was_changed_stands_above_the_table(runs: dict[str, Path], tmp_path: Path) -> None:
    def changed(name: str, *changes: str) -> Path:
        made = tmp_path / name
        shutil.copytree(runs["base"], made)
        record = json.loads((made / "run.json").read_text(encoding="utf-8"))
        (made / "run.json").write_text(json.dumps(record | {"changes": changes}), encoding="utf-8")
        return made

    assert " with " not in comparison_text(compare([runs["base"], changed("none")]))
    less = changed("less", "sources.city_finance.scale = 0.9", "horizon.discount = 0")
    one = compare([runs["base"], less])
    said = "base (less) with sources.city_finance.scale = 0.9; horizon.discount = 0"
    assert comparison_text(one).splitlines()[:2] == [said, ""]
    write_comparison(one, tmp_path / "out")
    assert f'<p class="changes">{said}</p>' in (tmp_path / "out" / "comparison.html").read_text(encoding="utf-8")
    alike = compare([changed("a", "horizon.discount = 0"), changed("b", "horizon.discount = 0")])
    assert comparison_text(alike).splitlines()[0] == "All plans with horizon.discount = 0"


def test_files_are_written_and_hostile_names_stay_text(comparison: Comparison, tmp_path: Path) -> None:
    write_comparison(comparison, tmp_path / "out")
    assert list(pd.read_csv(tmp_path / "out" / "comparison.csv").columns) == FIGURES
    assert len(pd.read_csv(tmp_path / "out" / "communities.csv")) == 12
    content = (tmp_path / "out" / "comparison.html").read_text(encoding="utf-8")
    page = Page(content)
    assert not page.wrong
    assert not page.stack
    assert len(page.ids) == len(set(page.ids))
    assert "<script>alert" not in content
    assert HOSTILE in " ".join(page.text)
    said = " ".join(page.text)
    assert "Lose most" in said
    assert "When a difference is called proven" in said


def test_table_in_the_terminal(comparison: Comparison) -> None:
    text = comparison_text(comparison)
    assert "Met needs, all people                  0.60     0.48  −0.12" in text
    assert "cut hits most: Community 4 −0.22 (loses its station for library & culture)" in text
    assert "\x1b" not in text
    assert figure_text("met", 0.001, difference=True) == "±0.00"


def test_one_community_loses_and_rounding_is_told_where_it_shows(comparison: Comparison) -> None:
    figures = comparison.figures.copy()
    cut = figures["scenario"].eq("cut")
    figures.loc[cut & figures["figure"].eq("communities_that_lose"), "value"] = 1
    shares = figures["figure"].isin(["met", "worst_off", "met_by_type", "met_by_need", "met_by_district"])
    figures.loc[shares, "value"] = 0.944
    figures.loc[shares & cut, "difference"] = 0.0
    alike = " ".join(comparison_text(replace(comparison, figures=figures)).split())
    assert "… 1 community loses more than 0.05" in alike
    assert "before figures are rounded" not in alike
    figures.loc[shares & cut, ["value", "difference"]] = [0.946, 0.002]  # 0.94, 0.95 and ±0.00
    shown = " ".join(comparison_text(replace(comparison, figures=figures)).split())
    assert "Differences are taken before figures are rounded" in shown


def test_stopped_plans_are_named(runs: dict[str, Path], tmp_path: Path) -> None:
    stopped = make_run(tmp_path / "stopped", "stopped")
    record = json.loads((stopped / "run.json").read_text(encoding="utf-8")) | {"status": "stopped by time"}
    (stopped / "run.json").write_text(json.dumps(record), encoding="utf-8")
    assert any("stopped by time" in note for note in compare([runs["base"], stopped]).notes)


def test_gini_by_hand() -> None:
    assert gini(np.array([1.0, 1.0, 1.0])) == pytest.approx(0)
    assert gini(np.array([0.0, 1.0])) == pytest.approx(0.5)
    assert gini(np.array([1.0, 3.0])) == pytest.approx(0.25)
    assert gini(np.array([])) == gini(np.zeros(3)) == 0


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=20), st.floats(0.1, 10))
def test_gini_is_half_the_mean_difference_and_knows_no_scale(values: list[float], factor: float) -> None:
    data = np.array(values)
    found = gini(data)
    if data.sum() > 0:
        direct = np.abs(data[:, None] - data[None, :]).sum() / (2 * len(data) * data.sum())
        assert found == pytest.approx(direct, abs=1e-9)
    assert found == pytest.approx(gini(data * factor), abs=1e-9)


def test_bounds_for_some_plans_only_prove_nothing(runs: dict[str, Path], tmp_path: Path) -> None:
    folders = []
    for name in ("base", "cut"):
        folder = tmp_path / name
        shutil.copytree(runs[name], folder)
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        for stage in record["stages"]:
            stage["scope"] = "plans with these stations and rooms"
        (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
        folders.append(folder)
    rows = compare(folders).figures.query("scenario == 'cut'").set_index(["figure", "group"])
    assert rows.loc[("money", ""), "proven"] == ""
    assert rows.loc[("met", ""), "proven"] == "no"

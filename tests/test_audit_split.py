"""The audit recomputes what a rule splits among communities, equation (37), and finds who has more."""

import importlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import optimizer.rules
from geodata.city import City
from optimizer.audit import audit_run
from optimizer.audit.report import AuditFinding
from optimizer.rules.purse import Purse
from optimizer.run_write import AuditFailed
from optimizer.scenario import Scenario
from tests.optimizer.cases import case
from tests.optimizer.test_rules import CLINIC, FUNDS, NONE, SHARES, STATION, A, B, only, ruled, run_folder
from tests.optimizer.tiny import Row, make_city, merged

SPLIT = {"split_money", "split_part"}
RUN = importlib.import_module("optimizer.run")  # the package has a function of this name


def findings(folder: Path) -> list[AuditFinding]:
    return audit_run(folder).findings


def changed(folder: Path, table: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    """Rewrite a table of a run folder."""
    path = folder / "tables" / f"{table}.csv"
    change(pd.read_csv(path, keep_default_na=False)).to_csv(path, index=False)


def counts(folder: Path) -> dict[str, int]:
    """Figures recomputed by the rules of the split."""
    checks = json.loads((folder / "run.json").read_text(encoding="utf-8"))["audit"]["checks"]
    return {check["name"]: check["figures_recomputed"] for check in checks if check["name"] in SPLIT}


def two(split: str, **more: object) -> tuple[City, Scenario]:
    """Communities of 1,000 and 3,000 people, work funds of 50,000 each, and 40,000 yuan."""
    return make_city([A, B], needs=NONE), ruled(split, programmes=FUNDS, sources=only(40_000), **more)


def test_a_yuan_moved_from_one_community_to_another_is_found(tmp_path: Path) -> None:
    """Each is due 20,000; a gets 21,000 and b 19,000, in the table of grants and in the ledger."""
    out = run_folder(*two("equal"), tmp_path)
    assert counts(out) == {"split_money": 2, "split_part": 2}
    for table, column in (("grants", "grant_yuan"), ("ledger", "yuan")):
        moved = {"a": 1000, "b": -1000}
        changed(out, table, lambda f, c=column, m=moved: f.assign(**{c: f[c] + f["community"].map(m)}))  # type: ignore[misc]
    found = [f for f in findings(out) if f.rule in SPLIT]
    assert [(f.rule, f.row, f.value, f.limit) for f in found] == [("split_part", "a, east, 2020", "21000", "999")]
    assert "a: of 21000 yuan in 2020, 999 are above what is due of the split by the rule" in found[0].message


def test_a_plan_by_another_key_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All other rules hold: only the split is another than the scenario says."""
    monkeypatch.setattr(RUN, "keys_of", lambda city, _: city.communities["population"].to_numpy(float))
    with pytest.raises(AuditFailed) as error:
        run_folder(*two("equal"), tmp_path)
    said = str(error.value)
    assert "b: of 30000 yuan in 2020, 9999 are above" in said
    assert "1 finding" in said


def test_last_year_and_a_little_more_is_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Money is enough for everybody; 13,200 yuan a year is what a may have."""
    rows = [{**A, "last_year_yuan": 12_000}, {**B, "last_year_yuan": 10_000}]
    scenario = ruled("last_year_plus", programmes=FUNDS, sources=only(90_000))
    last = np.array([14_000.0, 10_000.0])
    monkeypatch.setattr(RUN, "keys_of", lambda *_: last)
    with pytest.raises(AuditFailed, match="a: of 15400 yuan in 2020, 2199 are above"):
        run_folder(make_city(rows, needs=NONE), scenario, tmp_path)


def test_what_is_said_to_be_split_is_new_money_less_what_must_be_paid(tmp_path: Path) -> None:
    old: Row = {"facility": "f", "community": "b", "service": "desk", "capacity": 30, "running_yuan": 2000}
    city = make_city([A, B], facilities=[old], needs=[("a", "desk", 100), ("b", "desk", 30)])
    out = run_folder(city, ruled("equal", programmes=FUNDS, sources=only(40_000)), tmp_path)
    table = pd.read_csv(out / "tables" / "sources.csv")
    assert table[["split_yuan", "apart_yuan"]].to_numpy().tolist() == [[38_000, 0]]
    for more, value in ((100, "1900"), (3000, "-1000")):
        changed(out, "sources", lambda f, y=38_000 + more: f.assign(split_yuan=y))  # type: ignore[misc]
        money = [f for f in findings(out) if f.rule == "split_money"]
        assert money[-1].value == value
        assert money[-1].limit == "2000"
    assert money[0].row == "city, 2020"
    changed(out, "sources", lambda f: f.drop(columns="split_yuan"))
    assert ("columns", "split_yuan") in {(f.rule, f.value) for f in findings(out)}


def test_stations_take_no_more_than_the_parts_of_their_district(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 2,000 yuan half is for each district; a clinic for 1,500 in the east takes from the west."""
    city = make_city([A, {**B, "district": "west"}], sites=[STATION], needs=[("a", "clinic", 150), ("b", "clinic", 1)])
    scenario = ruled("equal", programmes={"services": {"clinic": {**CLINIC, "within": "district"}}}, sources=only(2000))
    due = optimizer.rules.split

    def all_to_one(*args: object) -> list[Purse]:
        purses: list[Purse] = due(*args)  # type: ignore[arg-type]
        purses[0].money, purses[1].money = purses[0].money + purses[1].money, purses[1].money * 0
        return purses

    (tmp_path / "as_due").mkdir()
    assert run_folder(city, scenario, tmp_path / "as_due").exists()
    monkeypatch.setattr(optimizer.rules, "split", all_to_one)
    with pytest.raises(AuditFailed, match="shared stations of east: of 1500 yuan in 2020, 499 are above"):
        run_folder(city, scenario, tmp_path)


@pytest.mark.parametrize("split", SHARES)
def test_money_set_apart_for_floors_is_counted(split: str, tmp_path: Path) -> None:
    """A floor of 2 per cent for rooms in every district stands apart from what is split."""
    city, scenario = case("money")
    limits = [rule.model_dump(exclude_unset=True) for rule in scenario.sources["city"].limits]
    limits[1]["at_least_share"] = 0.02
    changes = {"rule": {"split": split, "last_year_yuan": 4000}, "sources": {"city": {"limits": limits}}}
    whole = Scenario.model_validate(merged(scenario.model_dump(exclude_unset=True), changes))
    out = run_folder(city, whole, tmp_path)
    table = pd.read_csv(out / "tables" / "sources.csv").set_index(["source", "year"])
    assert (table.loc["city", "apart_yuan"] > 0).all()
    assert (table.loc["gift", "apart_yuan"] == 0).all()
    assert counts(out)["split_part"] > 0

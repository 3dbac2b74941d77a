"""The model as a file: every variable and row by its name and the number of its equation.

The files in `golden/` show the model of one tiny city per programme. When a rule is changed on purpose, renew them with

    ALLOT_RENEW_GOLDEN=1 python -m pytest tests/optimizer/test_model_file.py

and read the difference before it is committed.
"""

import os
import re
from pathlib import Path

import numpy as np
import pytest

from optimizer.coupling import Kept, Levels
from optimizer.fair import Fair
from optimizer.joint import Joint, build_joint
from optimizer.problem import SPACE
from optimizer.problem_data import build_problem
from optimizer.pulp_model import to_pulp
from tests.optimizer.cases import CASES, case
from tests.optimizer.tiny import Row, make_city, make_scenario

GOLDEN = Path(__file__).parent / "golden"
PROGRAMMES = [name for name in CASES if name != "everything"]
NAME = re.compile(r"[a-z][a-z0-9_]*\([A-Za-z0-9_.,]+\)(_low|_high)?")
ROW = re.compile(r"eq(\d{1,2})_[a-z_]+\(.+")


def joint_of(name: str) -> Joint:
    """The model of a case; with bounds of inequality, with the rows that the rooms there are already break."""
    fair = Fair.of(build_joint(build_problem(*case(name))))
    if fair.curved:
        met, (community, _) = np.zeros(fair.joint.n_columns), (k for k, _ in fair.joint.model.columns["space_met"].keys)
        rooms = fair.joint.problem.existing_m2 / fair.joint.problem.need[:, SPACE, 0]
        met[fair.joint.model.columns["space_met"].positions] = np.minimum(rooms, 1.0)[community]
        row = next(family for family in fair.joint.model.row_families if family.name == "eq2_mean").positions
        short = fair.joint.row_lower[row] - fair.joint.matrix[row] @ met
        met[fair.joint.model.columns["score"].positions] = short
        fair.cut(met)
    return fair.joint


def lp_text(joint: Joint, folder: Path) -> str:
    path = folder / "model.lp"
    to_pulp(joint, "tiny", joint.unmet).writeLP(str(path))
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PROGRAMMES)
def test_file_of_a_programme_is_as_it_was(name: str, tmp_path: Path) -> None:
    text = lp_text(joint_of(name), tmp_path)
    golden = GOLDEN / f"{name}.lp"
    if os.environ.get("ALLOT_RENEW_GOLDEN"):
        golden.write_text(text, encoding="utf-8", newline="\n")
    assert text == golden.read_text(encoding="utf-8"), f"{golden} differs; see the docstring of this module"


@pytest.mark.parametrize("name", CASES)
def test_names_say_what_they_are_and_are_unique(name: str) -> None:
    joint = joint_of(name)
    check_names(joint)
    assert all(ROW.fullmatch(row) for row in joint.row_names())


def check_names(joint: Joint) -> None:
    for names in (joint.column_names(), joint.row_names()):
        assert len(names) == len(set(names))
        assert [n for n in names if not NAME.fullmatch(n) or len(n) >= 100] == []


def test_rows_of_the_cases_cover_every_rule_that_is_a_row() -> None:
    found = {int(ROW.fullmatch(row)[1]) for name in CASES for row in joint_of(name).row_names()}  # type: ignore[index]
    assert found == {2, 6, 7, 8, 9, 10, 11, 12, 13, 19, 20, 22, 23, 25, 26, 27, 28, 31, 32}


def test_a_hard_floor_is_a_row_of_equation_3() -> None:
    scenario = make_scenario(programmes={"work_funds": {"floor_yuan": 100, "hard_floor": True}})
    joint = build_joint(build_problem(make_city([{"community": "a"}]), scenario))
    assert "eq3_hard_floor(a,2020)" in joint.row_names()


CHINESE: list[Row] = [
    {"community": "涪城区 一号", "district": "涪城区", "sub_district": "城厢"},
    {"community": "(b),c", "district": "游仙 区", "sub_district": "城厢"},
    {"community": "x" * 60, "district": "游仙 区", "sub_district": "城厢"},
]


def test_names_from_data_of_any_kind_are_made_plain(tmp_path: Path) -> None:
    services = {"clinic": {"siting": "network", "limit_m": 3000}, "care": {"siting": "network", "limit_m": 3000}}
    ids = [str(row["community"]) for row in CHINESE]
    hall = {"site": "礼 堂", "community": ids[0], "use": "hall", "instrument": "share", "area_m2": 9}
    station = {"site": "站,1", "community": ids[1], "use": "station", "area_m2": 50}
    city = make_city(
        CHINESE, sites=[hall, station], needs=[(i, "clinic", 10) for i in ids] + [(i, "care", 5) for i in ids]
    )
    sources = {
        "city": {"role": "city", "amount_yuan": 1000},
        "own": {"role": "district", "districts": ["涪城区"], "amount_yuan": 1000},
    }
    rule = [{"purpose": "work_funds", "of": "city", "ratio": 1}]
    programmes = {"work_funds": {"floor_yuan": 10}, "space": {"target_m2": 300}, "services": services}
    joint = build_joint(build_problem(city, make_scenario(programmes=programmes, sources=sources, co_funding=rule)))
    assert lp_text(joint, tmp_path).isascii()
    check_names(joint)


def test_names_are_unique_where_identifiers_look_like_made_up_ones() -> None:
    city = make_city([{"community": "_c1"}, {"community": "社区"}])
    check_names(build_joint(build_problem(city, make_scenario(programmes={"work_funds": {"floor_yuan": 10}}))))


def test_names_are_unique_where_two_services_stand_at_one_site() -> None:
    rule = {"siting": "network", "limit_m": 500}
    old = {"community": "a", "capacity": 10, "site": "o_a"}
    facilities = [{**old, "facility": "f", "service": "clinic"}, {**old, "facility": "g", "service": "care"}]
    city = make_city([{"community": "a"}], facilities=facilities, needs=[("a", "clinic", 5), ("a", "care", 5)])
    joint = build_joint(build_problem(city, make_scenario(programmes={"services": {"clinic": rule, "care": rule}})))
    check_names(joint)
    to_pulp(joint, "tiny", joint.unmet)


def test_names_are_unique_where_districts_begin_alike() -> None:
    long = "Development zone of the city, "
    city = make_city([{"community": "a", "district": long + "east"}, {"community": "b", "district": long + "west"}])
    sources = {"city": {"role": "city", "amount_yuan": 10}, "own": {"role": "district", "amount_yuan": 10}}
    rule = [{"purpose": "work_funds", "of": "city", "ratio": 1}]
    scenario = make_scenario(programmes={"work_funds": {"floor_yuan": 10}}, sources=sources, co_funding=rule)
    joint = build_joint(build_problem(city, scenario))
    check_names(joint)
    to_pulp(joint, "tiny", joint.unmet)


def test_levels_and_goals_kept_are_rows_too() -> None:
    joint = joint_of("work_funds")
    problem = joint.problem
    levels = Levels(problem.scored, problem.existing_m2 * 0 - float("inf"), 0.5)
    model = to_pulp(joint, "tiny", joint.spending, levels, (Kept(joint.unmet, 1000.0),))
    assert {"eq2_score(a)", "eq2_score(b)", "kept_1"} <= set(model.constraints)

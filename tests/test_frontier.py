"""Frontiers of tiny cities, where every plan can be listed: no efficient plan is missing, none is dominated."""

import itertools
import json
import math
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pandas as pd
import pytest

from optimizer import api
from optimizer.audit import audit_run
from optimizer.frontier import Question, read_question, trace
from optimizer.frontier_points import Traced, efficient
from optimizer.frontier_run import FrontierMade, run_frontier
from optimizer.frontier_table import STEPS, frontier_lines
from optimizer.frontier_whole import between_two
from optimizer.frontier_write import Ground, order_for
from optimizer.goals import goal_of, value_of
from optimizer.highs import solve
from optimizer.joint import Joint, build_joint
from optimizer.problem_data import build_problem
from optimizer.progress import Silent
from optimizer.run_folder import read_run
from optimizer.scenario import Scenario
from optimizer.scenario_file import ScenarioError, load_scenario, resolved_yaml
from optimizer.watch import Watch
from tests.optimizer.tiny import make_city, make_scenario, write_city

COST = {"desk": 30_000.0, "clinic": 50_000.0, "library": 20_000.0}
"""What opening costs, whatever the size: a plan is which service opens where, 2^6 of them."""
PERSONS = {("a", "desk"): 100.0, ("a", "clinic"): 300.0, ("a", "library"): 40.0,
           ("b", "desk"): 90.0, ("b", "clinic"): 80.0, ("b", "library"): 200.0}  # fmt: skip
SERVICES: dict[str, Any] = {
    name: {"siting": "own", "unit": "cases", "fixed_yuan": yuan, "capital_yuan_per_unit": 0, "running_yuan": 0,
           "running_yuan_per_unit": 0, "area_m2_per_unit": 0, "min_capacity": 0}
    for name, yuan in COST.items()
}  # fmt: skip


def city() -> Any:
    needs = [(community, need, persons, persons) for (community, need), persons in PERSONS.items()]
    return make_city([{"community": "a"}, {"community": "b"}], needs=needs)


def scenario(yuan: float = 120_000, **changes: Any) -> Scenario:
    plan = {
        "sources": {"city": {"role": "city", "amount_yuan": yuan}},
        "programmes": {"services": SERVICES},
        "guidance": {"general": {"purposes": ["services"]}},
    }
    return make_scenario(**{**plan, **changes})


def joint_of(plan: Scenario) -> Joint:
    return build_joint(build_problem(city(), plan))


def watch() -> Watch:
    return Watch(Silent(), Event(), math.inf)


def every_plan(yuan: float) -> list[dict[str, float]]:
    """Costs (less is better) of all plans that can be paid, by hand: which of six desks open."""
    plans = []
    for chosen in itertools.product([False, True], repeat=len(PERSONS)):
        opened = [key for key, yes in zip(PERSONS, chosen, strict=True) if yes]
        spent = sum(COST[need] for _, need in opened)
        if spent <= yuan:
            unmet = sum(persons for key, persons in PERSONS.items() if key not in opened)
            worst = min(sum(c == place for c, _ in opened) / 3 for place in "ab")
            plans.append({"worst_off": -worst, "unmet_need": unmet, "spending": spent / 1e4})
    return plans


def listed(yuan: float, goals: tuple[str, ...]) -> set[tuple[float, ...]]:
    plans = [{goal: plan[goal] for goal in goals} for plan in every_plan(yuan)]
    return {tuple(round(plans[i][goal], 4) for goal in goals) for i in efficient(plans)}


def traced_costs(joint: Joint, traced: Traced, goals: tuple[str, ...]) -> list[tuple[float, ...]]:
    found = []
    for point in traced.points:
        score = min(float(v) for v in (joint.score @ point.x[: joint.n_columns] + joint.model.score_base))
        value = {"worst_off": -score}
        value |= {g: value_of(goal_of(joint, g), point.x) for g in goals if g != "worst_off"}
        found.append(tuple(round(value[goal], 4) for goal in goals))
    return found


def bounds_are_of_unmet_need(joint: Joint, traced: Traced) -> bool:
    unmet = [value_of(joint.unmet, point.x) for point in traced.points]
    return [point.bound for point in traced.points if point.exact] == pytest.approx(unmet, rel=1e-6, abs=1e-5)


@pytest.mark.parametrize("goals", [("worst_off", "unmet_need"), ("unmet_need", "spending")])
def test_between_two_goals_every_efficient_plan_is_found(goals: tuple[str, ...]) -> None:
    joint = joint_of(scenario(goals=[{"goal": goal} for goal in goals]))
    traced = trace(joint, Question(goals, None, 40), watch())
    assert traced.complete
    assert all(point.exact for point in traced.points)
    assert bounds_are_of_unmet_need(joint, traced)
    costs = traced_costs(joint, traced, goals)
    assert len(costs) == len(set(costs))
    assert set(costs) == listed(120_000, goals)
    assert len(costs) >= 2


def test_few_points_asked_for_are_efficient_and_not_called_all() -> None:
    goals = ("unmet_need", "spending")
    joint = joint_of(scenario(goals=[{"goal": goal} for goal in goals]))
    traced = trace(joint, Question(goals, None, 3), watch())
    assert not traced.complete
    assert len(traced.points) == 3
    assert set(traced_costs(joint, traced, goals)) < listed(120_000, goals)


def test_between_three_goals_no_plan_at_all_beats_a_point() -> None:
    goals = ("worst_off", "unmet_need", "spending")
    joint = joint_of(scenario())
    traced = trace(joint, Question(goals, None, 36), watch())
    costs = traced_costs(joint, traced, goals)
    assert set(costs) <= listed(120_000, goals)
    assert len(set(costs)) == len(costs) >= 6
    assert not traced.complete
    assert bounds_are_of_unmet_need(joint, traced)


def test_weakly_efficient_plans_are_left_out() -> None:
    """Of plans with the same unmet need or the same money only one is on the frontier."""
    goals = ("unmet_need", "spending")
    joint = joint_of(scenario(goals=[{"goal": goal} for goal in goals]))
    found = traced_costs(joint, trace(joint, Question(goals, None, 40), watch()), goals)
    unmet = [cost[0] for cost in found]
    spent = [cost[1] for cost in found]
    assert len(set(unmet)) == len(unmet)
    assert len(set(spent)) == len(spent)


def best_unmet(yuan: float) -> float:
    return min(plan["unmet_need"] for plan in every_plan(yuan))


def test_every_budget_has_the_least_unmet_need_and_more_money_never_less() -> None:
    plan = scenario(goals=[{"goal": "unmet_need", "gap": 0.0}, {"goal": "spending", "gap": 0.0}])
    joint = joint_of(plan)
    traced = trace(joint, Question((), (0.25, 1.5), 6), watch())
    values = [value_of(joint.unmet, point.x) for point in traced.points]
    truth = [best_unmet(share * 120_000) for share in (0.25, 0.5, 0.75, 1.0, 1.25, 1.5)]
    assert values == pytest.approx(truth, abs=1e-3)
    assert values == sorted(values, reverse=True)
    assert all(point.bound <= value + 1e-6 for point, value in zip(traced.points, values, strict=True))


@pytest.mark.parametrize("question", [Question(("worst_off", "unmet_need"), None, 5), Question((), (0.5, 1.2), 4),
                                      Question(("unmet_need", "spending"), None, 5),
                                      Question(("worst_off", "unmet_need", "spending"), None, 9)])  # fmt: skip
def test_by_prices_bounds_are_below_the_truth_and_no_point_beats_another(question: Question) -> None:
    joint = joint_of(scenario(solver={"method": "prices", "threads": 1}))
    traced = trace(joint, question, watch())
    goals = question.between or ("unmet_need",)
    costs = traced_costs(joint, traced, goals)
    assert costs
    if question.between:
        as_costs = [dict(zip(goals, cost, strict=True)) for cost in costs]
        assert efficient(as_costs) == list(range(len(costs)))
    assert not traced.complete
    for point, cost in zip(traced.points, costs, strict=True):
        value = cost[goals.index("unmet_need")]
        money = point.asked.scenario.sources["city"].scale * 120_000
        most = math.inf if point.asked.most is None else point.asked.most
        truth = min(
            (plan["unmet_need"] for plan in every_plan(money)
             if -plan["worst_off"] >= point.asked.level - 1e-6 and plan["spending"] <= most + 1e-6), default=None,
        )  # fmt: skip
        assert truth is not None
        assert point.bound <= truth + 1e-3
        assert value >= truth - 1e-3
        assert not point.exact


def made(tmp_path: Path, question: Question, of: Scenario | None = None, **changes: Any) -> tuple[FrontierMade, Path]:
    write_city(city(), tmp_path / "tiny.gpkg")
    plan = of or scenario(**changes)
    plan = plan.model_copy(update={"data": plan.data.model_copy(update={"path": str(tmp_path / "tiny.gpkg")})})
    (tmp_path / "tiny.yaml").write_text(resolved_yaml(plan), encoding="utf-8")
    loaded = load_scenario(tmp_path / "tiny.yaml")
    folder = tmp_path / "frontier"
    folder.mkdir()
    return run_frontier(loaded, question, folder, progress=Silent(), workers=1), folder


@pytest.mark.parametrize("method", ["whole", "prices"])
def test_budgets_without_a_plan_are_named_and_the_others_traced(tmp_path: Path, method: str) -> None:
    """Floors of 20,000 yuan a year have to be paid: 70 or 85 % of 20,000 cannot pay them."""
    floors = {"floor_yuan": 10_000, "hard_floor": True}
    frontier, _ = made(
        tmp_path,
        Question((), (0.7, 1.3), 5),
        scenario(20_000, programmes={"work_funds": floors, "services": SERVICES},
                 guidance={"general": {"purposes": ["work_funds", "services"]}},
                 solver={"method": method, "threads": 1}),
    )  # fmt: skip
    assert frontier.record["too_little"] == [0.7, 0.85]
    assert frontier.table["budget_share"].tolist() == [1.0, 1.15, 1.3]
    assert "With 70.0% and 85.0% of the money no plan keeps the hard rules." in frontier.sure


def test_a_search_that_ends_in_between_has_not_found_all() -> None:
    ends = {True: (0.0, "best second"), False: (4.0, "best first")}

    def find(limit: float | None, second: bool) -> Any:
        return ends[second] if limit is None else None

    found, complete, _ = between_two(find, 15, lambda: False)
    assert found == ["best second", "best first"]
    assert not complete


@pytest.mark.parametrize("method", ["whole", "prices"])
def test_every_point_is_a_run_that_passes_its_audit(tmp_path: Path, method: str) -> None:
    goals = ("worst_off", "unmet_need") if method == "whole" else ("unmet_need", "spending")
    question = Question(goals, None, 4)
    frontier, folder = made(tmp_path, question, solver={"method": method, "threads": 1})
    table = frontier.table
    assert not frontier.refused
    assert len(table) >= 2
    for row in table.to_dict("records"):
        assert audit_run(folder / row["run"]).passed
        record = json.loads((folder / row["run"] / "run.json").read_text(encoding="utf-8"))
        assert {stage["goal"]: stage["value"] for stage in record["stages"]}["unmet_need"] == row["unmet_need"]
        assert row["unmet_need_bound"] <= row["unmet_need"]
    up, down = ("worst_off", "unmet_need") if method == "whole" else ("spending_yuan", "worst_off")
    assert table[up].is_monotonic_increasing
    assert method == "prices" or table[down].is_monotonic_increasing
    assert len(frontier.lines) == len(table) - 1
    page = (folder / "frontier.html").read_text(encoding="utf-8")
    assert page.count("<circle") == len(table)
    assert method == "prices" or "The next step up in the worst-off score" in page
    again = pd.read_csv(folder / "frontier.csv")
    assert list(again["run"]) == list(table["run"])
    if method == "whole":
        assert set(table["proof"]) == {"exact"}
        assert "There are no other efficient plans" in frontier.sure
    else:
        assert "none of them is claimed to be the very best" in frontier.sure


@pytest.mark.parametrize("goals", [("unmet_need", "spending"), ("worst_off", "unmet_need", "spending")])
def test_every_point_of_one_model_says_what_is_proven_of_its_spending(goals: tuple[str, ...]) -> None:
    joint, question = joint_of(scenario()), Question(goals, None, 4)
    ground: Any = Ground(None, None, joint)  # type: ignore[arg-type]
    traced = trace(joint, question, watch())
    for number, point in enumerate(traced.points):
        order = order_for(ground, question, traced, number, Path("point"))
        spent = value_of(joint.spending, point.x)
        assert spent - 1e-3 <= order.found.bounds["spending"] <= spent + 1e-6
        # Where the search ended before this goal, any plan has a value of it, and nothing is proven.
        unproven = replace(traced, points=[replace(p, bounds={}) for p in traced.points])
        assert order_for(ground, question, unproven, number, Path("point")).found.bounds["spending"] == 0.0


def test_a_point_whose_other_goals_were_not_reached_is_not_called_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    def only_the_first(arrays: Any, *args: Any, **more: Any) -> Any:
        outcome = solve(arrays, *args, **more)
        return outcome if "start" in more and more["start"] is None else replace(outcome, x=None)

    monkeypatch.setattr("optimizer.frontier_whole.solve", only_the_first)
    traced = trace(joint_of(scenario()), Question(("unmet_need", "spending"), None, 2), watch())
    assert traced.points
    assert not any(point.exact for point in traced.points)


def test_what_money_buys_is_the_difference_of_neighbours(tmp_path: Path) -> None:
    frontier, folder = made(tmp_path, Question((), (0.5, 1.5), 3))
    table = frontier.table
    # 60,000, 120,000 and 180,000 yuan; the least score all keep is that of the lowest budget.
    assert list(table["money_yuan"]) == [60_000, 120_000, 180_000]
    gains = -table["unmet_need"].diff().dropna()
    assert list(table["next_buys"].dropna()) == pytest.approx(list(gains / 0.6))
    assert (table["next_buys_at_least"].dropna() <= table["next_buys"].dropna() + 1e-9).all()
    assert (table["next_buys_at_most"].dropna() >= table["next_buys"].dropna() - 1e-9).all()
    assert set(table["price_confirmed"]) <= {"yes", "no"}
    for row, share in zip(table.to_dict("records"), ("50 %", "100 %", "150 %"), strict=True):
        run = read_run(folder / row["run"])  # the point says itself which budget it is
        assert run.changes == f"budget = {share} of the scenario's money"
        assert f"with {run.changes}".replace("'", "&#x27;") in (run.folder / "report.html").read_text(encoding="utf-8")


def test_the_same_question_gives_the_same_tables(tmp_path: Path) -> None:
    folders = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        folders.append(made(tmp_path / name, Question(("worst_off", "unmet_need"), None, 4))[1])
    first, second = (sorted(f.rglob("*.csv")) for f in folders)
    assert [p.relative_to(folders[0]) for p in first] == [p.relative_to(folders[1]) for p in second]
    assert all(a.read_bytes() == b.read_bytes() for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize(
    ("between", "budget", "points", "said"),
    [
        (["worst_off", "joy"], "", 15, "there is no goal 'joy'"),
        (["unmet_need"], "", 15, "give two or three goals"),
        (["worst_off", "spending"], "", 15, "name unmet_need too"),
        (["unmet_need", "unmet_need"], "", 15, "named twice"),
        (["worst_off", "unmet_need"], "", 1, "give 2 to"),
        (["unmet_need", "travel"], "", 15, "has no goal travel"),
        ([], "", 15, "Say what the frontier is between"),
        ([], "120%..80%", 15, "the first budget must be below the second"),
        ([], "80-120", 15, "give a range in per cent"),
        ([], "0%..120%", 15, "above 0%"),
        (["worst_off", "unmet_need"], "80%..120%", 15, "give one of them"),
    ],
)
def test_mistakes_are_named_before_anything_is_planned(between: list[str], budget: str, points: int, said: str) -> None:
    plan = scenario(goals=[{"goal": goal} for goal in ("worst_off", "unmet_need", "spending")])
    with pytest.raises(ScenarioError) as error:
        read_question(between, budget, points, plan)
    assert said in "\n".join(error.value.findings)


def test_what_points_would_not_keep_is_refused() -> None:
    goals = [{"goal": "worst_off", "leximin": True}, {"goal": "unmet_need"}]
    plan = scenario(goals=goals, fairness={"gini_at_most": 0.2})
    with pytest.raises(ScenarioError) as error:
        read_question(["worst_off", "unmet_need"], "", 5, plan)
    said = "\n".join(error.value.findings)
    assert "do not keep bounds of fairness" in said
    assert "leave leximin out" in said


def test_a_frontier_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(loaded: object, question: object, folder: Path, *, progress: object) -> None:
        del loaded, question, progress
        (folder / "frontier.csv").write_text("point", encoding="utf-8")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("optimizer.frontier_run.run_frontier", half)
    with pytest.raises(OSError, match="No space"):
        api.frontier("one_year", between=["worst_off", "unmet_need"], out=tmp_path / "here")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "mine").write_text("", encoding="utf-8")
    with pytest.raises(FileExistsError):
        api.frontier("one_year", between=["worst_off", "unmet_need"], out=tmp_path / "here")


def test_a_stop_keeps_the_points_found() -> None:
    joint = joint_of(scenario())
    stop = Event()

    class Stopper(Silent):
        count = 0

        def stage_update(self, *args: Any) -> None:
            del args
            Stopper.count += 1
            if Stopper.count == 2:
                stop.set()

    traced = trace(joint, Question(("unmet_need", "spending"), None, 40), Watch(Stopper(), stop, math.inf))
    assert traced.stopped == "hand"
    assert 1 <= len(traced.points) < 40
    assert not traced.complete


def test_steps_between_like_scores_are_told_apart() -> None:
    frame = pd.DataFrame({"worst_off": [0.4471, 0.44713, 0.5], STEPS[1]: [1.0, 2.0, 0.0]})
    lines = frontier_lines(frame, Question(("worst_off", "unmet_need")), "yuan")
    assert "from 0.44710 to 0.44713, costs" in lines[0]
    assert "from 0.447 to 0.500, costs" in lines[1]

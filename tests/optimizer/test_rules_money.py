"""Plans by rule keep every rule of money: floors and ceilings by place, expiry, matches and caps, commitments."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer.run import Infeasible
from optimizer.scenario import Scenario
from tests.optimizer.cases import case
from tests.optimizer.test_properties import cities, few, scenarios
from tests.optimizer.test_rules import FUNDS, NONE, RULES, A, B, by_rule, only, record_of, ruled, run_folder
from tests.optimizer.tiny import Plan, Row, make_city, merged

ROOM: Row = {"site": "e", "community": "a", "use": "extension", "area_m2": 200, "capital_yuan_per_m2": 10}
EVERY = ("equal", "greedy_by_need")


def paid(plan: Plan) -> dict[tuple[str, str, int], int]:
    """Yuan by source, purpose and year."""
    totals = plan.books.ledger.groupby(["source", "purpose", "year"])["yuan"].sum()
    return {(str(s), str(p), int(y)): int(yuan) for (s, p, y), yuan in totals.items()}  # type: ignore[misc]


@pytest.mark.parametrize("split", EVERY)
def test_a_ceiling_for_each_community_holds(split: str) -> None:
    sources = only(40_000, limits=[{"for_each": "community", "at_most_yuan": 4000}])
    plan = by_rule(make_city([A, B], needs=NONE), ruled(split, programmes=FUNDS, sources=sources))
    assert plan.grants() == {("a", 2020): 4000, ("b", 2020): 4000}


def test_a_ceiling_by_type_is_split_among_those_it_counts() -> None:
    """Of 30,000 yuan each has 10,000; the two of the type may have 6,000 together."""
    limits = [{"types": ["needy"], "at_most_share": 0.2}]
    rows = [{**A, "type": "needy"}, {**B, "type": "needy"}, {"community": "c"}]
    scenario = ruled("equal", programmes=FUNDS, sources=only(30_000, limits=limits))
    plan = by_rule(make_city(rows, needs=NONE), scenario)
    assert plan.grants() == {("a", 2020): 3000, ("b", 2020): 3000, ("c", 2020): 10_000}


@pytest.mark.parametrize("split", EVERY)
def test_money_of_a_floor_is_kept_for_it(split: str) -> None:
    """Work funds come first and would take all 4,000 yuan; 1,000 of them are for rooms, 100 m2 at 10 yuan."""
    sources = only(4000, limits=[{"purposes": ["space"], "at_least_yuan": 1000}])
    programmes = {**FUNDS, "space": {"target_m2": 300}}
    plan = by_rule(make_city([A], sites=[ROOM], needs=NONE), ruled(split, programmes=programmes, sources=sources))
    assert paid(plan) == {("city", "work_funds", 2020): 3000, ("city", "space", 2020): 1000}


def test_what_one_community_cannot_use_of_a_floor_goes_to_others() -> None:
    """Half of 2,000 yuan for rooms is b's, which can have no rooms: a takes the whole 200 m2."""
    sources = only(6000, limits=[{"purposes": ["space"], "at_least_share": 1 / 3}])
    programmes = {**FUNDS, "space": {"target_m2": 300}}
    plan = by_rule(make_city([A, B], sites=[ROOM], needs=NONE), ruled("equal", programmes=programmes, sources=sources))
    assert paid(plan)["city", "space", 2020] == 2000
    assert plan.grants() == {("a", 2020): 2000, ("b", 2020): 2000}


def test_floors_within_floors_are_not_added_up() -> None:
    """1,000 yuan for rooms are part of the 3,000 for rooms and work funds; the other 1,000 may pay the desk."""
    limits = [
        {"purposes": ["space", "work_funds"], "at_least_yuan": 3000},
        {"purposes": ["space"], "at_least_yuan": 1000},
    ]
    services = {"desk": {"siting": "own", "capital_yuan_per_unit": 10}}
    programmes = {"work_funds": {"floor_yuan": 2000}, "space": {"target_m2": 200}, "services": services}
    scenario = ruled("equal", programmes=programmes, sources=only(4000, limits=limits))
    plan = by_rule(make_city([A], sites=[ROOM], needs=[("a", "desk", 100)]), scenario)
    assert plan.met("a", "desk") == 1.0
    assert plan.met("a", "space") == 1.0
    assert plan.grants() == {("a", 2020): 2000}


@pytest.mark.parametrize("split", RULES)
def test_a_floor_the_rule_does_not_reach_is_said(split: str, tmp_path: Path) -> None:
    """Only 100 m2 are short, 1,000 yuan; last year's 500 yuan and a tenth do not even pay for these."""
    sources = only(6000, limits=[{"purposes": ["space"], "at_least_yuan": 1500}])
    programmes = {**FUNDS, "space": {"target_m2": 200}}
    scenario = ruled(split, last_year_yuan=500, programmes=programmes, sources=sources)
    with pytest.raises(Infeasible) as error:
        run_folder(make_city([A], sites=[ROOM], needs=NONE), scenario, tmp_path)
    said = str(error.value)
    assert "by this rule does not keep the floors" in said
    lacks = "950 of it" if split == "last_year_plus" else "500 of it"
    assert f"sources.city.limits.0 2020: the floor is 1,500 yuan, {lacks} cannot be spent" in said
    assert "drop rule" in said


@pytest.mark.parametrize("split", EVERY)
def test_money_expires(split: str) -> None:
    """5,000 yuan of the first year may be spent until the second: 1,000 a year are due, and the third has nothing."""
    funds = {"work_funds": {"floor_yuan": 1000}}
    sources = only([5000, 0, 0], carry_limit_share=1.0, lasts_years=2)
    scenario = ruled(split, horizon={"years": 3}, programmes=funds, sources=sources)
    plan = by_rule(make_city([A], needs=NONE), scenario)
    assert plan.grants() == {("a", 2020): 1000, ("a", 2021): 1000}


def test_the_oldest_money_is_spent_first() -> None:
    """1,500 a year, but 3,000 due in each of 2021 and 2022: 2021 takes what 2020 left before its own money."""
    city = make_city([A], needs=NONE)
    changes: Row = {"horizon": {"years": 3}, "programmes": {"work_funds": {"floor_yuan": 2000}}}
    carried: Row = {"carry_limit_yuan": 3000, "lasts_years": 2}
    plan = by_rule(city, ruled("equal", **changes, sources=only([3500, 1500, 1000], **carried)))
    # 2020: 2,000 of 3,500. 2021: 1,500 left of 2020, then 500 of its own; 1,000 go on to 2022, with 1,000 of 2022.
    assert plan.grants() == {("a", 2020): 2000, ("a", 2021): 2000, ("a", 2022): 2000}


@pytest.mark.parametrize("split", EVERY)
def test_a_source_matches_another_up_to_its_cap(split: str) -> None:
    """A donor adds half of what the city pays, at most 1,500 a year in the whole city."""
    sources = {**only(9000), "gift": {"role": "donor", "amount_yuan": 8000}}
    rule = {"payer": "city", "of": "gift", "ratio": 2.0, "within": "city"}
    city = make_city([A, B], needs=NONE)
    free = by_rule(city, ruled(split, programmes=FUNDS, sources=sources, co_funding=[rule]))
    assert paid(free) == {("city", "work_funds", 2020): 9000, ("gift", "work_funds", 2020): 4500}
    capped = by_rule(city, ruled(split, programmes=FUNDS, sources=sources, co_funding=[{**rule, "cap_yuan": 1500}]))
    assert paid(capped) == {("city", "work_funds", 2020): 9000, ("gift", "work_funds", 2020): 1500}


@pytest.mark.parametrize("split", EVERY)
def test_running_costs_stay_within_the_commitment(split: str) -> None:
    """A desk of 100 costs 1,000 a year; a quarter of 2,000 yuan may be bound, so it opens for 50."""
    services = {"desk": {"siting": "own", "running_yuan_per_unit": 10}}
    changes: Row = {"programmes": {"services": services}, "sources": only(2000)}
    city = make_city([A], needs=[("a", "desk", 100)])
    assert by_rule(city, ruled(split, **changes)).met("a", "desk") == 1.0
    bound = by_rule(city, ruled(split, **changes, running_commitment={"share": 0.25}))
    assert bound.met("a", "desk") == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize("split", EVERY)
def test_rents_stay_within_the_commitment(split: str) -> None:
    """Rooms at 5 yuan a year and 10 once: 300 yuan may be bound, 60 m2; what comes once is not bound."""
    room = {**ROOM, "instrument": "rent", "yearly_yuan_per_m2": 5}
    changes: Row = {"programmes": {"space": {"target_m2": 300}}, "sources": only(3000)}
    city = make_city([A], sites=[room], needs=NONE)
    bound = by_rule(city, ruled(split, **changes, running_commitment={"share": 0.1}))
    assert bound.met("a", "space") == pytest.approx(160 / 300, abs=1e-3)
    assert bound.books.ledger["yearly_yuan"].sum() == 300


@pytest.mark.parametrize("split", RULES)
def test_all_rules_of_money_together_pass_the_audit(split: str, tmp_path: Path) -> None:
    """The floor for rooms is one that also half of what may be bound for the years to come can keep."""
    city, scenario = case("money")
    limits = [rule.model_dump(exclude_unset=True) for rule in scenario.sources["city"].limits]
    limits[1]["at_least_share"] = 0.02
    changes = {"rule": {"split": split, "last_year_yuan": 4000}, "sources": {"city": {"limits": limits}}}
    whole = Scenario.model_validate(merged(scenario.model_dump(exclude_unset=True), changes))
    record = record_of(run_folder(city, whole, tmp_path))
    assert record["audit"]["passed"] is True
    assert record["status"] == "by rule"


@st.composite
def money_rules(draw: st.DrawFn) -> dict[str, Any]:
    """Rules of the source `city`, of matches and of running costs, for any city of `cities`."""
    purposes = ["work_funds", "space", "service_capital", "service_running"]
    limit = st.fixed_dictionaries(
        {
            "purposes": st.lists(st.sampled_from(purposes), max_size=2, unique=True),
            "for_each": st.sampled_from(["source", "district", "community"]),
            "types": st.sampled_from([[], ["plain"], ["needy"]]),
            "at_most_share": st.sampled_from([0.3, 0.6, 1.0]),
        },
        optional={"at_least_share": st.sampled_from([0.02, 0.1, 0.3])},
    )
    source = {"limits": draw(st.lists(limit, max_size=2)), "carry_limit_share": draw(st.sampled_from([0.1, 0.5]))}
    if draw(st.booleans()):
        source["lasts_years"] = 2
    match = {"payer": "city", "of": "gift", "ratio": draw(st.sampled_from([0.5, 1.0])), "within": "city"}
    if draw(st.booleans()):
        match["cap_yuan"] = 1000
    rules: dict[str, Any] = {"sources": {"city": source}, "horizon": {"years": draw(st.integers(1, 3))}}
    if draw(st.booleans()):
        rules["co_funding"] = [match]
    if draw(st.booleans()):
        rules["running_commitment"] = {"share": draw(st.sampled_from([0.1, 0.4])), "years_after": 1}
    return rules


@few
@given(rule=st.sampled_from(RULES), city=cities(), changes=scenarios(), rules=money_rules())
def test_every_plan_keeps_every_rule_of_money(
    rule: str, city: dict[str, Any], changes: dict[str, Any], rules: dict[str, Any]
) -> None:
    """A plan passes its audit, or the planner is told what it cannot pay or which floor the rule does not keep."""
    known = {row["district"] for row in city["communities"]}
    changes = merged(changes, rules)
    years = changes["horizon"]["years"]
    for source in changes["sources"].values():
        if isinstance(source["amount_yuan"], list):
            source["amount_yuan"] = (source["amount_yuan"] * 3)[:years]
    gift = {"gift": {"role": "donor", "amount_yuan": 3000, "recurring": False}}
    changes["sources"] = gift | {
        name: s for name, s in changes["sources"].items() if not s.get("districts") or set(s["districts"]) <= known
    }
    with TemporaryDirectory() as folder:
        try:
            record = record_of(run_folder(make_city(**city), ruled(rule, last_year_yuan=3000, **changes), Path(folder)))
        except Infeasible as error:
            assert error.report.startswith(("No plan can", "The plan made by this rule does not keep"))  # noqa: PT017
            return
    assert record["audit"]["passed"] is True

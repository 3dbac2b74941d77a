"""Plans made by rules: hand-solved tiny cities, the whole-yuan split, and what must hold for every city."""

import copy
import itertools
import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import optimizer.run_write
from geodata.city import City
from geodata.findings import InputError
from optimizer.audit import audit_run
from optimizer.compare import Comparison, compare
from optimizer.compare_figures import figure_rows
from optimizer.compare_side import Side
from optimizer.facts import Facts
from optimizer.goals import Found
from optimizer.joint import build_joint
from optimizer.levels import no_levels
from optimizer.problem_data import build_problem
from optimizer.report.compare_page import page
from optimizer.report.compare_table import comparison_lines
from optimizer.rules import plan_by_rule
from optimizer.rules.columns import encode
from optimizer.rules.payers import Payers
from optimizer.rules.purse import NO_CEILING, Bill, Purse, Terms
from optimizer.rules.split import all_funds, keys_of, split
from optimizer.run import Infeasible, check_inputs, run_scenario
from optimizer.scenario import Scenario
from optimizer.scenario_file import LoadedScenario
from optimizer.shortage import hard_costs, missing_money
from tests.optimizer.cases import case
from tests.optimizer.test_properties import cities, dearer, few, scenarios
from tests.optimizer.tiny import Plan, Row, make_city, make_scenario, merged, write_city

RULES = ("per_capita", "equal", "last_year_plus", "greedy_by_need")
SHARES = RULES[:3]
A: Row = {"community": "a", "population": 1000}
B: Row = {"community": "b", "population": 3000}
NONE = [("a", "desk", 0.0)]
NO_LIMIT = np.array([NO_CEILING])
FUNDS: Row = {"work_funds": {"floor_yuan": 50_000}}
DESK: Row = {"siting": "own", "capital_yuan_per_unit": 10}
CLINIC: Row = {"siting": "network", "limit_m": 1500, "capital_yuan_per_unit": 10}
STATION: Row = {"site": "st", "community": "a", "use": "station", "area_m2": 100}


def by_rule(city: City, scenario: Scenario) -> Plan:
    """Make the plan of a scenario's rule."""
    problem = build_problem(city, scenario)
    joint = build_joint(problem)
    assert scenario.rule is not None
    decisions = plan_by_rule(problem, scenario.rule, keys_of(city, scenario.rule))
    levels = no_levels(problem)
    return Plan(problem, joint, Found(encode(joint, decisions), levels, scenario.rule.split))


def ruled(split: str, *, growth: float = 0.1, last_year_yuan: float | None = None, **changes: Any) -> Scenario:
    """Return a tiny scenario with a rule."""
    return make_scenario(rule={"split": split, "growth": growth, "last_year_yuan": last_year_yuan}, **changes)


def only(yuan: int | list[int], **more: Any) -> Row:
    return {"city": {"role": "city", "amount_yuan": yuan, **more}}


def test_per_capita_splits_by_residents() -> None:
    plan = by_rule(make_city([A, B], needs=NONE), ruled("per_capita", programmes=FUNDS, sources=only(40_000)))
    assert plan.grants() == {("a", 2020): 10_000, ("b", 2020): 30_000}


def test_equal_gives_every_community_the_same() -> None:
    plan = by_rule(make_city([A, B], needs=NONE), ruled("equal", programmes=FUNDS, sources=only(40_000)))
    assert plan.grants() == {("a", 2020): 20_000, ("b", 2020): 20_000}


def test_last_year_plus_grows_and_leaves_the_rest() -> None:
    city = make_city([{**A, "last_year_yuan": 12_000}, {**B, "last_year_yuan": 10_000}], needs=NONE)
    scenario = ruled("last_year_plus", horizon={"years": 2}, programmes=FUNDS, sources=only(40_000))
    plan = by_rule(city, scenario)
    assert plan.grants() == {("a", 2020): 13_200, ("a", 2021): 14_520, ("b", 2020): 11_000, ("b", 2021): 12_100}


def test_last_year_plus_gives_in_proportion_where_money_is_short() -> None:
    city = make_city([{**A, "last_year_yuan": 12_000}, {**B, "last_year_yuan": 10_000}], needs=NONE)
    plan = by_rule(city, ruled("last_year_plus", programmes=FUNDS, sources=only(11_000)))
    assert plan.grants() == {("a", 2020): 6000, ("b", 2020): 5000}


def test_the_largest_unmet_need_is_met_first() -> None:
    """1,000 and 3,000 residents: b takes its whole 30,000, a what is left."""
    funds = {"work_funds": {"floor_yuan": 30_000}}
    plan = by_rule(make_city([A, B], needs=NONE), ruled("greedy_by_need", programmes=funds, sources=only(40_000)))
    assert plan.grants() == {("a", 2020): 10_000, ("b", 2020): 30_000}


@pytest.mark.parametrize("split", RULES)
def test_debts_are_paid_off_as_far_as_money_for_them_goes(split: str) -> None:
    """Grants are those of the same city without debts, and money that may only pay off debts does that.

    Under last_year_plus a, which had 10,000, spends 10,500 of its 20,000: that is all for its grant.
    """
    funds, gift = only(40_000, purposes=["work_funds"]), {"role": "donor", "amount_yuan": 5000}
    scenario = ruled(
        split,
        last_year_yuan=10_000,
        programmes={**FUNDS, "debt_relief": {}},
        sources={**funds, "gift": {**gift, "purposes": ["debt_relief"]}},
        guidance={"general": {"purposes": ["work_funds", "space", "services", "debt_relief"]}},
    )
    plan = by_rule(make_city([{**A, "debt_yuan": 8000}, B], needs=NONE), scenario)
    without = by_rule(
        make_city([A, B], needs=NONE), ruled(split, last_year_yuan=10_000, programmes=FUNDS, sources=funds)
    )
    assert plan.grants() == without.grants()
    assert plan.grants()
    assert plan.decisions.relief_yuan.tolist() == [[0.0 if split == "last_year_plus" else 5000.0], [0.0]]


DEBTS: Row = {"general": {"purposes": ["work_funds", "space", "services", "debt_relief"]}}
ANY: list[str] = ["work_funds", "space", "service_capital", "service_running", "debt_relief"]


@pytest.mark.parametrize(("split", "relief"), [("equal", [4000, 4000]), ("greedy_by_need", [7000, 1000])])
def test_debts_come_after_work_funds_year_by_year_and_no_more_than_is_owed(
    split: str, relief: list[int], tmp_path: Path
) -> None:
    # 12,000 a year and 1,000 for debts only; a and b are due 3,000 each, a owes 8,000. Of its half a has 3,000 left a
    # year; of one purse 6,000 are left.
    money = {**only(12_000, purposes=ANY), "gift": {"role": "donor", "amount_yuan": 1000, "purposes": ["debt_relief"]}}
    scenario = ruled(
        split, horizon={"years": 2}, programmes={"work_funds": {"floor_yuan": 3000}, "debt_relief": {}},
        sources=money, guidance=DEBTS,
    )  # fmt: skip
    city = make_city([{**A, "debt_yuan": 8000}, B], needs=NONE)
    plan = by_rule(city, scenario)
    assert plan.grants() == {(c, t): 3000 for c in "ab" for t in (2020, 2021)}
    assert plan.decisions.relief_yuan[0].tolist() == relief
    assert plan.met("a", "debt_relief", 2021) == 1.0
    report = audit_run(run_folder(city, scenario, tmp_path))
    assert report.passed, report.text()


def test_a_floor_for_debts_is_kept() -> None:
    floor = [{"purposes": ["debt_relief"], "at_least_yuan": 2000}]
    scenario = ruled(
        "equal", programmes={**FUNDS, "debt_relief": {}}, sources=only(10_000, purposes=ANY, limits=floor),
        guidance=DEBTS,
    )  # fmt: skip
    plan = by_rule(make_city([{**A, "debt_yuan": 8000}, B], needs=NONE), scenario)
    assert plan.decisions.relief_yuan[0].tolist() == [2000]
    assert plan.grants() == {("a", 2020): 4000, ("b", 2020): 4000}


@pytest.mark.parametrize("split", ["per_capita", "greedy_by_need"])
def test_districts_match_what_the_city_pays(split: str) -> None:
    """The city may pay twice what the district pays: of 5,000 and 30,000 yuan, 15,000 can be spent."""
    sources = {**only(30_000), "east": {"role": "district", "districts": ["east"], "amount_yuan": 5000}}
    co_funding = [{"purpose": "work_funds", "of": "city", "ratio": 0.5}]
    city = make_city([{**A, "population": 1000}, {**B, "population": 4000}], needs=NONE)
    plan = by_rule(city, ruled(split, programmes=FUNDS, sources=sources, co_funding=co_funding))
    assert sum(plan.grants().values()) == 15_000
    if split == "per_capita":
        assert plan.grants() == {("a", 2020): 3000, ("b", 2020): 12_000}
    paid = plan.books.ledger.groupby("source")["yuan"].sum().to_dict()
    assert paid == {"city": 10_000, "east": 5000}


@pytest.mark.parametrize("split", ["equal", "greedy_by_need"])
def test_money_is_carried_over_as_far_as_it_may_be(split: str) -> None:
    """10,000 yuan in the first year, 6,000 due a year: 3,000 of the 4,000 left may be carried."""
    funds = {"work_funds": {"floor_yuan": 6000}}
    sources = only([10_000, 0], carry_limit_share=0.3)
    scenario = ruled(split, horizon={"years": 2}, programmes=funds, sources=sources)
    plan = by_rule(make_city([A], needs=NONE), scenario)
    assert plan.grants() == {("a", 2020): 6000, ("a", 2021): 3000}


@pytest.mark.parametrize("split", ["equal", "greedy_by_need"])
def test_no_source_passes_its_ceiling(split: str) -> None:
    sources = only(10_000, ceiling_share={"work_funds": 0.4})
    plan = by_rule(make_city([A], needs=NONE), ruled(split, programmes=FUNDS, sources=sources))
    assert plan.grants() == {("a", 2020): 4000}


def test_earmarked_money_goes_only_where_it_may() -> None:
    sources = {**only(10_000), "gift": {"role": "donor", "communities": ["b"], "amount_yuan": 3000}}
    plan = by_rule(make_city([A, B], needs=NONE), ruled("equal", programmes=FUNDS, sources=sources))
    assert plan.grants() == {("a", 2020): 5000, ("b", 2020): 8000}


def test_after_work_funds_the_most_weighted_need_comes_first() -> None:
    """1,000 yuan of grants, 1,000 for the desk that weighs 2, the other 2,000 buy 50 of 100 m2 at 40 yuan."""
    room = {"site": "e", "community": "a", "use": "extension", "area_m2": 200, "capital_yuan_per_m2": 40}
    scenario = ruled(
        "equal",
        programmes={"work_funds": {"floor_yuan": 1000}, "space": {"target_m2": 200}, "services": {"desk": DESK}},
        types={"plain": {"weights": {"desk": 2.0}}},
        sources=only(4000),
    )
    plan = by_rule(make_city([A], sites=[room], needs=[("a", "desk", 100)]), scenario)
    assert plan.met("a", "desk") == 1.0
    assert plan.met("a", "space") == pytest.approx(0.75, abs=1e-3)
    assert plan.grants() == {("a", 2020): 1000}


def test_a_community_sets_aside_for_shared_stations_what_their_weights_make() -> None:
    """Of 2,000 yuan half is set aside for the clinic, which needs 1,000; the desk gets half of what it needs."""
    scenario = ruled("equal", programmes={"services": {"desk": DESK, "clinic": CLINIC}}, sources=only(2000))
    needs = [("a", "desk", 200), ("a", "clinic", 100)]
    plan = by_rule(make_city([A], sites=[STATION], needs=needs), scenario)
    assert (plan.met("a", "clinic"), plan.met("a", "desk")) == (1.0, pytest.approx(0.5, abs=1e-3))


def test_what_a_pot_leaves_goes_back_to_the_communities() -> None:
    """No building stands within reach of the clinic's users: the desk gets all of the money."""
    scenario = ruled("equal", programmes={"services": {"desk": DESK, "clinic": CLINIC}}, sources=only(2000))
    plan = by_rule(make_city([A], needs=[("a", "desk", 200), ("a", "clinic", 100)]), scenario)
    assert plan.met("a", "desk") == 1.0


def test_the_station_with_most_people_per_yuan_opens_first() -> None:
    """Both buildings serve everybody; the second costs 500 more. Money is enough for one."""
    dear = {**STATION, "site": "dear", "fixed_yuan": 500}
    scenario = ruled("per_capita", programmes={"services": {"clinic": CLINIC}}, sources=only(3000))
    plan = by_rule(
        make_city([A, B], sites=[dear, STATION], needs=[("a", "clinic", 100), ("b", "clinic", 200)]), scenario
    )
    assert set(plan.tables.stations["site"]) == {"st"}
    assert (plan.met("a", "clinic"), plan.met("b", "clinic")) == (1.0, 1.0)


def test_a_building_opens_only_with_enough_services() -> None:
    """Two services must share a building: together they cost 2,000 yuan, and one alone is not opened for 1,500."""
    programmes = {
        "services": {"clinic": CLINIC, "care": {**CLINIC, "min_capacity": 100}},
        "one_stop": {"min_services": 2},
    }
    needs = [("a", "clinic", 100), ("a", "care", 100)]
    city = make_city([A], sites=[STATION], needs=needs)
    both = by_rule(city, ruled("equal", programmes=programmes, sources=only(2000)))
    assert set(both.tables.stations["service"]) == {"clinic", "care"}
    smaller = by_rule(city, ruled("equal", programmes=programmes, sources=only(1500)))
    assert smaller.met("a", "care") == 1.0
    assert 0 < smaller.met("a", "clinic") <= 0.5
    assert by_rule(city, ruled("equal", programmes=programmes, sources=only(900))).tables.stations.empty


def test_existing_stations_and_hard_floors_are_paid_first() -> None:
    old = {"facility": "f", "community": "b", "service": "desk", "capacity": 30, "running_yuan": 2000}
    funds = {"work_funds": {"floor_yuan": 3000, "hard_floor": True}, "services": {"desk": DESK}}
    city = make_city([A, B], facilities=[old], needs=[("a", "desk", 100), ("b", "desk", 30)])
    plan = by_rule(city, ruled("per_capita", programmes=funds, sources=only(8400)))
    assert plan.grants() == {("a", 2020): 3000, ("b", 2020): 3000}
    assert plan.met("a", "desk") == pytest.approx(0.1, abs=1e-3)  # a's quarter of the 400 yuan left pays 10 units
    assert plan.met("b", "desk") == 1.0


def test_grants_are_whole_units_of_the_currency() -> None:
    scenario = ruled("per_capita", currency={"unit_yuan": 1000}, programmes=FUNDS, sources=only(30_500))
    plan = by_rule(make_city([A, B], needs=NONE), scenario)
    assert plan.grants() == {("a", 2020): 7000, ("b", 2020): 22_000}


def as_read(scenario: Scenario) -> LoadedScenario:
    return LoadedScenario(scenario, Path("ruled.yaml"), scenario.model_dump())


def test_last_year_must_be_known() -> None:
    city = make_city([{**A, "last_year_yuan": 12_000}, B], needs=NONE)
    found = [f for f in check_inputs(city, as_read(ruled("last_year_plus", programmes=FUNDS))) if f.severity == "error"]
    assert [(f.column, f.value) for f in found] == [("last_year_yuan", "b")]
    assert "rule.last_year_yuan" in found[0].remedy
    given = ruled("last_year_plus", programmes=FUNDS, last_year_yuan=30_000)
    assert not [f for f in check_inputs(city, as_read(given)) if f.severity == "error"]
    assert by_rule(city, given).grants() == {("a", 2020): 13_200, ("b", 2020): 33_000}


@few
@given(st.lists(st.integers(1, 9000), min_size=2, max_size=8), st.integers(0, 100_000))
def test_the_split_is_that_of_largest_remainders(population: list[int], yuan: int) -> None:
    """The published method; where remainders are equal, each may settle it in its own way, but no yuan is lost."""
    methods = pytest.importorskip("apportionment.methods")
    rows = [{"community": f"c{n}", "population": people} for n, people in enumerate(population)]
    city = make_city(rows, needs=[("c0", "desk", 0.0)])
    scenario = ruled("per_capita", programmes={"work_funds": {"floor_yuan": 1e6}}, sources=only(yuan))
    problem = build_problem(city, scenario)
    assert scenario.rule is not None
    purses = split(problem, scenario.rule, keys_of(city, scenario.rule), all_funds(problem))
    ours = [int(purse.money[0, 0]) for purse in purses]
    assert sum(ours) == yuan
    part = sorted(people * yuan % sum(population) for people in population)
    up = sum(part) // sum(population)
    if not up or part[-up - 1 :][0] != part[-up]:
        assert ours == list(methods.largest_remainder(population, yuan, verbose=False))


def one_year(money: Sequence[int]) -> Purse:
    """Return a purse of one year without limits."""
    none = np.zeros(0, dtype=np.int64)
    year, no_carry = np.array(money, dtype=np.int64)[:, None], np.zeros((len(money), 1), dtype=np.int64)
    return Purse(Terms(np.ones(len(money), dtype=np.int64), none, none), year, no_carry, none, none, NO_LIMIT)


@given(st.tuples(*[st.integers(0, 7)] * 3), st.tuples(*[st.sampled_from([0.3, 0.5, 1.0, 2.0])] * 2), st.integers(0, 25))
def test_a_purse_pays_along_a_chain_of_matches(money: tuple[int, ...], ratios: tuple[float, ...], yuan: int) -> None:
    """A district matches the city, and the city a gift; against every way to pay."""
    first, second = ratios
    ways = itertools.product(*(range(m + 1) for m in money))
    totals = {d + c + g for d, c, g in ways if first * c <= d + 1e-9 and second * g <= c + 1e-9}
    who = Payers((), ((0, ()), (1, (((0,), first),)), (2, (((1,), second),))))
    purse = one_year(money)
    assert purse.most(who, 0) == max(totals)
    assert purse.pay([Bill(0, 0, yuan)], [who]) == (yuan <= max(totals))
    spent = np.array(money) - purse.money[:, 0]
    assert spent.sum() == (yuan if yuan <= max(totals) else 0)
    assert first * spent[1] <= spent[0] + 1e-9
    assert second * spent[2] <= spent[1] + 1e-9


@given(st.tuples(*[st.integers(0, 7)] * 4), st.sampled_from([0.0, 0.3, 0.5, 1.0, 2.0]), st.integers(0, 30))
def test_a_purse_pays_all_that_can_be_paid(money: tuple[int, ...], ratio: float, yuan: int) -> None:
    """Against every way to pay: a donor, a district, and two sources that the district matches at one ratio."""
    ways = itertools.product(*(range(m + 1) for m in money))
    totals = {g + d + a + b for g, d, a, b in ways if ratio * max(a, b) <= d + 1e-9}
    match = (((1,), ratio),)
    who = Payers((0,), ((1, ()), (2, match), (3, match))) if ratio else Payers((0, 1, 2, 3))
    purse = one_year(money)
    assert purse.most(who, 0) == max(totals)
    assert purse.pay([Bill(0, 0, yuan)], [who]) == (yuan in totals)
    spent = np.array(money) - purse.money[:, 0]
    assert spent.sum() == (yuan if yuan in totals else 0)
    assert ratio * max(spent[2], spent[3]) <= spent[1] + 1e-9


def random_plan(city: dict[str, Any], changes: dict[str, Any], rule: str) -> Plan | None:
    """Plan of a random city by a rule; None where what exists cannot be paid."""
    known = {row["district"] for row in city["communities"]}
    sources = {n: s for n, s in changes["sources"].items() if not s.get("districts") or set(s["districts"]) <= known}
    ground = make_city(**city)
    scenario = ruled(rule, last_year_yuan=3000, **{**changes, "sources": sources})
    problem = build_problem(ground, scenario)
    return None if missing_money(problem, hard_costs(problem)).sum() >= 1 else by_rule(ground, scenario)


@few
@given(rule=st.sampled_from(RULES), city=cities(), changes=scenarios())
def test_the_model_has_no_objection(rule: str, city: dict[str, Any], changes: dict[str, Any]) -> None:
    """Every row of the programmes' model holds, and whole-yuan money for it exists."""
    plan = random_plan(city, changes, rule)
    if plan is None:
        return
    model, x = plan.joint.model, plan.found.x[: plan.joint.model.n_columns]
    value = model.matrix @ x
    assert (value <= model.row_upper + 1e-4).all()
    assert (value >= model.row_lower - 1e-4).all()
    assert (x <= model.upper + 1e-6).all()
    assert plan.books.ledger["yuan"].sum() == sum(item.yuan for item in plan.tables.items)


@few
@given(rule=st.sampled_from(RULES), city=cities(), changes=scenarios(), chance=st.randoms(use_true_random=False))
def test_the_order_of_the_input_does_not_matter(
    rule: str, city: dict[str, Any], changes: dict[str, Any], chance: random.Random
) -> None:
    one = random_plan(city, changes, rule)
    mixed = {**city, **{name: chance.sample(city[name], len(city[name])) for name in ("sites", "facilities", "needs")}}
    services = dict(reversed(changes["programmes"]["services"].items()))
    other = {
        **changes,
        "programmes": {**changes["programmes"], "services": services},
        "sources": dict(reversed(changes["sources"].items())),
    }
    two = random_plan(mixed, other, rule)
    if one is None or two is None:
        assert one is two
        return
    keys = ["community", "need", "year"]
    met = [plan.tables.met.set_index(keys)["met_amount"].sort_index() for plan in (one, two)]
    assert met[0].equals(met[1])


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", ["work_funds", "space", "own_services", "network_services"])
def test_money_and_costs_scaled_together_change_nothing(rule: str, name: str) -> None:
    """But for rounding: whole yuan are a tenth of what they were."""
    city, scenario = case(name)
    values = merged(scenario.model_dump(exclude_unset=True), {"rule": {"split": rule, "last_year_yuan": 4000}})
    dear_city = copy.copy(city)
    for table in ("sites", "facilities"):
        frame = city.table(table).copy()
        money = [column for column in frame.columns if "yuan" in column]
        frame[money] = frame[money] * 10
        dear_city = replace(dear_city, **{table: frame})
    one = by_rule(city, Scenario.model_validate(values))
    two = by_rule(dear_city, Scenario.model_validate(dearer(values, 10)))
    assert one.tables.met["met_share"].max() > 0
    assert two.tables.met["met_share"].to_numpy() == pytest.approx(one.tables.met["met_share"].to_numpy(), abs=0.01)


@few
@given(rule=st.sampled_from(SHARES), city=cities(), changes=scenarios(), more=st.integers(1, 5))
def test_more_money_never_lowers_total_grants(
    rule: str, city: dict[str, Any], changes: dict[str, Any], more: int
) -> None:
    source = changes["sources"]["city"]
    richer = {**source, "amount_yuan": [yuan + 1000 * more for yuan in source["amount_yuan"]]}
    poor = random_plan(city, changes, rule)
    rich = random_plan(city, {**changes, "sources": {**changes["sources"], "city": richer}}, rule)
    if poor is None or rich is None:
        assert poor is None
        return
    assert sum(rich.grants().values()) >= sum(poor.grants().values())


def run_folder(city: City, scenario: Scenario, folder: Path) -> Path:
    """Run a scenario on a city written into a folder and return the run folder, without its report."""
    path = folder / "city.gpkg"
    write_city(city, path)
    values = merged(scenario.model_dump(), {"data": {"path": str(path), "metric_crs": "EPSG:32648"}})
    filled = Scenario.model_validate(values)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(optimizer.run_write, "write_report", lambda *_: None)
        return run_scenario(LoadedScenario(filled, folder / "tiny.yaml", filled.model_dump()), folder / "run")


def record_of(out: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((out / "run.json").read_text(encoding="utf-8"))
    return record


@few
@given(rule=st.sampled_from(RULES), city=cities(), changes=scenarios())
def test_every_plan_passes_the_audit(rule: str, city: dict[str, Any], changes: dict[str, Any]) -> None:
    known = {row["district"] for row in city["communities"]}
    sources = {n: s for n, s in changes["sources"].items() if not s.get("districts") or set(s["districts"]) <= known}
    scenario = ruled(rule, last_year_yuan=3000, **{**changes, "sources": sources})
    with TemporaryDirectory() as folder:
        try:
            record = record_of(run_folder(make_city(**city), scenario, Path(folder)))
        except Infeasible as error:
            assert "No plan can pay what must be paid" in error.report  # noqa: PT017
            return
    assert record["audit"]["passed"] is True


def everything(**changes: Any) -> tuple[City, Scenario]:
    city, scenario = case("everything")
    return city, Scenario.model_validate(merged(scenario.model_dump(), changes))


def test_the_record_claims_no_proof_and_the_audit_sees_to_it(tmp_path: Path) -> None:
    out = run_folder(*everything(rule={"split": "per_capita"}), tmp_path)
    record = record_of(out)
    assert (record["status"], record["method"], record["gap"]) == ("by rule", "per_capita", None)
    assert record["stages"] == []
    stage = {"goal": "spending", "value": 1.0, "bound": 1.0, "gap": 0.0}
    for lie, row in (
        ({"status": "proven"}, "status"),
        ({"method": "whole"}, "method"),
        ({"gap": 0.01}, "stages"),
        ({"stages": [stage]}, "stages"),
    ):
        (out / "run.json").write_text(json.dumps({**record, **lie}), encoding="utf-8")
        assert row in {f.row for f in audit_run(out).findings if f.rule == "record"}


def test_only_a_plan_by_rule_calls_itself_so(tmp_path: Path) -> None:
    out = run_folder(*everything(), tmp_path)
    record = record_of(out)
    assert audit_run(out).passed
    (out / "run.json").write_text(json.dumps({**record, "status": "by rule"}), encoding="utf-8")
    assert [f.row for f in audit_run(out).findings] == ["status"]


def test_a_run_without_last_year_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="last_year_yuan"):
        run_folder(*everything(rule={"split": "last_year_plus"}), tmp_path)


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    folders = []
    for name, rule in (("best", None), ("ruled", {"split": "equal"})):
        place = tmp_path_factory.mktemp(name)
        folders.append(run_folder(*everything(name=name, rule=rule), place))
    return compare(folders)


def test_a_comparison_says_what_optimisation_gains(compared: Comparison) -> None:
    (line,) = [text for text in comparison_lines(compared) if text.startswith("What optimisation gains")]
    assert line.startswith("What optimisation gains, best against ruled: +")
    worst = [f"{compared.value('worst_off', '', name):.2f}" for name in ("best", "ruled")]
    assert f"worst-off community {worst[0]} instead of {worst[1]}" in line
    assert "yuan a year per met person-need instead of" in line
    assert line in page(compared).replace("&#x27;", "'")
    back = compare([compared.sides[1].run.folder, compared.sides[0].run.folder])
    assert line in comparison_lines(back)


def test_money_for_a_met_need_is_money_over_met_person_needs(compared: Comparison) -> None:
    for side in compared.sides:
        met = side.run.met[side.run.met["need_amount"] > 0]
        beta = met["year"].map(dict(zip(side.run.years, side.run.scenario.year_weights(), strict=True)))
        done = (beta * met["persons"] * met["weight"] * met["met_share"]).sum()
        assert compared.value("met_person_needs", "", side.label) == pytest.approx(done, rel=1e-4)
        yuan = side.run.ledger["yuan"].sum() / len(side.run.years) / done
        assert compared.value("yuan_per_met_need", "", side.label) == pytest.approx(yuan, rel=1e-4)


def judged(sides: list[Side], figure: str) -> str:
    (found,) = [str(row[-1]) for row in figure_rows(sides)[1:] if row[0] == figure and not row[1] and row[-1]]
    return found


def test_a_gain_stands_whatever_the_gap_and_a_loss_within_the_gap_is_not_proven(compared: Comparison) -> None:
    best, by_rule_side = compared.sides
    assert by_rule_side.slack("unmet_need") == 0.0
    rough = copy.deepcopy(best.run.record)
    for stage in rough["stages"]:
        stage["bound"] = 1.0 if stage["goal"] == "worst_off" else 0.0
    city = best.facts.city
    wide = replace(best, facts=Facts(replace(best.run, record=rough), city))
    for figure in ("unmet_need", "met_person_needs", "worst_off"):
        assert judged([wide, by_rule_side], figure) == "yes"
    # The same tables, but now it is the worse plan that was searched for, with a bound far below.
    ruled_scenario = by_rule_side.run.scenario
    worse = replace(
        by_rule_side, facts=Facts(replace(by_rule_side.run, scenario=best.run.scenario, record=rough), city)
    )
    better = replace(best, facts=Facts(replace(best.run, scenario=ruled_scenario), city))
    for figure in ("unmet_need", "met_person_needs", "worst_off"):
        assert judged([worse, better], figure) == "no"

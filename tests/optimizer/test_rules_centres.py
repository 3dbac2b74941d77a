"""Plans by rule where centres open and outlets hang on stations, on cities small enough to solve by hand (13)."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from geodata.city import City
from optimizer.scenario import Scenario
from optimizer.solution import decode
from tests.optimizer import test_centres as centres
from tests.optimizer import test_outlets as outlets
from tests.optimizer.cases import case
from tests.optimizer.test_centres import AT_A, AT_B, OLD, hung, stations
from tests.optimizer.test_outlets import CENTRE, OUTLET, PLACES, STATION, Choices
from tests.optimizer.test_rules import RULES, by_rule, record_of, run_folder
from tests.optimizer.tiny import Plan, Row, make_city, make_scenario, merged

EVERY = ("equal", "greedy_by_need")


def ruled(scenario: Scenario, split: str, **changes: Any) -> Scenario:
    rule = {"split": split, "last_year_yuan": 4000}
    return Scenario.model_validate(merged(scenario.model_dump(exclude_unset=True), {"rule": rule, **changes}))


def two(split: str, *sites: Row, facilities: tuple[Row, ...] = (), west: bool = False, **more: Any) -> Plan:
    """The communities of `test_centres`; `west`: b lies in another district."""
    b = {"community": "b", "district": "west" if west else "east"}
    city = make_city([{"community": "a"}, b], sites=sites, facilities=facilities, needs=centres.NEEDS)
    return by_rule(city, ruled(centres.scenario(**more), split))


def of(split: str, *facilities: Row, sites: tuple[Row, ...] = (), **more: Any) -> Plan:
    city = make_city(PLACES, facilities=facilities, sites=sites, needs=outlets.NEEDS)
    return by_rule(city, ruled(outlets.scenario(**more), split))


def test_a_station_and_the_centre_it_needs_open_together() -> None:
    # A station in b for 100 yuan and a centre in a for 1,000 and 10 x (100 + 50) meet 300: most for a yuan.
    found = two("equal", AT_A, AT_B)
    assert stations(found) == [
        ("sa", "centre", "opened", 150.0, 15.0, 2500), ("sb", "station", "opened", 200.0, 20.0, 100)
    ]  # fmt: skip
    assert hung(found) == [("sb.station", "sa.centre", 2020)]
    assert [found.met(c, "clinic") for c in "ab"] == [1.0, 1.0]
    # The other way round meets as many, and comes first by name where only that counts.
    assert hung(two("greedy_by_need", AT_A, AT_B)) == [("sa.station", "sb.centre", 2020)]


@pytest.mark.parametrize("split", EVERY)
def test_one_purse_pays_for_both_or_neither_opens(split: str) -> None:
    # An eighth of a's 100 refers 3.125 units: 100 + 1,000 + 31.25 yuan.
    assert stations(two(split, AT_A, AT_B, inclusive=False, yuan=1130)) == []
    found = two(split, AT_A, AT_B, inclusive=False, yuan=1131)
    assert (found.met("a", "clinic"), found.met("b", "clinic")) == (pytest.approx(0.125), 0.0)
    assert found.books.ledger["yuan"].sum() == 1131


@pytest.mark.parametrize("split", EVERY)
def test_an_existing_station_waits_for_a_centre(split: str) -> None:
    found = two(split, {**AT_A, "lead_years": 1}, facilities=({**OLD, "running_yuan": 40},), years=2)
    assert [found.met("b", "clinic", year) for year in (2020, 2021)] == [0.0, 1.0]
    assert [found.met("a", "clinic", year) for year in (2020, 2021)] == [0.0, 1.0]
    assert hung(found) == [("o_b.station", "sa.centre", 2021)]
    found = two(split, facilities=(OLD,))
    assert (found.met("b", "clinic"), hung(found)) == (0.0, [])


def test_a_new_centre_grows_with_the_stations_that_open_later() -> None:
    # By greatest need: the station in b with a centre in a for all of them, then the one in c, 2,600 m from a.
    places = [{"community": c} for c in "abc"]
    sites = [{**AT_A, "services": "clinic"}, AT_B, {**AT_B, "site": "sc", "community": "c"}]
    needs = [("a", "clinic", 1), ("b", "clinic", 200), ("c", "clinic", 100)]
    one = centres.scenario(inclusive=False, limit_m=2600, centre={**centres.CENTRE, "area_m2_per_unit": 1})
    plan = by_rule(make_city(places, sites=sites, needs=needs), ruled(one, "greedy_by_need"))
    assert hung(plan) == [("sb.station", "sa.centre", 2020), ("sc.station", "sa.centre", 2020)]
    assert stations(plan)[0] == ("sa", "centre", "opened", 75.0, 75.0, 1750)
    assert plan.tables.space.set_index("site")["area_m2"].to_dict() == pytest.approx({"sa": 75, "sb": 20, "sc": 10})


def test_what_exists_hangs_on_the_nearest_with_room_for_it() -> None:
    def on(near: float, far: float) -> list[tuple[str, str, int]]:
        """A station in b refers 50; one centre stands beside it, the other 1,300 m away."""
        full = {**OLD, "level": "centre"}
        both = (
            {**full, "facility": "c", "capacity": near},
            {**full, "facility": "d", "community": "a"} | {"capacity": far},
        )
        return hung(two("equal", facilities=(OLD, *both), inclusive=False))

    assert on(50, 100) == [("o_b.station", "o_b.centre", 2020)]
    assert on(49, 100) == [("o_b.station", "o_a.centre", 2020)]
    assert on(49, 30) == [("o_b.station", "o_b.centre", 2020)]


@pytest.mark.parametrize("split", EVERY)
def test_money_of_a_district_pays_no_centre_in_another(split: str) -> None:
    """Both buildings are in a or in b; the only centre for the station in b is in a."""
    found = two(split, {**AT_A, "services": "desk"}, {**AT_A, "site": "sx"}, AT_B, west=True, inclusive=False,
                clinic={"within": "city"})  # fmt: skip
    where = {site: level for site, level, *_ in stations(found)}
    assert (where.get("sb"), found.met("b", "clinic") > 0) == (
        ("station", True) if split == "greedy_by_need" else (None, False)
    )


def test_a_building_of_several_services_is_not_taken_for_a_centre_alone() -> None:
    found = ruled(centres.scenario(inclusive=False), "equal", programmes={"one_stop": {"min_services": 2}})
    city = make_city([centres.A, centres.B], sites=[AT_A, AT_B], needs=centres.NEEDS)
    assert stations(by_rule(city, found)) == []


def test_other_services_may_still_open_in_a_building_taken_for_a_centre() -> None:
    # The centre in a takes 5 m2 for what b refers; care comes later, as it meets less for a yuan, and takes 8 m2 more.
    one = centres.scenario(inclusive=False)
    care = {"siting": "network", "limit_m": 1000, "area_m2_per_unit": 0.1, "capital_yuan_per_unit": 100}
    changes = {"programmes": {"services": {"care": care}}}
    needs = [("b", "clinic", 200), ("a", "care", 80)]
    for split in EVERY:
        found = by_rule(
            make_city([centres.A, centres.B], sites=[AT_A, AT_B], needs=needs), ruled(one, split, **changes)
        )
        assert (found.met("b", "clinic"), found.met("a", "care")) == (1.0, 1.0)
        assert found.tables.space.set_index("site")["area_m2"].to_dict() == pytest.approx(
            {"sa": 13, "sb": 20}, abs=1e-4
        )


@pytest.mark.parametrize("split", EVERY)
def test_outlets_come_first_and_refer_what_fits(split: str) -> None:
    # a's 100 at the outlet refer 20 to the station of 50 in b, which leaves 30 for b's 200.
    found = of(split, OUTLET, STATION, CENTRE)
    assert (found.met("a", "clinic"), found.met("b", "clinic")) == (1.0, pytest.approx(0.15))
    assert hung(found) == [("o_a.outlet", "o_b.station", 2020), ("o_b.station", "o_c.centre", 2020)]
    # A centre of 4 takes a quarter of 16: of these a fifth of 80 at the outlet.
    found = of(split, OUTLET, STATION, {**CENTRE, "capacity": 4})
    assert (found.met("a", "clinic"), found.met("b", "clinic")) == (pytest.approx(0.8), 0.0)


@pytest.mark.parametrize("split", EVERY)
def test_an_outlet_waits_for_the_station_that_opens(split: str) -> None:
    room = {"site": "st", "community": "b", "use": "station", "area_m2": 100, "lead_years": 1}
    found = of(split, OUTLET, CENTRE, sites=(room,), years=2)
    assert [found.met("a", "clinic", year) for year in (2020, 2021)] == [0.0, 1.0]
    assert hung(found) == [("o_a.outlet", "st.station", 2021), ("st.station", "o_c.centre", 2021)]
    rows = found.tables.stations.query("site == 'st'")
    assert rows["capacity"].tolist() == [pytest.approx(220, abs=1e-3)]


def desks(years: int = 1, **levels: Any) -> Scenario:
    """Desks at the offices, at 1 yuan a unit, refer a quarter of their cases to a centre for 500 yuan and 1 a unit."""
    hierarchy = {"limit_m": 1300, "referral_share": 0.25, "within": "district", **levels}
    desk = {"siting": "own", "capital_yuan_per_unit": 1, "area_m2_per_unit": 1.0, "hierarchy": hierarchy}
    return make_scenario(horizon={"years": years}, programmes={"services": {"desk": desk}})


def test_outlets_of_own_services_join_the_station_at_their_office() -> None:
    # 50 of a's 100 come to the outlet, 10 of these go on to the new desk, which serves the other 50.
    old = [
        {**OUTLET, "service": "desk", "capacity": 50},
        {**CENTRE, "community": "b", "service": "desk", "capacity": 215},
    ]
    city = make_city(PLACES, facilities=old, needs=[("a", "desk", 100), ("b", "desk", 200)])
    found = by_rule(city, ruled(desks(outlets={"limit_m": 100, "referral_share": 0.2}), "equal"))
    assert [found.met(c, "desk") for c in "ab"] == [1.0, 1.0]
    rows = found.tables.stations.query("level == 'station'")
    assert rows[["site", "capacity", "area_m2"]].to_numpy().tolist() == [["o_a", *[pytest.approx(60, abs=1e-3)] * 2]]


@pytest.mark.parametrize("yuan", [5000, 1500])
def test_the_district_pays_the_centre_that_own_stations_need(yuan: int) -> None:
    # Of 500 each no community could pay a desk and 500 for the centre, but the others of its district can.
    offices = [{"community": c, "office": 300} for c in "abc"]
    city = make_city(offices, sites=[AT_A], needs=[("a", "desk", 100), ("b", "desk", 200), ("c", "desk", 4)])
    said = desks(limit_m=2600, centre={"fixed_yuan": 500})
    found = by_rule(city, ruled(said, "equal", sources={"city": {"role": "city", "amount_yuan": yuan}}))
    rows = found.tables.stations[["site", "capacity", "capital_yuan"]].to_numpy().tolist()
    assert rows == [["o_a", 100.0, 100], ["o_b", 200.0, 200], ["o_c", 4.0, 4], ["sa", 76.0, 576]]


def tiny(seed: int) -> tuple[City, Scenario, float]:
    """A city, its scenario, and the least unmet need of all plans."""
    choices = Choices(seed)
    needs = [(c, "clinic", amount) for c, amount in choices.needs.items()]
    city = make_city(PLACES, facilities=choices.facilities, sites=choices.sites, needs=needs)
    return city, choices.scenario(), choices.unmet()


@pytest.mark.parametrize("seed", range(8))
def test_no_plan_by_rule_is_better_than_the_best_and_all_keep_the_rows_of_the_model(seed: int) -> None:
    city, scenario, least = tiny(seed)
    for split in RULES:
        found = by_rule(city, ruled(scenario, split))
        assert found.value("unmet_need") >= least - 1e-3
        model, x = found.joint.model, found.found.x[: found.joint.model.n_columns]
        rows = model.matrix @ x
        assert np.maximum(model.row_lower - rows, rows - model.row_upper).max() < 1e-5
        assert np.maximum(model.lower - x, x - model.upper).max() < 1e-5
        units = found.problem.units
        again = decode(found.joint, found.found.x)
        assert set(again.hang_lower.tolist()) <= set(np.flatnonzero(units.must).tolist())


def closing() -> tuple[City, Scenario]:
    """A lease in b ends after 2020; the station in a takes its people on, and both refer to a centre yet to open."""
    old = {**OLD, "capacity": 100, "lease_until": 2020}
    other = {**OLD, "facility": "g", "community": "a", "capacity": 100}
    city = make_city([centres.A, centres.B], sites=[AT_A], facilities=[old, other], needs=centres.NEEDS)
    return city, centres.scenario(years=2, clinic={"limit_m": 1300})


def several() -> tuple[City, Scenario]:
    """Three years, buildings that are ready later, little money, a network and an own service."""
    choices = Choices(3)
    services = choices.scenario().model_dump()["programmes"]["services"]
    hierarchy = {**services["clinic"]["hierarchy"], "outlets": {"limit_m": 10, "referral_share": 0.3}}
    services["desk"] = {"siting": "own", "capital_yuan_per_unit": 1, "within": "district", "hierarchy": hierarchy}
    levels = make_scenario(
        horizon={"years": 3, "price_growth": 0.1, "discount": 0.1}, programmes={"services": services},
        sources={"city": {"role": "city", "amount_yuan": [400, 900, 900], "carry_limit_share": 0.5}},
    )  # fmt: skip
    needs = [(c, "clinic", amount) for c, amount in choices.needs.items()] + [("a", "desk", 100), ("b", "desk", 60)]
    more = [{**row, "facility": f"d{n}", "service": "desk"} for n, row in enumerate(choices.facilities)]
    sites = [{**site, "lead_years": n} for n, site in enumerate(choices.sites)]
    return make_city(PLACES, facilities=[*choices.facilities, *more], sites=sites, needs=needs), levels


@pytest.mark.parametrize("split", RULES)
@pytest.mark.parametrize("name", ["centres", "outlets", "closing", "several"])
def test_such_plans_pass_the_audit(name: str, split: str, tmp_path: Path) -> None:
    city, scenario = {"closing": closing, "several": several}.get(name, lambda: case(name))()
    out = run_folder(city, ruled(scenario, split), tmp_path)
    assert record_of(out)["audit"]["passed"] is True
    assert (out / "tables" / "levels.csv").read_text(encoding="utf-8").count("\n") > 1


def test_bounds_of_inequality_stay_refused() -> None:
    with pytest.raises(ValueError, match="fairness"):
        ruled(centres.scenario(), "equal", fairness={"gini_at_most": 0.2})

"""Outlets that hang on stations, and what facilities say they hang on, on cities small enough to solve by hand (13)."""

import random
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linprog

from geodata.check_ties import check_ties
from optimizer.audit import audit_run
from optimizer.joint import build_joint
from optimizer.problem_data import build_problem
from optimizer.scenario import Scenario
from optimizer.scenario_check import check_scenario
from optimizer.scenario_file import load_scenario
from tests.optimizer.test_centres import hung
from tests.optimizer.test_properties import least_unmet
from tests.optimizer.test_rules import run_folder
from tests.optimizer.tiny import Plan, Row, make_city, make_scenario, plan

PLACES: list[Row] = [{"community": c} for c in "abc"]
OUTLET: Row = {"facility": "fo", "community": "a", "service": "clinic", "level": "outlet", "capacity": 100}
STATION: Row = {"facility": "fs", "community": "b", "service": "clinic", "level": "station", "capacity": 50}
CENTRE: Row = {"facility": "fc", "community": "c", "service": "clinic", "level": "centre", "capacity": 1000}
NEEDS = [("a", "clinic", 100), ("b", "clinic", 200)]


def scenario(years: int = 1, clinic: Row | None = None, outlets: Row | None = None, **levels: object) -> Scenario:
    """Nobody travels; an outlet refers a fifth to a station, a station a quarter to a centre."""
    said = {"limit_m": 1300, "referral_share": 0.2, **(outlets or {})}
    hierarchy = {"limit_m": 1300, "referral_share": 0.25, "outlets": said, **levels}
    rule: Row = {"siting": "network", "limit_m": 500, "within": "district", "hierarchy": hierarchy}
    return make_scenario(horizon={"years": years}, programmes={"services": {"clinic": {**rule, **(clinic or {})}}})


def of(*facilities: Row, sites: tuple[Row, ...] = (), **more: Any) -> Plan:
    return plan(make_city(PLACES, facilities=facilities, sites=sites, needs=NEEDS), scenario(**more))


def test_what_outlets_refer_needs_room_at_their_station() -> None:
    # Both served to a share s: 200 s in b and a fifth of a's 100 s are the 50 there: s = 50/220. A quarter goes on.
    found = of(OUTLET, STATION, CENTRE)
    assert found.worst == pytest.approx(50 / 220, abs=1e-6)
    assert hung(found) == [("o_a.outlet", "o_b.station", 2020), ("o_b.station", "o_c.centre", 2020)]
    # A centre of 5 has room for a quarter of 20: 200 s + 20 s = 20.
    assert of(OUTLET, STATION, {**CENTRE, "capacity": 5}).worst == pytest.approx(20 / 220, abs=1e-6)


def test_outlets_hang_on_nothing_where_the_scenario_does_not_say_so() -> None:
    found = plan(
        make_city(PLACES, facilities=[OUTLET, STATION, CENTRE], needs=NEEDS),
        scenario(clinic={"hierarchy": {"limit_m": 1300, "referral_share": 0.25}}),
    )  # fmt: skip
    assert (found.met("a", "clinic"), found.met("b", "clinic")) == (1.0, 0.25)


def test_the_limit_of_outlets_is_their_own_and_inclusive() -> None:
    assert of(OUTLET, STATION, CENTRE, outlets={"limit_m": 1299}).met("a", "clinic") == 0.0
    assert of(OUTLET, STATION, CENTRE, outlets={"limit_m": 1300}).met("a", "clinic") > 0.0
    assert of(OUTLET, STATION, CENTRE, limit_m=1299).met("a", "clinic") == 0.0  # the station hangs on nothing


def test_an_inclusive_centre_serves_outlets_as_a_station_does() -> None:
    near = {**CENTRE, "community": "b", "capacity": 30}  # 200 s + 20 s = 30
    assert of(OUTLET, near).worst == pytest.approx(30 / 220, abs=1e-6)
    assert of(OUTLET, near, inclusive=False).met("a", "clinic") == 0.0


def test_an_outlet_waits_for_the_station_that_opens_for_it() -> None:
    room = {"site": "st", "community": "b", "use": "station", "area_m2": 100, "lead_years": 1}
    found = of(OUTLET, CENTRE, sites=(room,), years=2)
    assert [found.met("a", "clinic", year) for year in (2020, 2021)] == [0.0, 1.0]
    assert hung(found) == [("o_a.outlet", "st.station", 2021), ("st.station", "o_c.centre", 2021)]
    rows = found.tables.stations.query("site == 'st'")
    assert rows["capacity"].tolist() == [pytest.approx(220, abs=1e-3)]


def test_outlets_of_own_services_hang_on_the_station_at_their_office() -> None:
    # In a 50 of 100 cases come to the outlet and 10 of these go on: the new station needs 60, at 1 yuan each; a quarter
    # of 60 fits into the centre in b, as b's own 200 and this are 215.
    desk: Row = {"siting": "own", "capital_yuan_per_unit": 1, "area_m2_per_unit": 1.0, "running_yuan_per_unit": 2}
    desk["hierarchy"] = {"limit_m": 1300, "referral_share": 0.25, "within": "district",
                         "outlets": {"limit_m": 100, "referral_share": 0.2}}  # fmt: skip
    old = [
        {**OUTLET, "service": "desk", "capacity": 50},
        {**CENTRE, "community": "b", "service": "desk", "capacity": 215},
    ]
    city = make_city(PLACES, facilities=old, needs=[("a", "desk", 100), ("b", "desk", 200)])
    found = plan(city, make_scenario(programmes={"services": {"desk": desk}}))
    assert [found.met(c, "desk") for c in "ab"] == [1.0, 1.0]
    rows = found.tables.stations.query("level == 'station'")
    assert rows[["site", "capacity", "area_m2", "capital_yuan", "running_yuan"]].to_numpy().tolist() == [
        ["o_a", pytest.approx(60, abs=1e-3), pytest.approx(60, abs=1e-3), 60, 120]
    ]
    small = make_city(
        [{**PLACES[0], "office": 33}, *PLACES[1:]], facilities=old, needs=[("a", "desk", 100), ("b", "desk", 1)]
    )
    found = plan(small, make_scenario(programmes={"services": {"desk": desk}}))
    # 33 m2 of floor: what it serves itself and a fifth of the outlet's x: 33 - x / 5 + x is most at x = 50.
    assert found.met("a", "desk") == pytest.approx((33 - 10 + 50) / 100, abs=1e-4)


def test_facilities_may_say_what_they_hang_on() -> None:
    far = {**CENTRE, "facility": "fd", "community": "a", "hangs_on": ""}
    city = make_city(PLACES, facilities=[{**STATION, "hangs_on": "fc"}, CENTRE, far], needs=NEEDS)
    assert hung(plan(city, scenario())) == [("o_b.station", "o_c.centre", 2020)]
    city = make_city(PLACES, facilities=[STATION, CENTRE, far], needs=NEEDS)
    assert hung(plan(city, scenario())) == [("o_b.station", "o_a.centre", 2020)]  # as near; the first by name
    tied = [{**OUTLET, "hangs_on": "fs"}, STATION, {**STATION, "facility": "ft", "community": "a"}, CENTRE, far]
    found = plan(make_city(PLACES, facilities=tied, needs=NEEDS), scenario())
    assert ("o_a.outlet", "o_b.station", 2020) in hung(found)


def test_ties_that_cannot_be_are_errors() -> None:
    desk = {**STATION, "facility": "fd", "service": "desk"}
    other = {**STATION, "facility": "f2", "community": "a"}

    def said(*facilities: Row) -> list[str]:
        return [finding.text() for finding in check_ties(make_city(PLACES, facilities=facilities, needs=NEEDS))]

    assert said({**OUTLET, "hangs_on": "fs"}, {**STATION, "hangs_on": "fc"}, CENTRE) == []
    assert "gives desk" in said({**OUTLET, "hangs_on": "fd"}, desk)[0]
    assert "is of level station; that is not above station" in said({**other, "hangs_on": "fs"}, STATION)[0]
    assert "that is not above centre; leave it empty" in said({**CENTRE, "hangs_on": "fs"}, STATION)[0]
    assert "is not what its like" in said({**STATION, "hangs_on": "fc"}, {**STATION, "facility": "ft"}, CENTRE)[0]
    lines = said({**STATION, "hangs_on": "f2"}, {**other, "hangs_on": "fs"})
    assert [line for line in lines if "circle" in line] == [
        line for line in lines if "hangs_on = f2 → fs → f2  hangs on itself in a circle" in line
    ]
    assert sum("circle" in line for line in lines) == 1
    assert "fs → fs  hangs on itself" in said({**STATION, "hangs_on": "fs"})[-1]


def test_what_can_hang_on_nothing_is_listed() -> None:
    def said(*facilities: Row, **more: Any) -> list[str]:
        city = make_city(PLACES, facilities=facilities, needs=NEEDS)
        return [finding.text() for finding in check_scenario(city, scenario(**more))]

    assert said(OUTLET, STATION, CENTRE) == []
    (line,) = said({**OUTLET, "name": "Corner"}, STATION, CENTRE, outlets={"limit_m": 1000})
    assert "1 outlets can hang on no station and would serve nobody: Corner" in line
    lines = said(OUTLET, STATION, CENTRE, limit_m=1000)
    assert ["no centre" in line for line in lines] == [True, False]
    assert "1 outlets can hang on no station" in lines[1]
    empty = {**CENTRE, "facility": "fd", "community": "a", "capacity": 0}
    lines = said(OUTLET, {**STATION, "hangs_on": "fd"}, CENTRE, empty)
    assert ["1 stations can hang on no centre" in line for line in lines] == [True, False]
    (line,) = said({**OUTLET, "hangs_on": "fs"}, STATION, CENTRE,
                   clinic={"hierarchy": {"limit_m": 1300}})  # fmt: skip
    assert "1 outlets are said to hang on something, but outlets hang on nothing: fo" in line


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Run folder of an outlet, a station and a centre."""
    return run_folder(make_city(PLACES, facilities=[OUTLET, STATION, CENTRE], needs=NEEDS), scenario(), tmp_path)


def test_a_run_says_what_outlets_hang_on(run: Path) -> None:
    table = pd.read_csv(run / "tables" / "levels.csv", keep_default_na=False)
    assert table.to_numpy().tolist() == [
        ["o_a", "clinic", "outlet", "o_c", 1300, "o_b", "station", 2020],
        ["o_b", "clinic", "station", "o_c", 1300, "o_c", "centre", 2020],
    ]
    report = audit_run(run)
    assert report.passed, report.text()


@pytest.mark.parametrize(
    ("table", "level", "column", "value", "rule"),
    [
        ("levels", "outlet", "hangs_on", "o_c", "hangs_on_centre"),
        ("levels", "outlet", "centre", "o_b", "hangs_on_centre"),
        ("levels", "outlet", "hangs_on_level", "outlet", "hangs_on_centre"),
        ("levels", "station", "since", "2021", "hangs_on_centre"),
        ("referrals", "outlet", "referred_on", "1", "referral"),
        ("referrals", "station", "referred_in", "0", "referral"),
        ("referrals", "outlet", "served", "1", "referral"),
    ],
)
def test_the_audit_finds_what_is_wrong_with_outlets(
    run: Path, table: str, level: str, column: str, value: str, rule: str
) -> None:
    path = run / "tables" / f"{table}.csv"
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    frame.loc[frame["level"] == level, column] = value
    frame.to_csv(path, index=False)
    assert rule in {finding.rule for finding in audit_run(run).findings}


@pytest.mark.parametrize(
    ("old", "new"),
    [("limit_m: 1300\n          referral_share: 0.2\n", "limit_m: 1299\n          referral_share: 0.2\n")],
)
def test_the_audit_holds_outlets_against_their_own_limit(run: Path, old: str, new: str) -> None:
    path = run / "scenario.resolved.yaml"
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")
    assert "hangs_on_centre" in {finding.rule for finding in audit_run(run).findings}


def test_the_affairs_network_of_the_reference_city_hangs_together() -> None:
    """Its 12 centres, 396 stations and 1,900 outlets, at the offices of 396 communities, within their districts."""
    from geodata.read import read_city

    levels = "{limit_m: 60000, within: district, outlets: {limit_m: 100}}"
    loaded = load_scenario("one_year", [f"programmes.services.affairs.hierarchy={levels}"])
    city = read_city("mianyang")
    problem = build_problem(city, loaded.scenario)
    units, hangs = problem.units, problem.hangs
    count = pd.Series(units.level).value_counts()
    assert count.to_dict() == {"outlet": 396, "station": 396, "centre": 12}
    assert (city.facilities.query("service == 'affairs'")["level"] == "outlet").sum() == 1900
    below = [(units.level[u], units.level[v]) for u, v in zip(hangs.lower, hangs.upper, strict=True)]
    assert set(below) == {("outlet", "station"), ("outlet", "centre"), ("station", "centre")}
    districts = {problem.districts[d] for d in problem.district[units.community[hangs.upper]]}
    assert districts == {"Fucheng", "Youxian", "Jiangyou", "Santai"}  # the study's centres lie in these


class Choices:
    """All plans of a tiny city of one network with levels, one choice of openings and ties at a time."""

    def __init__(self, seed: int) -> None:
        chance = random.Random(seed)
        self.needs = {c: chance.randrange(20, 300) for c in "abc"}
        self.facilities: list[Row] = [
            {**OUTLET, "facility": f"f{n}", "community": chance.choice("abc"),
             "level": chance.choice(["outlet", "station", "station", "centre"]), "capacity": chance.randrange(5, 200)}
            for n in range(2)
        ]  # fmt: skip
        self.sites: list[Row] = [
            {"site": f"s{n}", "community": chance.choice("abc"), "use": "station", "area_m2": chance.choice([5, 40])}
            for n in range(2)
        ]
        self.limit, self.limit_of_outlets = chance.choice([500, 1300, 2600]), chance.choice([500, 1300])
        self.inclusive, self.yuan = chance.random() < 0.7, chance.randrange(300, 900)
        self.share, self.share_of_outlets = chance.choice([0.1, 0.5]), chance.choice([0.2, 0.6])

    def scenario(self) -> Scenario:
        hierarchy = {
            "limit_m": self.limit, "referral_share": self.share, "inclusive": self.inclusive,
            "centre": {"fixed_yuan": 200},
            "outlets": {"limit_m": self.limit_of_outlets, "referral_share": self.share_of_outlets},
        }  # fmt: skip
        clinic = {"siting": "network", "limit_m": 1300, "within": "district", "area_m2_per_unit": 0.1,
                  "fixed_yuan": 100, "capital_yuan_per_unit": 1, "hierarchy": hierarchy}  # fmt: skip
        return make_scenario(
            programmes={"services": {"clinic": clinic}}, sources={"city": {"role": "city", "amount_yuan": self.yuan}}
        )

    def unmet(self) -> float:
        """Least unmet need of all choices."""
        return sum(self.needs.values()) - max(self._served(units, on) for units, on in self._all())

    def _all(self) -> Iterator[tuple[list[Row], tuple[int, ...]]]:
        merged: dict[tuple[str, str], Row] = {}
        for row in self.facilities:
            unit = {"community": row["community"], "level": row["level"], "capacity": 0.0, "new": False}
            merged.setdefault((row["community"], row["level"]), unit)["capacity"] += row["capacity"]
        for states in product(("", "station", "centre"), repeat=len(self.sites)):
            new = [
                {"community": site["community"], "level": state, "capacity": 10.0 * site["area_m2"], "new": True}
                for site, state in zip(self.sites, states, strict=True) if state
            ]  # fmt: skip
            units = [*merged.values(), *new]
            options = [self._options(units, u) for u in range(len(units))]
            for on in product(*options):
                idle = {u for u, v in enumerate(on) if v == -1}
                if not any(v in idle for v in on) and not any(units[u]["new"] for u in idle):
                    yield units, on

    def _options(self, units: list[Row], u: int) -> list[int]:
        """What a unit may hang on; -1: nothing, so that it is idle; -2: it need not hang."""
        level, here = units[u]["level"], "abc".index(units[u]["community"])
        if level == "centre":
            return [-2]
        above = {"station": {"centre"}, "outlet": {"station"} | ({"centre"} if self.inclusive else set())}[level]
        limit = self.limit if level == "station" else self.limit_of_outlets
        near = [abs("abc".index(unit["community"]) - here) * 1300 <= limit for unit in units]
        return [-1, *(v for v, unit in enumerate(units) if unit["level"] in above and near[v])]

    def _served(self, units: list[Row], on: tuple[int, ...]) -> float:
        pairs = [
            (c, u) for u, unit in enumerate(units) for c in "abc"
            if on[u] != -1 and (c == unit["community"] if unit["level"] == "outlet" else self._near(c, unit))
        ]  # fmt: skip
        load = np.zeros((len(units), len(pairs)))
        for n, (_, u) in enumerate(pairs):
            part, at = 1.0, u
            while at >= 0:
                load[at, n] += part
                part *= {"outlet": self.share_of_outlets, "station": self.share, "centre": 0.0}[units[at]["level"]]
                at = on[at]
        new = [u for u, unit in enumerate(units) if unit["new"]]
        fixed = sum(200 if units[u]["level"] == "centre" else 100 for u in new)
        demand = np.array([[float(c == place) for c, _ in pairs] for place in "abc"]).reshape(3, len(pairs))
        rows = np.vstack([demand, load, -load[new], load[new].sum(axis=0, keepdims=True)])
        right = [*self.needs.values(), *(unit["capacity"] for unit in units), *([-1.0] * len(new)), self.yuan - fixed]
        if not pairs:
            return 0.0 if not new else -np.inf
        done: Any = linprog(-np.ones(len(pairs)), A_ub=rows, b_ub=right, bounds=(0, None), method="highs")
        return -float(done.fun) if done.status == 0 else -np.inf

    def _near(self, community: str, unit: Row) -> bool:
        if unit["level"] == "centre" and not self.inclusive:
            return False
        return abs("abc".index(community) - "abc".index(unit["community"])) <= 1


@pytest.mark.parametrize("seed", range(10))
def test_the_best_plan_is_the_best_of_all_choices(seed: int) -> None:
    tiny = Choices(seed)
    needs = [(c, "clinic", amount) for c, amount in tiny.needs.items()]
    city = make_city(PLACES, facilities=tiny.facilities, sites=tiny.sites, needs=needs)
    joint = build_joint(build_problem(city, tiny.scenario()))
    assert least_unmet(joint) == pytest.approx(tiny.unmet(), abs=1e-3)


@pytest.mark.parametrize("seed", [0, 1, 2, 3, 27])  # 27: a centre that needs no floor
def test_every_plan_with_levels_passes_its_audit(seed: int, tmp_path: Path) -> None:
    """Three years, buildings that are ready later, money for one thing a year, and a service at the offices."""
    tiny = Choices(seed)
    for n, site in enumerate(tiny.sites):
        site["lead_years"] = (seed + n) % 2
    services = tiny.scenario().model_dump()["programmes"]["services"]
    hierarchy = {**services["clinic"]["hierarchy"], "outlets": {"limit_m": 10, "referral_share": 0.3}}
    services["desk"] = {"siting": "own", "capital_yuan_per_unit": 1, "within": "district", "hierarchy": hierarchy}
    levels = make_scenario(
        horizon={"years": 3, "price_growth": 0.1, "discount": 0.1}, programmes={"services": services},
        sources={"city": {"role": "city", "amount_yuan": [400, 500, 600], "carry_limit_share": 0.5}},
    )  # fmt: skip
    needs = [(c, "clinic", amount) for c, amount in tiny.needs.items()] + [("a", "desk", 100), ("b", "desk", 60)]
    more = [{**row, "facility": f"d{n}", "service": "desk"} for n, row in enumerate(tiny.facilities)]
    city = make_city(PLACES, facilities=[*tiny.facilities, *more], sites=tiny.sites, needs=needs)
    report = audit_run(run_folder(city, levels, tmp_path))
    assert report.passed, report.text()

"""One tiny case per programme, for the files of the model and for the agreement of solvers; and one with everything."""

from functools import cache

from geodata.city import City
from optimizer.scenario import Scenario
from tests.optimizer.tiny import Row, make_city, make_scenario

TWO_YEARS: Row = {"years": 2, "price_growth": 0.1, "discount": 0.25}
CITY: Row = {"role": "city", "amount_yuan": [20_000, 18_000], "carry_limit_share": 0.2}
EAST: Row = {"role": "district", "districts": ["east"], "amount_yuan": 8000}
DESK: Row = {
    "siting": "own",
    "unit": "cases",
    "fixed_yuan": 1000,
    "capital_yuan_per_unit": 10,
    "running_yuan": 500,
    "running_yuan_per_unit": 2,
    "area_m2_per_unit": 0.5,
    "min_capacity": 20,
    "growth": 0.1,
}
CLINIC: Row = {
    "siting": "network",
    "unit": "visits",
    "limit_m": 1500,
    "fixed_yuan": 2000,
    "capital_yuan_per_unit": 10,
    "running_yuan": 500,
    "running_yuan_per_unit": 1,
    "area_m2_per_unit": 0.1,
    "min_capacity": 50,
    "max_capacity": 500,
}
ROOM: Row = {
    "site": "ea",
    "community": "a",
    "use": "extension",
    "instrument": "renovate",
    "area_m2": 120,
    "min_area_m2": 40,
    "fixed_yuan": 500,
    "capital_yuan_per_m2": 100,
    "yearly_yuan_per_m2": 5,
}
PART: Row = {
    "site": "eb",
    "community": "b",
    "use": "extension",
    "instrument": "rent",
    "area_m2": 80,
    "yearly_yuan_per_m2": 60,
}
HALL: Row = {
    "site": "h",
    "community": "a",
    "use": "hall",
    "instrument": "share",
    "area_m2": 100,
    "hours_per_week": 20,
    "yearly_yuan_per_m2": 10,
}
STATION: Row = {
    "site": "st",
    "community": "b",
    "use": "station",
    "area_m2": 100,
    "min_area_m2": 20,
    "fixed_yuan": 1000,
    "capital_yuan_per_m2": 50,
    "yearly_yuan_per_m2": 5,
    "lead_years": 1,
}
NEAR: Row = {**STATION, "site": "su", "community": "a", "lead_years": 0, "area_m2": 25, "at": (800, 600)}
OLD: Row = {"facility": "f", "community": "a", "service": "clinic", "capacity": 100, "area_m2": 10, "running_yuan": 800}
OLD_DESK: Row = {
    "facility": "g",
    "community": "a",
    "service": "desk",
    "capacity": 30,
    "area_m2": 15,
    "running_yuan": 300,
}
A: Row = {"community": "a", "office": 60, "population": 1000}
B: Row = {"community": "b", "office": 40, "population": 1500, "type": "needy", "hardship": 0.5}

NONE = [("a", "desk", 0.0)]  # a city must have a table of needs


def _work_funds() -> tuple[City, Scenario]:
    scenario = make_scenario(
        horizon=TWO_YEARS,
        programmes={"work_funds": {"floor_yuan": 9000, "ceiling_yuan": 12_000, "care_hardship": 0.4}},
        sources={"city": {**CITY, "ceiling_share": {"work_funds": 0.6}}, "east": EAST},
        co_funding=[{"purpose": "work_funds", "of": "city", "ratio": 0.5}],
    )
    return make_city([A, B], needs=NONE), scenario


def _space() -> tuple[City, Scenario]:
    sources = {"city": {**CITY, "amount_yuan": [9000, 4000]}}
    scenario = make_scenario(horizon=TWO_YEARS, programmes={"space": {"target_m2": 300}}, sources=sources)
    return make_city([A, B], sites=[ROOM, PART, HALL], needs=NONE), scenario


def _swap() -> tuple[City, Scenario]:
    """Two swaps of one office, and a new building for which land is paid by half, beside desks that need floor."""
    sources = {"city": {**CITY, "amount_yuan": [9000, 4000]}}
    programmes = {"space": {"target_m2": 300, "land_fee_share": 0.5}, "services": {"desk": DESK}}
    scenario = make_scenario(horizon=TWO_YEARS, programmes=programmes, sources=sources)
    swap = {**ROOM, "instrument": "swap", "gives_m2": 50, "lead_years": 1}
    other = {**ROOM, "site": "es", "instrument": "swap", "gives_m2": 30, "min_area_m2": 0}
    build = {**ROOM, "site": "en", "community": "b", "instrument": "build", "plot_m2": 20, "land_yuan_per_m2": 60}
    return make_city([A, B], sites=[swap, other, build], needs=[("a", "desk", 100), ("b", "desk", 60)]), scenario


def _own_services() -> tuple[City, Scenario]:
    sources = {"city": {**CITY, "amount_yuan": [4000, 2500]}}
    scenario = make_scenario(horizon=TWO_YEARS, programmes={"services": {"desk": DESK}}, sources=sources)
    needs = [("a", "desk", 100), ("b", "desk", 60)]
    return make_city([A, B], facilities=[OLD_DESK], sites=[ROOM], needs=needs), scenario


def _network_services() -> tuple[City, Scenario]:
    sources = {"city": {**CITY, "amount_yuan": [15_000, 9000]}}
    services = {"clinic": CLINIC, "care": {**CLINIC, "unit": "hours", "min_capacity": 0}, "desk": {"siting": "own"}}
    programmes = {"services": services, "one_stop": {"min_services": 2}}
    scenario = make_scenario(horizon=TWO_YEARS, programmes=programmes, sources=sources)
    needs = [("a", "clinic", 300, 200), ("b", "clinic", 150, 90), ("a", "care", 80), ("b", "care", 120)]
    return make_city([A, B], facilities=[OLD], sites=[STATION, NEAR], needs=needs), scenario


def _money() -> tuple[City, Scenario]:
    """Every rule of money: limits by place, matches with a cap, expiry, commitments, running costs that go on."""
    limits = [
        {"for_each": "community", "at_most_yuan": 9000},
        {"purposes": ["space"], "for_each": "district", "at_least_share": 0.03},
        {"types": ["needy"], "purposes": ["work_funds"], "at_least_yuan": 1000, "at_most_share": 0.5},
    ]
    city = {"role": "city", "amount_yuan": [9000, 6000, 6000], "committed_yuan": [0, 500, 1000], "limits": limits}
    scenario = make_scenario(
        horizon={"years": 3, "price_growth": 0.1},
        programmes={"work_funds": {"floor_yuan": 4000}, "space": {"target_m2": 100}, "services": {"desk": DESK}},
        sources={
            "city": {**city, "carry_limit_yuan": 3000, "lasts_years": 2},
            "gift": {"role": "donor", "amount_yuan": 2000, "recurring": False},
        },
        co_funding=[{"payer": "city", "of": "gift", "ratio": 0.5, "within": "city", "cap_yuan": 1500}],
        running_commitment={"share": 0.25, "years_after": 3},
    )
    needs = [("a", "desk", 100), ("b", "desk", 60)]
    return make_city([A, B], facilities=[OLD_DESK], sites=[PART], needs=needs), scenario


def _debt_relief() -> tuple[City, Scenario]:
    scenario = make_scenario(
        horizon=TWO_YEARS,
        programmes={"debt_relief": {"share": 0.5}},
        guidance={"general": {"purposes": ["work_funds", "space", "services", "debt_relief"]}},
        sources={"gift": {"role": "donor", "amount_yuan": [3000, 2000], "purposes": ["debt_relief"]}},
    )
    return make_city([{**A, "debt_yuan": 8001}, {**B, "debt_yuan": 6000}], needs=NONE), scenario


def _one_stop() -> tuple[City, Scenario]:
    """Two services at two sites; a counter of 300 yuan and 4 m2 comes once with every building that is taken."""
    sources = {"city": {**CITY, "amount_yuan": [15_000, 9000]}}
    services = {"clinic": CLINIC, "care": {**CLINIC, "unit": "hours", "min_capacity": 0}}
    one_stop = {"counter_yuan": 300, "counter_m2": 4}
    scenario = make_scenario(
        horizon=TWO_YEARS, programmes={"services": services, "one_stop": one_stop}, sources=sources
    )
    needs = [("a", "clinic", 300, 200), ("b", "clinic", 150, 90), ("a", "care", 80), ("b", "care", 120)]
    return make_city([A, B], sites=[STATION, NEAR], needs=needs), scenario


def _hierarchy() -> tuple[City, Scenario]:
    """A centre in a; stations of both communities, old and new, refer a quarter of their cases to it."""
    hierarchy = {"limit_m": 1400, "referral_share": 0.25}
    clinic = {**CLINIC, "within": "district", "min_capacity": 0, "hierarchy": hierarchy}
    sources = {"city": {**CITY, "amount_yuan": [15_000, 9000]}}
    scenario = make_scenario(horizon=TWO_YEARS, programmes={"services": {"clinic": clinic}}, sources=sources)
    centre = {**OLD, "facility": "c", "level": "centre", "capacity": 90}
    old = {**OLD, "community": "b", "capacity": 60}
    needs = [("a", "clinic", 300, 200), ("b", "clinic", 150, 90)]
    return make_city([A, B], facilities=[centre, old], sites=[STATION], needs=needs), scenario


def _centres() -> tuple[City, Scenario]:
    """A centre or a station may open in b at once, in a in 2021; an old station in b and an old centre in a."""
    hierarchy = {"limit_m": 1400, "referral_share": 0.25, "centre": {"fixed_yuan": 3000, "area_m2_per_unit": 0.2}}
    clinic = {**CLINIC, "within": "district", "min_capacity": 0, "hierarchy": hierarchy}
    sources = {"city": {**CITY, "amount_yuan": [15_000, 9000]}}
    scenario = make_scenario(horizon=TWO_YEARS, programmes={"services": {"clinic": clinic}}, sources=sources)
    centre = {**OLD, "facility": "c", "level": "centre", "capacity": 40}
    old = {**OLD, "community": "b", "capacity": 60}
    needs = [("a", "clinic", 300, 200), ("b", "clinic", 150, 90)]
    here = {**STATION, "site": "su", "lead_years": 0}
    sites = [{**STATION, "community": "a"}, here]
    return make_city([A, B], facilities=[centre, old], sites=sites, needs=needs), scenario


def _outlets() -> tuple[City, Scenario]:
    """Outlets in a of a network and of an own service, with stations, old and to come, and the centres above them."""
    levels = {"limit_m": 1400, "referral_share": 0.25, "within": "district"}
    levels["outlets"] = {"limit_m": 1400, "referral_share": 0.2}
    services = {"clinic": {**CLINIC, "min_capacity": 0, "hierarchy": levels}, "desk": {**DESK, "hierarchy": levels}}
    sources = {"city": {**CITY, "amount_yuan": [15_000, 9000]}}
    scenario = make_scenario(horizon=TWO_YEARS, programmes={"services": services}, sources=sources)
    facilities = [
        {**old, "facility": f"{old['service']}_{level}", "community": place, "level": level}
        for old in (OLD, OLD_DESK)
        for level, place in (("outlet", "a"), ("station", "b"), ("centre", "b"))
    ]
    needs = [("a", "clinic", 300, 200), ("b", "clinic", 150, 90), ("a", "desk", 100), ("b", "desk", 60)]
    return make_city([A, B], facilities=facilities, sites=[STATION], needs=needs), scenario


def _closing() -> tuple[City, Scenario]:
    sources = {"city": {**CITY, "amount_yuan": [9000, 9000, 9000]}}
    rule = {**CLINIC, "min_capacity": 0, "closing": {"yuan": 300, "moving_yuan": 700}}
    services = {"clinic": rule, "desk": {"siting": "own"}}
    horizon = {**TWO_YEARS, "years": 3}
    scenario = make_scenario(horizon=horizon, programmes={"services": services}, sources=sources)
    other = {**OLD, "facility": "g", "community": "b", "capacity": 200, "lease_until": 2021}
    needs = [("a", "clinic", 120), ("b", "clinic", 60)]
    return make_city([A, B], facilities=[OLD, other], sites=[{**NEAR, "must": "take"}], needs=needs), scenario


def _upgrade() -> tuple[City, Scenario]:
    """A station with room for 80 more, that may close instead, beside a building where one could open."""
    sources = {"city": {**CITY, "amount_yuan": [9000, 9000]}}
    rule = {**CLINIC, "min_capacity": 0, "upgrade": {"fixed_yuan": 300}, "closing": {"yuan": 100}}
    scenario = make_scenario(horizon=TWO_YEARS, programmes={"services": {"clinic": rule}}, sources=sources)
    old = {**OLD, "spare_m2": 80 * float(CLINIC["area_m2_per_unit"])}
    needs = [("a", "clinic", 300, 200), ("b", "clinic", 150, 90)]
    return make_city([A, B], facilities=[old], sites=[STATION], needs=needs), scenario


def _fairness() -> tuple[City, Scenario]:
    """Three communities, one of them a group of its own, within bounds of inequality; rooms may pass the target."""
    sources = {"city": {**CITY, "amount_yuan": [16_000, 9000]}}
    group = {"types": ["needy"], "least_share_of_money": 0.3, "least_met_share": 0.4}
    scenario = make_scenario(
        horizon=TWO_YEARS,
        programmes={"work_funds": {"floor_yuan": 3000}, "space": {"target_m2": 100}},
        sources=sources,
        fairness={"gini_at_most": 0.05, "atkinson_at_most": {"epsilon": 0.5, "value": 0.02}, "groups": [group]},
    )
    c: Row = {"community": "c", "office": 90, "population": 700}
    return make_city([A, B, c], sites=[ROOM, PART], needs=NONE), scenario


def _everything() -> tuple[City, Scenario]:
    scenario = make_scenario(
        horizon=TWO_YEARS,
        programmes={
            "work_funds": {"floor_yuan": 5000, "care_hardship": 0.4},
            "space": {"target_m2": 200},
            "services": {"clinic": CLINIC, "desk": DESK},
        },
        types={"needy": {"weights": {"clinic": 2.0}}},
        sources={
            "city": {**CITY, "amount_yuan": [30_000, 20_000]},
            "east": EAST,
            "gift": {"role": "donor", "types": ["needy"], "amount_yuan": 3000},
        },
        co_funding=[{"purpose": "work_funds", "of": "city", "ratio": 0.5}],
    )
    needs = [("a", "clinic", 300, 200), ("b", "clinic", 150, 90), ("a", "desk", 100), ("b", "desk", 60)]
    city = make_city(
        [A, B],
        facilities=[OLD, OLD_DESK],
        sites=[ROOM, PART, HALL, STATION, NEAR],
        needs=needs,
        streets=[(500, 500, 1500, 500)],
    )
    return city, scenario


_MAKERS = {
    "work_funds": _work_funds,
    "space": _space,
    "swap": _swap,
    "own_services": _own_services,
    "network_services": _network_services,
    "debt_relief": _debt_relief,
    "money": _money,
    "one_stop": _one_stop,
    "hierarchy": _hierarchy,
    "centres": _centres,
    "outlets": _outlets,
    "closing": _closing,
    "upgrade": _upgrade,
    "fairness": _fairness,
    "everything": _everything,
}
CASES = tuple(_MAKERS)


@cache
def case(name: str) -> tuple[City, Scenario]:
    """Return the city and the scenario of a case."""
    return _MAKERS[name]()

"""Everything an audit looks at: the run folder and the inputs, read anew, and what follows from the inputs alone."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geodata.findings import InputError
from geodata.read import City, read_city
from optimizer.audit.report import Recorder
from optimizer.audit.tables import read_json, read_tables, read_yaml

Floats = NDArray[np.float64]
WORK_FUNDS, SPACE, DEBT_RELIEF = "work_funds", "space", "debt_relief"

# Tables hold six decimals, so a figure is off by at most 5e-7 and a sum of 200 figures by at most 1e-4.
RELATIVE = 1e-6
ABSOLUTE = 1e-4


@dataclass(frozen=True)
class Case:
    """A plan to be audited.

    `communities` is indexed by community (district, sub_district, type, class, office, office_area_m2, x, y,
    `outlet_m2` and `others_m2` of that office that others use, and `may_<programme>`), `places` by site or by facility
    that stands at a place of its own (community, use, x, y and
    the columns of sites), `existing` by (site, service, level), `needs` by (community, need, year).
    """

    folder: Path
    record: dict[str, Any]
    scenario: dict[str, Any]
    city: City
    tables: dict[str, pd.DataFrame]
    years: list[int]
    price: dict[int, float]
    year_weight: dict[int, float]
    communities: pd.DataFrame
    places: pd.DataFrame
    existing: pd.DataFrame
    needs: pd.DataFrame

    @property
    def services(self) -> dict[str, dict[str, Any]]:
        """Rules of each service."""
        rules: dict[str, dict[str, Any]] = self.scenario["programmes"]["services"]
        return rules

    def service(self, name: str) -> dict[str, Any]:
        """Values of one key of every service, by service."""
        return {service: rule[name] for service, rule in self.services.items()}

    def of_level(self, rows: pd.DataFrame, name: str) -> Floats:
        """Return one key of the service of each row of stations; for centres, that of new centres where it is given."""
        of = {
            (service, level): rule[name] if said is None else said
            for service, rule in self.services.items()
            for level in ("outlet", "station", "centre")
            for said in [self.new_centre(service).get(name) if level == "centre" else None]
        }
        return np.array([of[key] for key in zip(rows["service"], rows["level"], strict=True)], dtype=float)

    def new_centre(self, service: str) -> dict[str, Any]:
        """Return the rule of new centres of a service, empty where none may open."""
        return ((self.services[service].get("hierarchy") or {}).get("centre")) or {}

    def opens_centres(self, service: str) -> bool:
        """Return whether new centres of a service may open."""
        return (self.services[service].get("hierarchy") or {}).get("centre") is not None

    def prices(self, years: "pd.Series[int]") -> Floats:
        """Price index of each year of a column."""
        return np.asarray(years.map(self.price), dtype=float)


def near(a: "Floats | pd.Series[float]", b: "Floats | pd.Series[float] | float") -> NDArray[np.bool_]:
    """Whether figures agree within what six decimals allow."""
    x, y = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    return np.asarray(np.abs(x - y) <= ABSOLUTE + RELATIVE * np.maximum(np.abs(x), np.abs(y)))


def at_most(a: "Floats | pd.Series[float]", b: "Floats | pd.Series[float] | float") -> NDArray[np.bool_]:
    """Whether figures are at most their limits, within what six decimals allow."""
    x, y = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    return np.asarray(x <= y + ABSOLUTE + RELATIVE * np.abs(y))


def read_case(folder: Path, recorder: Recorder) -> Case | None:
    """Read a run folder and its inputs; None (and findings) where they cannot be read."""
    record = read_json(folder / "run.json", recorder)
    scenario = read_yaml(folder / "scenario.resolved.yaml", recorder)
    tables = read_tables(folder, recorder)
    if record is None or scenario is None or tables is None:
        return None
    try:
        data, horizon = scenario["data"], scenario["horizon"]
        city = read_city(
            data["path"], crs=data["crs"], metric_crs=data["metric_crs"], layers=data["layers"], base=folder
        )
    except InputError as error:
        for finding in error.findings:
            recorder.find("inputs", finding.text())
        return None
    except KeyError as error:
        recorder.find("files", f"the key {error} is missing", table="scenario.resolved.yaml")
        return None
    recorder.checked("inputs", len(city.files))
    errors = [finding for finding in city.findings if finding.severity == "error"]
    for finding in errors:
        recorder.find("inputs", finding.text())
    if errors:
        return None
    first, count = int(horizon["first_year"]), int(horizon["years"])
    years = [first + t for t in range(count)]
    raw = [(1 + horizon["discount"]) ** -t for t in range(count)]
    communities = _communities(city, scenario)
    return Case(
        folder=folder,
        record=record,
        scenario=scenario,
        city=city,
        tables=tables,
        years=years,
        price={year: (1 + horizon["price_growth"]) ** t for t, year in enumerate(years)},
        year_weight={year: weight / sum(raw) for year, weight in zip(years, raw, strict=True)},
        communities=communities,
        places=_places(city, communities),
        existing=_existing(city, scenario, communities),
        needs=_settled(_needs(city, scenario, communities, years), tables["grants"], unit_yuan(scenario)),
    )


def _communities(city: City, scenario: dict[str, Any]) -> pd.DataFrame:
    """Communities with their office, the point they are reached at, their class and what it allows."""
    inside = city.communities.geometry.representative_point()
    frame = pd.DataFrame(city.communities.drop(columns="geometry")).assign(x=inside.x, y=inside.y)
    frame = frame.set_index("community")
    for column in ("district", "sub_district"):
        frame[column] = frame[column].astype(str)
    frame["sub_district"] = frame["sub_district"].where(frame["sub_district"] != "", frame["district"])
    households = frame["households"].to_numpy(dtype=float)
    frame["households"] = np.where(np.isnan(households), frame["population"].to_numpy(float) / 2.6, households)
    offices = city.sites[city.sites["use"] == "office"].drop_duplicates("community").set_index("community")
    at = offices.geometry.reindex(frame.index)
    has = at.notna().to_numpy()
    frame.loc[has, "x"], frame.loc[has, "y"] = at[has].x.to_numpy(), at[has].y.to_numpy()
    # Own stations of a community without an office carry its own identifier as their site.
    frame["has_office"] = frame.index.isin(offices.index)
    frame["office"] = (
        offices["site"].reindex(frame.index).where(frame["has_office"], pd.Series(frame.index, frame.index))
    )
    frame["office_area_m2"] = offices["area_m2"].reindex(frame.index).astype(float).fillna(0.0)
    outlets, others = _floor_of_others(city, scenario)
    frame["outlet_m2"] = frame["office"].map(outlets).fillna(0.0).astype(float)
    frame["others_m2"] = frame["office"].map(others).fillna(0.0).astype(float)
    frame["class"] = _classes(frame, scenario["guidance"])
    for programme in ("work_funds", "space", "services", DEBT_RELIEF):
        allowed = {name for name, rule in scenario["guidance"].items() if programme in rule["purposes"]}
        frame[f"may_{programme}"] = frame["class"].isin(allowed)
    return frame


def _floor_of_others(city: City, scenario: dict[str, Any]) -> tuple[dict[str, float], dict[str, float]]:
    """Floor, by the building named, of outlets of networks, and of all else that gives no own service (with spare)."""
    rules = scenario["programmes"]["services"]
    outlets, others = dict[str, float](), dict[str, float]()
    columns = (city.facilities[c].tolist() for c in ("site", "service", "level", "area_m2", "spare_m2"))
    for site, service, level, area, spare in zip(*columns, strict=True):
        if site and rules.get(service, {}).get("siting") != "own":
            which = outlets if level == "outlet" else others
            which[site] = which.get(site, 0.0) + area + spare
    return outlets, others


def _classes(frame: pd.DataFrame, rules: dict[str, Any]) -> list[str]:
    """Class of guidance: the first rule all of whose conditions hold."""
    people = frame["population"].to_numpy(dtype=float)
    derived = {"own_income_yuan_per_person": frame["own_income_yuan"].to_numpy(dtype=float) / np.maximum(people, 1.0)}
    answer = np.full(len(frame), "", dtype=object)
    for name, rule in rules.items():
        holds = answer == ""
        if rule["types"]:
            holds &= frame["type"].isin(rule["types"]).to_numpy()
        for column, limits in rule["when"].items():
            value = derived[column] if column in derived else frame[column].to_numpy(dtype=float)
            low, high = limits["at_least"], limits["at_most"]
            holds &= (value >= (-np.inf if low is None else low)) & (value <= (np.inf if high is None else high))
        answer[holds] = name
    return [str(name) for name in answer]


def _places(city: City, communities: pd.DataFrame) -> pd.DataFrame:
    """Sites, places of facilities that have no site, and own places of communities without an office."""
    sites = pd.DataFrame(city.sites.drop(columns="geometry")).assign(x=city.sites.geometry.x, y=city.sites.geometry.y)
    parts = [sites.set_index("site")]
    if len(city.facilities):
        alone = city.facilities[
            (city.facilities["site"] == "")
            & ~city.facilities["community"].map(communities["has_office"]).fillna(False).astype(bool)
        ]
        own = pd.DataFrame({"site": alone["facility"], "community": alone["community"], "use": "own_place"})
        parts.append(own.assign(x=alone.geometry.x, y=alone.geometry.y).set_index("site"))
    bare = communities[~communities["has_office"]]
    parts.append(
        pd.DataFrame({"community": bare.index, "use": "own_office", "x": bare["x"], "y": bare["y"]}, index=bare.index)
    )
    places = pd.concat([part for part in parts if len(part)])
    places = places[~places.index.duplicated()]
    numbers = ("area_m2", "min_area_m2", "fixed_yuan", "capital_yuan_per_m2", "yearly_yuan_per_m2")
    for column in (*numbers, "gives_m2", "plot_m2", "land_yuan_per_m2"):
        places[column] = places[column].astype(float).fillna(0.0)
    for column in ("instrument", "services", "must"):
        places[column] = places[column].fillna("").astype(str)
    for column in ("first_year", "lead_years"):
        places[column] = places[column].astype(float).fillna(0.0).astype(int)
    places.index.name = "site"
    return places


def _existing(city: City, scenario: dict[str, Any], communities: pd.DataFrame) -> pd.DataFrame:
    """Existing stations per site, service and level; `paid_yuan` is what the budgets bear in first-year prices."""
    services = scenario["programmes"]["services"]
    f = city.facilities[city.facilities["service"].isin(list(services))]
    office = f["community"].map(communities["office"]).where(f["community"].map(communities["has_office"]))
    site = f["site"].where(f["site"] != "", office.fillna(f["facility"]))
    own = f["service"].map({k: rule["siting"] == "own" for k, rule in services.items()}).astype(bool)
    paid = ~own | f["community"].map(communities["may_services"]).astype(bool)
    frame = pd.DataFrame(
        {
            "site": site.astype(str),
            "service": f["service"].astype(str),
            "level": f["level"].astype(str),
            "community": f["community"].astype(str),
            "capacity": f["capacity"].astype(float),
            "area_m2": f["area_m2"].astype(float),
            "spare_m2": f["spare_m2"].astype(float),
            "paid_yuan": f["running_yuan"].astype(float) * paid,
            "facilities": 1,
            "lease_until": f["lease_until"].astype(int),
            "must": f["must"].astype(str),
        }
    )
    of = dict(zip(f["facility"], zip(frame["site"], frame["level"], strict=True), strict=True))
    on = [of.get(name, ("", "")) for name in f["hangs_on"]]
    frame = frame.assign(tied_site=[site for site, _ in on], tied_level=[level for _, level in on])
    numbers = dict.fromkeys(("capacity", "area_m2", "spare_m2", "paid_yuan", "facilities"), "sum")
    words = dict.fromkeys(("lease_until", "must", "tied_site", "tied_level"), "max")
    return frame.groupby(["site", "service", "level"]).agg({"community": "first", **words, **numbers})


def _needs(city: City, scenario: dict[str, Any], communities: pd.DataFrame, years: list[int]) -> pd.DataFrame:
    """Need, people, weight and unit of every community, need and year (equations 1 to 3, 6 and 8)."""
    horizon, programmes = scenario["horizon"], scenario["programmes"]
    funds, room = programmes["work_funds"], programmes["space"]
    kinds = scenario["types"]
    care = communities["type"].map({name: kind["care"] for name, kind in kinds.items()}).to_numpy(dtype=float)
    care = 1 + care + funds["care_hardship"] * communities["hardship"].to_numpy(dtype=float)
    care = care + _signs(funds, communities)
    own = funds.get("own_income")
    entitled = funds["floor_yuan"] * care
    if own:
        income = (
            communities["own_income_yuan"] - own["debt_service_share"] * communities["debt_yuan"] - own["free_yuan"]
        )
        entitled = np.maximum(0.0, entitled - own["share"] * np.maximum(0.0, income.to_numpy(dtype=float)))
    entitled = entitled * communities["may_work_funds"].to_numpy()
    if room["m2_per_100_households"] is None:
        target = np.full(len(communities), float(room["target_m2"]))
    else:
        target = room["m2_per_100_households"] * communities["households"].to_numpy(dtype=float) / 100
    target = target * communities["may_space"].to_numpy()
    people = communities["population"].to_numpy(dtype=float)
    listed = city.needs.set_index(["need", "community"])
    units = {WORK_FUNDS: scenario["currency"]["name"], SPACE: "m2"}
    parts = []
    debts = [DEBT_RELIEF] if programmes.get(DEBT_RELIEF) else []
    for need in (WORK_FUNDS, SPACE, *programmes["services"], *debts):
        if need == DEBT_RELIEF:
            amount, persons, unit, growth = _debts(programmes[need], communities), people, units[WORK_FUNDS], 0.0
        elif need in (WORK_FUNDS, SPACE):
            amount, persons, unit = (entitled if need == WORK_FUNDS else target), people, units[need]
            growth = horizon["price_growth"] if need == WORK_FUNDS else 0.0
        else:
            rule = programmes["services"][need]
            mine = listed[listed.index.get_level_values("need") == need].droplevel("need").reindex(communities.index)
            amount = mine["amount"].to_numpy(dtype=float, na_value=0.0)
            given = mine["persons"].to_numpy(dtype=float)
            persons = np.where(np.isnan(given), amount, given)
            if rule["siting"] == "own":
                amount = amount * communities["may_services"].to_numpy()
            growth, unit = rule["growth"], rule["unit"]
        weight = communities["type"].map({name: kind["weights"].get(need, 1.0) for name, kind in kinds.items()})
        for t, year in enumerate(years):
            parts.append(
                pd.DataFrame(
                    {
                        "community": communities.index,
                        "need": need,
                        "year": year,
                        "need_amount": amount * (1 + growth) ** t,
                        "persons": persons,
                        "weight": weight.to_numpy(dtype=float),
                        "unit": unit,
                    }
                )
            )
    frame = pd.concat(parts, ignore_index=True)
    frame["peak"] = frame.groupby(["community", "need"])["need_amount"].transform("max")
    return frame.set_index(["community", "need", "year"])


def _debts(rule: dict[str, Any], communities: pd.DataFrame) -> Floats:
    """Debts that may be paid off, in whole yuan, equation (26)."""
    debt = communities["debt_yuan"].to_numpy(dtype=float)
    may = communities[f"may_{DEBT_RELIEF}"].to_numpy(dtype=bool) & (debt >= rule["min_debt_yuan"])
    return np.asarray(np.where(may, np.floor(rule["share"] * debt + 1e-6), 0.0))


def _signs(funds: dict[str, Any], communities: pd.DataFrame) -> Floats:
    """Care that indicators of hardship give each community, equation (3)."""
    care = np.zeros(len(communities))
    people = np.maximum(communities["population"].to_numpy(dtype=float), 1.0)
    for sign in funds.get("care_indicators") or []:
        if sign["column"] == "own_income_yuan_per_person":
            value = communities["own_income_yuan"].to_numpy(dtype=float) / people
        else:
            value = communities[sign["column"]].to_numpy(dtype=float)
        if sign["per"]:
            value = value / np.maximum(communities[sign["per"]].to_numpy(dtype=float), 1.0)
        low, high = sign["none_at"], sign["full_at"]
        care += sign["weight"] * np.minimum(1.0, np.maximum(0.0, (value - low) / (high - low)))
    return care


def unit_yuan(scenario: dict[str, Any]) -> int:
    """Whole unit of grants in yuan; 1 in plans from before scenarios could say it."""
    return int(scenario["currency"].get("unit_yuan", 1))


def _settled(needs: pd.DataFrame, grants: pd.DataFrame, unit: int) -> pd.DataFrame:
    """Round entitlements to whole units, half up; `formula` keeps what the formula says.

    Where the formula ends on half a unit, the last digit of a float decides; then the table's figure stands.
    """
    index = pd.MultiIndex.from_arrays([grants["community"], [WORK_FUNDS] * len(grants), grants["year"]])
    said = pd.Series(grants["entitled_yuan"].to_numpy(dtype=float), index).reindex(needs.index).to_numpy()
    formula = needs["need_amount"].to_numpy(dtype=float)
    near = (np.abs(said - formula) <= 0.5 * unit + RELATIVE) & (said % unit == 0)
    rounded = np.where(near, said, np.floor(formula / unit + 0.5) * unit)
    is_funds = needs.index.get_level_values("need") == WORK_FUNDS
    return needs.assign(formula=formula, need_amount=np.where(is_funds, rounded, formula))

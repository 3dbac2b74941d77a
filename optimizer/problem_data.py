"""From a city and a scenario to the `Problem`: who needs what, what could be had, what is within reach."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from geodata.read import City
from optimizer.entitlement import communities_with_offices, entitlements
from optimizer.fair_groups import members
from optimizer.guidance import classify
from optimizer.problem import Existing, Floats, Halls, Ints, Places, Problem, Rooms
from optimizer.problem_facilities import facility_sites
from optimizer.problem_floor import office_floor
from optimizer.problem_levels import build_levels, with_centres, with_levels
from optimizer.problem_reach import cells, reach
from optimizer.problem_upgrades import arcs_with_upgrades, with_upgrades
from optimizer.scenario import Scenario
from optimizer.scenario_funds import DebtRelief


def build_problem(city: City, scenario: Scenario) -> Problem:
    """Return the problem of `scenario` on `city`; both must have passed their checks.

    Raises KeyError where the city names a type or service the scenario does not have.
    """
    frame = communities_with_offices(city)
    ids = tuple(frame["community"])
    position = {community: i for i, community in enumerate(ids)}
    services = tuple(scenario.services)
    classes = classify(frame, scenario.guidance)
    supports = {
        programme: np.array([programme in scenario.guidance[c].purposes for c in classes], dtype=bool)
        for programme in ("work_funds", "space", "services")
    }
    index = np.array(scenario.price_index())
    entitled, grant_limit = entitlements(frame, scenario, supports["work_funds"], index)
    target = _targets_m2(frame, scenario, supports["space"])
    amount, persons = _service_needs(city, position, services)
    own = np.array([scenario.services[k].siting == "own" for k in services])
    amount[np.ix_(~supports["services"], own)] = 0.0
    growth = np.array(
        [[(1 + s.growth) ** t for t in range(scenario.horizon.years)] for s in scenario.services.values()]
    )
    need = np.concatenate(
        [
            entitled[:, None, :],
            np.repeat(target[:, None, None], scenario.horizon.years, axis=2),
            amount[:, :, None] * growth[None, :, :],
        ],
        axis=1,
    )
    population = frame["population"].to_numpy(float)
    needs = ("work_funds", "space", *services)
    people = [population[:, None], population[:, None], persons]
    if scenario.programmes.debt_relief is not None:
        debt = _debts(frame, scenario)
        need = np.concatenate([need, np.repeat(debt[:, None, None], scenario.horizon.years, axis=2)], axis=1)
        needs, people = (*needs, "debt_relief"), [*people, population[:, None]]
    weight = np.array([[scenario.types[kind].weights.get(k, 1.0) for k in needs] for kind in frame["type"]])
    rooms = _rooms(city, scenario, position, supports["space"])
    halls = _halls(city, scenario, position)
    places = _places(city, scenario, frame, rooms, amount)
    existing = _existing(city, scenario, position, supports["services"])
    districts = tuple(dict.fromkeys(sorted(frame["district"])))
    sub_districts = tuple(dict.fromkeys(sorted(frame["sub_district"])))
    district = np.array([districts.index(d) for d in frame["district"]], dtype=np.int64)
    sub_district = np.array([sub_districts.index(b) for b in frame["sub_district"]], dtype=np.int64)
    arcs, existing_arcs, hall_arcs = reach(
        city,
        scenario,
        need=need,
        target_m2=target,
        district=district,
        sub_district=sub_district,
        places=places,
        existing=existing,
        halls=halls,
    )
    places = with_upgrades(city, scenario, places, existing)
    arcs = arcs_with_upgrades(places, arcs, existing_arcs)
    places, arcs = with_centres(city, scenario, rooms, places, existing, arcs)
    levels = build_levels(city, scenario, places, existing, district, sub_district)
    arcs, existing_arcs = with_levels(scenario, levels, existing, arcs, existing_arcs)
    cell_table, cell_of = cells(scenario, ids, tuple(frame["type"]), districts, district)
    used_own_m2 = np.zeros(len(ids))
    office = frame["office"].to_numpy()[existing.community]
    in_office = np.array([a == b for a, b in zip(office, existing.site, strict=True)], dtype=bool)
    if len(existing):
        chosen = own[existing.service] & in_office
        np.add.at(used_own_m2, existing.community[chosen], existing.area_m2[chosen])
    office_m2, free_m2 = office_floor(city, scenario, frame, used_own_m2)
    amounts, carry = _money(scenario)
    return Problem(
        scenario=scenario,
        years=tuple(scenario.years),
        price_index=index,
        year_weight=np.array(scenario.year_weights()),
        communities=ids,
        names=tuple(name or c for name, c in zip(frame["name"], ids, strict=True)),
        districts=districts,
        district=district,
        sub_districts=sub_districts,
        sub_district=sub_district,
        types=tuple(frame["type"]),
        classes=tuple(classes),
        office=tuple(frame["office"]),
        needs=needs,
        need=need,
        persons=np.concatenate(people, axis=1),
        weight=weight,
        grant_limit=grant_limit,
        existing_m2=office_m2,
        free_office_m2=free_m2,
        rooms=rooms,
        halls=halls,
        hall_arcs=hall_arcs,
        places=places,
        arcs=arcs,
        existing=existing,
        existing_arcs=existing_arcs,
        sources=tuple(scenario.sources),
        amount=amounts,
        carry_limit=carry,
        cells=cell_table,
        cell_of=cell_of,
        units=levels.units,
        hangs=levels.hangs,
        place_unit=levels.place_unit,
        existing_unit=levels.existing_unit,
        group=members(frame, classes, scenario.fairness.groups if scenario.fairness else []),
    )


def with_money(problem: Problem, scenario: Scenario) -> Problem:
    """Return a problem with the money of another scenario, which differs in amounts of its sources (and goals) only."""
    amounts, carry = _money(scenario)
    return replace(problem, scenario=scenario, amount=amounts, carry_limit=carry)


def _money(scenario: Scenario) -> tuple[Floats, Floats]:
    """(S, T) free new money and most that may be carried on, in yuan."""
    amounts = np.array([scenario.free_yuan(s) for s in scenario.sources], dtype=float)
    carry = [
        [source.carry_limit(yuan) for yuan in of] for source, of in zip(scenario.sources.values(), amounts, strict=True)
    ]
    return amounts, np.array(carry)


def _debts(frame: pd.DataFrame, scenario: Scenario) -> Floats:
    """Debt of each community that may be paid off, in whole yuan, equation (26)."""
    rule = scenario.programmes.debt_relief or DebtRelief()
    classes = classify(frame, scenario.guidance)
    may = np.array(["debt_relief" in scenario.guidance[c].purposes for c in classes], dtype=bool)
    debt = frame["debt_yuan"].to_numpy(float)
    return np.where(may & (debt >= rule.min_debt_yuan), np.floor(rule.share * debt + 1e-6), 0.0)


def _targets_m2(frame: pd.DataFrame, scenario: Scenario, supported: np.ndarray) -> Floats:
    """Space target per community, equation (6)."""
    rule = scenario.programmes.space
    if rule.m2_per_100_households is None:
        target = np.full(len(frame), rule.target_m2)
    else:
        target = rule.m2_per_100_households * frame["households"].to_numpy(float) / 100
    return np.where(supported, target, 0.0)


def _service_needs(city: City, position: dict[str, int], services: Sequence[str]) -> tuple[Floats, Floats]:
    """First-year amount and people concerned per community and service."""
    column = {k: c for c, k in enumerate(services)}
    amount, persons = np.zeros((2, len(position), len(services)))
    rows = city.needs["community"].map(position).to_numpy(int), city.needs["need"].map(column).to_numpy(int)
    amount[rows] = city.needs["amount"].to_numpy(float)
    persons[rows] = city.needs["persons"].to_numpy(float)
    return amount, persons


def _first(years: "pd.Series[int]", scenario: Scenario) -> Ints:
    """Index of the first year something can be taken; at or past the horizon where it cannot."""
    return np.maximum(0, years.to_numpy(np.int64) - scenario.horizon.first_year)


def _rooms(city: City, scenario: Scenario, position: dict[str, int], supported: np.ndarray) -> Rooms:
    sites = city.sites
    community = sites["community"].map(position).to_numpy(int)
    keep = sites["instrument"].isin(scenario.programmes.space.instruments).to_numpy(bool, copy=True)
    keep &= (sites["use"] == "station").to_numpy() | ((sites["use"] == "extension").to_numpy() & supported[community])
    keep &= (_first(sites["first_year"], scenario) + sites["lead_years"].to_numpy(int)) < scenario.horizon.years
    keep &= (sites["area_m2"].to_numpy(float) > 0) & (sites["must"] != "leave").to_numpy(bool)
    chosen = sites[keep]
    forced = (chosen["must"] == "take").to_numpy(bool)
    gives = np.where(chosen["instrument"] == "swap", chosen["gives_m2"], 0.0) * (chosen["use"] == "extension")
    land = np.where(chosen["instrument"] == "build", chosen["plot_m2"] * chosen["land_yuan_per_m2"], 0.0)
    fixed = chosen["fixed_yuan"] + scenario.programmes.space.land_fee_share * land
    fixed = fixed - chosen["capital_yuan_per_m2"] * gives  # a swap pays for what the new rooms have more
    least = np.where(forced, chosen["area_m2"], np.maximum(chosen["min_area_m2"], gives))
    return Rooms(
        site=tuple(chosen["site"]),
        community=community[keep].astype(np.int64),
        instrument=tuple(chosen["instrument"]),
        is_station=(chosen["use"] == "station").to_numpy(bool),
        first=_first(chosen["first_year"], scenario),
        lead=chosen["lead_years"].to_numpy(np.int64),
        forced=forced,
        min_area_m2=least.astype(float),
        smallest_m2=chosen["min_area_m2"].to_numpy(float),
        gives_m2=gives.to_numpy(float),
        fixed_yuan=fixed.to_numpy(float),
        **{name: chosen[name].to_numpy(float) for name in ("area_m2", "capital_yuan_per_m2", "yearly_yuan_per_m2")},
    )


def _halls(city: City, scenario: Scenario, position: dict[str, int]) -> Halls:
    rule = scenario.programmes.space
    chosen = city.sites[(city.sites["use"] == "hall") & city.sites["instrument"].isin(rule.instruments)]
    chosen = chosen[_first(chosen["first_year"], scenario) < scenario.horizon.years]
    return Halls(
        site=tuple(chosen["site"]),
        community=chosen["community"].map(position).to_numpy(np.int64),
        credit_m2=(chosen["area_m2"] * chosen["hours_per_week"] / rule.hall_full_hours).to_numpy(float),
        capital_yuan_per_m2=chosen["capital_yuan_per_m2"].to_numpy(float),
        yearly_yuan_per_m2=chosen["yearly_yuan_per_m2"].to_numpy(float),
        first=_first(chosen["first_year"], scenario),
    )


def _places(city: City, scenario: Scenario, frame: pd.DataFrame, rooms: Rooms, amount: Floats) -> Places:
    """Own offices for own services with a need, and station buildings for network services."""
    rows: list[tuple[str, int, int, int]] = []
    allowed = dict(zip(city.sites["site"], city.sites["services"], strict=True))
    for k, service in enumerate(scenario.services.values()):
        if service.siting == "own":
            office = frame["office"].tolist()
            rows += [(office[i], int(i), k, -1) for i in np.flatnonzero(amount[:, k] > 0)]
    for r in np.flatnonzero(rooms.is_station):
        words = [w.strip() for w in str(allowed[rooms.site[r]] or "").split(",") if w.strip()]
        rows += [
            (rooms.site[r], int(rooms.community[r]), k, int(r))
            for k, (name, service) in enumerate(scenario.services.items())
            if service.siting == "network" and (not words or name in words)
        ]
    columns = list(zip(*rows, strict=True)) if rows else [(), (), (), ()]
    community, kind, room = (np.array(c, dtype=np.int64) for c in columns[1:])
    most = np.array([s.max_capacity for s in scenario.services.values()], dtype=float)[kind]
    none, no = np.full(len(rows), -1, dtype=np.int64), np.zeros(len(rows), dtype=bool)
    return Places(tuple(columns[0]), community, kind, room, none, most, no)


def _existing(city: City, scenario: Scenario, position: dict[str, int], supported: np.ndarray) -> Existing:
    """Facilities of planned services, summed per site, service and level."""
    given = (city.facilities["service"] != "").to_numpy(dtype=bool)
    frame_of, services = city.facilities[given], list(scenario.services)
    sites = [site for site, keep in zip(facility_sites(city), given, strict=True) if keep]
    table = (
        pd.DataFrame(
            {
                "site": sites,
                "community": frame_of["community"].map(position).to_numpy(),
                "service": frame_of["service"].map(services.index).to_numpy(),
                "level": frame_of["level"].to_numpy(),
                "lease_until": frame_of["lease_until"].to_numpy(),
                "must": frame_of["must"].to_numpy(),
                **{c: frame_of[c].to_numpy(float) for c in ("capacity", "area_m2", "spare_m2", "running_yuan")},
            }
        )
        .groupby(["site", "service", "level"], sort=True)
        .agg(
            {
                "community": "first",
                "capacity": "sum",
                "area_m2": "sum",
                "spare_m2": "sum",
                "running_yuan": "sum",
                "lease_until": "max",
                "must": "max",
            }
        )
        .reset_index()
    )
    community = table["community"].to_numpy(np.int64)
    service = table["service"].to_numpy(np.int64)
    own = np.array([s.siting == "own" for s in scenario.services.values()])
    return Existing(
        site=tuple(table["site"]),
        community=community,
        service=service,
        level=tuple(table["level"]),
        capacity=table["capacity"].to_numpy(float),
        area_m2=table["area_m2"].to_numpy(float),
        spare_m2=table["spare_m2"].to_numpy(float),
        running_yuan=table["running_yuan"].to_numpy(float),
        paid=~own[service] | supported[community] if len(table) else np.zeros(0, dtype=bool),
        **_closings(table, scenario),
    )


def _closings(table: pd.DataFrame, scenario: Scenario) -> dict[str, Any]:
    """Years (positions) in which each existing station may close, and which must, equation (10)."""
    services, years = list(scenario.services.values()), scenario.horizon.years
    first, last = np.full(len(table), years), np.full(len(table), years - 1)
    must = np.zeros(len(table), dtype=bool)
    rows = zip(*(table[name].tolist() for name in ("service", "level", "must", "lease_until")), strict=True)
    for n, (k, level, asked, until) in enumerate(rows):
        service = services[k]
        if service.siting == "own" or level == "outlet" or asked == "keep":
            continue
        over = int(until) + 1 - scenario.horizon.first_year
        ends = until > 0 and over < years
        must[n] = (ends or asked == "close") and years > 1
        carries = level == "centre" and service.hierarchy is not None  # what others may hang on stays if it can
        if asked == "close" or (service.closing is not None and service.closing.freely and not carries):
            first[n] = 1
        if ends:
            first[n], last[n] = min(first[n], over), over
    return {"close_first": first.astype(np.int64), "close_last": last.astype(np.int64), "close_must": must}

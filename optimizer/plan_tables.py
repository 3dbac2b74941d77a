"""The tables of a plan: who gets what, where and when, and what it costs in whole yuan (equations 1 to 12).

Columns are those of the run folder's contract (`docs/run-folder.md`). Every cost is computed here from the written
quantities, in prices of its year, rounded half up, so that a reader can recompute it.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace

import numpy as np
import pandas as pd

from optimizer.levels_table import flows, taken_in
from optimizer.one_stop_table import one_stop_table
from optimizer.problem import SPACE, WORK_FUNDS, YEARLY_SPACE, Floats, Problem
from optimizer.scenario_services import Service
from optimizer.solution import Decisions

DECIMALS = 6
LAST_DIGIT = 1e-6
"""A need is met whole where no more is missing than so many units and so much of it, equation (1)."""


@dataclass(frozen=True)
class Item:
    """A cost to be paid: its cell and year, and what it is for (empty where that does not apply).

    `yearly`: it comes again every year, where that matters, equation (23).
    """

    purpose: str
    cell: int
    year: int
    community: str
    service: str
    site: str
    yuan: int
    yearly: bool = False


@dataclass(frozen=True)
class Tables:
    """Tables of a plan without its money, and the costs to be paid."""

    grants: pd.DataFrame
    space: pd.DataFrame
    stations: pd.DataFrame
    assignments: pd.DataFrame
    met: pd.DataFrame
    scores: pd.DataFrame
    one_stop: pd.DataFrame
    items: list[Item]
    debts: pd.DataFrame | None = None


def half_up(yuan: float) -> int:
    """Whole yuan, half up."""
    return int(np.floor(yuan + 0.5))


def plan_tables(problem: Problem, decisions: Decisions) -> Tables:
    """Return the tables of a plan."""
    items: list[Item] = []
    grants = _grants(problem, decisions, items)
    space, area = _space(problem, decisions, items)
    stations = _stations(problem, decisions, items)
    assignments, served = _assignments(problem, decisions)
    debts = _debts(problem, decisions, items)
    met, share = _met(problem, decisions, area, served)
    shared = one_stop_table(problem, decisions, space, stations)
    return Tables(grants, space, stations, assignments, met, scores(problem, share), shared, items, debts)


def _grants(problem: Problem, decisions: Decisions, items: list[Item]) -> pd.DataFrame:
    rows = []
    for i, community in enumerate(problem.communities):
        for t, year in enumerate(problem.years):
            grant = int(decisions.grant_yuan[i, t])
            rows.append((community, year, int(problem.need[i, WORK_FUNDS, t]), grant, problem.classes[i]))
            if grant:
                items.append(Item("work_funds", problem.cell("work_funds", i), t, community, "", "", grant))
    return pd.DataFrame(rows, columns=["community", "year", "entitled_yuan", "grant_yuan", "class"])


def _debts(problem: Problem, decisions: Decisions, items: list[Item]) -> pd.DataFrame | None:
    """Rows of `debts.csv`, equation (26); None where the scenario has no debt relief."""
    if "debt_relief" not in problem.needs:
        return None
    k, rows = problem.needs.index("debt_relief"), []
    for i, community in enumerate(problem.communities):
        left = int(problem.need[i, k, 0])
        for t, year in enumerate(problem.years) if left else ():
            relief = min(left, int(decisions.relief_yuan[i, t]))
            rows.append((community, year, left, relief, left - relief))
            left -= relief
            if relief:
                items.append(Item("debt_relief", problem.cell("debt_relief", i), t, community, "", "", relief))
    return pd.DataFrame(rows, columns=["community", "year", "debt_yuan", "relief_yuan", "left_yuan"])


def _space(problem: Problem, decisions: Decisions, items: list[Item]) -> tuple[pd.DataFrame, Floats]:
    """Rows of `space.csv`, and (n, T) area of every community."""
    rooms, halls, arcs, index = problem.rooms, problem.halls, problem.hall_arcs, problem.price_index
    area = np.repeat(problem.existing_m2[:, None], len(problem.years), axis=1)
    rows = []
    parts: dict[int, list[tuple[int, float]]] = {}
    for r, start, m2 in zip(decisions.room, decisions.room_year, decisions.room_m2, strict=True):
        parts.setdefault(int(r), []).append((int(start), float(m2)))
    for r, starts in sorted(parts.items()):
        station, i, site = bool(rooms.is_station[r]), int(rooms.community[r]), rooms.site[r]
        for t in range(min(start for start, _ in starts), len(problem.years)):
            new = sum(m2 for start, m2 in starts if start == t)
            in_use = round(sum(m2 for start, m2 in starts if start + rooms.lead[r] <= t), DECIMALS)
            whole = rooms.fixed_yuan[r] + (problem.scenario.programmes.one_stop.counter_yuan if station else 0.0)
            fixed = whole if any(start == t for start, _ in starts) else 0.0
            once = fixed + rooms.capital_yuan_per_m2[r] * new
            yuan = half_up(index[t] * (once + rooms.yearly_yuan_per_m2[r] * in_use))
            use = "station" if station else "extension"
            given = float(rooms.gives_m2[r]) if in_use else 0.0
            rows.append((problem.communities[i], t, rooms.instrument[r], in_use, yuan, site, use, given))
            yearly = half_up(index[t] * rooms.yearly_yuan_per_m2[r] * in_use)
            items += _space_items(problem, (i, t, site), yuan, yearly, shared=station)
            if not station:
                area[i, t] += in_use - given
    shared: dict[tuple[int, int], list[tuple[int, float]]] = {}
    for a, start, m2 in zip(decisions.hall_arc, decisions.hall_year, decisions.hall_m2, strict=True):
        shared.setdefault((int(arcs.community[a]), int(arcs.target[a])), []).append((int(start), float(m2)))
    for (i, h), starts in sorted(shared.items()):
        for t in range(min(s for s, _ in starts), len(problem.years)):
            m2 = round(sum(v for s, v in starts if s <= t), 2)
            new = sum(v for s, v in starts if s == t)
            yuan = half_up(index[t] * (halls.capital_yuan_per_m2[h] * new + halls.yearly_yuan_per_m2[h] * m2))
            rows.append((problem.communities[i], t, "share", m2, yuan, halls.site[h], "hall", 0.0))
            yearly = half_up(index[t] * halls.yearly_yuan_per_m2[h] * m2)
            items += _space_items(problem, (i, t, halls.site[h]), yuan, yearly, shared=False)
            area[i, t] += m2
    columns = ["community", "year", "instrument", "area_m2", "cost_yuan", "site", "use", "given_m2"]
    frame = pd.DataFrame(rows, columns=columns)
    frame["year"] = [problem.years[t] for t in frame["year"]]
    return frame.sort_values(["community", "site", "year"], ignore_index=True), area


def _space_items(
    problem: Problem, at: tuple[int, int, str], yuan: int, yearly_yuan: int, *, shared: bool
) -> Iterator[Item]:
    """Yield the cost of rooms in a community, year and site; what is yearly apart where (23) asks, else as one."""
    i, t, site = at
    once, yearly = (problem.cell(kind, i, shared=shared) for kind in ("space", YEARLY_SPACE))
    community = "" if shared else problem.communities[i]
    again = min(yuan, yearly_yuan) if once != yearly else 0
    if yuan > again or not again:
        yield Item("space", once, t, community, "", site, yuan - again)
    if again:
        yield Item("space", yearly, t, community, "", site, again, yearly=True)


@dataclass
class _Station:
    """What a service has at a site, at one level, in one year; without a status while nothing is there."""

    community: str
    district: str
    status: str = ""
    capacity: float = 0.0
    area_m2: float = 0.0
    capital_yuan: int = 0
    running_yuan: int = 0
    moved: int = 0


def _stations(problem: Problem, decisions: Decisions, items: list[Item]) -> pd.DataFrame:
    """Rows of `stations.csv`: existing capacity and new capacity per site, service, level and year."""
    services = list(problem.scenario.services.items())
    index, existing, places = problem.price_index, problem.existing, problem.places
    table: dict[tuple[str, str, str], list[_Station]] = {}

    def rows_of(site: str, service: str, level: str, i: int) -> list[_Station]:
        empty = _Station(problem.communities[i], problem.districts[problem.district[i]])
        return table.setdefault((site, service, level), [replace(empty) for _ in problem.years])

    def pay(purpose: str, row: _Station, t: int, place: tuple[int, int, str], shared: bool, yuan: int) -> None:
        i, k, site = place
        if purpose == "service_capital":
            row.capital_yuan += yuan
        else:
            row.running_yuan += yuan
        if yuan:
            name = services[k][0]
            community = "" if shared else problem.communities[i]
            cell = problem.cell(purpose, i, k, shared=shared)
            items.append(Item(purpose, cell, t, community, name, site, yuan, bool(problem.cells.yearly[cell])))

    closing = dict(zip(decisions.closed.tolist(), decisions.close_year.tolist(), strict=True))
    for e, site in enumerate(existing.site):
        i, k = int(existing.community[e]), int(existing.service[e])
        name, rule = services[k]
        until = closing.get(e, len(problem.years))
        table_rows = rows_of(site, name, existing.level[e], i)
        if e in closing:
            table_rows[until].status = "closed"
            yuan = half_up(float(index[until]) * (rule.closing.yuan if rule.closing else 0.0))
            pay("service_capital", table_rows[until], until, (i, k, site), True, yuan)
        for t, row in enumerate(table_rows[:until]):
            row.status = "existing"
            row.capacity += float(existing.capacity[e])
            row.area_m2 += float(existing.area_m2[e])
            if existing.paid[e]:
                yuan = half_up(existing.running_yuan[e] * index[t])
                pay("service_running", row, t, (i, k, site), rule.siting == "network", yuan)
    used = _used(problem, decisions)
    for j, start, moved in zip(decisions.opened, decisions.open_year, decisions.moved, strict=True):
        site, i, k = places.site[j], int(places.community[j]), int(places.service[j])
        name, rule, level = _rule_at(problem, int(j))
        capacity = float(np.ceil(used[j] * 10**DECIMALS - 1e-3) / 10**DECIMALS)
        upgrade = rule.upgrade if places.upgrades[j] >= 0 else None
        capacity = min(capacity, places.most[j]) if upgrade else max(capacity, rule.min_capacity)
        fixed_yuan, yearly = (upgrade.fixed_yuan, 0.0) if upgrade else (rule.fixed_yuan, rule.running_yuan)
        rows = rows_of(site, name, level, i)
        existed = bool(rows[0].status)
        shared = not places.own[j]
        for t in range(int(start), len(problem.years)):
            row = rows[t]
            row.status = ("upgraded" if existed else "opened") if t == start else "kept"
            row.capacity += capacity
            row.area_m2 += rule.area_m2_per_unit * capacity
            if t == start:
                fixed = rule.closing.moving_yuan if moved and rule.closing else fixed_yuan
                row.moved = int(moved)
                yuan = half_up(index[t] * ((fixed or 0.0) + rule.capital_yuan_per_unit * capacity))
                pay("service_capital", row, t, (i, k, site), shared, yuan)
            yuan = half_up(index[t] * (yearly + rule.running_yuan_per_unit * capacity))
            pay("service_running", row, t, (i, k, site), shared, yuan)
    rows_out = [
        {"site": site, "service": service, "level": level, "year": problem.years[t], **asdict(row)}
        for (site, service, level), rows in sorted(table.items())
        for t, row in enumerate(rows)
        if row.status
    ]
    columns = ["site", "service", "level", "year", "status", "capacity", "area_m2", "capital_yuan", "running_yuan"]
    frame = pd.DataFrame(rows_out, columns=[*columns, "community", "district", "moved"])
    frame = frame.round({"capacity": DECIMALS, "area_m2": DECIMALS})
    return frame.astype({"capital_yuan": "int64", "running_yuan": "int64"})


def _used(problem: Problem, decisions: Decisions) -> Floats:
    """(places,) capacity that is used at the peak: by whom a station serves, and by what is referred to it (13)."""
    arcs, used = problem.arcs, np.zeros(len(problem.places))
    peak = problem.peak[arcs.community, problem.places.service[arcs.target] + 2]
    np.add.at(used, arcs.target[decisions.serve_arc], peak[decisions.serve_arc] * decisions.serve_share)
    for place, units in taken_in(problem, decisions, flows(problem, decisions)).items():
        used[place] += units
    return used


def _rule_at(problem: Problem, place: int) -> tuple[str, Service, str]:
    """Service of a place, its rule there, and the level it opens at."""
    name, rule = list(problem.scenario.services.items())[problem.places.service[place]]
    return (name, rule.of_centre, "centre") if problem.places.centre[place] else (name, rule, "station")


def _assignments(problem: Problem, decisions: Decisions) -> tuple[pd.DataFrame, Floats]:
    """Rows of `assignments.csv`, and (n, K, T) amounts served."""
    years, needs = len(problem.years), problem.needs
    totals: dict[tuple[int, int, str], tuple[Floats, float]] = {}

    def add(i: int, k: int, site: str, share: float, first: int, metres: float, until: int = years) -> None:
        amounts, _ = totals.setdefault((i, k, site), (np.zeros(years), metres))
        amounts[first:until] += problem.need[i, k, first:until] * share

    old, arcs = problem.existing, problem.existing_arcs
    closing = dict(zip(decisions.closed.tolist(), decisions.close_year.tolist(), strict=True))
    for a, share in zip(decisions.kept_arc, decisions.kept_share, strict=True):
        e, k = int(arcs.target[a]), int(old.service[arcs.target[a]]) + 2
        add(int(arcs.community[a]), k, old.site[e], share, 0, arcs.travel_m[a], closing.get(e, years))
    for a, start, share in zip(decisions.handed_arc, decisions.handed_year, decisions.handed_share, strict=True):
        e = int(arcs.target[a])
        add(int(arcs.community[a]), int(old.service[e]) + 2, old.site[e], share, int(start), arcs.travel_m[a])
    for a, start, share in zip(decisions.joined_arc, decisions.joined_year, decisions.joined_share, strict=True):
        e = int(arcs.target[a])
        add(int(arcs.community[a]), int(old.service[e]) + 2, old.site[e], share, int(start), arcs.travel_m[a])
    new, places = problem.arcs, problem.places
    for a, start, share in zip(decisions.serve_arc, decisions.serve_year, decisions.serve_share, strict=True):
        j = new.target[a]
        add(int(new.community[a]), int(places.service[j]) + 2, places.site[j], share, int(start), new.travel_m[a])
    served = np.zeros(problem.need.shape)
    rows = []
    for (i, k, site), (amounts, metres) in sorted(totals.items()):
        for t in range(years):
            room = problem.need[i, k, t] - served[i, k, t]
            amount = float(np.floor(min(amounts[t], room) * 10**DECIMALS + 1e-3) / 10**DECIMALS)
            if amount > 0:
                served[i, k, t] += amount
                rows.append((problem.communities[i], site, needs[k], problem.years[t], amount, metres))
    columns = ["community", "site", "service", "year", "amount", "travel_m"]
    return pd.DataFrame(rows, columns=columns), served


def _met(problem: Problem, decisions: Decisions, area: Floats, served: Floats) -> tuple[pd.DataFrame, Floats]:
    """Rows of `met.csv`, and (n, K, T) met shares, equation (1)."""
    amount = served.copy()
    amount[:, WORK_FUNDS, :] = np.minimum(decisions.grant_yuan, problem.need[:, WORK_FUNDS, :])
    amount[:, SPACE, :] = np.minimum(area, problem.need[:, SPACE, :])
    if "debt_relief" in problem.needs:
        amount[:, problem.needs.index("debt_relief"), :] = np.cumsum(decisions.relief_yuan, axis=1)
    amount = np.asarray(np.round(np.minimum(amount, problem.need), DECIMALS), dtype=float)
    share = _shares(problem, amount)
    units = [problem.scenario.currency.name, "m2", *(s.unit for s in problem.scenario.services.values())]
    units.append(problem.scenario.currency.name)  # of debts, where they are a need
    n, needs, years = problem.shape
    i, k, t = (a.ravel() for a in np.indices((n, needs, years)))
    frame = pd.DataFrame(
        {
            "community": [problem.communities[x] for x in i],
            "need": [problem.needs[x] for x in k],
            "year": [problem.years[x] for x in t],
            "need_amount": np.round(problem.need[i, k, t], DECIMALS),
            "met_amount": amount[i, k, t],
            "met_share": np.round(share[i, k, t], DECIMALS),
            "unit": [units[x] for x in k],
            "persons": np.round(problem.persons[i, k], DECIMALS),
            "weight": problem.weight[i, k],
        }
    )
    return frame, share


def scores(problem: Problem, share: Floats) -> pd.DataFrame:
    """Rows of `scores.csv` from (n, K, T) met shares, equation (2); `year` is empty for the whole horizon."""
    by_year = np.einsum("ikt,ikt->it", problem.score_weight, share)
    whole = by_year @ problem.year_weight
    rows: list[tuple[str, object, float]] = []
    for i in np.flatnonzero(problem.scored):
        name = problem.communities[i]
        rows += [(name, year, round(float(by_year[i, t]), DECIMALS)) for t, year in enumerate(problem.years)]
        rows.append((name, "", round(float(whole[i]), DECIMALS)))
    return pd.DataFrame(rows, columns=["community", "year", "score"])


def worst_off(problem: Problem, share: Floats, follows: np.ndarray) -> float:
    """Smallest score over the horizon among the communities that follow the common level."""
    whole = np.einsum("ikt,ikt->it", problem.score_weight, share) @ problem.year_weight
    return float(whole[follows].min()) if follows.any() else 1.0


def share_of(problem: Problem, met: pd.DataFrame) -> Floats:
    """(n, K, T) met shares of a `met.csv` table, from its amounts, equation (1)."""
    amount = met["met_amount"].to_numpy(float).reshape(problem.need.shape)
    return _shares(problem, amount)


def _shares(problem: Problem, amount: Floats) -> Floats:
    """(n, K, T) met shares of amounts, equation (1); what lacks but the last of six decimals is met."""
    short = problem.need - amount > LAST_DIGIT * (1 + problem.need)
    return np.asarray(np.divide(amount, problem.need, out=np.ones_like(amount), where=short))

"""Tiny cities and scenarios made in memory, and the whole way from them to a plan in whole yuan.

Communities are squares of 1 km in a row; an office stands in the middle of its square unless `at` says where.
There are no streets unless given, so travel is the straight line x 1.3.
"""

import contextlib
import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Event
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
from pyproj import CRS
from shapely.geometry import LineString, Point, box

from geodata.city import City
from geodata.finish import empty, finish
from geodata.schema import TABLES
from geodata.values import convert
from optimizer.fit import achieved
from optimizer.goals import Found, goal_of, value_of
from optimizer.joint import Joint, build_joint
from optimizer.ledger import Books, MoneyShortError, keep_books
from optimizer.plan_tables import Tables, plan_tables
from optimizer.problem import Problem
from optimizer.problem_data import build_problem
from optimizer.progress import Silent
from optimizer.run_write import footed
from optimizer.scenario import Scenario
from optimizer.search import find_plan
from optimizer.solution import Decisions, decode
from optimizer.watch import Watch

Row = dict[str, Any]
CRS_M = "EPSG:32648"
X, Y = 500_000.0, 3_480_000.0
ALL = ["work_funds", "space", "services"]
GOALS = ("worst_off", "unmet_need", "travel", "spending")
DESK: Row = {"siting": "own", "unit": "cases"}
BASE: dict[str, Any] = {
    "name": "tiny",
    "horizon": {"first_year": 2020, "years": 1},
    "types": {"plain": {}, "needy": {"care": 0.5}},
    "guidance": {"general": {"purposes": ALL}},
    "programmes": {
        "work_funds": {"floor_yuan": 0},
        "space": {"target_m2": 0},
        "services": {"desk": DESK},
    },
    "sources": {"city": {"role": "city", "amount_yuan": 1_000_000}},
    # Every goal to its end, so that the numbers are those found by hand.
    "goals": [{"goal": goal, "tolerance": 0.0, "gap": 0.0} for goal in GOALS],
    "solver": {"method": "whole", "threads": 1},
}


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with `changes`: mappings key by key, all else replaced."""
    out = copy.deepcopy(dict(base))
    for key, value in changes.items():
        both = isinstance(value, Mapping) and isinstance(out.get(key), Mapping)
        out[key] = merged(out[key], value) if both else copy.deepcopy(value)
    return out


def make_scenario(*, sources: Mapping[str, Any] | None = None, **changes: Any) -> Scenario:
    """Return the scenario of `BASE` with changes; `sources` replaces all sources."""
    values = merged(BASE, changes)
    if sources is not None:
        values["sources"] = copy.deepcopy(dict(sources))
    return Scenario.model_validate(values)


def make_city(
    communities: Sequence[Row],
    *,
    sites: Sequence[Row] = (),
    facilities: Sequence[Row] = (),
    needs: Sequence[tuple[str, str, float]] | Sequence[tuple[str, str, float, float]] = (),
    streets: Sequence[tuple[float, float, float, float]] = (),
) -> City:
    """Return a city; community `n` is the square from 1000 n to 1000 (n + 1) metres, `at` of other rows is in metres.

    Every community has an office of its own called o_<community>, of `office` m2 (100 unless given; None: no office).
    """
    where = {str(row["community"]): n for n, row in enumerate(communities)}
    offices = [
        {"site": f"o_{c['community']}", "community": c["community"], "use": "office", "area_m2": c.get("office", 100)}
        for c in communities
        if c.get("office", 100) is not None
    ]
    site_rows = [{"instrument": "existing" if s["use"] == "office" else "build", **s} for s in [*offices, *sites]]
    rows: dict[str, list[Row]] = {
        "communities": [
            {"type": "plain", "district": "east", "population": 1000, **c, "geometry": _square(where[c["community"]])}
            for c in communities
        ],
        "sites": [{**s, "geometry": _point(s, where)} for s in site_rows],
        "facilities": [{**f, "geometry": _point(f, where)} for f in facilities],
        "streets": [
            {"street": f"s{n}", "geometry": LineString([(X + a, Y + b), (X + c, Y + d)])}
            for n, (a, b, c, d) in enumerate(streets)
        ],
        "needs": [
            {"community": n[0], "need": n[1], "amount": n[2], "persons": n[3] if len(n) > 3 else n[2]} for n in needs
        ],
        "districts": [],
    }
    frames = {name: _table(name, rows.get(name, [])) for name in TABLES}
    return City(**frames, metric_crs=CRS_M, name="tiny")  # type: ignore[arg-type]


def _square(n: int) -> Any:
    return box(X + 1000 * n, Y, X + 1000 * (n + 1), Y + 1000)


def _point(row: Row, where: Mapping[str, int]) -> Point:
    x, y = row.get("at", (1000 * where[row["community"]] + 500, 500))
    return Point(X + x, Y + y)


def _table(name: str, rows: list[Row]) -> pd.DataFrame:
    table = TABLES[name]
    if not rows:
        return empty(table, None if table.geometry == "none" else CRS.from_user_input(CRS_M))
    cells = {}
    for column in table.columns:
        cells[column.name], troubles = convert(
            pd.Series([row.get(column.name) for row in rows], dtype=object), column, {}
        )
        assert not troubles, (name, column.name, troubles)
    frame = pd.DataFrame(cells)
    if table.geometry != "none":
        frame = gpd.GeoDataFrame(frame, geometry=[row["geometry"] for row in rows], crs=CRS_M)
    return finish(frame, table, np.arange(1, len(rows) + 1))[0]


def write_city(city: City, path: Path) -> None:
    """Write a city as one GeoPackage."""
    for name in TABLES:
        frame = city.table(name)
        if len(frame):
            pyogrio.write_dataframe(frame, path, layer=name, driver="GPKG")


@dataclass
class Plan:
    """A plan found for a tiny city, and what becomes of it."""

    problem: Problem
    joint: Joint
    found: Found

    @property
    def worst(self) -> float:
        """Smallest score of those that follow the common level, in the solver's plan."""
        return float(achieved(self.joint, self.found.x)[self.found.levels.follows].min())

    def value(self, goal: str) -> float:
        """Value of a later goal in the solver's plan; spending in yuan."""
        unit = 1e4 if goal == "spending" else 1.0
        return value_of(goal_of(self.joint, goal), self.found.x) * unit

    @cached_property
    def decisions(self) -> Decisions:
        """Decisions of the plan."""
        return decode(self.joint, self.found.x)

    @cached_property
    def tables(self) -> Tables:
        """Tables of the plan."""
        return plan_tables(self.problem, self.decisions)

    @cached_property
    def books(self) -> Books:
        """Money of the plan in whole yuan."""
        return keep_books(self.problem, self.tables.items)

    def met(self, community: str, need: str, year: int = 2020) -> float:
        """Met share of a need."""
        met = self.tables.met
        here = (met["community"] == community) & (met["need"] == need) & (met["year"] == year)
        return float(met.loc[here, "met_share"].item())

    def grants(self) -> dict[tuple[str, int], int]:
        """Grants above zero by community and year."""
        frame = self.tables.grants
        return {(c, y): g for c, y, g in zip(frame["community"], frame["year"], frame["grant_yuan"], strict=True) if g}


def plan(city: City, scenario: Scenario, *, stop: Event | None = None) -> Plan:
    """Search a plan as a run does."""
    problem = build_problem(city, scenario)
    joint = build_joint(problem)
    found = find_plan(joint, Watch(Silent(), stop or Event(), math.inf))
    with contextlib.suppress(MoneyShortError):
        footed(joint, found)  # holds back what rounding needs
    return Plan(problem, joint, found)

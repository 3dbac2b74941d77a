"""The decisions of a plan in a run folder as those of another model: what a plan can stay close to."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from optimizer.joint import Joint
from optimizer.problem import Bools

Keys = set[tuple[object, ...]]
HANGS = ["site", "service", "level", "hangs_on", "hangs_on_level", "since"]


def previous_decisions(joint: Joint, folder: Path) -> Bools:
    """Return (columns,) which yes-or-no decisions the plan in a run folder has taken; other columns are False."""
    said, wanted = _said(folder), _wanted(joint)
    near = np.zeros(joint.n_columns, dtype=bool)
    for name, keys in wanted.items():
        start = joint.model.columns[name].start
        near[start : start + len(keys)] = [key in said[name] for key in keys]
    return near


def _said(folder: Path) -> dict[str, Keys]:
    """What the tables of a plan say of every family, by names and years."""
    tables = folder / "tables"
    stations = pd.read_csv(tables / "stations.csv", dtype={"site": str, "service": str})
    space = pd.read_csv(tables / "space.csv", dtype={"site": str})
    met = pd.read_csv(tables / "met.csv", dtype={"community": str, "need": str})
    key = ["site", "service", "level", "year"]
    full = met[(met["need"] == "space") & (met["met_amount"] >= met["need_amount"])]
    said = {
        "open": _keys(stations[stations["status"].isin(["opened", "upgraded"])], key),
        "moved": _keys(stations[stations["moved"] == 1], key),
        "close": _keys(stations[stations["status"] == "closed"], key),
        "take": _keys(space[space["use"] != "hall"].groupby("site")[["year"]].min().reset_index(), ["site", "year"]),
        "hang": set[tuple[object, ...]](),
        "space_full": _keys(full, ["community", "year"]),
    }
    path = tables / "levels.csv"
    if path.is_file():
        said["hang"] = _keys(pd.read_csv(path, dtype=str, keep_default_na=False), HANGS)
    return said


def _keys(frame: pd.DataFrame, columns: list[str]) -> Keys:
    return set(frame[columns].itertuples(index=False, name=None))


def _wanted(joint: Joint) -> dict[str, list[tuple[object, ...]]]:
    """The same of every column of a model."""
    problem = joint.problem
    years, old, units = problem.years, problem.existing, problem.units

    def at(place: int, need: int, start: int) -> tuple[object, ...]:
        level = "centre" if problem.places.centre[place] else "station"
        return problem.places.site[place], problem.needs[need], level, years[start]

    names: dict[str, Callable[..., tuple[object, ...]]] = {
        "open": at,
        "moved": at,
        "close": lambda e, need, year: (old.site[e], problem.needs[need], old.level[e], years[year]),
        "take": lambda room, year: (problem.rooms.site[room], years[year]),
        "hang": lambda low, up, need, year: (
            units.site[low], problem.needs[need], units.level[low], units.site[up], units.level[up], str(years[year])
        ),
        "space_full": lambda community, year: (problem.communities[community], years[year]),
    }  # fmt: skip
    wanted = {}
    for name, family in joint.model.columns.items():
        if joint.integer[family.positions].any():
            wanted[name] = [names[name](*key) for key in zip(*(k.tolist() for k, _ in family.keys), strict=True)]
    return wanted

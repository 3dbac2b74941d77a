"""Which station hangs on which centre, and what is referred, as tables (equation 13)."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from geodata.city import City
from optimizer.hanging import Tree
from optimizer.problem import Floats, Problem
from optimizer.problem_levels import unit_points, ways_up
from optimizer.solution import Decisions

LEVELS = ["site", "service", "level", "centre", "travel_m", "hangs_on", "hangs_on_level", "since"]
REFERRALS = ["site", "service", "level", "year", "served", "referred_in", "referred_on"]


@dataclass(frozen=True)
class Flows:
    """(units, T) what existing and new capacity of every unit serves, and what is referred to it: at the peak need."""

    old: Floats
    new: Floats
    into: Floats

    @property
    def total(self) -> Floats:
        """(units, T) what a unit serves and takes in."""
        return self.old + self.new + self.into


def flows(problem: Problem, decisions: Decisions) -> Flows:
    """Return what every unit serves and takes in by a plan, units of the service a year at the peak need."""
    years, old, new = len(problem.years), problem.existing_arcs, problem.arcs
    served = {name: np.zeros((len(problem.units) + 1, years)) for name in ("old", "new")}  # the last: no levels
    closing = np.full(len(problem.existing), years, dtype=np.int64)
    closing[decisions.closed] = decisions.close_year
    at_start = np.zeros(len(decisions.kept_arc), dtype=np.int64)
    for kind, arc, first, share in (
        ("old", decisions.kept_arc, at_start, decisions.kept_share),
        ("old", decisions.joined_arc, decisions.joined_year, decisions.joined_share),
        ("old", decisions.handed_arc, decisions.handed_year, decisions.handed_share),
        ("new", decisions.serve_arc, decisions.serve_year, decisions.serve_share),
    ):
        arcs, service = (old, problem.existing.service) if kind == "old" else (new, problem.places.service)
        target = arcs.target[arc]
        unit = (problem.existing_unit if kind == "old" else problem.place_unit)[target]
        until = closing[target] if kind == "old" else np.full(len(arc), years)
        peak = problem.peak[arcs.community[arc], service[target] + 2] * share
        for t in range(years):
            now = (first <= t) & (t < until)
            np.add.at(served[kind][:, t], unit[now], peak[now])
    before, added = served["old"][:-1], served["new"][:-1]
    into, tree, hung = np.zeros_like(before), Tree(problem), hung_on(decisions)
    for u in tree.order.tolist():
        if u in hung:
            upper, since = hung[u]
            into[upper, since:] += tree.share[u] * (before[u] + added[u] + into[u])[since:]
    return Flows(before, added, into)


def hung_on(decisions: Decisions) -> dict[int, tuple[int, int]]:
    """Return for every unit in use what it hangs on, and the year from which it does."""
    rows = (decisions.hang_lower.tolist(), decisions.hang_upper.tolist(), decisions.hang_year.tolist())
    return {lower: (upper, year) for lower, upper, year in zip(*rows, strict=True)}


def taken_in(problem: Problem, decisions: Decisions, flow: Flows) -> dict[int, float]:
    """Return for opened places what of their capacity takes in referrals: all that does not fit into what exists."""
    capacity, years = np.zeros(len(problem.units)), len(problem.years)
    mine = problem.existing_unit >= 0
    np.add.at(capacity, problem.existing_unit[mine], problem.existing.capacity[mine])
    found: dict[int, float] = {}
    done: set[int] = set()
    for place in decisions.opened.tolist():
        unit = int(problem.place_unit[place])
        if unit >= 0 and unit not in done and years:
            done.add(unit)
            spare = np.maximum(0.0, capacity[unit] - flow.old[unit])
            found[place] = float(np.maximum(0.0, flow.into[unit] - spare).max())
    return found


def levels_table(problem: Problem, city: City, decisions: Decisions, stations: pd.DataFrame) -> pd.DataFrame:
    """Return rows of `levels.csv`: what must hang, on what (empty: nothing, it serves nobody), and the way there."""
    units, services = problem.units, list(problem.scenario.services)
    named = set(stations[["site", "service", "level"]].itertuples(index=False, name=None))
    hung = hung_on(decisions)
    points = unit_points(city, units)
    kinds = sorted({(k, level) for k, level in zip(units.service.tolist(), units.level, strict=True)})
    ways = {(k, level): ways_up(city, problem.scenario, services[k], level) for k, level in kinds}
    rows = []
    for u in np.flatnonzero(units.must).tolist():
        k = int(units.service[u])
        if (units.site[u], services[k], units.level[u]) not in named:
            continue
        key = (units.site[u], services[k], units.level[u])
        if u not in hung:
            rows.append((*key, "", 0.0, "", "", ""))
            continue
        upper, since = hung[u]
        centre = upper if units.level[upper] == "centre" else hung[upper][0]
        metres = float(ways[k, units.level[u]](points[[u]], points[[upper]])[0, 0])
        above = (units.site[centre], metres, units.site[upper], units.level[upper])
        rows.append((*key, *above, str(problem.years[since])))
    return pd.DataFrame(rows, columns=LEVELS)


def referrals_table(problem: Problem, decisions: Decisions, stations: pd.DataFrame) -> pd.DataFrame:
    """Return rows of `referrals.csv`: what every unit serves itself, takes in and refers, in every year it is there."""
    units, services, flow = problem.units, list(problem.scenario.services), flows(problem, decisions)
    share, position = Tree(problem).share, {year: t for t, year in enumerate(problem.years)}
    at: dict[tuple[str, str, str], int] = {
        (site, services[int(k)], level): u
        for u, (site, k, level) in enumerate(zip(units.site, units.service, units.level, strict=True))
    }
    growth = _growth(problem)
    rows = []
    for site, service, level, year in stations[REFERRALS[:4]].itertuples(index=False, name=None):
        u = at.get((site, service, level))
        if u is None:
            continue
        t = position[year]
        part = growth[int(units.service[u]), t]
        served, into = (flow.old[u, t] + flow.new[u, t]) * part, flow.into[u, t] * part
        amounts = (served, into, share[u] * (served + into))
        rows.append((site, service, level, year, *(round(float(v), 6) for v in amounts)))
    return pd.DataFrame(rows, columns=REFERRALS)


def _growth(problem: Problem) -> Floats:
    """(services, T) need of a year as a part of the peak, the same for every community."""
    need = problem.need[:, 2:, :].sum(axis=0)
    peak = problem.peak[:, 2:].sum(axis=0)
    return np.asarray(np.divide(need, peak[:, None], out=np.ones_like(need), where=peak[:, None] > 0))

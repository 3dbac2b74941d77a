"""Decisions as columns of the joint model: the inverse of `optimizer.solution.decode`."""

from collections.abc import Callable

import numpy as np

from optimizer.hanging import Tree
from optimizer.joint import Joint
from optimizer.levels_table import flows, taken_in
from optimizer.model import MONEY_UNIT_YUAN
from optimizer.problem import Floats, Ints, Problem
from optimizer.solution import Decisions

_Put = Callable[[str, list[tuple[int, ...]], Floats], None]


def encode(joint: Joint, decisions: Decisions) -> Floats:
    """Return (columns,) the programmes' columns that say these decisions; payments are left at zero."""
    problem, families = joint.problem, joint.model.columns
    x = np.zeros(joint.n_columns)

    def existing_need(stations: Ints) -> Ints:
        return problem.existing.service[stations] + 2

    def put(name: str, keys: list[tuple[int, ...]], values: Floats) -> None:
        family = families[name]
        at = {key: family.start + n for n, key in enumerate(zip(*(i.tolist() for i, _ in family.keys), strict=True))}
        for key, value in zip(keys, values.tolist(), strict=True):
            x[at[key]] += value

    community, year = np.nonzero(decisions.grant_yuan)
    put("grant", _keys(community, year), decisions.grant_yuan[community, year] / MONEY_UNIT_YUAN)
    community, year = np.nonzero(decisions.relief_yuan)
    if len(community):
        put("relief", _keys(community, year), decisions.relief_yuan[community, year] / MONEY_UNIT_YUAN)
    put("area", _keys(decisions.room, decisions.room_year), decisions.room_m2)
    whole = problem.rooms.whole[decisions.room]
    put("take", _keys(decisions.room[whole], decisions.room_year[whole]), np.ones(int(whole.sum())))
    halls = problem.hall_arcs
    arc = decisions.hall_arc
    put("hall_m2", _keys(halls.community[arc], halls.target[arc], decisions.hall_year), decisions.hall_m2)
    places, arcs, existing = problem.places, problem.arcs, problem.existing_arcs
    service = places.service + 2
    put("open", _keys(decisions.opened, service[decisions.opened], decisions.open_year), np.ones(len(decisions.opened)))
    arc, target = decisions.serve_arc, arcs.target[decisions.serve_arc]
    who = arcs.community[arc]
    put("serve", _keys(who, target, service[target], decisions.serve_year), decisions.serve_share)
    built = places.room[target] >= 0
    units = problem.peak[who, service[target]] * decisions.serve_share
    put("size", _keys(target[built], service[target[built]], decisions.serve_year[built]), units[built])
    arc, target = decisions.kept_arc, existing.target[decisions.kept_arc]
    put("kept", _keys(existing.community[arc], target, existing_need(target)), decisions.kept_share)
    if len(decisions.closed):
        gone, when = decisions.closed, decisions.close_year
        put("close", _keys(gone, existing_need(gone), when), np.ones(len(gone)))
        year_of = dict(zip(gone.tolist(), when.tolist(), strict=True))
        ends = np.isin(existing.target[decisions.kept_arc], gone)
        arc = decisions.kept_arc[ends]
        at = np.array([year_of[e] for e in existing.target[arc].tolist()], dtype=np.int64)
        target = existing.target[arc]
        put("ended", _keys(existing.community[arc], target, existing_need(target), at), decisions.kept_share[ends])
        arc, target = decisions.handed_arc, existing.target[decisions.handed_arc]
        keys = _keys(existing.community[arc], target, existing_need(target), decisions.handed_year)
        put("handed", keys, decisions.handed_share)
    if len(problem.units):
        _put_levels(problem, decisions, put)
    _space_met(joint, x)
    return x


def _put_levels(problem: Problem, decisions: Decisions, put: _Put) -> None:
    """Say what hangs on what, what is referred there, and who is served by existing stations from then on (13)."""
    flow, tree, service = flows(problem, decisions), Tree(problem), problem.units.service + 2
    chooses = tree.chooses[decisions.hang_lower]
    lower, upper, since = (
        of[chooses] for of in (decisions.hang_lower, decisions.hang_upper, decisions.hang_year)
    )  # fmt: skip
    put("hang", _keys(lower, upper, service[lower], since), np.ones(len(lower)))
    some = tree.most_out[lower] > 0
    lower, upper = lower[some], upper[some]
    put("refer", _keys(lower, upper, service[lower]), tree.share[lower] * flow.total[lower].max(axis=1))
    arcs, arc = problem.existing_arcs, decisions.joined_arc
    target = arcs.target[arc]
    need = problem.existing.service[target] + 2
    put("joined", _keys(arcs.community[arc], target, need, decisions.joined_year), decisions.joined_share)
    start = dict(zip(decisions.opened.tolist(), decisions.open_year.tolist(), strict=True))
    taken = {place: units for place, units in taken_in(problem, decisions, flow).items() if units > 0}
    place = np.array(list(taken), dtype=np.int64)
    keys = _keys(place, problem.places.service[place] + 2, np.array([start[p] for p in taken], dtype=np.int64))
    put("referred", keys, np.array(list(taken.values()), dtype=float))
    built = np.flatnonzero(~problem.places.own[place])
    put("size", [keys[n] for n in built.tolist()], np.array(list(taken.values()), dtype=float)[built])


def _keys(*positions: Ints) -> list[tuple[int, ...]]:
    return list(zip(*(p.tolist() for p in positions), strict=True))


def _space_met(joint: Joint, x: Floats) -> None:
    """Set the met share of rooms to what the rooms taken give, equation (6)."""
    model = joint.model
    family = model.columns["space_met"]
    if not family.count:
        return
    (rows,) = [f for f in model.row_families if f.name == "eq6_space_met"]
    given = model.row_upper[rows.positions] - model.matrix[rows.positions] @ x[: model.n_columns]
    x[family.positions] = np.clip(given, 0.0, 1.0)

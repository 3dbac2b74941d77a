"""Rows that keep a plan fair: least shares of groups, and the cuts that make up bounds of inequality.

A bound of the Gini index, equation (27), is one linear row for every order of the communities; the order that a plan
has is the one it breaks most. A bound of the Atkinson index, equation (28), asks that a concave function of degree one
is at least a multiple of the mean; its gradient at any scores gives a row that all plans within the bound keep. So rows
are added only where a plan breaks them, and what is proven with some rows holds for all plans within the bounds (outer
approximation: Kelley 1960, Duran and Grossmann 1986).
"""

from dataclasses import replace

import numpy as np
from scipy.sparse import csr_array, eye_array, hstack, vstack

from optimizer.highs_arrays import Arrays
from optimizer.indices import equally_distributed
from optimizer.joint import ExtraRows, Joint
from optimizer.model import MONEY_UNIT_YUAN
from optimizer.problem import Floats, Ints, Problem

LEAST_SCORES = (1e-9, 1e-6, 1e-4, 1e-2)
"""Scores of 0 have no gradient; a cut is then taken at scores a little above, the one that cuts most."""


def with_pairs(arrays: Arrays, joint: Joint, most: float = np.inf) -> Arrays:
    """Return a model with all that a bound of the Gini index asks, equation (27), for up to `most` communities.

    Each pair has a column not below the difference of its scores: `Σ pairs ≤ g · n · Σ scores`. Without a bound, or for
    more communities, the model stays as it is. Its first columns are those of the joint model.
    """
    rule = joint.problem.scenario.fairness
    who = np.flatnonzero(joint.problem.scored)
    n, width = len(who), len(arrays.cost)
    if rule is None or rule.gini_at_most is None or n > most:
        return arrays
    one, other = np.triu_indices(n, 1)
    count = len(one)
    score, base = csr_array(joint.score[who]), joint.model.score_base[who]
    wide = csr_array((score.data, score.indices, score.indptr), shape=(n, width))
    differ, apart = csr_array(wide[one] - wide[other]), base[one] - base[other]
    pairs, allowed = eye_array(count), rule.gini_at_most * n
    total = hstack([csr_array(-allowed * wide.sum(axis=0).reshape(1, -1)), csr_array(np.ones((1, count)))])
    before = hstack([arrays.matrix, csr_array((arrays.matrix.shape[0], count))])
    return replace(
        arrays,
        cost=np.append(arrays.cost, np.zeros(count)),
        lower=np.append(arrays.lower, np.zeros(count)),
        upper=np.append(arrays.upper, np.full(count, np.inf)),
        integer=np.append(arrays.integer, np.zeros(count, dtype=bool)),
        matrix=csr_array(vstack([before, hstack([-differ, pairs]), hstack([differ, pairs]), total], format="csr")),
        row_lower=np.concatenate([arrays.row_lower, apart, -apart, [-np.inf]]),
        row_upper=np.concatenate([arrays.row_upper, np.full(2 * count, np.inf), [allowed * base.sum()]]),
    )


def gini_cut(score: Floats, most: float) -> Floats:
    """(n,) weights whose product with scores is at most 0 in every plan with a Gini index of at most `most`.

    At `score` it is the largest such product: (Gini − `most`) × mean.
    """
    n = len(score)
    rank = np.empty(n)
    rank[np.argsort(score, kind="stable")] = np.arange(1, n + 1)
    return np.asarray((2 * rank - n - 1) / n**2 - most / n)


def atkinson_cut(score: Floats, epsilon: float, most: float) -> Floats:
    """(n,) weights whose product with scores is at most 0 in every plan with an Atkinson index of at most `most`.

    At `score`, where none is 0, it is (Atkinson − `most`) × mean.
    """
    n, found = len(score), list[tuple[float, Floats]]()
    for least in LEAST_SCORES:
        at = np.maximum(score, least)
        gradient = (equally_distributed(at, epsilon) / at) ** epsilon / n
        row = (1 - most) / n - gradient
        found.append((float(row @ score), row))
        if np.array_equal(at, score):
            break
    return max(found, key=lambda pair: pair[0])[1]


def group_rows(joint: Joint) -> ExtraRows | None:
    """Rows of least shares of groups, equation (31); None where there are none."""
    problem = joint.problem
    rule = problem.scenario.fairness
    rows, lower, names, whole = list[Floats](), list[float](), list[str](), list[float]()
    for g, group in enumerate(rule.groups if rule is not None else []):
        inside = problem.group[:, g]
        if group.least_share_of_money is not None:
            yuan, fixed = money_of_communities(joint)
            part = np.append(inside - group.least_share_of_money, 0.0)  # the last: owned by no community
            rows.append(_wide(joint, yuan * part[owner_of_columns(joint)]))
            lower.append(-float(fixed @ part[:-1]))
            names.append(f"eq31_money({g})")
            whole.append(max(1.0, float(problem.amount.sum()) / MONEY_UNIT_YUAN))
        if group.least_met_share is not None:
            heft = problem.unmet_weight[:, :, None] * problem.year_weight * (problem.need > 0) * inside[:, None, None]
            flat = heft.ravel()
            if flat.sum() > 0:
                rows.append(_wide(joint, np.asarray(joint.model.met.T @ flat) / flat.sum()))
                lower.append(group.least_met_share - float(joint.model.met_base @ flat) / float(flat.sum()))
                names.append(f"eq31_met({g})")
                whole.append(1.0)
    if not rows:
        return None
    matrix = csr_array(vstack([csr_array(r.reshape(1, -1)) for r in rows], format="csr"))
    return ExtraRows(matrix, np.array(lower), np.full(len(rows), np.inf), tuple(names), tuple(whole))


def _wide(joint: Joint, row: Floats) -> Floats:
    return np.concatenate([row, np.zeros(joint.n_columns - len(row))])


def money_of_communities(joint: Joint) -> tuple[Floats, Floats]:
    """Return (columns of the programmes,) money a unit costs over the horizon, and (n,) what is paid anyway."""
    problem = joint.problem
    fixed, existing = np.zeros(len(problem.communities)), problem.existing
    own = np.array([s.siting == "own" for s in problem.scenario.services.values()])
    for e in np.flatnonzero(existing.paid & own[existing.service]) if len(existing) else ():
        yuan = np.floor(existing.running_yuan[e] * problem.price_index + 0.5).sum()
        fixed[existing.community[e]] += yuan / MONEY_UNIT_YUAN
    return np.asarray(joint.model.cost.sum(axis=0), dtype=float).ravel(), fixed


def owner_of_columns(joint: Joint) -> Ints:
    """(columns of the programmes,) community whose cost a column is; -1 where costs are shared, equation (19)."""
    problem, model = joint.problem, joint.model
    owner = np.full(model.n_columns, -1, dtype=np.int64)
    for name, family in model.columns.items():
        first = family.keys[0][0]
        if name in ("grant", "relief", "hall_m2"):
            owner[family.positions] = first
        elif name in ("area", "take"):
            owner[family.positions] = np.where(problem.rooms.is_station[first], -1, problem.rooms.community[first])
        elif name in ("open", "size"):
            owner[family.positions] = _of_places(problem, first)
        elif name == "serve":
            owner[family.positions] = _of_places(problem, problem.arcs.target[model.notes["serve_arc"]])
    return owner


def _of_places(problem: Problem, place: Ints) -> Ints:
    return np.asarray(np.where(problem.places.room[place] >= 0, -1, problem.places.community[place]), dtype=np.int64)

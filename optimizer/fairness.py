"""How evenly a plan treats communities: indices of inequality before and after it, and pairs with reason for envy."""

from typing import Any

import numpy as np
import pandas as pd

from optimizer.indices import atkinson, gini, theil
from optimizer.plan_tables import share_of
from optimizer.problem import SPACE, Bools, Floats, Ints, Problem

EPSILON = 0.5
"""Aversion to inequality of the Atkinson index where the scenario names none."""
ALIKE = 0.9
"""Needs per resident are alike where the smaller is at least this share of the larger."""
CLEARLY_LESS = 0.8
"""Clearly less is at most this share of what the other gets."""
LISTED_PAIRS = 20


def fairness_record(problem: Problem, met: pd.DataFrame, assignments: pd.DataFrame) -> dict[str, Any]:
    """Return the part `fairness` of the record: indices before and after the plan, (27) to (29), and envy, (30).

    `met` and `assignments` are tables of the plan as written.
    """
    epsilon = EPSILON
    if problem.scenario.fairness is not None and problem.scenario.fairness.atkinson_at_most is not None:
        epsilon = problem.scenario.fairness.atkinson_at_most.epsilon
    share = share_of(problem, met)
    return {
        "epsilon": epsilon,
        "before": indices_of(problem, before(problem, assignments), epsilon),
        "after": indices_of(problem, share, epsilon),
        "envy": envy(problem, share),
    }


def indices_of(problem: Problem, share: Floats, epsilon: float) -> dict[str, float]:
    """Return the indices of scores over the horizon, equation (2), of (n, K, T) met shares: a community, a person."""
    who = problem.scored
    score = np.maximum(0.0, scores_of(problem, share)[who])
    people = residents(problem)[who]
    found: dict[str, float] = {}
    for end, weights in (("", np.ones_like(score)), ("_persons", people)):
        found[f"mean{end}"] = float(weights @ score / weights.sum()) if weights.any() else 0.0
        found[f"gini{end}"] = gini(score, weights)
        found[f"atkinson{end}"] = atkinson(score, epsilon, weights)
        found[f"theil{end}"] = theil(score, weights)
    return found


def scores_of(problem: Problem, share: Floats) -> Floats:
    """(n,) scores over the horizon of (n, K, T) met shares, equation (2)."""
    return np.asarray(np.einsum("ikt,ikt->it", problem.score_weight, share) @ problem.year_weight)


def residents(problem: Problem) -> Floats:
    """(n,) residents."""
    return np.asarray(problem.persons[:, SPACE])


def before(problem: Problem, assignments: pd.DataFrame) -> Floats:
    """(n, K, T) met shares of what stands before the plan: its rooms, and its stations for those who use them.

    Existing stations serve whom the plan sends there in its first year, in proportion, as far as their existing
    capacity goes, and no better later. No grant has been paid, no debt paid off.
    """
    n, _, years = problem.shape
    had = np.zeros(problem.need.shape)
    had[:, SPACE, :] = problem.existing_m2[:, None]
    first = assignments[assignments["year"] == problem.years[0]]
    position = {c: i for i, c in enumerate(problem.communities)}
    need = {k: i for i, k in enumerate(problem.needs)}
    capacity: dict[tuple[str, str], float] = {}
    for site, service, units in zip(
        problem.existing.site, problem.existing.service, problem.existing.capacity, strict=True
    ):
        at = (str(site), problem.needs[int(service) + 2])
        capacity[at] = capacity.get(at, 0.0) + float(units)
    for (there, service), rows in first.groupby(["site", "service"], sort=True):
        part = min(1.0, capacity.get((str(there), str(service)), 0.0) / float(rows["amount"].sum()))
        i: Ints = np.array([position[str(c)] for c in rows["community"]], dtype=np.int64)
        k = need[str(service)]
        share = part * rows["amount"].to_numpy(float) / problem.need[i, k, 0]
        np.add.at(had[:, k, :], i, share[:, None] * problem.need[i, k, :])
    had = np.minimum(had, problem.need)
    return np.divide(had, problem.need, out=np.ones((n, len(problem.needs), years)), where=problem.need > 0)


def envy(problem: Problem, share: Floats) -> dict[str, Any]:
    """Return pairs of communities of one type and alike need, one of which gets clearly less, worst first, (30).

    Need and what is got are person-needs per resident over the horizon; `got_share` is what the first of a pair gets of
    what the second gets.
    """
    heft = problem.unmet_weight[:, :, None] * problem.year_weight[None, None, :] * (problem.need > 0)
    people = residents(problem)
    need = np.divide(heft.sum(axis=(1, 2)), people, out=np.zeros_like(people), where=people > 0)
    got = np.divide((heft * share).sum(axis=(1, 2)), people, out=np.zeros_like(people), where=people > 0)
    kinds = np.array(problem.types)
    total, worst = 0, list[tuple[float, int, int]]()
    for kind in sorted(set(problem.types)):
        mine = np.flatnonzero((kinds == kind) & (need > 0))
        order = mine[np.argsort(got[mine], kind="stable")]
        for i in order.tolist():
            others = _envied(i, order, need, got)
            total += len(others)
            ratios = got[i] / got[others]
            for n in np.lexsort((others, ratios))[:LISTED_PAIRS].tolist():
                worst.append((float(ratios[n]), i, int(others[n])))
    worst.sort()
    listed = [
        {
            "community": problem.communities[i],
            "other": problem.communities[j],
            "got_share": round(ratio, 6),
            "need_per_resident": round(float(need[i]), 6),
            "other_need_per_resident": round(float(need[j]), 6),
        }
        for ratio, i, j in worst[:LISTED_PAIRS]
    ]
    return {"alike": ALIKE, "clearly_less": CLEARLY_LESS, "pairs": total, "worst": listed}


def _envied(i: int, others: Ints, need: Floats, got: Floats) -> Ints:
    """Those of `others` whose need is like that of `i` and who get clearly more."""
    low, high = np.minimum(need[i], need[others]), np.maximum(need[i], need[others])
    found: Bools = (low >= ALIKE * high) & (got[i] <= CLEARLY_LESS * got[others]) & (got[others] > 0)
    return np.asarray(others[found], dtype=np.int64)

"""The joint model as a PuLP problem: named, to read, to write as a file, to solve with any solver."""

import numpy as np
import pulp
from scipy.sparse import csr_array

from optimizer.coupling import Kept, Levels, score_rows
from optimizer.joint import Goal, Joint


def to_pulp(
    joint: Joint, name: str, goal: Goal, levels: Levels | None = None, kept: tuple[Kept, ...] = ()
) -> pulp.LpProblem:
    """Return the model of a goal as a PuLP problem.

    Variables and rows are named `family(key,key)`; rows carry the number of their equation. Scores that must reach a
    level are `eq2_score(community)`, earlier goals `kept_1`, `kept_2` and so on. Building it costs seconds for a whole
    city: the planner itself hands arrays to the solver.
    """
    problem = pulp.LpProblem(name, pulp.LpMinimize)
    variables = [
        pulp.LpVariable(
            label,
            low,
            None if np.isinf(high) else high,
            cat="Integer" if whole else "Continuous",
        )
        for label, low, high, whole in zip(
            joint.column_names(), joint.lower.tolist(), joint.upper.tolist(), joint.integer.tolist(), strict=True
        )
    ]
    problem += _sum(variables, np.flatnonzero(goal[0]), goal[0][np.flatnonzero(goal[0])]) + goal[1]
    _add(problem, variables, joint.matrix, joint.row_lower, joint.row_upper, joint.row_names())
    if levels is not None:
        rows, low = score_rows(joint, levels)
        labels = joint.model.key_labels["community"]
        names = [f"eq2_score({labels[i]})" for i in np.flatnonzero(levels.scored)]
        _add(problem, variables, rows, low, np.full(len(low), np.inf), names)
    for number, earlier in enumerate(kept, start=1):
        vector = csr_array(earlier.goal[0].reshape(1, -1))
        limit = np.array([earlier.limit - earlier.goal[1]])
        _add(problem, variables, vector, np.array([-np.inf]), limit, [f"kept_{number}"])
    return problem


def _sum(variables: list[pulp.LpVariable], columns: np.ndarray, values: np.ndarray) -> pulp.LpAffineExpression:
    return pulp.LpAffineExpression([(variables[c], float(v)) for c, v in zip(columns, values, strict=True)])


def _add(
    problem: pulp.LpProblem,
    variables: list[pulp.LpVariable],
    matrix: csr_array,
    low: np.ndarray,
    high: np.ndarray,
    names: list[str],
) -> None:
    """Add rows; one with two different limits becomes two rows, `name_low` and `name_high`."""
    for row, name in enumerate(names):
        part = slice(matrix.indptr[row], matrix.indptr[row + 1])
        left = _sum(variables, matrix.indices[part], matrix.data[part])
        if low[row] == high[row]:
            problem.addConstraint(pulp.LpConstraint(left, pulp.LpConstraintEQ, rhs=float(low[row])), name)
            continue
        both = np.isfinite(low[row]) and np.isfinite(high[row])
        if np.isfinite(high[row]):
            tag = f"{name}_high" if both else name
            problem.addConstraint(pulp.LpConstraint(left, pulp.LpConstraintLE, rhs=float(high[row])), tag)
        if np.isfinite(low[row]):
            tag = f"{name}_low" if both else name
            problem.addConstraint(pulp.LpConstraint(left.copy(), pulp.LpConstraintGE, rhs=float(low[row])), tag)

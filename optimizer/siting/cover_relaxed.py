"""The relaxed cover programme kept loaded: branches of a search, bounds from multipliers, and cuts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from scipy import sparse

from optimizer.highs import Arrays, Outcome, Session, Status
from optimizer.siting.cover_cuts import cuts
from optimizer.siting.limits import Limits
from optimizer.siting.result import Flags, Floats

_TRIAL_STEPS = 80  # of the simplex method

Branch = tuple[Floats, Floats]
"""Lower and upper bound of each site."""


def programme(allowed: Flags, cost: Floats, *, integer: bool = True) -> Arrays:
    """The set covering programme of clients and sites ``allowed`` (n, m)."""
    return _programme(sparse.csr_matrix(allowed.astype(float)), cost, integer)


def _programme(rows: Any, cost: Floats, integer: bool) -> Arrays:
    count, sites = rows.shape
    return Arrays(
        cost=cost,
        lower=np.zeros(sites),
        upper=np.ones(sites),
        integer=np.full(sites, integer),
        matrix=rows,
        row_lower=np.ones(count),
        row_upper=np.full(count, np.inf),
    )


class RelaxedCover:
    """``min sum_j y_j`` where ``rows @ y >= 1``: clients and sites ``allowed`` (n, m), and cuts."""

    def __init__(self, allowed: Flags, limits: Limits) -> None:
        self.allowed, self.steps = allowed, 0
        self.root: Branch = (np.zeros(allowed.shape[1]), np.ones(allowed.shape[1]))
        self._options = replace(limits.linear(), time_limit_seconds=max(0.01, limits.left))
        self._load(sparse.csr_matrix(allowed.astype(float)))

    def _load(self, rows: Any) -> None:
        self.rows = rows
        self._session = Session(_programme(rows, np.ones(rows.shape[1]), integer=False), self._options)
        self._branch = self.root

    def solved(self, branch: Branch) -> Outcome:
        """The relaxed cover of a branch."""
        lower, upper = branch
        changed = np.flatnonzero((lower != self._branch[0]) | (upper != self._branch[1]))
        if changed.size:
            self._session.set_bounds(changed, lower[changed], upper[changed])
        self._branch = branch
        outcome = self._session.run()
        self.steps += outcome.iterations
        return outcome

    def dual(self, outcome: Outcome) -> tuple[float, Floats]:
        """The bound proven by the solver's multipliers of rows, and every site's reduced cost."""
        assert outcome.row_dual is not None
        price = np.maximum(outcome.row_dual, 0.0)
        worth: Floats = 1.0 - self.rows.T @ price
        lower, upper = self._branch
        return float(price.sum() + worth @ np.where(worth > 0, lower, upper)), worth

    def cut(self, y: Floats) -> bool:
        """Add rows that hold for every cover but not for ``y``; whether there were any."""
        new = cuts(self.rows, self.allowed, y)
        if new.shape[0]:
            self._session.add_rows(new, np.ones(new.shape[0]), np.full(new.shape[0], np.inf))
            self.rows = sparse.vstack([self.rows, new], format="csr")
        return bool(new.shape[0])

    def drop_loose(self, y: Floats, slack: float) -> None:
        """Leave out cuts that ``y`` keeps with more than ``slack`` to spare."""
        keep = self.rows @ y - 1 <= slack
        keep[: self.allowed.shape[0]] = True
        if not keep.all():
            self._load(self.rows[np.flatnonzero(keep)])

    def tried(self, parts: tuple[Branch, Branch], bound: float) -> tuple[float, float]:
        """Bounds of two branches of one with ``bound``, by a few steps of the simplex method."""
        self._session.set_options(replace(self._options, extra={"simplex_iteration_limit": _TRIAL_STEPS}))
        first, second = (self._trial(part, bound) for part in parts)
        self._session.set_options(self._options)
        return first, second

    def _trial(self, branch: Branch, bound: float) -> float:
        outcome = self.solved(branch)
        if outcome.status is Status.INFEASIBLE:
            return np.inf
        return bound if outcome.row_dual is None else max(bound, self.dual(outcome)[0])

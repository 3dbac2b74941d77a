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

_TRIAL_STEPS = 50  # of the simplex method

Branch = tuple[Floats, Floats]
"""Lower and upper bound of each site (and of what follows them: where left out, as at the root)."""


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
    """``min sum_j y_j`` where ``rows @ y >= 1``: clients and sites ``allowed`` (n, m), and cuts.

    With ``weight`` (n,) and ``p`` clients may be left out at their weight and exactly ``p`` sites are open, at no cost:
    after the m sites stand n columns, each the part of a client that is left out.
    """

    def __init__(self, allowed: Flags, limits: Limits, weight: Floats | None = None, p: int = 0) -> None:
        self.allowed, self.steps = allowed, 0
        clients, sites = allowed.shape
        self._options = replace(limits.linear(), time_limit_seconds=max(0.01, limits.left))
        self._serving = allowed
        self._cost, self._p = np.ones(sites), p
        if weight is not None:
            self._serving = np.hstack([allowed, np.eye(clients, dtype=bool)])
            self._cost = np.concatenate([np.zeros(sites), weight])
        self.root: Branch = (np.zeros(self._cost.size), np.ones(self._cost.size))
        self.rows = sparse.csr_matrix(self._serving.astype(float))
        arrays = _programme(self.rows, self._cost, integer=False)
        if self._p:
            arrays = replace(
                arrays,
                matrix=sparse.vstack([sparse.csr_matrix(self._counted()[None, :]), self.rows], format="csr"),
                row_lower=np.concatenate([[float(self._p)], arrays.row_lower]),
                row_upper=np.concatenate([[float(self._p)], arrays.row_upper]),
            )
        self._set = replace(self._options, solver="ipm")  # at first: the simplex method takes up to five times as long
        self._session = Session(arrays, self._set)
        self._begun = False
        self._stand: Any = None
        self._branch = self.root

    def _counted(self) -> Floats:
        return np.asarray(np.arange(self._cost.size) < self.allowed.shape[1], float)

    @property
    def basis(self) -> Any:
        """Where the simplex method stands now, until rows are added or left out."""
        self._stand = self._session.basis()
        return self._stand

    def back_to(self, basis: Any) -> None:
        """Let the next solve begin at ``basis``, also after cuts."""
        self._session.set_basis(basis)
        self._stand = None

    def solved(self, branch: Branch, basis: Any = None, most: float = np.inf) -> Outcome:
        """The relaxed cover of a branch, from ``basis`` or where the last one ended.

        The solver may stop, without a cover, where its multipliers prove a bound above ``most``.
        """
        self._go_to(branch, basis)
        outcome = self._run(most)
        if outcome.stopped == "other" and outcome.row_dual is not None and self.dual(outcome)[0] <= most:
            outcome = self._run(np.inf)
        return outcome

    def _go_to(self, branch: Branch, basis: Any) -> None:
        lower, upper = (np.concatenate([part, end[part.size :]]) for part, end in zip(branch, self.root, strict=True))
        branch = lower, upper
        changed = np.flatnonzero((lower != self._branch[0]) | (upper != self._branch[1]))
        if changed.size:
            self._session.set_bounds(changed, lower[changed], upper[changed])
        self._branch = branch
        if basis is not self._stand and basis is not None:
            self._session.set_basis(basis)
        self._stand = None

    def _run(self, most: float, steps: int | None = None) -> Outcome:
        """Go on until there is a relaxed cover, the bound is above ``most``, or ``steps`` are done."""
        wanted = replace(
            self._options,
            solver=self._options.solver if self._begun else self._set.solver,
            cutoff=most if most < np.inf else None,
            extra={} if steps is None else {"simplex_iteration_limit": steps},
        )
        if wanted != self._set:
            self._session.set_options(wanted)
            self._set = wanted
        outcome, self._begun = self._session.run(), True
        self.steps += outcome.iterations
        return outcome

    def dual(self, outcome: Outcome) -> tuple[float, Floats]:
        """The bound proven by the solver's multipliers of rows, and every site's reduced cost."""
        assert outcome.row_dual is not None
        first = 1 if self._p else 0
        price = np.maximum(outcome.row_dual[first:], 0.0)
        worth: Floats = self._cost - self.rows.T @ price
        value = float(price.sum())
        if first:
            each = float(outcome.row_dual[0])
            worth, value = worth - each * self._counted(), value + each * self._p
        lower, upper = self._branch
        return value + float(worth @ np.where(worth > 0, lower, upper)), worth

    def cut(self, y: Floats) -> bool:
        """Add rows that hold for every cover but not for ``y``; whether there were any."""
        new = cuts(self.rows, self._serving, y)
        if new.shape[0]:
            self._session.add_rows(new, np.ones(new.shape[0]), np.full(new.shape[0], np.inf))
            self.rows = sparse.vstack([self.rows, new], format="csr")
        return bool(new.shape[0])

    def drop_loose(self, y: Floats, slack: float) -> None:
        """Leave out cuts that ``y`` keeps with more than ``slack`` to spare."""
        loose = self.rows @ y - 1 > slack
        loose[: self.allowed.shape[0]] = False
        if loose.any():
            self._session.delete_rows(np.flatnonzero(loose) + (1 if self._p else 0))
            self.rows = self.rows[np.flatnonzero(~loose)]

    def tried(self, parts: tuple[Branch, Branch], bound: float, basis: Any) -> tuple[float, float]:
        """Bounds of two branches of one with ``bound``, by a few steps of the simplex method from its ``basis``."""
        first, second = (self._trial(part, bound, basis) for part in parts)
        return first, second

    def _trial(self, branch: Branch, bound: float, basis: Any) -> float:
        self._go_to(branch, basis)
        outcome = self._run(np.inf, _TRIAL_STEPS)
        if outcome.status is Status.INFEASIBLE:
            return np.inf
        return bound if outcome.row_dual is None else max(bound, self.dual(outcome)[0])

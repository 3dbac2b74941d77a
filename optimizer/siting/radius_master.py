"""The p-median with its costs cut off from below: one relaxed programme, made stronger where it is too low.

Columns: ``y_j`` in 0..1 for candidate sites and ``t_i`` for the cost of client i. Rows: ``sum_j y_j = p`` and, for a
client and a radius D, ``t_i >= D - sum_j max(0, D - c_ij) y_j``: a client pays at least D less what open sites
within D spare it. The strongest row of a client at a given ``y`` has as D the cost at which the sites within it first
add up to one, so rows are found by sorting (C. Duran-Mateluna, Z. Ales and S. Elloumi, "An efficient Benders
decomposition for the p-median problem", EJOR 308, 2023; the radius formulation is of S. Elloumi, Journal of
Combinatorial Optimization 19, 2010).
"""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter

import numpy as np
from scipy import sparse

from optimizer.highs import Arrays, Options, Outcome, Session, Status
from optimizer.siting.interchange import Near
from optimizer.siting.result import Flags, Floats, Ints

_WHOLE = 1e-6
_TRIAL_STEPS = 60


class RadiusMaster:
    """The relaxed programme, kept loaded in HiGHS and solved again after every change."""

    def __init__(self, cost: Floats, p: int, keep: Flags, options: Options) -> None:
        self.clients, self.sites = cost.shape
        self.cost, self.options = cost, options
        self.near = Near.of(cost, cost.shape[1])
        self.block = min(self.sites, max(50, 8 * self.sites // p))
        self.last = np.isfinite(self.near.cost).sum(axis=1) - 1
        self.lower, self.upper = np.where(keep, 1.0, 0.0), np.ones(self.sites)
        self.row_client, self.row_radius = np.zeros(0, np.int64), np.zeros(0)
        self.iterations = 0
        self.rough = False  # rows are broken that stand already: numbers too far apart for the solver
        self._has = set[tuple[int, float]]()
        self._session = self._loaded(p)
        self._first_rows = self._session.arrays.row_lower.size

    def _loaded(self, p: int) -> Session:
        forbidden = self.last < self.sites - 1
        open_row = np.concatenate([np.ones(self.sites), np.zeros(self.clients)])[None, :]
        reach = sparse.hstack(
            [
                sparse.csr_matrix(np.isfinite(self.cost[forbidden]).astype(float)),
                sparse.csr_matrix((int(forbidden.sum()), self.clients)),
            ]
        )
        columns, rows = self.sites + self.clients, 1 + int(forbidden.sum())
        arrays = Arrays(
            cost=np.concatenate([np.zeros(self.sites), np.ones(self.clients)]),
            lower=np.concatenate([self.lower, self.near.cost[:, 0]]),
            upper=np.concatenate([self.upper, self._at(self.last)]),
            integer=np.zeros(columns, bool),
            matrix=sparse.vstack([sparse.csr_matrix(open_row), reach]).tocsr(),
            row_lower=np.concatenate([[float(p)], np.ones(rows - 1)]),
            row_upper=np.concatenate([[float(p)], np.full(rows - 1, np.inf)]),
        )
        return Session(arrays, self.options)

    def level(self, price: Floats, shift: int) -> Floats:
        """For every client the cost listed ``shift`` places from the first that is not below its price."""
        place = (self.near.cost < price[:, None] * (1 - 1e-12)).sum(axis=1) + shift
        return self._at(np.clip(place, 0, self.last))

    def _at(self, place: Ints) -> Floats:
        return np.asarray(self.near.cost[np.arange(self.clients), place])

    def _add(self, client: Ints, radius: Floats) -> None:
        spared = sparse.csr_matrix(np.maximum(radius[:, None] - self.cost[client], 0))
        ones = sparse.csr_matrix(
            (np.ones(client.size), client, np.arange(client.size + 1)), (client.size, self.clients)
        )
        self._session.add_rows(sparse.hstack([spared, ones]), radius, np.full(client.size, np.inf))
        self._has.update(zip(client.tolist(), radius.tolist(), strict=True))
        self.row_client = np.concatenate([self.row_client, client])
        self.row_radius = np.concatenate([self.row_radius, radius])

    def set_bounds(self, lower: Floats, upper: Floats) -> None:
        """Set the bounds of all sites."""
        changed = np.flatnonzero((lower != self.lower) | (upper != self.upper))
        if changed.size:
            self._session.set_bounds(changed, lower[changed], upper[changed])
        self.lower, self.upper = lower, upper

    def solve(self, cutoff: float, seconds: float) -> tuple[Outcome, bool]:
        """Solve, with all rows that the answer breaks, until it breaks none or passes ``cutoff``.

        Returns the last outcome and whether it is settled: neither the clock nor its numbers (``rough``) ended it.
        """
        end = perf_counter() + seconds
        while True:
            outcome = self._session.run()
            self.iterations += outcome.iterations
            if outcome.status is Status.INFEASIBLE or outcome.x is None or outcome.value is None:
                return outcome, outcome.status is Status.INFEASIBLE
            if outcome.value > cutoff:
                return outcome, True
            radius, true = self.costs(outcome.x[: self.sites])
            short = true - outcome.x[self.sites :]
            broken = np.flatnonzero(short > 1e-6 * max(outcome.value / self.clients, 1e-9))
            if not broken.size or true.sum() - outcome.value <= 1e-9 * outcome.value:
                return outcome, True
            if perf_counter() > end:
                return outcome, False
            new = [k for k in broken.tolist() if (k, float(radius[k])) not in self._has]
            if not new:
                self.rough = True
                return outcome, False
            self._add(np.array(new), radius[new])

    def costs(self, y: Floats) -> tuple[Floats, Floats]:
        """For shares ``y`` of open sites: each client's decisive radius, and what it pays at least."""
        place = np.empty(self.clients, np.int64)
        value = np.empty(self.clients)
        rest = np.arange(self.clients)
        for width in (self.block, self.sites):
            site, there = self.near.site[rest, :width], self.near.cost[rest, :width]
            share = y[site]
            reached = np.cumsum(share, axis=1)
            at = np.minimum((reached < 1 - 1e-9).sum(axis=1), self.last[rest])
            done = (at < width) if width < self.sites else np.ones(rest.size, bool)
            at = np.minimum(at, width - 1)
            radius = there[np.arange(rest.size), at]
            with np.errstate(invalid="ignore"):
                spared = np.where(np.arange(width) < at[:, None], (radius[:, None] - there) * share, 0.0).sum(axis=1)
            place[rest[done]], value[rest[done]] = at[done], (radius - spared)[done]
            rest = rest[~done]
            if not rest.size:
                break
        return self._at(place), value

    def tight(self, outcome: Outcome) -> tuple[Ints, Floats]:
        """Clients and radii of the rows that carry the bound."""
        assert outcome.row_dual is not None
        carries = np.abs(outcome.row_dual[self._first_rows :]) > _WHOLE
        return self.row_client[carries], self.row_radius[carries]

    def add_rows(self, client: Ints, radius: Floats) -> None:
        """Add the rows of clients at radii."""
        if client.size:
            self._add(client, radius)

    def trial(self, lower: Floats, upper: Floats) -> float:
        """A quick bound with other bounds of sites: a few steps of the simplex method only."""
        self._session.set_options(replace(self.options, extra={"simplex_iteration_limit": _TRIAL_STEPS}))
        self.set_bounds(lower, upper)
        outcome = self._session.run()
        self.iterations += outcome.iterations
        self._session.set_options(self.options)
        return np.inf if outcome.status is Status.INFEASIBLE else outcome.bound

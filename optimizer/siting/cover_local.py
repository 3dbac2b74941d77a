"""Fewer sites that cover all clients, by local search with weights of clients.

One site fewer than the best cover is open, so that some clients are not covered. A step closes the open site whose
closing loses least weight and opens, for one client that is not covered, the site that gains most; then every client
still not covered weighs one more, so that what is hard to cover is looked after first. The longest untouched site goes
first among equals; a site just opened is not closed at once, and one just closed opens only after a neighbour changed
(C. Gao, X. Yao, T. Weise and J. Li, "An efficient local search heuristic with row weighting for the unicost set
covering problem", EJOR 246, 2015).
"""

from __future__ import annotations

from time import perf_counter

import numpy as np

from optimizer.siting.result import Flags, Floats, Ints

_CLOCK = 64  # steps between looks at the clock
_NEVER = 1e18
_AGE = 1e-9  # what a step of age counts: only among equals


class LocalCover:
    """Local search on clients and sites ``allowed`` (n, m), where every site costs the same."""

    def __init__(self, allowed: Flags, seed: int) -> None:
        clients, sites = allowed.shape
        self._allowed = allowed
        self._share: Floats = allowed.astype(float)
        self._clients_of = [np.flatnonzero(allowed[:, site]) for site in range(sites)]
        self._sites_of = [np.flatnonzero(allowed[client]) for client in range(clients)]  # that may be opened
        self._near: dict[int, Flags] = {}
        self._random = np.random.default_rng(seed)
        self._weight = np.ones(clients)
        self._times = np.zeros(clients, np.int64)
        self._shut = np.zeros(sites)
        self._gain, self._loss = np.zeros(sites), np.zeros(sites)
        self._missing = 0

    @property
    def sites(self) -> Ints:
        """Sites open at the end of the last search."""
        return np.flatnonzero(self._shut == 0)

    def look_at(self, sites: Flags) -> None:
        """Open no other sites from now on; every client has one of these."""
        self._sites_of = [np.flatnonzero(row & sites) for row in self._allowed]

    def forget(self) -> None:
        """Let all clients weigh the same again: what was hard elsewhere may be easy here."""
        self._weight[:] = 1.0

    def fewer(self, start: Ints, most: int, steps: int, end: float) -> Ints | None:
        """A cover of ``most`` sites near ``start`` (any sites, ``most`` of them or more), or None."""
        self._begin(start)
        for _ in range(start.size - most):
            self._close(int((self._loss + self._shut).argmin()))
        changed = np.zeros(self._shut.size)
        may_open = np.ones(self._shut.size, bool)
        just_opened = -1
        for step, draw in enumerate(self._random.random(steps), start=1):
            if not self._missing:
                return np.flatnonzero(self._shut == 0)
            if step % _CLOCK == 0 and perf_counter() > end:
                return None
            self._close_one(changed, just_opened, may_open, step)
            missing = np.flatnonzero(self._times == 0)
            choice = self._sites_of[missing[int(draw * missing.size)]]
            worth = np.where(may_open[choice], self._gain[choice] - _AGE * changed[choice], -_NEVER)
            just_opened = int(choice[worth.argmax()])
            self._open(just_opened)
            changed[just_opened] = step
            may_open |= self._neighbours(just_opened)
            rest = missing[self._times[missing] == 0]
            if rest.size:
                self._weight[rest] += 1
                self._gain += self._share[rest].sum(axis=0)
        return None if self._missing else np.flatnonzero(self._shut == 0)

    def _close_one(self, changed: Floats, just_opened: int, may_open: Flags, step: int) -> None:
        cost = self._loss + self._shut + _AGE * changed
        if just_opened >= 0:
            cost[just_opened] += _NEVER / 2
        site = int(cost.argmin())
        self._close(site)
        changed[site] = step
        may_open |= self._neighbours(site)
        may_open[site] = False

    def _begin(self, start: Ints) -> None:
        self._shut[:] = _NEVER
        self._shut[start] = 0.0
        self._times = self._allowed[:, start].sum(axis=1)
        none, one = self._times == 0, self._times == 1
        self._missing = int(none.sum())
        self._gain = self._weight[none] @ self._share[none]
        self._loss = self._weight[one] @ self._share[one]

    def _open(self, site: int) -> None:
        rows = self._clients_of[site]
        self._times[rows] += 1
        now = self._times[rows]
        first, second = rows[now == 1], rows[now == 2]
        weight = self._weight[first] @ self._share[first]
        self._gain -= weight
        self._loss += weight - self._weight[second] @ self._share[second]
        self._missing -= first.size
        self._shut[site] = 0.0

    def _close(self, site: int) -> None:
        rows = self._clients_of[site]
        self._times[rows] -= 1
        now = self._times[rows]
        none, one = rows[now == 0], rows[now == 1]
        weight = self._weight[none] @ self._share[none]
        self._gain += weight
        self._loss += self._weight[one] @ self._share[one] - weight
        self._missing += none.size
        self._shut[site] = _NEVER

    def _neighbours(self, site: int) -> Flags:
        """Sites that share a client with this one, and itself."""
        if site not in self._near:
            self._near[site] = np.asarray(self._allowed[self._clients_of[site]].any(axis=0), bool)
        return self._near[site]

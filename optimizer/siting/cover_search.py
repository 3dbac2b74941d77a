"""The fewest sites that cover all clients, to a proof: one number after another is excluded or found.

A number of sites is excluded by a search tree in which only covers of that many sites are looked for. Each branch is
bounded by the relaxed programme ``min sum_j y_j``, ``sum_{j in N(i)} y_j >= 1``, ``0 <= y <= 1``. For any multipliers
``u >= 0`` of clients and ``d_j = 1 - sum_{i: j in N(i)} u_i``, ``sum_i u_i + sum_j min_{l_j <= y_j <= h_j} d_j y_j``
is a bound (weak duality), which is reckoned anew from the solver's multipliers. A closed site whose ``d_j`` lifts the
bound above the number stays closed, an open one whose ``-d_j`` does stays open. As fewer sites are looked for
than the best cover has, this rules out more than the distance to the best cover would. Branching is on the site
whose two branches raise the bound most (product rule), by short trials until enough is known of the site
(T. Achterberg, T. Koch and A. Martin, "Branching rules revisited", Operations Research Letters 33, 2005).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import sparse

from optimizer.highs import Arrays, Outcome, Session, Status
from optimizer.siting.cover_local import LocalCover
from optimizer.siting.limits import Limits
from optimizer.siting.result import Flags, Floats, Ints

_WHOLE = 1e-6
_TRIED = 8  # sites tried at a branch
_KNOWN = 2  # trials after which a site's averages are trusted
_TRIAL_STEPS = 80  # of the simplex method
_STEPS = 100_000  # of the simplex method for one number of sites
_EARLY = 10_000  # steps after which the pace is looked at
_NEAR = 1  # sites between bound and best cover up to which a tree is searched
_LOCAL = 1500  # steps of the local search before each number of sites
_LOCAL_IN_BRANCH = 200
_BRANCHES_BETWEEN = 4  # local searches

Branch = tuple[Floats, Floats]


def programme(allowed: Flags, cost: Floats, *, integer: bool = True) -> Arrays:
    """The set covering programme of clients and sites ``allowed`` (n, m)."""
    clients, sites = allowed.shape
    return Arrays(
        cost=cost,
        lower=np.zeros(sites),
        upper=np.ones(sites),
        integer=np.full(sites, integer),
        matrix=sparse.csr_matrix(allowed.astype(float)),
        row_lower=np.ones(clients),
        row_upper=np.full(clients, np.inf),
    )


class CoverSearch:
    """The search on clients and sites ``allowed`` (n, m), where every site costs the same, from a cover ``chosen``.

    ``bound`` is a number of sites that every cover has at least; ``chosen`` the best cover known.
    """

    def __init__(self, allowed: Flags, chosen: Ints, limits: Limits, *, local: int = _LOCAL) -> None:
        self.allowed, self.chosen, self.limits = allowed, chosen, limits
        self.bound, self.nodes, self._steps = 0, 0, 0
        self._local_steps = local
        self._local: LocalCover | None = None
        self._share = sparse.csr_matrix(allowed.astype(float))
        sites = allowed.shape[1]
        self._options = replace(limits.linear(), time_limit_seconds=max(0.01, limits.left))
        self._session = Session(programme(allowed, np.ones(sites), integer=False), self._options)
        self._branch: Branch = (np.zeros(sites), np.ones(sites))
        self._gain, self._tries = np.zeros((2, sites)), np.zeros((2, sites))

    def run(self, enough: int | None = None, *, steps: int = _STEPS, near: int = _NEAR) -> None:
        """Search until ``bound`` meets ``chosen``, ``steps`` or the clock are used up, or ``enough`` is decided.

        Without ``enough`` no tree is searched while they are more than ``near`` sites apart.
        """
        root: Branch = self._branch
        outcome = self._session.run()
        if outcome.x is None or outcome.row_dual is None:
            return
        self.bound = int(np.ceil(self._dual(outcome)[0] - _WHOLE))
        self._take_whole(outcome.x)
        while self.bound < self.chosen.size and self.limits.left > 0:
            if enough is not None and not self.bound <= enough < self.chosen.size:
                break
            number = self.bound if enough is None else enough
            self._improve(number)
            if self.chosen.size <= number:
                continue
            if enough is None and self.chosen.size - self.bound > near:
                break
            if not self._excluded(number, root, steps):
                break
            self.bound = number + 1

    def _improve(self, number: int) -> None:
        """Local search from the best cover, one site fewer each time, down to ``number``."""
        if self._local is None and self._local_steps:
            self._local = LocalCover(self.allowed, self.limits.seed)
        found: Ints | None = self.chosen
        while self._local is not None and found is not None and self.chosen.size > number:
            found = self._local.fewer(self.chosen, self.chosen.size - 1, self._local_steps, self.limits.end)
            self._take(found)

    def _excluded(self, number: int, root: Branch, steps: int) -> bool:
        """Whether it is proven that every cover has more than ``number`` sites; ends as soon as one with them is taken.

        Every branch halves its parent's share of the search; where the shares done promise more than ``steps`` of the
        simplex method, the search ends early.
        """
        stack, first = [(1.0, root)], self._steps
        while stack:
            taken, rest = self._steps - first, sum(share for share, _ in stack)
            if self.limits.left <= 0 or taken > steps or (taken > _EARLY and taken > (1 - rest) * steps):
                return False
            share, (lower, upper) = stack.pop()
            self.nodes += 1
            outcome = self._solved((lower, upper))
            if outcome.status is Status.INFEASIBLE:
                continue
            if outcome.x is None or outcome.row_dual is None:
                return False
            bound, worth = self._dual(outcome)
            if bound > number + _WHOLE:
                continue
            self._take_whole(outcome.x)
            if self.nodes % _BRANCHES_BETWEEN == 1:
                self._local_from(outcome.x, number)
            if self.chosen.size <= number:
                return False
            broken = np.flatnonzero((outcome.x > _WHOLE) & (outcome.x < 1 - _WHOLE))
            if not broken.size:
                return False
            upper = np.where((lower < 1) & (bound + worth > number + _WHOLE), 0.0, upper)
            lower = np.where((upper > 0) & (bound - worth > number + _WHOLE), 1.0, lower)
            parts = self._split(outcome.x, broken, bound, number, (lower, upper))
            stack += [(share / len(parts), part) for part in parts]
        return True

    def _local_from(self, y: Floats, number: int) -> None:
        if self._local is not None:
            start = np.argsort(-y, kind="stable")[:number]
            self._take(self._local.fewer(start, number, min(self._local_steps, _LOCAL_IN_BRANCH), self.limits.end))

    def _take_whole(self, y: Floats) -> None:
        if ((y < _WHOLE) | (y > 1 - _WHOLE)).all():
            self._take(np.flatnonzero(y > 0.5))

    def _take(self, sites: Ints | None) -> None:
        if sites is not None and sites.size < self.chosen.size and self.allowed[:, sites].any(axis=1).all():
            self.chosen = sites

    def _dual(self, outcome: Outcome) -> tuple[float, Floats]:
        """The bound proven by the solver's multipliers of clients, and every site's reduced cost."""
        assert outcome.row_dual is not None
        price = np.maximum(outcome.row_dual, 0.0)
        worth: Floats = 1.0 - self._share.T @ price
        lower, upper = self._branch
        return float(price.sum() + worth @ np.where(worth > 0, lower, upper)), worth

    def _solved(self, branch: Branch) -> Outcome:
        lower, upper = branch
        changed = np.flatnonzero((lower != self._branch[0]) | (upper != self._branch[1]))
        if changed.size:
            self._session.set_bounds(changed, lower[changed], upper[changed])
        self._branch = branch
        outcome = self._session.run()
        self._steps += outcome.iterations
        return outcome

    def _split(self, y: Floats, broken: Ints, bound: float, number: int, branch: Branch) -> list[Branch]:
        """The two branches of the site to branch on, without those that hold no cover of ``number`` sites."""
        site, ends = self._best_site(y, broken, bound, number, branch)
        parts = zip(ends, self._parts(site, branch), strict=True)
        return [part for end, part in parts if end <= number + _WHOLE]

    @staticmethod
    def _parts(site: int, branch: Branch) -> tuple[Branch, Branch]:
        without, within = branch[1].copy(), branch[0].copy()
        without[site], within[site] = 0.0, 1.0
        return (branch[0], without), (within, branch[1])

    def _best_site(
        self, y: Floats, broken: Ints, bound: float, number: int, branch: Branch
    ) -> tuple[int, tuple[float, float]]:
        """The site to branch on and the bounds with it closed and open."""
        room = max(number - bound, 0.0) + 0.01  # raising the bound further is worth no more
        moved = np.stack([y[broken], 1 - y[broken]])  # how far each branch moves the site
        mean = self._gain / np.maximum(self._tries, 1)
        usual = np.where(self._tries > 0, mean, mean[self._tries > 0].mean() if self._tries.any() else 1.0)
        guess = np.clip(moved * usual[:, broken], _WHOLE, room)
        best, chosen, ends = -1.0, int(broken[0]), (bound, bound)
        for at in np.lexsort((broken, -guess.prod(axis=0)))[:_TRIED]:
            site, gains, both = int(broken[at]), guess[:, at], (bound, bound)
            if self._tries[:, site].min() < _KNOWN:
                both = self._tried(site, bound, branch)
                gains = np.clip(np.array(both) - bound, _WHOLE, room)
                self._gain[:, site] += np.minimum(gains, 1.0) / moved[:, at]
                self._tries[:, site] += 1
            if gains.prod() > best:
                best, chosen, ends = float(gains.prod()), site, both
            if min(both) > number + _WHOLE:
                break
        return chosen, ends

    def _tried(self, site: int, bound: float, branch: Branch) -> tuple[float, float]:
        """Bounds with the site closed and open, by a few steps of the simplex method."""
        self._session.set_options(replace(self._options, extra={"simplex_iteration_limit": _TRIAL_STEPS}))
        closed, opened = (self._trial(part, bound) for part in self._parts(site, branch))
        self._session.set_options(self._options)
        return closed, opened

    def _trial(self, branch: Branch, bound: float) -> float:
        outcome = self._solved(branch)
        if outcome.status is Status.INFEASIBLE:
            return np.inf
        return bound if outcome.row_dual is None else max(bound, self._dual(outcome)[0])

"""A search tree that proves that no choice of sites is as good as asked for, or finds one.

Each branch is bounded by the relaxed programme of ``cover_relaxed``. For multipliers ``u`` of its rows and the reduced
costs ``d``, ``sum_r u_r b_r + sum_j min_{l_j <= y_j <= h_j} d_j y_j`` is a bound (weak duality), which is reckoned anew
from the solver's multipliers. A closed site whose ``d_j`` lifts the bound above what is asked for stays closed, an open
one whose ``-d_j`` does stays open. Branching is on the site whose two branches raise the bound most (product rule), by
short trials until enough is known of the site (T. Achterberg, T. Koch and A. Martin, "Branching rules revisited",
Operations Research Letters 33, 2005).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from optimizer.highs import Status
from optimizer.siting.cover_relaxed import Branch, RelaxedCover
from optimizer.siting.limits import Limits
from optimizer.siting.result import Floats, Ints

_WHOLE = 1e-6
_TRIED = 4  # sites tried at a branch
_KNOWN = 1  # trials after which a site's averages are trusted
_EARLY = 50_000  # steps after which the pace is looked at
_LEAST = 0.01  # added to what the bound lacks, so that every branch has room

Look = Callable[[Floats, int], float]


class CoverTree:
    """The tree on the sites of ``relaxed``; what is learned of sites in one search helps the next."""

    def __init__(self, relaxed: RelaxedCover, limits: Limits) -> None:
        self.nodes = 0
        self._relaxed, self._limits = relaxed, limits
        self._sites = relaxed.allowed.shape[1]
        self._gain, self._tries = np.zeros((2, self._sites)), np.zeros((2, self._sites))

    def excluded(self, most: float, steps: int, look: Look) -> bool:
        """Whether it is proven that nothing costs ``most`` or less, or what ``look`` says in its place.

        ``look`` is shown the relaxed cover of each branch and its number; it may know of something better and says
        what is asked for from then on, or ``-inf`` to end the search. Every branch halves its parent's share of the
        search; where the shares done promise more than ``steps`` of the simplex method, the search ends early.
        """
        root: Branch = (np.zeros(self._sites), np.ones(self._sites))
        stack, first = [(1.0, -np.inf, root)], self._relaxed.steps
        while stack:
            taken, rest = self._relaxed.steps - first, sum(share for share, _, _ in stack)
            if self._limits.left <= 0 or taken > steps or (taken > _EARLY and taken > (1 - rest) * steps):
                return False
            share, known, (lower, upper) = stack.pop()
            if known > most:
                continue
            self.nodes += 1
            outcome = self._relaxed.solved((lower, upper))
            if outcome.status is Status.INFEASIBLE:
                continue
            if outcome.x is None or outcome.row_dual is None:
                return False
            bound, worth = self._relaxed.dual(outcome)
            if bound > most:
                continue
            most = look(outcome.x, self.nodes)
            if most == -np.inf:
                return False
            if bound > most:
                continue
            y, d = outcome.x[: self._sites], worth[: self._sites]
            broken = np.flatnonzero((y > _WHOLE) & (y < 1 - _WHOLE))
            if not broken.size:
                return False
            upper = np.where((lower < 1) & (bound + d > most), 0.0, upper)
            lower = np.where((upper > 0) & (bound - d > most), 1.0, lower)
            parts = self._split(y, broken, bound, most, (lower, upper))
            stack += [(share / len(parts), end, part) for end, part in parts]
        return True

    def _split(self, y: Floats, broken: Ints, bound: float, most: float, branch: Branch) -> list[tuple[float, Branch]]:
        """The two branches of the site to branch on with their bounds, without those whose bound is above ``most``."""
        site, ends = self._best_site(y, broken, bound, most, branch)
        return [(end, part) for end, part in zip(ends, _parts(site, branch), strict=True) if end <= most]

    def _best_site(
        self, y: Floats, broken: Ints, bound: float, most: float, branch: Branch
    ) -> tuple[int, tuple[float, float]]:
        """The site to branch on and the bounds with it closed and open."""
        room = max(most - bound, 0.0) + _LEAST  # raising the bound further is worth no more
        moved = np.stack([y[broken], 1 - y[broken]])  # how far each branch moves the site
        mean = self._gain / np.maximum(self._tries, 1)
        usual = np.where(self._tries > 0, mean, mean[self._tries > 0].mean() if self._tries.any() else 1.0)
        guess = np.clip(moved * usual[:, broken], _WHOLE, room)
        best, chosen, ends = -1.0, int(broken[0]), (bound, bound)
        for at in np.lexsort((broken, -guess.prod(axis=0)))[:_TRIED]:
            site, gains, both = int(broken[at]), guess[:, at], (bound, bound)
            if self._tries[:, site].min() < _KNOWN:
                both = self._relaxed.tried(_parts(site, branch), bound)
                gains = np.clip(np.array(both) - bound, _WHOLE, room)
                self._gain[:, site] += gains / moved[:, at]
                self._tries[:, site] += 1
            if gains.prod() > best:
                best, chosen, ends = float(gains.prod()), site, both
            if min(both) > most:
                break
        return chosen, ends


def _parts(site: int, branch: Branch) -> tuple[Branch, Branch]:
    """The branch with the site closed, and with it open."""
    without, within = branch[1].copy(), branch[0].copy()
    without[site], within[site] = 0.0, 1.0
    return (branch[0], without), (within, branch[1])

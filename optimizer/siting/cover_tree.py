"""A search tree that proves that no choice of sites is as good as asked for, or finds one.

Each branch is bounded by the relaxed programme of ``cover_relaxed``. For multipliers ``u`` of its rows and the reduced
costs ``d``, ``sum_r u_r b_r + sum_j min_{l_j <= y_j <= h_j} d_j y_j`` is a bound (weak duality), which is reckoned anew
from the solver's multipliers. A closed site whose ``d_j`` lifts the bound above what is asked for stays closed, an open
one whose ``-d_j`` does stays open. Branching is on the site whose two branches raise the bound most (product rule): by
short trials until enough is known of the site, then by what its branches raised bounds by on average (T. Achterberg,
T. Koch and A. Martin, "Branching rules revisited", Operations Research Letters 33, 2005). Trials and branches begin at
the basis of the branch above: from wherever the last one ended, the simplex method takes about twice the steps, and a
short trial says little.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from optimizer.highs import Status
from optimizer.siting.cover_relaxed import Branch, RelaxedCover
from optimizer.siting.limits import Limits
from optimizer.siting.result import Floats, Ints

_WHOLE = 1e-6
_TRIED = 4  # sites tried at a branch
_KNOWN = 1  # trials after which a site's averages are trusted
_EARLY = 100_000  # steps after which the pace is looked at
_LEAST = 0.01  # added to what the bound lacks, so that every branch has room

Look = Callable[[Floats, int], float]


@dataclass(frozen=True)
class _Node:
    """A branch still to be looked at: its share of the search, what bounds it, and where to begin on it."""

    share: float
    bound: float
    branch: Branch
    basis: Any = None
    split: tuple[int, int, float, float] | None = None
    """Open (1) or closed (0), the site, how far that moved it, and the bound before."""


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
        stack, first = [_Node(1.0, -np.inf, (np.zeros(self._sites), np.ones(self._sites)))], self._relaxed.steps
        while stack:
            taken, rest = self._relaxed.steps - first, sum(node.share for node in stack)
            if self._limits.left <= 0 or taken > steps or (taken > _EARLY and taken > (1 - rest) * steps):
                return False
            node = stack.pop()
            if node.bound > most:
                continue
            self.nodes += 1
            outcome = self._relaxed.solved(node.branch, node.basis, most)
            if outcome.status is Status.INFEASIBLE:
                continue
            if outcome.row_dual is None:
                return False
            bound, worth = self._relaxed.dual(outcome)
            if node.split is not None:
                self._learn(*node.split, bound, stopped=outcome.stopped != "")
            if bound > most:
                continue
            if outcome.x is None:
                return False
            most = look(outcome.x, self.nodes)
            if most == -np.inf:
                return False
            if bound > most:
                continue
            basis, (lower, upper) = self._relaxed.basis, node.branch
            y, d = outcome.x[: self._sites], worth[: self._sites]
            broken = np.flatnonzero((y > _WHOLE) & (y < 1 - _WHOLE))
            if not broken.size:
                return False
            upper = np.where((lower < 1) & (bound + d > most), 0.0, upper)
            lower = np.where((upper > 0) & (bound - d > most), 1.0, lower)
            stack += self._split(_Node(node.share, bound, (lower, upper), basis), y, broken, most)
        return True

    def _learn(self, way: int, site: int, moved: float, before: float, bound: float, *, stopped: bool = False) -> None:
        """What closing (0) or opening (1) a site has raised the bound by, or more where the solver ``stopped``."""
        if bound < np.inf:
            gain, tries = max(bound - before, 0.0) / moved, self._tries[way, site]
            if stopped and tries:
                gain = max(gain, self._gain[way, site] / tries)
            self._gain[way, site] += gain
            self._tries[way, site] += 1

    def _split(self, node: _Node, y: Floats, broken: Ints, most: float) -> list[_Node]:
        """The two branches of the site to branch on, without those whose bound is above ``most``."""
        site, ends = self._best_site(node, y, broken, most)
        parts = [
            _Node(node.share / 2, end, part, node.basis, (way, site, abs(way - float(y[site])), node.bound))
            for way, (end, part) in enumerate(zip(ends, _parts(site, node.branch), strict=True))
            if end <= most
        ]
        return parts if len(parts) > 1 else [replace(part, share=node.share) for part in parts]

    def _best_site(self, node: _Node, y: Floats, broken: Ints, most: float) -> tuple[int, tuple[float, float]]:
        """The site to branch on and the bounds with it closed and open."""
        bound, room = node.bound, max(most - node.bound, 0.0) + _LEAST  # raising the bound further is worth no more
        moved = np.stack([y[broken], 1 - y[broken]])  # how far each branch moves the site
        total = self._tries.sum(axis=1, keepdims=True)
        mean = np.where(total > 0, self._gain.sum(axis=1, keepdims=True) / np.maximum(total, 1), 1.0)
        usual = np.where(self._tries > 0, self._gain / np.maximum(self._tries, 1), mean)
        guess = np.clip(moved * usual[:, broken], _WHOLE, room)
        best, chosen, ends = -1.0, int(broken[0]), (bound, bound)
        for at in np.lexsort((broken, -guess.prod(axis=0)))[:_TRIED]:
            site, gains, both = int(broken[at]), guess[:, at], (bound, bound)
            if self._tries[:, site].min() < _KNOWN:
                both = self._relaxed.tried(_parts(site, node.branch), bound, node.basis)
                gains = np.clip(np.array(both) - bound, _WHOLE, room)
                for way, end in enumerate(both):
                    self._learn(way, site, float(moved[way, at]), bound, end)
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

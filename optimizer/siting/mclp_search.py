"""The p sites that leave out least weight, to a proof: exchanges from relaxed answers, cuts, and a search tree.

``min sum_i w_i u_i`` with ``u_i + sum_{j in N(i)} y_j >= 1``, ``sum_j y_j = p`` and u_i the part of client i that is
left out. Relaxed, its sites that are open most are a good start for exchanges (M. B. Teitz and P. Bart, Operations
Research 16, 1968), again after every few sites that it says to open. Cuts of near clients (``cover_cuts``) raise its
bound; what is then open between bound and best answer is searched in a tree (``cover_tree``).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from optimizer.highs import Outcome
from optimizer.siting.cover_relaxed import RelaxedCover
from optimizer.siting.cover_tree import CoverTree
from optimizer.siting.limits import Limits
from optimizer.siting.result import Flags, Floats, Ints

_WHOLE = 1e-6
_EQUAL = 1e-9  # of the weight covered: answers this close are equal
_EXACT = 1e8  # weight up to which sums are exact enough that bounds may be rounded up to whole numbers
_STEPS = 300_000  # of the simplex method in the tree
_ROUNDS = 12  # of cuts
_GAIN = 0.05  # of what is open between bound and best answer: what a round of cuts brings, or it is the last
_ROUNDS_BETWEEN = 3  # dives
_BRANCHES_BETWEEN = 4  # exchanges
_OPEN = 0.6  # sites this open or more are opened together in a dive
_LOOSE = 0.05  # what a cut has to spare when the tree begins, or it is left out


class MostSearch:
    """The search for ``p`` of the sites of ``rows`` (n clients, m sites) with weights ``amount`` of clients.

    ``chosen`` are the best sites known and ``missed`` the weight they leave out; every choice leaves out ``bound``.
    """

    def __init__(self, rows: Flags, amount: Floats, p: int, chosen: Ints, limits: Limits) -> None:
        self.chosen, self.bound = chosen, 0.0
        self._rows, self._amount, self._p, self._limits = rows, amount, p, limits
        self._share = sparse.csr_matrix(rows, dtype=float)
        self.missed, total = self._left_out(chosen), float(amount.sum())
        self._whole = bool((amount == np.rint(amount)).all()) and total <= _EXACT
        self._step = 1 - _WHOLE if self._whole else _EQUAL * (total - self.missed)
        self._relaxed = RelaxedCover(rows, limits, amount, p)

    @property
    def proven(self) -> bool:
        """Whether nothing is better than ``chosen``."""
        return self.bound >= self.missed - self._step

    def run(self, *, rounds: int = _ROUNDS, steps: int = _STEPS) -> None:
        """Search until the best answer is proven or ``steps`` or the clock are used up."""
        self._exchange(self.chosen)
        outcome = self._relaxed.solved(self._relaxed.root)
        if outcome.x is None or outcome.row_dual is None:
            return
        value, x = self._raise(outcome), outcome.x
        self._dive(x)
        for number in range(1, rounds + 1):
            if self.proven or self._limits.left <= 0 or not self._relaxed.cut(x):
                break
            outcome = self._relaxed.solved(self._relaxed.root)
            if outcome.x is None or outcome.row_dual is None:
                return
            before, value, x = value, self._raise(outcome), outcome.x
            self._exchange_from(x)
            if number % _ROUNDS_BETWEEN == 0:
                self._dive(x)
            if value - before < _GAIN * (self.missed - value):
                break
        if not self.proven and self._limits.left > 0:
            self._relaxed.drop_loose(x, _LOOSE)
            if CoverTree(self._relaxed, self._limits).excluded(self._asked(), steps, self._look):
                self.bound = max(self.bound, self.missed if self._whole else self._asked())

    def _asked(self) -> float:
        """The most that something better leaves out."""
        return self.missed - self._step

    def _look(self, x: Floats, nodes: int) -> float:
        y = x[: self._rows.shape[1]]
        if nodes % _BRANCHES_BETWEEN == 1 or ((y < _WHOLE) | (y > 1 - _WHOLE)).all():
            self._exchange_from(x)
        return -np.inf if self.proven else self._asked()

    def _raise(self, outcome: Outcome) -> float:
        value = self._relaxed.dual(outcome)[0]
        self.bound = max(self.bound, float(np.ceil(value - _WHOLE)) if self._whole else value)
        return value

    def _dive(self, x: Floats) -> None:
        """Exchanges from a relaxed answer, with ever more of its sites open."""
        sites = self._rows.shape[1]
        lower, upper = np.zeros(sites), np.ones(sites)
        basis = self._relaxed.basis
        while not self.proven and self._limits.left > 0:
            self._exchange_from(x)
            y = x[:sites]
            free = np.flatnonzero((lower < 1) & (y > _WHOLE))
            if not free.size:
                break
            lower = lower.copy()
            lower[free[y[free] >= min(_OPEN, float(y[free].max()))]] = 1.0
            outcome = self._relaxed.solved((lower, upper), most=self._asked())
            if outcome.x is None or outcome.row_dual is None or self._relaxed.dual(outcome)[0] > self._asked():
                break
            x = outcome.x
        self._relaxed.back_to(basis)

    def _exchange_from(self, x: Floats) -> None:
        self._exchange(np.argsort(-x[: self._rows.shape[1]], kind="stable")[: self._p])

    def _exchange(self, sites: Ints) -> None:
        sites = exchanged(self._rows, self._amount, sites, self._share)
        missed = self._left_out(sites)
        if missed < self.missed - self._step / 2:
            self.chosen, self.missed = sites, missed

    def _left_out(self, sites: Ints) -> float:
        return float(self._amount[~self._rows[:, sites].any(axis=1)].sum())


def exchanged(rows: Flags, amount: Floats, sites: Ints, share: Any = None) -> Ints:
    """Exchange an open for a closed site, always the best exchange, until none covers more weight.

    ``share`` are the ``rows`` as a sparse array, where they are looked at again and again.
    """
    share = sparse.csr_matrix(rows, dtype=float) if share is None else share
    sites = np.sort(sites)
    least = _EQUAL * float(amount.sum())
    times = rows[:, sites].sum(axis=1)
    while True:
        once = np.flatnonzero(times == 1)
        holder, weight = rows[np.ix_(once, sites)].argmax(axis=1), amount[once]
        own = sparse.csr_matrix((weight, (holder, once)), shape=(sites.size, amount.size)) @ share
        gain = share.T @ np.where(times == 0, amount, 0.0)
        change = gain - np.bincount(holder, weight, sites.size)[:, None] + own.toarray()
        best = int(change.argmax())
        out, into = divmod(best, rows.shape[1])
        if change.flat[best] <= least:
            return sites
        times = times - rows[:, sites[out]] + rows[:, into]
        sites[out] = into

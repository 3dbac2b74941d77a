"""The p-median to a proof: branch on sites, bound each branch by the radius programme (see ``radius_master``).

Branches are taken in the order of their bounds. The site to branch on is the one whose two branches raise the bound
most (product rule), by short trials until enough is known of a site and by its averages afterwards. Reduced costs
close and open further sites in every branch.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field, replace

import numpy as np

from optimizer.highs import Outcome, Status
from optimizer.siting.interchange import improved
from optimizer.siting.limits import Limits
from optimizer.siting.radius_master import RadiusMaster
from optimizer.siting.result import Flags, Floats, Ints

_WHOLE = 1e-6
_TRIED = 8  # sites tried at a branch
_KNOWN = 2  # trials after which a site's averages are trusted
_SAME = 1e-9  # relative difference of values that counts as none


@dataclass(order=True)
class _Branch:
    bound: float
    number: int
    lower: Floats = field(compare=False)
    upper: Floats = field(compare=False)


class RadiusSearch:
    """Branch and cut over the candidate sites of a p-median with finite values.

    ``cost`` (n, m) of candidate sites, ``inf`` where forbidden; ``penalised`` the same with finite penalties for the
    local search; ``step`` is 1 (or a multiple) if every plan's value is a multiple of it, else 0.
    """

    def __init__(
        self, cost: Floats, penalised: Floats, keep: Flags, plan: tuple[float, Ints], step: float, limits: Limits
    ) -> None:
        self.cost, self.penalised, self.keep = cost, penalised, keep
        self.value, self.sites = plan
        self.p = self.sites.size
        self.step, self.limits = step, limits
        self.nodes, self._number = 0, 0
        self._origin = np.arange(cost.shape[1])
        self._gain = np.zeros((2, cost.shape[1]))
        self._tries = np.zeros((2, cost.shape[1]))
        self._master: RadiusMaster | None = None

    @property
    def cutoff(self) -> float:
        """A branch whose bound is above this holds no better plan."""
        if self.step:
            return self.value - self.step * (1 - 1e-4)
        return self.value * (1 - _SAME)

    @property
    def exhausted(self) -> float:
        """The bound when no branch below the cutoff is left."""
        return self.value if self.step else self.cutoff

    @property
    def chosen(self) -> Ints:
        """The best sites, as columns of the cost given."""
        return self._origin[self.sites]

    def run(self, price: Floats) -> float:
        """Search from multipliers ``price`` (n,); returns the proven bound, ``value`` and ``sites`` are the plan."""
        self._master = master = RadiusMaster(self.cost, self.p, self.keep, self.limits.linear())
        for shift in (-1, 0):
            master.add_rows(np.arange(master.clients), master.level(price, shift))
        outcome, settled = master.solve(self.cutoff, self.limits.left)
        root = outcome.bound
        if outcome.status is Status.INFEASIBLE or root > self.cutoff:
            return self.exhausted
        if not settled or outcome.x is None:
            return root
        self._round(outcome)
        if root > self.cutoff:
            return self.exhausted
        lower, upper = self._fixed(outcome, master.lower, master.upper)
        lower, upper = self._rebuilt(outcome, lower, upper)
        return self._branch_out(_Branch(root, 0, lower, upper))

    def _branch_out(self, root: _Branch) -> float:
        heap = [root]
        while heap:
            branch = heapq.heappop(heap)
            if branch.bound > self.cutoff:
                break
            if self.limits.left <= 0 or (self._master is not None and self._master.rough):
                return branch.bound
            for child in self._children(branch):
                heapq.heappush(heap, child)
        return self.exhausted

    def _children(self, branch: _Branch) -> list[_Branch]:
        """Solve a branch; returns what it is split into, nothing if it holds no better plan."""
        assert self._master is not None
        self.nodes += 1
        self._master.set_bounds(branch.lower, branch.upper)
        outcome, settled = self._master.solve(self.cutoff, self.limits.left)
        if outcome.status is Status.INFEASIBLE:
            return []
        bound = max(branch.bound, outcome.bound)
        if bound > self.cutoff:
            return []
        if not settled or outcome.x is None:
            return [replace(branch, bound=bound)]
        y = outcome.x[: self._master.sites]
        if self.nodes % 10 == 1 or self._whole(y):
            self._round(outcome)
        if self._whole(y) or bound > self.cutoff:
            return []
        lower, upper = self._fixed(outcome, branch.lower, branch.upper)
        return self._split(y, bound, lower, upper)

    @staticmethod
    def _whole(y: Floats) -> bool:
        return bool(((y < _WHOLE) | (y > 1 - _WHOLE)).all())

    def _round(self, outcome: Outcome) -> None:
        """Open the p sites of the largest shares, exchange to the best, keep what is better."""
        assert self._master is not None
        assert outcome.x is not None
        near = self._master.near
        part = replace(near, site=near.site[:, : self._master.block], cost=near.cost[:, : self._master.block])
        share = np.where(self.keep, 2.0, outcome.x[: self._master.sites])
        sites = np.argsort(-share, kind="stable")[: self.p]
        value, sites = improved(self.penalised, part, sites, self.keep, most=40)
        if value < self.value * (1 - 1e-12):
            self.value, self.sites = value, sites

    def _fixed(self, outcome: Outcome, lower: Floats, upper: Floats) -> tuple[Floats, Floats]:
        """Close and open sites whose reduced cost shows that the other choice holds no better plan."""
        assert self._master is not None
        assert outcome.x is not None
        assert outcome.reduced_cost is not None
        y, worth = outcome.x[: self._master.sites], outcome.reduced_cost[: self._master.sites]
        closed = (y < _WHOLE) & (outcome.bound + worth > self.cutoff)
        opened = (y > 1 - _WHOLE) & (outcome.bound - worth > self.cutoff)
        return np.where(opened, 1.0, lower), np.where(closed, 0.0, upper)

    def _rebuilt(self, outcome: Outcome, lower: Floats, upper: Floats) -> tuple[Floats, Floats]:
        """Leave out the sites closed at the root, and rows that carry nothing."""
        assert self._master is not None
        stay = np.flatnonzero(upper > 0)
        stay = np.union1d(stay, self.sites)  # the plan stays expressible
        client, radius = self._master.tight(outcome)
        place = np.full(self._master.sites, -1)
        place[stay] = np.arange(stay.size)
        self.cost, self.penalised, self.keep = self.cost[:, stay], self.penalised[:, stay], self.keep[stay]
        self.sites, self._origin = place[self.sites], stay
        self._gain, self._tries = self._gain[:, stay], self._tries[:, stay]
        self._master = RadiusMaster(self.cost, self.p, self.keep, self.limits.linear())
        self._master.add_rows(client, radius)
        return lower[stay], upper[stay]

    def _split(self, y: Floats, bound: float, lower: Floats, upper: Floats) -> list[_Branch]:
        """The two branches of the best site to branch on."""
        site, (closed, opened) = self._best_site(y, bound, lower, upper)
        without, within = upper.copy(), lower.copy()
        without[site], within[site] = 0.0, 1.0
        parts = []
        for trial, low, high in ((closed, lower, without), (opened, within, upper)):
            if trial <= self.cutoff:
                self._number += 1
                parts.append(_Branch(max(bound, trial), self._number, low, high))
        return parts

    def _best_site(self, y: Floats, bound: float, lower: Floats, upper: Floats) -> tuple[int, tuple[float, float]]:
        broken = np.flatnonzero((y > _WHOLE) & (y < 1 - _WHOLE))
        distance = np.stack([y[broken], 1 - y[broken]])  # how far each branch moves the site
        mean = self._gain / np.maximum(self._tries, 1)
        usual = np.where(self._tries > 0, mean, mean[self._tries > 0].mean() if self._tries.any() else 1.0)
        guess = np.maximum(distance * usual[:, broken], 1e-9)
        ranked = broken[np.lexsort((broken, -guess.prod(axis=0)))]
        best: tuple[float, int, tuple[float, float]] | None = None
        for site in ranked[:_TRIED]:
            if self._tries[:, site].min() >= _KNOWN:
                at = int(np.flatnonzero(broken == site)[0])
                ends = (bound, bound)
                gains = guess[:, at]
            else:
                ends = self._tried(int(site), float(y[site]), bound, lower, upper)
                gains = np.clip(np.array(ends) - bound, 1e-9, max(self.value - bound, 1e-9))
            score = float(np.prod(np.minimum(gains, max(self.value - bound, 1e-9))))
            if best is None or score > best[0]:
                best = score, int(site), ends
        assert best is not None
        return best[1], best[2]

    def _tried(self, site: int, share: float, bound: float, lower: Floats, upper: Floats) -> tuple[float, float]:
        """Bounds with the site closed and opened, by short trials."""
        assert self._master is not None
        without, within = upper.copy(), lower.copy()
        without[site], within[site] = 0.0, 1.0
        ends = self._master.trial(lower, without), self._master.trial(within, upper)
        for way, (end, moved) in enumerate(zip(ends, (share, 1 - share), strict=True)):
            gain = min(max(end - bound, 0.0), max(self.value - bound, 0.0))
            self._gain[way, site] += gain / moved
            self._tries[way, site] += 1
        return ends

"""The fewest sites that cover all clients, to a proof: fewer than the best cover has are found or excluded.

Both begin with the relaxed programme ``min sum_j y_j``, ``sum_{j in N(i)} y_j >= 1``, ``0 <= y <= 1`` and cuts that
raise its bound (``cover_cuts``). As the number is whole, a bound a little above one number proves the next. Fewer sites
are found by local search on the sites of small reduced cost: one search goes on from round to round of cuts, for longer
where the bound stays far, others begin at a relaxed cover after every few sites that it says to open.

A number of sites is excluded by a search tree in which only covers of that many sites are looked for (``cover_tree``):
fewer sites than the best cover has leave less room than the distance to the best cover would.
"""

from __future__ import annotations

import numpy as np

from optimizer.highs import Outcome
from optimizer.siting.cover_local import LocalCover
from optimizer.siting.cover_local_lists import LocalCoverLists
from optimizer.siting.cover_relaxed import RelaxedCover
from optimizer.siting.cover_tree import CoverTree
from optimizer.siting.limits import Limits
from optimizer.siting.result import Flags, Floats, Ints

_WHOLE = 1e-6
_STEPS = 600_000  # of the simplex method for one number of sites
_SHORT = 2_000  # in the tree that is tried before cuts where it may be small
_CLOSE = 0.2  # sites between the relaxed bound and the number to exclude up to which it may be
_NEAR = 2  # sites between bound and best cover up to which a tree is searched
_ROUNDS = 16  # of cuts
_GAIN = 0.02  # of the bound: what a round of cuts brings, or it is slow
_SLOW = 2  # slow rounds after which no further follow; one where the bound is not far
_ROUNDS_BETWEEN = 4  # dives
_LOOSE = 0.05  # what a cut has to spare when a tree begins, or it is left out
_OPEN = (0.6, 0.8)  # sites this open or more are opened together in a dive
_FEW = 1_200  # sites touched by a step up to which lists are faster than arrays
_FAR = 0.5  # sites between the relaxed bound and the number to exclude from which it is far
_NEEDLESS = 0.1  # reduced cost up to which the local search opens sites
_NEEDLESS_CUT = (0.005, 0.02, 0.01)  # and after cuts, in turn where it begins anew
_LOCAL = 1_500  # steps of the local search for each number of sites
_LOCAL_IN_ROUND = 500
_LOCAL_IN_DIVE = 100
_LOCAL_IN_BRANCH = 200
_LOCAL_FAR = 1_000
_LONGER = 36  # times as many where the bound is far
_RESTART = 12  # of these times after which it begins anew
_BRANCHES_BETWEEN = 4  # local searches


class CoverSearch:
    """The search on clients and sites ``allowed`` (n, m), where every site costs the same, from a cover ``chosen``.

    ``bound`` is a number of sites that every cover has at least; ``chosen`` the best cover known.
    """

    def __init__(
        self, allowed: Flags, chosen: Ints, limits: Limits, *, local: int = _LOCAL, rounds: int = _ROUNDS
    ) -> None:
        self.allowed, self.chosen, self.limits = allowed, chosen, limits
        self.bound, self._value = 0, 0.0
        self._local_steps, self._rounds = local, rounds
        self._relaxed = RelaxedCover(allowed, limits)
        self._tree = CoverTree(self._relaxed, limits)
        self._local, self._diver = _local(allowed, limits.seed), _local(allowed, limits.seed)
        self._at, self._worth = chosen, np.zeros(allowed.shape[1])

    def run(self, enough: int | None = None, *, steps: int = _STEPS, near: int = _NEAR) -> None:
        """Search until ``bound`` meets ``chosen``, ``steps`` or the clock are used up, or ``enough`` is decided.

        Without ``enough`` no tree is searched while they are more than ``near`` sites apart. With no ``steps`` only the
        relaxed bound and a short local search are tried.
        """
        outcome = self._relaxed.solved(self._relaxed.root)
        if outcome.x is None or outcome.row_dual is None:
            return
        self._raise(outcome)
        self._look_near(outcome, outcome.x, _NEEDLESS)
        self._restart(outcome.x)
        self._resume(enough, self._local_steps)
        if not steps:
            return
        if self._going(enough) and (enough is not None or self._room(enough) < _CLOSE):
            self._exclude(enough, min(steps, _SHORT))
        relaxed = self._cut(outcome.x, enough)
        self._longer(relaxed, enough)
        if self._going(enough) and (enough is not None or self.chosen.size - self.bound <= near):
            self._relaxed.drop_loose(relaxed, _LOOSE)
            self._exclude(enough, steps)

    def _going(self, enough: int | None) -> bool:
        """Whether something is left to find out."""
        if enough is not None and not self.bound <= enough < self.chosen.size:
            return False
        return self.bound < self.chosen.size and self.limits.left > 0

    def _number(self, enough: int | None) -> int:
        """The number of sites to find a cover of, or to exclude."""
        return self.chosen.size - 1 if enough is None else enough

    def _room(self, enough: int | None) -> float:
        """Sites between the relaxed bound and the number to exclude."""
        return self._number(enough) - self._value

    def _raise(self, outcome: Outcome) -> float:
        """Take over the relaxed bound; what it has gained."""
        value, before = self._relaxed.dual(outcome)[0], self._value
        self.bound, self._value = max(self.bound, int(np.ceil(value - _WHOLE))), max(before, value)
        return value - before

    def _cut(self, y: Floats, enough: int | None) -> Floats:
        """Rounds of cuts while they help, with local search between and dives; the last relaxed cover."""
        rounds = slow = 0
        while rounds < self._rounds and self._going(enough) and self._relaxed.cut(y):
            outcome = self._relaxed.solved(self._relaxed.root)
            if outcome.x is None or outcome.row_dual is None:
                break
            known, y, rounds = self.bound, outcome.x, rounds + 1
            slow = 0 if self._raise(outcome) >= _GAIN else slow + 1
            self._take_whole(y)
            self._look_near(outcome, y, _NEEDLESS_CUT[0])
            self._resume(enough, min(self._local_steps, _LOCAL_IN_ROUND))
            if slow == _SLOW or (slow and self._room(enough) < _FAR):
                break
            if self.bound > known or rounds % _ROUNDS_BETWEEN == 0:
                self._dives(y, enough, _OPEN[rounds % len(_OPEN)])
        return y

    def _longer(self, y: Floats, enough: int | None) -> None:
        """Longer local search, and dives, from a relaxed cover while the bound is far."""
        for number in range(_LONGER):
            if not (self._going(enough) and self._room(enough) > _FAR):
                return
            if number % _RESTART == 0:
                self._again(number // _RESTART, y)
            self._resume(enough, min(self._local_steps, _LOCAL_FAR))
        for part in _OPEN:
            if self._room(enough) > _FAR:
                self._dives(y, enough, part)

    def _dives(self, y: Floats, enough: int | None, part: float) -> None:
        basis = self._relaxed.basis
        while self._going(enough) and self._dive(y, self._number(enough), part):
            pass
        self._relaxed.back_to(basis)

    def _dive(self, y: Floats, number: int, part: float) -> bool:
        """Look for a cover of ``number`` sites from a relaxed one, with ever more of its sites open.

        Each time these are the sites that are open to ``part`` or more, or the one that is most.
        """
        lower, upper = self._relaxed.root
        self._diver.forget()
        while self.limits.left > 0:
            self._local_from(y, number, _LOCAL_IN_DIVE)
            free = np.flatnonzero((lower < 1) & (y > _WHOLE))
            if self.chosen.size <= number or not free.size:
                break
            most = free[y[free] >= min(part, float(y[free].max()))]
            lower = lower.copy()
            lower[most] = 1.0
            outcome = self._relaxed.solved((lower, upper), most=number + _WHOLE)
            if outcome.x is None or outcome.row_dual is None or self._relaxed.dual(outcome)[0] > number + _WHOLE:
                break
            y = outcome.x
        return self.chosen.size <= number

    def _look_near(self, outcome: Outcome, y: Floats, needless: float) -> None:
        """Let the local searches open those sites only that the relaxed programme hardly calls needless."""
        self._worth = np.where(y > _WHOLE, 0.0, self._relaxed.dual(outcome)[1])
        self._local.look_at(self._worth <= needless)
        self._diver.look_at(self._worth <= needless)

    def _restart(self, y: Floats) -> None:
        """Let the local search begin anew from a relaxed cover."""
        self._take_whole(y)
        self._local.forget()
        self._at = np.argsort(-y, kind="stable")

    def _again(self, number: int, y: Floats) -> None:
        """Restart for the ``number``-th time, each time with other sites to look at."""
        self._local.look_at(self._worth <= _NEEDLESS_CUT[number % len(_NEEDLESS_CUT)])
        self._restart(y)

    def _resume(self, enough: int | None, steps: int) -> None:
        """Local search from where it stood, one site fewer each time as long as covers are found."""
        found: Ints | None = self._at
        while found is not None and self._going(enough):
            most = self.chosen.size - 1
            found = self._local.fewer(self._at[:most], most, steps, self.limits.end)
            self._at = self._local.sites
            self._take(found)

    def _local_from(self, y: Floats, number: int, steps: int) -> None:
        self._take_whole(y)
        start = np.argsort(-y, kind="stable")[:number]
        self._take(self._diver.fewer(start, number, min(self._local_steps, steps), self.limits.end))

    def _exclude(self, enough: int | None, steps: int) -> None:
        """Try to prove that every cover has more sites than asked for; finds covers on the way."""

        def look(y: Floats, nodes: int) -> float:
            self._take_whole(y)
            if nodes % _BRANCHES_BETWEEN == 1 and self._going(enough):
                self._local_from(y, self._number(enough), _LOCAL_IN_BRANCH)
                if self._room(enough) > _FAR:
                    round_, at = divmod(nodes // _BRANCHES_BETWEEN, _RESTART)
                    if not at:
                        self._again(round_, y)
                    self._resume(enough, min(self._local_steps, _LOCAL_FAR))
            return self._number(enough) + _WHOLE if self._going(enough) else -np.inf

        if self._tree.excluded(self._number(enough) + _WHOLE, steps, look):
            self.bound = self._number(enough) + 1

    def _take_whole(self, y: Floats) -> None:
        if ((y < _WHOLE) | (y > 1 - _WHOLE)).all():
            self._take(np.flatnonzero(y > 0.5))

    def _take(self, sites: Ints | None) -> None:
        if sites is not None and sites.size < self.chosen.size and self.allowed[:, sites].any(axis=1).all():
            self.chosen = sites


def _local(allowed: Flags, seed: int) -> LocalCover | LocalCoverLists:
    """The local search that is faster there."""
    touched = allowed.sum(axis=0).mean() * allowed.sum(axis=1).mean()  # sites that a step may change
    return (LocalCoverLists if touched <= _FEW else LocalCover)(allowed, seed)

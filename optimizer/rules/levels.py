"""What stations hang on in a plan by rule: the nearest existing centre, and how much they refer to it (equation 13)."""

import numpy as np

from optimizer.hanging import Tree
from optimizer.problem import Ints, Problem


class Levels:
    """Existing centres that stations hang on; nothing is chosen, as no centres open and outlets hang on nothing."""

    def __init__(self, problem: Problem) -> None:
        """Look up what every unit hangs on."""
        tree = Tree(problem)
        self._place, self._existing, self._share = problem.place_unit, problem.existing_unit, tree.share
        at = np.full(len(problem.units) + 1, -1, dtype=np.int64)  # the last for units that hang on nothing
        mine = np.flatnonzero(problem.existing_unit >= 0)
        at[problem.existing_unit[mine]] = mine
        at[-1] = -1
        self._centre: Ints = at[tree.only] if len(problem.units) else at

    def of_place(self, place: int) -> tuple[int, float]:
        """Return the centre a new station hangs on (position of what exists, -1: none) and the share it refers."""
        return self._of(int(self._place[place]))

    def of_existing(self, station: int) -> tuple[int, float]:
        """Return the same of an existing station."""
        return self._of(int(self._existing[station]))

    def _of(self, unit: int) -> tuple[int, float]:
        return (int(self._centre[unit]), float(self._share[unit])) if unit >= 0 else (-1, 0.0)

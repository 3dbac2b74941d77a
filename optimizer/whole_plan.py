"""One model for the whole city: the goals one after another, each proven over all plans. For small cities."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Event

import numpy as np
from scipy.sparse import csr_array, vstack

from optimizer.coupling import Kept, Levels, score_rows
from optimizer.fair import Fair, Make
from optimizer.fit import raising_arrays
from optimizer.highs import solve
from optimizer.highs_arrays import Arrays, Options, Outcome, Status
from optimizer.highs_arrays import Progress as Tick
from optimizer.joint import ExtraRows, Goal
from optimizer.problem import Floats
from optimizer.watch import Watch


@dataclass(frozen=True)
class WholePlan:
    """The joint model of a city, solved goal after goal by HiGHS alone."""

    fair: Fair
    options: Options
    stop: Event
    watch: Watch

    def raise_level(self, levels: Levels) -> Outcome:
        """First goal: the largest common level (value is its negative)."""
        return self._run(lambda joint: raising_arrays(joint, levels), "worst_off", None, sign=-1.0)

    def extended(self, extend: Callable[[Arrays], Arrays]) -> Outcome:
        """Solve the model of all plans as `extend` has extended it, without telling how far it is."""
        nothing: Goal = (np.zeros(self.fair.joint.n_columns), 0.0)
        return self._run(lambda joint: extend(joint.arrays(nothing)), "", None)

    def minimise(self, name: str, goal: Goal, levels: Levels, kept: tuple[Kept, ...], start: Floats | None) -> Outcome:
        """A later goal, with the levels and the earlier goals kept."""
        rows, low = score_rows(self.fair.joint, levels)
        extra = ExtraRows(
            csr_array(vstack([rows, *(csr_array(k.goal[0].reshape(1, -1)) for k in kept)], format="csr")),
            np.concatenate([low - 1e-9, np.full(len(kept), -np.inf)]),
            np.concatenate([np.full(len(low), np.inf), [k.limit - k.goal[1] for k in kept]]),
        )
        return self._run(lambda joint: joint.arrays(goal, extra), name, start)

    def _run(self, make: Make, name: str, start: Floats | None, sign: float = 1.0) -> Outcome:
        def tick(progress: Tick) -> None:
            if not name:
                return
            value = None if progress.incumbent is None else sign * progress.incumbent
            self.watch.update(name, value, sign * progress.bound)

        def find(arrays: Arrays, start: Floats | None) -> Outcome:
            if start is not None and len(start) < len(arrays.cost):
                start = np.append(start, np.full(len(arrays.cost) - len(start), np.nan))
            found = solve(arrays, self.options, start=start, on_progress=tick, stop=self.stop)
            if not name or start is not None or found.status is not Status.INFEASIBLE:
                return found
            # Presolve of HiGHS 1.16 calls a few models infeasible that have plans: nobody is told so unconfirmed. With
            # a plan at hand nobody is told; without presolve, goals kept to the last digit would lose one of their own.
            return solve(arrays, replace(self.options, presolve=False), on_progress=tick, stop=self.stop)

        outcome = self.fair.run(make, find, start, self.options)
        if outcome.status in (Status.UNBOUNDED, Status.ERROR):
            raise RuntimeError(f"the solver failed on goal {name}: {outcome.message}")
        return outcome

"""When a search stops, and how the solver is run."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

import numpy as np

from optimizer.highs import Options
from optimizer.siting.result import EXACT, Floats

_STRICT = {"mip_feasibility_tolerance": 1e-9, "primal_feasibility_tolerance": 1e-9}


def unit_of(usual: float) -> float:
    """Return a power of two near ``usual``: to divide by it rounds nothing and makes any currency alike."""
    return float(2.0 ** np.round(np.log2(usual))) if 0 < usual < np.inf else 1.0


def unit_of_weights(weight: Floats) -> float:
    """1 for whole weights that the solver tells apart; else what brings the usual weight near one (``unit_of``)."""
    total = float(weight.sum())
    whole = bool((weight == np.rint(weight)).all()) and total <= EXACT
    return 1.0 if whole else unit_of(total / weight.size)


@dataclass(frozen=True)
class Limits:
    """The end of a search by the clock, and threads and seed of the solver."""

    end: float = np.inf  #: time.perf_counter() at which the search stops
    threads: int = 1
    seed: int = 0

    @property
    def left(self) -> float:
        """Seconds left."""
        return self.end - perf_counter()

    def linear(self) -> Options:
        """For relaxed programmes that are solved again and again: the clock is looked at between them."""
        return Options(solver="simplex", threads=self.threads, seed=self.seed)

    def whole(
        self,
        *,
        absolute_gap: float = 1e-9,
        cutoff: float | None = None,
        target: float | None = None,
        presolve: bool = True,
        strict: bool = False,
    ) -> Options:
        """For integer programmes, to a proof; without presolve where the reductions are done before.

        Where it is ``strict``, rows and whole numbers are kept a thousand times as closely as the solver does unasked.
        """
        left = max(0.01, self.left)
        return Options(
            gap=0.0,
            absolute_gap=absolute_gap,
            time_limit_seconds=left,
            threads=self.threads,
            seed=self.seed,
            cutoff=cutoff,
            objective_target=target,
            presolve=presolve,
            extra=_STRICT if strict else {},
        )

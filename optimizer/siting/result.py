"""What every siting model returns."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Status = Literal["optimal", "feasible", "no_plan"]

PROVEN = 1e-6
"""Relative gap up to which a plan counts as proven best; whole data are proven exactly up to values of ``EXACT``."""
EXACT = 1e8
"""Sums of whole numbers up to this are told apart by the solver."""


@dataclass(frozen=True, eq=False)
class Result:
    """Chosen sites, who is served where, and how good that is.

    Of a model that minimises, ``bound <= best value there is <= value``; of one that maximises the other way round.
    ``status`` is ``optimal`` only where ``gap`` is at most ``PROVEN``; ``feasible`` is a plan that was not proven
    best (the search was stopped), ``no_plan`` a search stopped before it had one (``value`` is then None).
    """

    model: str
    status: Status
    value: float | None  #: objective, computed from the input and the chosen sites
    bound: float  #: no plan is better than this
    gap: float  #: |value - bound| / |value|, 0 where both are 0
    open_sites: Ints  #: indices of the open sites, existing ones included, in order
    assignment: Any  #: (n,) index of each client's site, -1 for none; (n, m) shares where demand may be split
    seconds: float
    covered: Ints | None = None  #: (n,) open sites within the limit of each client; covering models only
    nodes: int = 0  #: branches that were looked at

    @property
    def proven(self) -> bool:
        """Whether the plan is proven to be the best there is."""
        return self.status == "optimal"


def make_result(
    model: str,
    value: float | None,
    bound: float,
    open_sites: npt.ArrayLike,
    assignment: Any,
    began: float,
    *,
    covered: Ints | None = None,
    nodes: int = 0,
    maximise: bool = False,
) -> Result:
    """Return a result with its status derived from value and bound; ``began`` is ``time.perf_counter()`` at the start.

    A bound beyond the value by rounding only is brought back to it.
    """
    sites = np.sort(np.asarray(open_sites, np.int64))
    seconds = time.perf_counter() - began
    if value is None:
        return Result(model, "no_plan", None, bound, np.inf, sites, assignment, seconds, covered, nodes)
    bound = max(bound, value) if maximise else min(bound, value)
    gap = 0.0 if bound == value else abs(value - bound) / max(abs(value), 1e-9)
    status: Status = "optimal" if gap <= PROVEN else "feasible"
    return Result(model, status, value, bound, gap, sites, assignment, seconds, covered, nodes)


def nearest(cost: Floats, open_sites: npt.ArrayLike) -> Ints:
    """Index of the cheapest open site of every client, the first of equals; -1 where none may serve it."""
    sites = np.sort(np.asarray(open_sites, np.int64))
    if not sites.size:
        return np.full(cost.shape[0], -1, np.int64)
    part = cost[:, sites]
    best = part.argmin(axis=1)
    found: Ints = sites[best]
    found[~np.isfinite(part[np.arange(part.shape[0]), best])] = -1
    return found

"""Location set covering (LSCP): the fewest sites so that every client has one within the limit."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter

import numpy as np
import numpy.typing as npt

from optimizer.siting.checks import Checks
from optimizer.siting.covering import cover
from optimizer.siting.limits import Limits
from optimizer.siting.result import Result, make_result, nearest


def lscp(
    cost: npt.ArrayLike,
    *,
    limit: npt.ArrayLike,
    fixed_cost: npt.ArrayLike | None = None,
    existing: Sequence[int] | npt.ArrayLike = (),
    time_limit: float = np.inf,
    threads: int = 1,
    seed: int = 0,
) -> Result:
    """Open the fewest (or cheapest) sites so that every client has an open one within ``limit``.

    ``min sum_j f_j y_j`` with ``sum_{j: c_ij <= limit_i} y_j >= 1`` for every client i.

    Args:
        cost: (n clients, m sites) distance, 0 or more, ``inf`` where a site may not serve a client.
        limit: the farthest a site may be, inclusive; one number, or (n,) one for each client.
        fixed_cost: (m,) cost of each open site; 1 where not given, so that sites are counted.
        existing: indices of sites that are open whatever is decided; they count in the value.
        time_limit: seconds after which the search stops with what is known.
        threads: of the solver.
        seed: of the solver.

    Returns:
        ``value`` is the number (or cost) of open sites, ``assignment`` each client's nearest open site, ``covered``
        how many open sites each client has within the limit.

    Raises:
        SitingInputError: with all mistakes in the input, clients that no site can reach among them.

    Source: C. Toregas, R. Swain, C. ReVelle and L. Bergman, Operations Research 19 (1971).
    """
    began = perf_counter()
    checks = Checks(cost)
    reach = checks.limit(limit)
    price = checks.numbers("fixed_cost", fixed_cost, 1.0, checks.sites)
    stands = checks.existing(existing)
    allowed = (checks.cost <= reach[:, None]) & np.isfinite(checks.cost)
    checks.reachable(allowed, "raise the limit, add a site near, or leave the client out")
    checks.search(time_limit, threads, seed)
    checks.done()
    keep = np.zeros(checks.sites, bool)
    keep[stands] = True
    found = cover(allowed, price, keep, Limits(began + time_limit, threads, seed))
    assignment = nearest(checks.cost, found.sites)
    covered = allowed[:, found.sites].sum(axis=1)
    return make_result(
        "lscp", float(price[found.sites].sum()), found.bound, found.sites, assignment, began, covered=covered
    )

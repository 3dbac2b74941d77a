"""The p-dispersion problem: p sites so that the two closest of them are as far apart as possible."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter

import numpy as np
import numpy.typing as npt
from scipy import sparse

from optimizer.highs import Arrays, solve
from optimizer.siting.checks import Checks
from optimizer.siting.limits import Limits
from optimizer.siting.result import Flags, Floats, Ints, Result, make_result, nearest


def p_dispersion(
    cost: npt.ArrayLike,
    *,
    p: int,
    existing: Sequence[int] | npt.ArrayLike = (),
    time_limit: float = np.inf,
    threads: int = 1,
    seed: int = 0,
) -> Result:
    """Choose ``p`` sites so that the least distance between two of them is greatest.

    ``max min_{j < k open} c_jk`` with ``|open| = p``. The answer is one of the distances: bisection on them, each step
    the question whether p sites are pairwise that far apart: ``sum_{j in Q} y_j <= 1`` for groups Q of sites that are
    all too close to each other.

    Args:
        cost: (m sites, m sites) symmetric finite distances between sites; the diagonal is not looked at.
        p: number of sites, 2 or more, existing ones included.
        existing: indices of sites that are chosen whatever is decided.
        time_limit: seconds after which the search stops with what is known.
        threads: of the solver.
        seed: of the solver.

    Returns:
        ``value`` is the least distance between two chosen sites, ``assignment`` the nearest chosen site of every site.

    Raises:
        SitingInputError: with all mistakes in the input.

    Sources: M. J. Kuby, Geographical Analysis 19 (1987); bisection: D. Sayah and S. Irnich, European Journal of
    Operational Research 256 (2017).
    """
    began = perf_counter()
    checks = Checks(cost, square=True)
    stands = checks.existing(existing)
    count = checks.count(p, stands, least=2)
    checks.search(time_limit, threads, seed)
    if checks.clients == checks.sites:
        wrong = np.argwhere(checks.cost != checks.cost.T)
        if wrong.size:
            j, k = wrong[0]
            said = f"{checks.cost[j, k]:g} and {checks.cost[k, j]:g}"
            remedy = "distances must be the same both ways"
            checks.say("not_symmetric", "two distances of one pair", where=f"sites {j}, {k}", value=said, remedy=remedy)
    checks.done()
    apart = checks.cost.copy()
    np.fill_diagonal(apart, np.inf)
    sites, bound = _bisected(apart, count, stands, Limits(began + time_limit, threads, seed))
    within = checks.cost.copy()
    np.fill_diagonal(within, 0.0)
    value = _least(apart, sites)
    return make_result("p-dispersion", value, bound, sites, nearest(within, sites), began, maximise=True)


def _least(apart: Floats, sites: Ints) -> float:
    return float(apart[np.ix_(sites, sites)].min())


def _bisected(apart: Floats, p: int, existing: Ints, limits: Limits) -> tuple[Ints, float]:
    """Sites and a bound: the greatest distance that p sites can keep from each other."""
    distances = np.unique(apart[~np.eye(len(apart), dtype=bool)])
    sites = _by_exchange(apart, _spread(apart, p, existing), existing)
    low = int(np.searchsorted(distances, _least(apart, sites)))
    most = _least(apart, existing) if existing.size > 1 else distances[-1]
    high = int(np.searchsorted(distances, most))
    while low < high:
        middle = (low + high + 1) // 2
        found, known = _packed(apart < distances[middle], p, existing, limits)
        if found is not None:
            sites = found
            low = max(middle, int(np.searchsorted(distances, _least(apart, sites))))
        elif known:
            high = middle - 1
        else:
            break
    return sites, float(distances[high])


def _spread(apart: Floats, p: int, existing: Ints) -> Ints:
    """One site after another, each the one farthest from those chosen."""
    if existing.size:
        chosen = list(existing)
    else:
        inner = np.where(np.isfinite(apart), apart, -1.0)
        chosen = list(np.unravel_index(int(inner.argmax()), inner.shape))
    while len(chosen) < p:
        nearest_chosen = apart[:, chosen].min(axis=1)
        nearest_chosen[chosen] = -1.0
        chosen.append(int(nearest_chosen.argmax()))
    return np.sort(np.array(chosen[:p], np.int64))


def _by_exchange(apart: Floats, sites: Ints, existing: Ints) -> Ints:
    """Move a site of the closest pair to where it is farther from all others, as long as that helps."""
    for _ in range(20 * sites.size):
        part = apart[np.ix_(sites, sites)]
        value = part.min()
        ends = np.unravel_index(int(part.argmin()), part.shape)
        for end in ends:
            if sites[end] in existing:
                continue
            others = np.delete(sites, end)
            free = apart[:, others].min(axis=1)
            free[others] = -1.0
            best = int(free.argmax())
            if free[best] > value:
                sites = np.sort(np.append(others, best))
                break
        else:
            break
    return sites


def _packed(close: Flags, p: int, existing: Ints, limits: Limits) -> tuple[Ints | None, bool]:
    """The p sites no two of which are close, or None; and whether that is known."""
    if limits.left <= 0:
        return None, False
    free = np.asarray(~close[:, existing].any(axis=1), bool).reshape(-1)
    free[existing] = True
    number = np.flatnonzero(free)
    if number.size < p:
        return None, True
    groups = _groups(close[np.ix_(number, number)])
    rows = sparse.csr_matrix(
        (np.ones(sum(map(len, groups))), np.concatenate(groups) if groups else [], np.cumsum([0, *map(len, groups)])),
        (len(groups), number.size),
    )
    arrays = Arrays(
        cost=-np.ones(number.size),
        lower=np.isin(number, existing).astype(float),
        upper=np.ones(number.size),
        integer=np.ones(number.size, bool),
        matrix=rows,
        row_lower=np.full(len(groups), -np.inf),
        row_upper=np.ones(len(groups)),
    )
    outcome = solve(arrays, limits.whole(absolute_gap=0.99, cutoff=0.5 - p, target=-float(p)))
    if outcome.x is not None and outcome.x.sum() > p - 0.5:
        chosen = number[outcome.x > 0.5]
        extra = [site for site in chosen if site not in existing][: p - existing.size]
        return np.sort(np.concatenate([existing, np.array(extra, np.int64)])), True
    return None, outcome.bound > -p + 1e-6


def _groups(close: Flags) -> list[Ints]:
    """Groups of sites that are all close to each other, so that every close pair is in one."""
    open_pairs: Flags = np.asarray(np.triu(close, 1), bool)
    groups = []
    for first in range(len(close)):
        while open_pairs[first].any():
            second = int(open_pairs[first].argmax())
            members = [first, second]
            common = close[first] & close[second]
            while common.any():
                uncovered = open_pairs[members].sum(axis=0) + open_pairs[:, members].sum(axis=1)
                best = int(np.where(common, uncovered, -1).argmax())
                members.append(best)
                common = common & close[best]
            group = np.sort(np.array(members, np.int64))
            open_pairs[np.ix_(group, group)] = False
            groups.append(group)
    return groups

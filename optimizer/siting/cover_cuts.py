"""Cuts for covers: rows that hold for every whole choice of sites but not for a relaxed one.

Of the sites S that two clients share, either none is open or one is. Whatever multipliers ``u, w >= 0`` of rows
``sum_j a_rj y_j >= 1`` and ``v >= 0`` of ``sum_{j in S} y_j >= 1`` are taken, one of the two sides holds

    sum_{j not in S} (sum_r u_r a_rj) y_j >= sum_r u_r,  sum_j (sum_r w_r a_rj + v [j in S]) y_j >= sum_r w_r + v,

so that the larger coefficient of each site and the smaller right side make a row for every cover (E. Balas, S. Ceria
and G. Cornuéjols, "A lift-and-project cutting plane algorithm for mixed 0-1 programs", Mathematical Programming 58,
1993). The multipliers are those of the greatest ``l + k`` such that ``y`` holds a part ``x`` outside S that covers all
rows l times and a part ``z`` that covers S and all rows k times: below 1 the row cuts ``y`` off. Only rows near the two
clients are looked at, which keeps the programmes small and the cuts apart, so that they add up; all pairs of a round
are one programme.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from optimizer.highs import Arrays, Options, solve
from optimizer.siting.result import Flags, Floats, Ints

_ZERO = 1e-9  # smaller numbers the solver takes for 0
_PAIRS = 100  # of clients in a round
_EACH = 2  # pairs of a client in a round
_ROWS = 24  # looked at around a pair
_TIGHT = 0.3  # rows covered more than this above 1 are not looked at
_SHARED = 0.15  # the least that is open, and closed, of the sites two clients share
_BROKEN = 0.01  # how far a row is broken at least


def cuts(rows: Any, allowed: Flags, y: Floats) -> Any:
    """Rows (k, m) with ``row @ y >= 1`` for every cover that ``y`` (m,) breaks; k may be 0.

    ``rows`` (r, m) sparse are known to hold for all covers with 1 on the right, all coefficients 0 or more; the first
    are the clients ``allowed`` (n, m).
    """
    some = np.flatnonzero(y > _ZERO)
    tight = rows[np.flatnonzero(rows @ y - 1 < _TIGHT)].toarray()
    near = np.ascontiguousarray(tight[:, some])
    weight, value = near * y[some], y[some]
    places: list[tuple[Ints, Ints, Flags]] = []  # rows, columns of ``some``, the sites shared
    for one, other in _pairs(allowed[:, some], value):
        overlap = weight @ (allowed[one, some].astype(float) + allowed[other, some])
        chosen = np.argsort(-overlap, kind="stable")[:_ROWS]
        chosen = np.sort(chosen[overlap[chosen] > 0])
        places.append((chosen, np.flatnonzero(near[chosen].any(axis=0)), allowed[one] & allowed[other]))
    if not places:
        return sparse.csr_matrix((0, y.size))
    parts = [(near[np.ix_(chosen, part)], value[part], shared[some[part]]) for chosen, part, shared in places]
    found = [
        _row(tight[chosen], shared, price) for (chosen, _, shared), price in zip(places, _prices(parts), strict=True)
    ]
    good = [row for row in found if row is not None and row @ y < 1 - _BROKEN]
    return sparse.csr_matrix(np.array(good).reshape(len(good), y.size))


def _pairs(allowed: Flags, y: Floats) -> list[tuple[int, int]]:
    """Pairs of clients of whose shared sites about half a site is open, no two pairs with the same shared sites."""
    share = sparse.csr_matrix(allowed.astype(float))
    both = sparse.triu(share @ sparse.diags(y) @ share.T, 1).tocoo()
    half = np.abs(both.data - 0.5)
    order = np.lexsort((both.col, both.row, np.round(half, 9)))
    used = np.zeros(allowed.shape[0], np.int64)
    seen: set[bytes] = set()
    pairs: list[tuple[int, int]] = []
    for at in order[: int((half < 0.5 - _SHARED).sum())]:
        one, other = int(both.row[at]), int(both.col[at])
        if max(used[one], used[other]) >= _EACH:
            continue
        shared = np.packbits(allowed[one] & allowed[other]).tobytes()
        if shared not in seen:
            seen.add(shared)
            used[[one, other]] += 1
            pairs.append((one, other))
        if len(pairs) == _PAIRS:
            break
    return pairs


def _prices(parts: list[tuple[Floats, Floats, Flags]]) -> list[tuple[Floats, Floats]]:
    """Multipliers u and w of rows (r, c) for each pair, with values (c,) and shared sites (c,).

    What is not in x is in z = y - x, so that the columns are x, l and k, the rows ``rows @ x >= l`` and
    ``rows @ x + k <= rows @ y``.
    """
    blocks: list[Floats] = []
    upper: list[Floats] = []
    low: list[Floats] = []
    for rows, y, shared in parts:
        count, columns = rows.shape
        block = np.zeros((2 * count, columns + 2))
        block[:count, :columns], block[count:, :columns] = rows, -rows
        block[:count, -2] = block[count:, -1] = -1.0
        blocks.append(block)
        upper += [np.where(shared, 0.0, y), np.array([1.0, min(1.0, y[shared].sum())])]
        low += [np.zeros(count), -(rows @ y)]
    side, most = np.concatenate(low), np.concatenate(upper)
    ends = np.cumsum([block.shape[1] for block in blocks])
    value = np.zeros(most.size)
    value[np.concatenate([ends - 1, ends - 2])] = -1.0
    programme = Arrays(
        cost=value,
        lower=np.zeros(value.size),
        upper=most,
        integer=np.zeros(value.size, bool),
        matrix=sparse.block_diag(blocks, format="csc"),
        row_lower=side,
        row_upper=np.full(side.size, np.inf),
    )
    duals = solve(programme, Options(solver="simplex", presolve=False)).row_dual
    price = np.zeros(side.size) if duals is None else np.maximum(duals, 0.0)
    halves = np.split(price, np.cumsum([size for rows, _, _ in parts for size in 2 * rows.shape[:1]])[:-1])
    return list(zip(halves[::2], halves[1::2], strict=True))


def _row(rows: Floats, shared: Flags, prices: tuple[Floats, Floats]) -> Floats | None:
    """The row of multipliers of ``rows`` (r, m), with 1 on the right; whatever they are, it holds for every cover."""
    closed, opened = prices
    one = max(0.0, 1.0 - float(opened.sum()))
    row: Floats = np.maximum(np.where(shared, 0.0, rows.T @ closed), rows.T @ opened + one * shared)
    small = row < _ZERO
    side = min(closed.sum(), opened.sum() + one) - row[small].sum()
    row[small] = 0.0
    return row / side if side > _BROKEN else None

"""Plans of the capacitated p-median: clients put wholly to open sites that have room, then improved by small moves."""

from __future__ import annotations

import numpy as np

from optimizer.siting.knapsack_prices import FULL, Case
from optimizer.siting.result import Floats, Ints

_ROUNDS = 10


def plan_from(case: Case, sites: Ints) -> tuple[float, Ints, Ints] | None:
    """Value, sites and each client's place in them, from a first choice of sites; None where no plan is found.

    Clients are put to sites, moved and exchanged; then every group gets the site that serves it cheapest, and again.
    """
    best: tuple[float, Ints, Ints] | None = None
    for _ in range(_ROUNDS):
        place = _placed(case, sites)
        if place is None:
            return best
        place = _moved(case, sites, place)
        value = float(case.cost[np.arange(place.size), sites[place]].sum())
        if not np.isfinite(value) or (best is not None and value >= best[0] * (1 - 1e-12)):
            return best
        best = value, sites, place
        sites = _recentred(case, sites, place)
    return best


def _placed(case: Case, sites: Ints) -> Ints | None:
    """Each client to the site it would miss most, the most urgent first."""
    cost, spare = case.cost[:, sites], FULL * case.capacity[sites]
    for by_size in (False, True):
        room, place = case.capacity[sites].copy(), np.full(cost.shape[0], -1)
        for _ in range(cost.shape[0]):
            open_ = np.flatnonzero(place < 0)
            fits = case.demand[open_, None] <= room[None, :] + spare[None, :]
            part = np.where(fits, cost[open_], np.inf)
            first = part.min(axis=1)
            if not np.isfinite(first).all():
                break
            second = np.partition(part, 1, axis=1)[:, 1] if sites.size > 1 else first
            with np.errstate(invalid="ignore"):
                urgent = case.demand[open_] if by_size else np.where(np.isfinite(second), second - first, 1e300)
            client = int(open_[urgent.argmax()])
            target = int(np.where(case.demand[client] <= room + spare, cost[client], np.inf).argmin())
            place[client] = target
            room[target] -= case.demand[client]
        if (place >= 0).all():
            return place
    return None


def _moved(case: Case, sites: Ints, place: Ints) -> Ints:
    """Move one client or exchange two, always the best, until nothing helps."""
    cost, demand = case.cost[:, sites], case.demand
    clients = np.arange(place.size)
    place = place.copy()
    for _ in range(20 * place.size):
        load = np.bincount(place, demand, sites.size)
        free = case.capacity[sites] * (1 + FULL) - load
        now = cost[clients, place]
        move = np.where(demand[:, None] <= free[None, :], cost - now[:, None], np.inf)
        move[clients, place] = 0.0
        other = cost[:, place] - now[:, None]  # [i, l]: client i at the site of l
        with np.errstate(invalid="ignore"):
            swap = other + other.T
        more = demand[None, :] - demand[:, None]  # [i, l]: the site of i gives i and takes l
        room = free[place][:, None] >= more
        swap = np.where(room & room.T & np.isfinite(swap), swap, np.inf)
        best_move, best_swap = move.min(), swap.min()
        if min(best_move, best_swap) >= -1e-9 * max(1e-9, float(now.sum())):
            break
        if best_move <= best_swap:
            client, target = np.unravel_index(int(move.argmin()), move.shape)
            place[client] = target
        else:
            one, two = np.unravel_index(int(swap.argmin()), swap.shape)
            place[one], place[two] = place[two], place[one]
    return place


def _recentred(case: Case, sites: Ints, place: Ints) -> Ints:
    """For every group the site that serves it cheapest and holds it; no site twice, existing ones stay."""
    group: Floats = np.zeros((sites.size, case.cost.shape[1]))
    for k in range(sites.size):
        members = place == k
        group[k] = case.cost[members].sum(axis=0)
        group[k, case.capacity * (1 + FULL) < case.demand[members].sum()] = np.inf
    new = sites.copy()
    for k in range(sites.size):
        if case.keep[sites[k]]:
            continue
        others = np.delete(new, k)
        worth = group[k].copy()
        worth[others] = np.inf
        best = int(worth.argmin())
        if worth[best] < group[k, new[k]]:
            new[k] = best
    return new

"""The local search of ``cover_local`` with lists: up to three times faster where clients have few sites.

A step then changes so little that calling array functions costs more than the change.
"""

from __future__ import annotations

from time import perf_counter

import numpy as np

from optimizer.siting.result import Flags, Ints

_CLOCK = 64  # steps between looks at the clock


class LocalCoverLists:
    """As ``LocalCover``; the same steps but for equals."""

    def __init__(self, allowed: Flags, seed: int) -> None:
        clients, sites = allowed.shape
        self._clients_of: list[list[int]] = [np.flatnonzero(allowed[:, site]).tolist() for site in range(sites)]
        self._sites_of: list[list[int]] = [np.flatnonzero(allowed[client]).tolist() for client in range(clients)]
        self._near: dict[int, frozenset[int]] = {}
        self._random = np.random.default_rng(seed)
        self._weight = [1] * clients
        self._times: list[int] = []  # open sites of each client
        self._missing: dict[int, None] = {}  # clients without one, in order
        self._open: dict[int, None] = {}
        self._score: list[int] = []  # what closing an open site loses, opening a closed one gains

    def forget(self) -> None:
        """Let all clients weigh the same again: what was hard elsewhere may be easy here."""
        self._weight = [1] * len(self._weight)

    def fewer(self, start: Ints, most: int, steps: int, end: float) -> Ints | None:
        """A cover of ``most`` sites near ``start`` (any sites, ``most`` of them or more), or None."""
        self._begin(start)
        changed = [0] * len(self._score)
        for _ in range(start.size - most):
            self._close(self._least(changed, -1))
        kept: set[int] = set()  # closed sites that stay so until a neighbour changes
        last = -1
        for step, draw in enumerate(self._random.random(steps).tolist(), start=1):
            if not self._missing:
                break
            if step % _CLOCK == 0 and perf_counter() > end:
                return None
            site = self._least(changed, last)
            self._close(site)
            changed[site] = step
            kept -= self._neighbours(site)
            kept.add(site)
            last = self._most(draw, changed, kept)
            self._reopen(last)
            changed[last] = step
            kept -= self._neighbours(last)
            self._weigh()
        return None if self._missing else np.array(sorted(self._open), np.int64)

    def _begin(self, start: Ints) -> None:
        self._open = dict.fromkeys(start.tolist())
        self._times = [0] * len(self._sites_of)
        self._score = [0] * len(self._clients_of)
        for site in self._open:
            for client in self._clients_of[site]:
                self._times[client] += 1
        self._missing = dict.fromkeys(client for client, times in enumerate(self._times) if not times)
        for client, times in enumerate(self._times):
            if times < 2:
                for site in self._sites_of[client]:
                    if not times or site in self._open:
                        self._score[site] += self._weight[client]

    def _least(self, changed: list[int], last: int) -> int:
        """The open site that loses least, of equals the longest untouched; not the last opened if there is another."""
        score = self._score
        choice = [site for site in self._open if site != last] or [last]
        low = min([score[site] for site in choice])
        return min([(changed[site], site) for site in choice if score[site] == low])[1]

    def _most(self, draw: float, changed: list[int], kept: set[int]) -> int:
        """A site for a client without one: that gains most, of equals the longest untouched."""
        client = list(self._missing)[int(draw * len(self._missing))]
        choice = [site for site in self._sites_of[client] if site not in kept] or self._sites_of[client]
        score = self._score
        high = max([score[site] for site in choice])
        return min([(changed[site], site) for site in choice if score[site] == high])[1]

    def _reopen(self, site: int) -> None:
        times, score = self._times, self._score
        for client in self._clients_of[site]:
            times[client] += 1
            if times[client] == 1:
                del self._missing[client]
                weight, own = self._weight[client], score[site]
                for other in self._sites_of[client]:
                    score[other] -= weight
                score[site] = own
            elif times[client] == 2:
                score[self._other(client, site)] -= self._weight[client]
        self._open[site] = None

    def _close(self, site: int) -> None:
        times, score = self._times, self._score
        del self._open[site]
        for client in self._clients_of[site]:
            times[client] -= 1
            if times[client] == 0:
                self._missing[client] = None
                weight, own = self._weight[client], score[site]
                for other in self._sites_of[client]:
                    score[other] += weight
                score[site] = own
            elif times[client] == 1:
                score[self._other(client, site)] += self._weight[client]

    def _other(self, client: int, site: int) -> int:
        """The only other open site of a client."""
        return next(other for other in self._sites_of[client] if other in self._open and other != site)

    def _weigh(self) -> None:
        """Clients still without a site weigh one more."""
        for client in self._missing:
            self._weight[client] += 1
            for site in self._sites_of[client]:
                self._score[site] += 1

    def _neighbours(self, site: int) -> frozenset[int]:
        """Sites that share a client with this one, and itself."""
        if site not in self._near:
            self._near[site] = frozenset(other for client in self._clients_of[site] for other in self._sites_of[client])
        return self._near[site]

"""The local search of ``cover_local`` with lists: many times faster where clients have few sites.

A step then changes so little that calling array functions costs more than the change. Of each client the numbers of its
open sites are summed, so that the only open one is known without a look at the others. One number ranks a site: what
closing or opening it changes, of equals the longest untouched first, and last the sites not to be touched.
"""

from __future__ import annotations

from time import perf_counter

import numpy as np

from optimizer.siting.result import Flags, Ints

_CLOCK = 64  # steps between looks at the clock
_UNIT = 2.0**20  # of weight in a rank; steps of age count 1, and there are fewer
_NEVER = 2.0**50  # and what it is added to are exact


class LocalCoverLists:
    """As ``LocalCover``; the same steps but for equals."""

    def __init__(self, allowed: Flags, seed: int) -> None:
        clients, sites = allowed.shape
        self._clients_of: list[list[int]] = [np.flatnonzero(allowed[:, site]).tolist() for site in range(sites)]
        self._all_of: list[list[int]] = [np.flatnonzero(allowed[client]).tolist() for client in range(clients)]
        self._sites_of = self._all_of  # that may be opened
        share = allowed.astype(np.float32)
        self._near: list[bytes] = [row.tobytes() for row in share.T @ share > 0]  # sites that share a client
        self._random = np.random.default_rng(seed)
        self._weight = [_UNIT] * clients
        self._times: list[int] = []  # open sites of each client
        self._sum: list[int] = []  # and their numbers together
        self._missing: dict[int, None] = {}  # clients without one, in order
        self._open: list[int] = []  # the last opened is the last
        self._changed: list[int] = []  # the step that opened or closed a site
        self._rank: list[float] = []  # what closing an open site loses, and the step; what opening one gains, less it
        self._kept: list[int] = []  # closed sites that stay so until a neighbour changes

    def look_at(self, sites: Flags) -> None:
        """Open no other sites from now on; every client has one of these."""
        may = sites.tolist()
        self._sites_of = [[site for site in some if may[site]] for some in self._all_of]

    def forget(self) -> None:
        """Let all clients weigh the same again: what was hard elsewhere may be easy here."""
        self._weight = [_UNIT] * len(self._weight)

    @property
    def sites(self) -> Ints:
        """Sites open at the end of the last search."""
        return np.array(self._open, np.int64)

    def fewer(self, start: Ints, most: int, steps: int, end: float) -> Ints | None:
        """A cover of ``most`` sites near ``start`` (any sites, ``most`` of them or more), or None."""
        self._begin(start)
        while len(self._open) > most:
            self._close(self._least(), 0)
        opened = self._open[-1] if self._open else 0
        for step, draw in enumerate(self._random.random(steps).tolist(), start=1):
            if not self._missing:
                break
            if step % _CLOCK == 0 and perf_counter() > end:
                return None
            closed = self._least()
            self._close(closed, step)
            self._free(opened, closed)
            self._kept.append(closed)
            self._rank[closed] -= _NEVER
            opened = self._most(draw)
            self._reopen(opened, step)
            self._weigh()
        return None if self._missing else np.array(sorted(self._open), np.int64)

    def _begin(self, start: Ints) -> None:
        self._open, self._kept = start.tolist(), []
        self._times, self._sum = [0] * len(self._sites_of), [0] * len(self._sites_of)
        self._changed, self._rank = [0] * len(self._clients_of), [0.0] * len(self._clients_of)
        for site in self._open:
            for client in self._clients_of[site]:
                self._times[client] += 1
                self._sum[client] += site
        self._missing = dict.fromkeys(client for client, times in enumerate(self._times) if not times)
        for client, times in enumerate(self._times):
            if not times:
                for site in self._sites_of[client]:
                    self._rank[site] += self._weight[client]
            elif times == 1:
                self._rank[self._sum[client]] += self._weight[client]

    def _least(self) -> int:
        """The open site that loses least, of equals the longest untouched; not the last opened if there is another."""
        rank = self._rank
        ranks = [rank[site] for site in self._open]
        if len(ranks) > 1:
            ranks.pop()
        return self._open[ranks.index(min(ranks))]

    def _most(self, draw: float) -> int:
        """A site for a client without one: that gains most, of equals the longest untouched."""
        rank, choice = self._rank, self._sites_of[list(self._missing)[int(draw * len(self._missing))]]
        ranks = [rank[site] for site in choice]
        return choice[ranks.index(max(ranks))]

    def _free(self, opened: int, closed: int) -> None:
        """Two sites have changed: their neighbours need not stay closed."""
        near, also, rank = self._near[opened], self._near[closed], self._rank
        stay: list[int] = []
        for other in self._kept:
            if near[other] or also[other]:
                rank[other] += _NEVER
            else:
                stay.append(other)
        self._kept = stay

    def _reopen(self, site: int, step: int) -> None:
        times, rank, total, weights = self._times, self._rank, self._sum, self._weight
        own = rank[site] + self._changed[site] + step
        for client in self._clients_of[site]:
            count = times[client]
            if count == 0:
                del self._missing[client]
                weight = weights[client]
                for other in self._sites_of[client]:
                    rank[other] -= weight
            elif count == 1:
                rank[total[client]] -= weights[client]
            times[client] = count + 1
            total[client] += site
        rank[site], self._changed[site] = own, step
        self._open.append(site)

    def _close(self, site: int, step: int) -> None:
        times, rank, total, weights = self._times, self._rank, self._sum, self._weight
        own = rank[site] - self._changed[site] - step
        self._open.remove(site)
        for client in self._clients_of[site]:
            count = times[client]
            times[client] = count - 1
            total[client] -= site
            if count == 1:
                self._missing[client] = None
                weight = weights[client]
                for other in self._sites_of[client]:
                    rank[other] += weight
            elif count == 2:
                rank[total[client]] += weights[client]
        rank[site], self._changed[site] = own, step

    def _weigh(self) -> None:
        """Clients still without a site weigh one more."""
        rank, weights = self._rank, self._weight
        for client in self._missing:
            weights[client] += _UNIT
            for site in self._sites_of[client]:
                rank[site] += _UNIT

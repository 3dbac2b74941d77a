"""Who may pay a cost, and the floors and ceilings that count it, equations (21) to (23).

Floors and ceilings are the rows of `optimizer.money`: each adds up what one source pays in one year for some cells.
"""

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from optimizer.money import Money, district_sources
from optimizer.problem import Bools, Ints, Problem

USE_FIRST = {"donor": 0, "lottery": 1, "other": 2, "district": 3, "city": 4}
"""Restricted money first, so that what is left over can be used most freely."""
CEILINGS = ("eq22_ceiling(", "eq22_most(", "eq22_cap(", "eq23_running(")
Match = tuple[tuple[int, ...], float]
"""Sources that match, and the ratio: the matched source pays no more than what they pay / ratio."""
Counted = dict[tuple[int, int], tuple[int, ...]]


@dataclass(frozen=True)
class Payers:
    """Who may pay the costs of a cell, in the order money is taken.

    `free`: sources that nobody matches and that match nobody; `chain`: the sources of co-funding, each with its
    matches and after all who match it; `ceilings`, `floors`: (source, year) -> the limits that count a payment.
    """

    free: tuple[int, ...]
    chain: tuple[tuple[int, tuple[Match, ...]], ...] = ()
    ceilings: Counted = field(default_factory=dict)
    floors: Counted = field(default_factory=dict)


@dataclass(frozen=True)
class Limits:
    """Ceilings or floors: `source` and `year` of each row, `yuan`, and `cells`, the cells that count."""

    source: Ints
    year: Ints
    yuan: Ints
    cells: tuple[tuple[int, ...], ...]

    def counted(self) -> dict[int, Counted]:
        """Return cell -> (source, year) -> rows that count it; what counts less comes first."""
        found: dict[int, dict[tuple[int, int], list[int]]] = defaultdict(lambda: defaultdict(list))
        for row in sorted(range(len(self.cells)), key=lambda r: (len(self.cells[r]), r)):
            for cell in self.cells[row]:
                found[cell][int(self.source[row]), int(self.year[row])].append(row)
        return {cell: {key: tuple(rows) for key, rows in of.items()} for cell, of in found.items()}

    def communities(self, problem: Problem) -> Bools:
        """Return (rows, n) which communities have a cost that counts, of their own or shared in their district."""
        who = np.zeros((len(problem.cells), len(problem.communities)), dtype=bool)
        for (_, district, _, community), cell in problem.cell_of.items():
            who[cell] |= problem.district == district if community < 0 else np.arange(who.shape[1]) == community
        none = np.zeros((0, who.shape[1]), dtype=bool)
        return np.array([who[list(cells)].any(axis=0) for cells in self.cells], dtype=bool) if self.cells else none


def limits(money: Money, paid: Ints) -> tuple[Limits, Limits]:
    """Return what ceilings still leave, and what floors still ask for, when `paid` (payments,) yuan are paid.

    `money` is in whole yuan.
    """
    ceilings = [n for n, name in enumerate(money.row_names) if name.startswith(CEILINGS)]
    return _limits(money, ceilings, paid, 1), _limits(money, np.flatnonzero(money.floors).tolist(), paid, -1)


def _limits(money: Money, rows: list[int], paid: Ints, sign: int) -> Limits:
    columns = [money.matrix.indices[slice(*money.matrix.indptr[row : row + 2])] for row in rows]
    some = [n for n, mine in enumerate(columns) if len(mine)]
    left = [int(sign * money.upper[rows[n]]) - int(paid[columns[n]].sum()) for n in some]
    return Limits(
        np.array([money.source[columns[n][0]] for n in some], dtype=np.int64),
        np.array([money.year[columns[n][0]] for n in some], dtype=np.int64),
        np.maximum(0, np.array(left, dtype=np.int64)),
        tuple(tuple(money.cell[columns[n]].tolist()) for n in some),
    )


def payers(problem: Problem, ceilings: Limits, floors: Limits) -> list[Payers]:
    """Return for every cell who may pay it, equations (21) and (22), and what counts it."""
    rules = list(problem.scenario.sources.values())
    under, over = ceilings.counted(), floors.counted()
    found = []
    for cell, (purpose, district, sources) in enumerate(
        zip(problem.cells.purpose, problem.cells.district.tolist(), problem.cells.sources, strict=True)
    ):
        matches: dict[int, list[Match]] = {}
        for rule in problem.scenario.co_funding:
            of = problem.sources.index(rule.of)
            if rule.purpose == purpose and of in sources and rule.ratio > 0:
                own = district_sources(problem, district)
                by = own if rule.payer == "district" else [problem.sources.index(rule.payer)]
                matches.setdefault(of, []).append((tuple(s for s in by if s in sources), rule.ratio))
        order = sorted(sources, key=lambda s: (USE_FIRST[rules[s].role], problem.sources[s]))
        linked = {*matches, *(s for rows in matches.values() for by, _ in rows for s in by)}
        chain = sorted((s for s in order if s in linked), key=lambda s: _depth(s, matches))
        found.append(
            Payers(
                tuple(s for s in order if s not in linked),
                tuple((s, tuple(matches.get(s, ()))) for s in chain),
                under.get(cell, {}),
                over.get(cell, {}),
            )
        )
    return found


def _depth(source: int, matches: dict[int, list[Match]]) -> int:
    """Length of the longest chain of matches below a source; there are no circles."""
    if source not in matches:
        return 0
    return 1 + max((_depth(s, matches) for by, _ in matches[source] for s in by), default=0)

"""A purse: one owner's part of every source's money, and how a cost is paid from it (equations 20 to 22).

What every purse keeps, the city keeps: carry-over, ceilings and co-funding hold for sums of purses.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from optimizer.money import district_sources
from optimizer.problem import Ints, Problem
from optimizer.scenario_base import PURPOSES

USE_FIRST = {"donor": 0, "lottery": 1, "other": 2, "district": 3, "city": 4}
"""Restricted money first, so that what is left over can be used most freely."""
NO_CEILING = np.iinfo(np.int64).max // 4


@dataclass(frozen=True)
class Bill:
    """A cost in whole yuan: the cell it belongs to and the year it is paid."""

    cell: int
    year: int
    yuan: int


@dataclass(frozen=True)
class Payers:
    """Who may pay the costs of a cell, in the order money is taken.

    `free`: sources that nobody matches; `district`: sources that match; `matched`: (source, ratio) of sources that pay
    no more than the district's payment / ratio.
    """

    purpose: int
    free: tuple[int, ...]
    district: tuple[int, ...]
    matched: tuple[tuple[int, float], ...]


def payers(problem: Problem) -> list[Payers]:
    """Return for every cell who may pay it, equations (21) and (22)."""
    rules = list(problem.scenario.sources.values())
    found = []
    for purpose, district, sources in zip(
        problem.cells.purpose, problem.cells.district, problem.cells.sources, strict=True
    ):
        ratio: dict[int, float] = {}
        for rule in problem.scenario.co_funding:
            s = problem.sources.index(rule.of)
            if rule.purpose == purpose and s in sources and rule.ratio > 0:
                ratio[s] = max(ratio.get(s, 0.0), rule.ratio)
        order = sorted(sources, key=lambda s: (USE_FIRST[rules[s].role], problem.sources[s]))
        matching = set(district_sources(problem, int(district))) if ratio else set()
        found.append(
            Payers(
                PURPOSES.index(purpose),
                tuple(s for s in order if s not in ratio and s not in matching),
                tuple(s for s in order if s in matching),
                tuple((s, ratio[s]) for s in order if s in ratio),
            )
        )
    return found


class Purse:
    """Money of one owner: `money` (S, T) yuan, `carry` (S, T) that may still be carried out of a year.

    `ceiling` (S, purposes, T) is what a source may still pay for a purpose, `limit` (T,) what all may still pay
    together.
    """

    def __init__(self, money: Ints, carry: Ints, ceiling: Ints, limit: Ints) -> None:
        self.money, self.carry, self.ceiling, self.limit = money.copy(), carry.copy(), ceiling.copy(), limit.copy()

    def copy(self) -> "Purse":
        """Return a purse with the same money."""
        return Purse(self.money, self.carry, self.ceiling, self.limit)

    def add(self, other: "Purse") -> None:
        """Add all of another purse."""
        self.money = self.money + other.money
        self.carry = self.carry + other.carry
        self.ceiling = np.minimum(self.ceiling + other.ceiling, NO_CEILING)
        self.limit = np.minimum(self.limit + other.limit, NO_CEILING)

    def part(self, share: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> "Purse":
        """Split off a share (S,) of the money of every source, rounded down, and return it."""
        taken = []
        has = self.money.sum(axis=0)
        of_all = np.divide(share @ self.money, has, out=np.zeros(len(has)), where=has > 0)
        for values, factor in (
            (self.money, share[:, None]),
            (self.carry, share[:, None]),
            (self.ceiling, share[:, None, None]),
            (self.limit, of_all),
        ):
            some = np.floor(values * factor + 1e-9).astype(np.int64)
            some[values >= NO_CEILING] = NO_CEILING
            np.subtract(values, some, out=values, where=values < NO_CEILING)
            taken.append(some)
        return Purse(*taken)

    def give_back(self, owners: "Sequence[Purse]", gave: "Sequence[Purse]") -> None:
        """Hand what is left of a pot back to those who filled it, in proportion to what each gave, rounded down."""
        for name in ("money", "carry", "ceiling", "limit"):
            left = getattr(self, name).copy()
            total = sum((getattr(g, name).astype(float) for g in gave), np.zeros(left.shape))
            for owner, part in zip(owners, gave, strict=True):
                share = np.divide(getattr(part, name), total, out=np.zeros(left.shape), where=total > 0)
                back = np.floor(left * share + 1e-9).astype(np.int64)
                mine = getattr(owner, name)
                setattr(owner, name, np.where(left >= NO_CEILING, mine, mine + back))

    def most(self, who: Payers, year: int) -> int:
        """Most that can be paid of one cost in a year."""
        return min(self._together(who, year), int(self.limit[year]))

    def _together(self, who: Payers, year: int) -> int:
        district = sum(self._has(s, who.purpose, year) for s in who.district)
        matched = sum(min(self._has(s, who.purpose, year), _below(district, ratio)) for s, ratio in who.matched)
        return sum(self._has(s, who.purpose, year) for s in who.free) + district + matched

    def pay(self, bills: Sequence[Bill], cells: Sequence[Payers]) -> bool:
        """Pay all bills, or none of them; return whether they are paid."""
        before = self.copy()
        for bill in sorted(bills, key=lambda b: b.year):
            if not self._pay(cells[bill.cell], bill.year, bill.yuan):
                self._restore(before)
                return False
        return True

    def can_pay(self, bills: Sequence[Bill], cells: Sequence[Payers]) -> bool:
        """Whether all bills could be paid."""
        before = self.copy()
        able = self.pay(bills, cells)
        self._restore(before)
        return able

    def _restore(self, other: "Purse") -> None:
        self.money, self.carry, self.ceiling, self.limit = other.money, other.carry, other.ceiling, other.limit

    def _pay(self, who: Payers, year: int, yuan: int) -> bool:
        if yuan > self.limit[year]:
            return False
        self.limit[year] -= yuan if self.limit[year] < NO_CEILING else 0
        left = yuan - self._from(who.free, who.purpose, year, yuan)
        if left == 0:
            return True
        if self._together(who, year) < left:
            return False
        has = [(self._has(s, who.purpose, year), ratio) for s, ratio in who.matched]

        def together(own: int) -> int:
            return own + sum(min(money, _below(own, ratio)) for money, ratio in has)

        low, high = 0, left  # the least the district pays: what it keeps can be matched later
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if together(middle) >= left else (middle + 1, high)
        left -= self._from(who.district, who.purpose, year, low)
        for (s, _), (money, ratio) in zip(who.matched, has, strict=True):
            left -= self._from((s,), who.purpose, year, min(left, money, _below(low, ratio)))
        return left == 0

    def _from(self, sources: Iterable[int], purpose: int, year: int, yuan: int) -> int:
        """Take up to `yuan` from sources in turn; return what was taken."""
        left = yuan
        for s in sources:
            take = min(left, self._has(s, purpose, year))
            if take:
                self._take(s, year, take)
                self.ceiling[s, purpose, year] -= take if self.ceiling[s, purpose, year] < NO_CEILING else 0
                left -= take
        return yuan - left

    def _has(self, s: int, purpose: int, year: int) -> int:
        """What a source can pay in a year: its money of the year and what may be carried into it."""
        money = 0
        for t in range(year + 1):
            money = int(self.money[s, t]) + (min(money, int(self.carry[s, t - 1])) if t else 0)
        return min(money, int(self.ceiling[s, purpose, year]))

    def _take(self, s: int, year: int, yuan: int) -> None:
        """Take money of the year itself first, then what was carried into it, latest year first."""
        take = min(yuan, int(self.money[s, year]))
        self.money[s, year] -= take
        if yuan > take:
            self.carry[s, year - 1] -= yuan - take
            self._take(s, year - 1, yuan - take)


def _below(yuan: int, ratio: float) -> int:
    """Largest whole payment that `yuan` matches at a ratio."""
    most = int(yuan / ratio)
    return most - 1 if ratio * most > yuan * (1 + 1e-12) else most

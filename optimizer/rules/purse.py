"""A purse: one owner's part of every source's money, and how a cost is paid from it (equations 20 to 25).

What every purse keeps, the city keeps: carry-over, expiry, ceilings, co-funding and commitments hold for their sums.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from optimizer.problem import Floats, Ints
from optimizer.rules.bills import Bill
from optimizer.rules.payers import Payers

NO_CEILING = np.iinfo(np.int64).max // 4
_AMOUNTS = ("money", "carry", "ceiling", "kept", "limit")


@dataclass(frozen=True)
class Terms:
    """What holds for every purse: `lasts` (S,) years in which money may be spent; the source of every row of limits."""

    lasts: Ints
    ceiling_of: Ints
    kept_of: Ints


class Purse:
    """Money of one owner in whole yuan.

    `money` (S, T); `carry` (S, T) that may still be carried out of a year; `ceiling` (R,) what ceilings still leave;
    `kept` (F,) money of floors: it comes beside `money` and pays, before it, only what counts for its floor in its
    year; `limit` (T,) what all may still pay together.
    """

    def __init__(self, terms: Terms, money: Ints, carry: Ints, ceiling: Ints, kept: Ints, limit: Ints) -> None:
        self.terms, self.money, self.carry = terms, money.copy(), carry.copy()
        self.ceiling, self.kept, self.limit = ceiling.copy(), kept.copy(), limit.copy()

    def copy(self) -> "Purse":
        """Return a purse with the same money."""
        return Purse(self.terms, self.money, self.carry, self.ceiling, self.kept, self.limit)

    def add(self, other: "Purse") -> None:
        """Add all of another purse."""
        for name in _AMOUNTS:
            setattr(self, name, np.minimum(getattr(self, name) + getattr(other, name), NO_CEILING))

    def part(self, share: Floats) -> "Purse":
        """Split off a share (S,) of the money of every source, rounded down, and return it."""
        has = self.money.sum(axis=0)
        of_all = np.divide(share @ self.money, has, out=np.zeros(len(has)), where=has > 0)
        by_row = share[self.terms.ceiling_of], share[self.terms.kept_of]
        taken = []
        for name, factor in zip(_AMOUNTS, (share[:, None], share[:, None], *by_row, of_all), strict=True):
            values = getattr(self, name)
            some = np.floor(values * factor + 1e-9).astype(np.int64)
            some[values >= NO_CEILING] = NO_CEILING
            np.subtract(values, some, out=values, where=values < NO_CEILING)
            taken.append(some)
        return Purse(self.terms, *taken)

    def give_back(self, owners: "Sequence[Purse]", gave: "Sequence[Purse]") -> None:
        """Hand what is left of a pot back to those who filled it, in proportion to what each gave, rounded down.

        The first has what rounding leaves of money of floors, as all of it has to be spent.
        """
        for name in _AMOUNTS:
            rest = left = getattr(self, name).copy()
            total = sum((getattr(g, name).astype(float) for g in gave), np.zeros(left.shape))
            for owner, part in zip(owners, gave, strict=True):
                share = np.divide(getattr(part, name), total, out=np.zeros(left.shape), where=total > 0)
                back = np.floor(left * share + 1e-9).astype(np.int64)
                mine = getattr(owner, name)
                setattr(owner, name, np.where(left >= NO_CEILING, mine, mine + back))
                rest = rest - back
            if name == "kept":
                owners[0].kept = owners[0].kept + rest

    def most(self, who: Payers, year: int) -> int:
        """Most that can be paid of one cost in a year."""
        free = sum(self._has(s, who, year) for s in who.free)
        return min(free + self._chained(who, year)[0](NO_CEILING), int(self.limit[year]))

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

    def draw(self, source: int, year: int, yuan: int) -> int:
        """Take up to `yuan` of a source's money in a year out of the purse; return what was taken."""
        taken = min(yuan, self._reaches(source, year))
        self._take(source, year, taken)
        return taken

    def _restore(self, other: "Purse") -> None:
        for name in _AMOUNTS:
            setattr(self, name, getattr(other, name))

    def _pay(self, who: Payers, year: int, yuan: int) -> bool:
        if yuan > self.limit[year]:
            return False
        self.limit[year] -= yuan if self.limit[year] < NO_CEILING else 0
        # Money that must go to such costs comes before money that may go elsewhere.
        first = any(self.kept[row] for s, _ in who.chain for row in who.floors.get((s, year), ()))
        left = yuan
        for way in (self._pay_chained, self._pay_free) if first else (self._pay_free, self._pay_chained):
            left -= way(who, year, left)
        return left == 0

    def _pay_free(self, who: Payers, year: int, yuan: int) -> int:
        """Take up to `yuan` from sources of no co-funding in turn; return what was taken."""
        left = yuan
        for s in sorted(who.free, key=lambda s: not any(self.kept[row] for row in who.floors.get((s, year), ()))):
            left -= self._from(s, who, year, min(left, self._has(s, who, year)))
        return yuan - left

    def _pay_chained(self, who: Payers, year: int, yuan: int) -> int:
        """Take up to `yuan` from sources of co-funding; return what was taken."""
        if not yuan or not who.chain:
            return 0
        total, parts = self._chained(who, year)
        want = min(yuan, total(NO_CEILING))
        low, high = 0, want  # the least that those pay who are not matched: what they keep can be matched later
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if total(middle) >= want else (middle + 1, high)
        paid = parts(low)
        over = sum(paid.values()) - want
        for s in reversed(paid):  # nobody is left out who is matched by what is given up here
            paid[s], over = paid[s] - min(over, paid[s]), over - min(over, paid[s])
        return sum(self._from(s, who, year, some) for s, some in paid.items())

    def _chained(self, who: Payers, year: int) -> tuple[Callable[[int], int], Callable[[int], dict[int, int]]]:
        """Return two functions of what those pay together who are not matched: all that is paid then, and by whom."""
        has = {s: self._has(s, who, year) for s, _ in who.chain}

        def parts(own: int) -> dict[int, int]:
            paid: dict[int, int] = {}
            for s, matches in who.chain:
                if matches:
                    paid[s] = min(has[s], *(_below(sum(paid[p] for p in by), ratio) for by, ratio in matches))
                else:
                    paid[s] = min(has[s], own)
                    own -= paid[s]
            return paid

        return lambda own: sum(parts(own).values()), parts

    def _from(self, s: int, who: Payers, year: int, yuan: int) -> int:
        """Take `yuan` from a source that has it; return it."""
        for row in who.ceilings.get((s, year), ()) if yuan else ():
            self.ceiling[row] -= yuan
        left = yuan
        for row in who.floors.get((s, year), ()) if yuan else ():
            some = min(left, int(self.kept[row]))
            self.kept[row] -= some
            left -= some
        self._take(s, year, left)
        return yuan

    def _has(self, s: int, who: Payers, year: int) -> int:
        """What a source can pay of a cost in a year: money of floors it counts for, and what reaches that year."""
        money = self._reaches(s, year) + sum(int(self.kept[row]) for row in who.floors.get((s, year), ()))
        return min(money, *(int(self.ceiling[row]) for row in who.ceilings.get((s, year), ())), NO_CEILING)

    def _reaches(self, s: int, year: int) -> int:
        """What of a source reaches a year: its money of the year and what may be carried into it, if it lasts."""
        money = 0
        for t in range(max(0, year + 1 - int(self.terms.lasts[s])), year + 1):
            money = int(self.money[s, t]) + (min(money, int(self.carry[s, t - 1])) if t else 0)
        return money

    def _take(self, s: int, year: int, yuan: int) -> None:
        """Take money that lasts for years from the latest year first, money that expires from the oldest first."""
        oldest = max(0, year + 1 - int(self.terms.lasts[s]))
        expires = int(self.terms.lasts[s]) < self.money.shape[1]
        for t in range(oldest, year + 1) if expires else range(year, oldest - 1, -1):
            take = min(yuan, int(self.money[s, t]), *self.carry[s, t:year].tolist())
            self.money[s, t] -= take
            self.carry[s, t:year] -= take
            yuan -= take


def _below(yuan: int, ratio: float) -> int:
    """Largest whole payment that `yuan` matches at a ratio."""
    most = int(yuan / ratio)
    return most - 1 if ratio * most > yuan * (1 + 1e-12) else most

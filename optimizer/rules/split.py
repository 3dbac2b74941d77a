"""How a rule splits the money: what must be paid comes off the top, the rest goes to the communities in whole yuan."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from geodata.city import City
from optimizer.ledger import payments
from optimizer.problem import SPACE, Floats, Ints, Problem
from optimizer.rounding import Margin, round_table
from optimizer.rules.forced import forced_costs
from optimizer.rules.payers import Limits, Payers, limits, payers
from optimizer.rules.purse import NO_CEILING, Purse, Terms
from optimizer.scenario import Rule


def last_year_yuan(communities: pd.DataFrame, rule: Rule) -> Floats:
    """Return (n,) what each community had last year: its column, else the scenario's figure, else NaN."""
    given = np.nan if rule.last_year_yuan is None else rule.last_year_yuan
    return np.asarray(communities["last_year_yuan"].fillna(given), dtype=float)


def keys_of(city: City, rule: Rule) -> Floats:
    """Return (n,) the key by which a community's part of every source is reckoned."""
    if rule.split == "per_capita":
        return np.asarray(city.communities["population"], dtype=float)
    if rule.split == "last_year_plus":
        return last_year_yuan(city.communities, rule)
    return np.ones(len(city.communities))


@dataclass(frozen=True)
class Funds:
    """All money a rule has: `purse`, who may pay each cell from it, and the limits its rows stand for."""

    purse: Purse
    payers: list[Payers]
    ceilings: Limits
    floors: Limits


def all_funds(problem: Problem) -> Funds:
    """Return all money that is left when what must be paid whatever is decided is paid (equations 19 to 25).

    That is `optimizer.rules.forced`: what exists, and what must be done. What floors of sources (22)
    still ask for stands apart from other money.
    """
    years = len(problem.years)
    money, pay = payments(problem, forced_costs(problem))
    paid = np.zeros(problem.amount.shape, dtype=np.int64)
    np.add.at(paid, (money.source, money.year), pay[: len(money.source)])
    left = problem.amount.astype(np.int64) - paid
    carry = problem.carry_limit.astype(np.int64)
    carry[:, -1] = 0
    for t in range(years - 1, 0, -1):  # what a year lacks was carried into it
        lacks = np.maximum(0, -left[:, t])
        left[:, t] += lacks
        left[:, t - 1] -= lacks
        carry[:, t - 1] -= lacks
    ceilings, floors = limits(money, pay)
    lasts = [rule.lasts_years or years for rule in problem.scenario.sources.values()]
    purse = Purse(
        Terms(np.array(lasts, dtype=np.int64), ceilings.source, floors.source),
        np.maximum(left, 0),
        np.maximum(carry, 0),
        ceilings.yuan,
        np.zeros(len(floors.yuan), dtype=np.int64),
        np.full(years, NO_CEILING, dtype=np.int64),
    )
    _keep_for_floors(purse, floors)
    return Funds(purse, payers(problem, ceilings, floors), ceilings, floors)


def with_split(problem: Problem, sources: pd.DataFrame) -> pd.DataFrame:
    """Return `sources.csv` with what a rule splits among communities and what it sets apart for floors, if it splits.

    `sources` has a row for every source and year, in the problem's order.
    """
    rule = problem.scenario.rule
    if rule is None or rule.split == "greedy_by_need":
        return sources
    funds = all_funds(problem)
    apart = np.zeros_like(funds.purse.money)
    np.add.at(apart, (funds.floors.source, funds.floors.year), funds.purse.kept)
    return sources.assign(split_yuan=funds.purse.money.ravel(), apart_yuan=apart.ravel())


def _keep_for_floors(purse: Purse, floors: Limits) -> None:
    """Set money apart for floors, the narrowest first; a floor within which others lie needs only the rest."""
    done: dict[tuple[int, int], list[tuple[frozenset[int], int]]] = {}
    for row in sorted(range(len(floors.cells)), key=lambda r: (len(floors.cells[r]), r)):
        mine, key = frozenset(floors.cells[row]), (int(floors.source[row]), int(floors.year[row]))
        within = sum(yuan for cells, yuan in done.get(key, ()) if cells <= mine)
        purse.kept[row] = purse.draw(*key, max(0, int(floors.yuan[row]) - within))
        done.setdefault(key, []).append((mine, int(purse.kept[row])))


def may_use(problem: Problem) -> "np.ndarray[tuple[int, int, int], np.dtype[np.bool_]]":
    """Return (n, S, K) which source may pay for which need of a community that has the need."""
    names = list(problem.scenario.services.items())
    n, needs, _ = problem.shape
    found = np.zeros((n, len(problem.sources), needs), dtype=bool)
    short = problem.peak > 0
    short[:, SPACE] &= problem.existing_m2 < problem.peak[:, SPACE]
    for s, source in enumerate(problem.scenario.sources.values()):
        for i in range(n):
            place = (problem.districts[problem.district[i]], problem.communities[i], problem.types[i])
            found[i, s, 0] = source.may_pay("work_funds", "", *place)
            found[i, s, 1] = source.may_pay("space", "", *place)
            if needs > len(names) + 2:  # debts, the last of the needs
                found[i, s, -1] = source.may_pay("debt_relief", "", *place)
            for k, (name, service) in enumerate(names):
                where = place if service.siting == "own" else (place[0], "", "")
                found[i, s, k + 2] = source.may_pay("service_capital", name, *where) or source.may_pay(
                    "service_running", name, *where
                )
    return np.asarray(found & short[:, None, :])


def split(problem: Problem, rule: Rule, key: Floats, funds: Funds) -> list[Purse]:
    """Return a purse per community: every source's money of a year in proportion to `key` (n,), whole units that foot.

    Equation (37): a source is split among the communities with a need it may pay for, its floors and ceilings among
    those of them whose costs count. Under `last_year_plus` no community spends more in a year than last year's money
    and `growth` for every year since.
    """
    n, years, purse = len(problem.communities), len(problem.years), funds.purse
    raw = np.where(may_use(problem).any(axis=2), key[:, None], 0.0).T  # (S, n)
    part = _shares(raw)
    limit = np.full((n, years), NO_CEILING, dtype=np.int64)
    if rule.split == "last_year_plus":
        claim = key[:, None] * (1 + rule.growth) ** np.arange(1, years + 1)[None, :]
        limit = np.floor(claim + 1e-6).astype(np.int64)
    money = _whole(problem.communities, part[:, :, None] * purse.money[:, None, :])
    under, over = (_shares(raw[of.source] * of.communities(problem)) for of in (funds.ceilings, funds.floors))
    most = np.floor(under * purse.ceiling[:, None] + 1e-9).astype(np.int64)
    kept = _whole(problem.communities, (over * purse.kept[:, None])[:, :, None])[:, :, 0]
    return [
        Purse(
            purse.terms,
            money[:, i],
            np.floor(part[:, i, None] * purse.carry).astype(np.int64),
            most[:, i],
            kept[:, i],
            limit[i],
        )
        for i in range(n)
    ]


def pass_on(parts: list[Purse], left: Ints) -> bool:
    """Give money of floors that was `left` (n, F) to those who used all of theirs, in proportion; whether any could."""
    kept = np.array([part.kept for part in parts])
    used = np.where(left == 0, kept, 0)
    moves = used.any(axis=0) & left.any(axis=0)
    whole = left.sum(axis=0) * moves
    more = np.floor(_shares(used.T.astype(float)).T * whole).astype(np.int64)
    more[used.argmax(axis=0), np.arange(len(whole))] += whole - more.sum(axis=0)
    for part, mine, rest in zip(parts, more, left * moves, strict=True):
        part.kept = np.maximum(0, part.kept - rest) + mine
    return bool(moves.any())


def _shares(raw: Floats) -> Floats:
    """Return rows that sum to 1, or 0 where there is nothing."""
    total = raw.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(raw, total, out=np.zeros_like(raw), where=total > 0))


def _whole(communities: Sequence[str], yuan: Floats) -> Ints:
    """Round the parts of every source and year so that they make up, rounded down, what they make up in fractions."""
    out = np.zeros(yuan.shape, dtype=np.int64)
    everyone = np.arange(len(communities))
    for s, t in np.ndindex(yuan.shape[0], yuan.shape[2]):
        values = yuan[s, :, t]
        if values.any():
            together = Margin("all", everyone, ceiling=float(values.sum()))
            out[s, :, t] = round_table(values, [together], names=communities).yuan
    return out

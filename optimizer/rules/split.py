"""How a rule splits the money: what must be paid comes off the top, the rest goes to the communities in whole yuan."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from geodata.city import City
from optimizer.ledger import payments
from optimizer.problem import SPACE, Floats, Ints, Problem
from optimizer.problem_reach import eligible
from optimizer.rounding import Margin, round_table
from optimizer.rules.purse import NO_CEILING, Purse
from optimizer.scenario import Rule
from optimizer.scenario_base import PURPOSES
from optimizer.shortage import hard_costs


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


def whole_purse(problem: Problem) -> Purse:
    """Return all money that is left when what must be paid whatever is decided is paid (equations 19 to 22).

    That is the running cost of existing stations, and entitlements under a hard floor.
    """
    years = len(problem.years)
    money, pay = payments(problem, hard_costs(problem))
    paid = np.zeros((len(problem.sources), len(PURPOSES), years), dtype=np.int64)
    purpose = np.array([PURPOSES.index(p) for p in problem.cells.purpose], dtype=np.int64)
    np.add.at(paid, (money.source, purpose[money.cell], money.year), pay[: len(money.source)])
    left = problem.amount.astype(np.int64) - paid.sum(axis=1)
    carry = problem.carry_limit.astype(np.int64)
    carry[:, -1] = 0
    for t in range(years - 1, 0, -1):  # what a year lacks was carried into it
        lacks = np.maximum(0, -left[:, t])
        left[:, t] += lacks
        left[:, t - 1] -= lacks
        carry[:, t - 1] -= lacks
    ceiling = np.full(paid.shape, NO_CEILING, dtype=np.int64)
    for s, rule in enumerate(problem.scenario.sources.values()):
        for name, share in rule.ceiling_share.items():
            p = PURPOSES.index(name)
            ceiling[s, p] = np.floor(share * problem.amount[s]).astype(np.int64) - paid[s, p]
    limit = np.full(years, NO_CEILING, dtype=np.int64)
    return Purse(np.maximum(left, 0), np.maximum(carry, 0), np.maximum(ceiling, 0), limit)


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
            found[i, s, 0] = eligible(source, "work_funds", "", *place)
            found[i, s, 1] = eligible(source, "space", "", *place)
            for k, (name, service) in enumerate(names):
                where = place if service.siting == "own" else (place[0], "", "")
                found[i, s, k + 2] = eligible(source, "service_capital", name, *where) or eligible(
                    source, "service_running", name, *where
                )
    return np.asarray(found & short[:, None, :])


def split(problem: Problem, rule: Rule, key: Floats, purse: Purse) -> list[Purse]:
    """Return a purse per community: every source's money of a year in proportion to `key` (n,), whole units that foot.

    A source is split among the communities with a need it may pay for. Under `last_year_plus` no community spends more
    in a year than last year's money and `growth` for every year since.
    """
    n, years = len(problem.communities), len(problem.years)
    part = np.where(may_use(problem).any(axis=2), key[:, None], 0.0).T  # (S, n)
    total = part.sum(axis=1, keepdims=True)
    part = np.divide(part, total, out=np.zeros_like(part), where=total > 0)
    yuan = part[:, :, None] * purse.money[:, None, :]  # (S, n, T)
    limit = np.full((n, years), NO_CEILING, dtype=np.int64)
    if rule.split == "last_year_plus":
        claim = key[:, None] * (1 + rule.growth) ** np.arange(1, years + 1)[None, :]
        limit = np.floor(claim + 1e-6).astype(np.int64)
    whole = _whole(problem.communities, yuan)
    most = np.where(purse.ceiling >= NO_CEILING, 0, purse.ceiling)
    open_end = (purse.ceiling >= NO_CEILING).astype(np.int64) * NO_CEILING
    return [
        Purse(
            whole[:, i],
            np.floor(part[:, i, None] * purse.carry).astype(np.int64),
            np.floor(part[:, i, None, None] * most).astype(np.int64) + open_end,
            limit[i],
        )
        for i in range(n)
    ]


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

"""The first goal of the price method: the bound of the common level, and a plan that reaches it nearly."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from optimizer.beginning import KEPT, NEAR, RAISED
from optimizer.coupling import Levels
from optimizer.fit import best_level, floors_missed, keep_levels
from optimizer.levels import (
    FLOOR_MISSED,
    attainable_alone,
    attainable_level,
    attainable_together,
    highest_aside,
    scored,
    set_aside,
    without_floors,
)
from optimizer.piece_plans import completed, mix_plans, plan_pieces
from optimizer.price_plan import PricePlan
from optimizer.price_search import NoPlan, Search, lengthened
from optimizer.problem import Floats

LEVEL_TRIES = 20
LEVEL_SETTLED = 2e-3
"""A level within so much of the one that decided who is set aside is final."""
LEVEL_NEAR = 0.05
"""A level that moved less than this since the last try is near the one looked for."""
LACKING = 0.05
"""Where a level takes so much more money than there is, prices need not be better to try a lower one."""
LIKELY, LIKELY_ABOVE = 0.75, 0.06
"""The level is hardly higher than this much above what so many communities stay below without levels."""
BEYOND = 0.5
"""From so far above the level is lowered by so much more than the tangent says."""
CHEAPEST_PLANS = 3
"""So many cheapest plans are made, the later ones at prices corrected for what the one before used."""
FLOOR_PARTS = (1.0, 0.6, 0.3)
"""How far towards their floors those set aside are raised: all the way, or as far as money allows."""
FLOORS_PAID = 0.02
"""Prices at which floors can be paid are sought to this part of all money."""
FLOOR_PIECES = 0.3
"""Gap of plans of pieces when floors are raised: a part of the money that they leave."""
SAME_LEVEL = 1e-6
"""Levels that differ by less are the same: the solver's rounding."""
LEVEL_PIECES = 0.4
"""Gap of plans of pieces when a plan for the first goal is sought: a part of that goal's gap."""


@dataclass(frozen=True)
class Raised:
    """The first goal: who follows which level, the bound `top` of the common level, what of it is reached, a plan."""

    levels: Levels
    top: float
    reached: float
    x: Floats


def raise_level(method: PricePlan, start: Search) -> Raised:
    """Raise the common level of all communities that can follow it.

    For a level, prices tell how much more money than there is it would take, η, and what a point more of the
    level costs. η is convex in the level, so that the level at which the tangent is zero is a bound; it is tried
    next (Newton), who cannot reach it set aside, until it stays. The first level tried is near what plans without
    levels reach, and from far above the level tried is lower still: a tangent from below is zero at a bound too.
    `start` is the search without levels.
    """
    problem, begin = method.joint.problem, method.begin
    best = attainable_together(problem)
    who = scored(problem)
    top, search, tried, level = 1.0, start, np.inf, highest_aside(problem, best)
    prices = start.prices / max(1e-9, start.worth_of_money())
    if begin is None and who.any():
        tried, level, prices = _likely(method, start, best, level, prices)
    aside = level  # who cannot reach this level is set aside; a bound for fewer communities holds for more
    if begin is not None and RAISED in begin.prices:
        tried, level, prices = begin.level, min(level, begin.level), begin.prices[RAISED].copy()
    asked, beyond, looked_at = np.inf, 0.0, np.zeros_like(who)
    sure = False  # that those set aside cannot reach the level: a look at each, not worth it at a level far off
    for _ in range(LEVEL_TRIES):
        if not who.any() or (sure and abs(level - asked) < LEVEL_SETTLED) or method.stopped():
            break
        sure = abs(level - tried) < LEVEL_NEAR
        asked, tried, aside = level, max(0.0, level - beyond), min(aside, level)
        low = np.flatnonzero(who & (best < aside))
        if sure:
            new = low[~looked_at[low]]
            best[new], looked_at[new] = np.maximum(best[new], attainable_alone(problem, new)), True
        levels = replace(set_aside(problem, best, aside), common=tried)
        search = method.search(None, without_floors(levels), prices, search)
        try:
            level = np.inf
            for least in (5 * LEVEL_SETTLED, 2.5 * LEVEL_SETTLED):  # finer where it is the last
                search.improve(gap=0.0, rounds=5, least=least, enough=LACKING)
                # Each proves a bound of the level: a better one of the money may cost more a point, and be the worse.
                level = min(level, tried - search.bound / max(1e-9, search.level_price))
                if not sure or abs(level - asked) >= LEVEL_SETTLED:
                    break
        except NoPlan as error:  # not even with all money; how far that goes is asked just below what can be reached
            top = min(top, attainable_level(problem, levels, error.communities))
            level, asked, tried, beyond = max(0.0, top - 0.5 * LEVEL_SETTLED), np.inf, np.inf, 0.0
            continue
        prices = search.prices
        level = top = float(np.clip(level, 0.0, top))
        beyond = BEYOND * (tried - level) if search.bound >= LACKING else 0.0
        method.report("worst_off", None, top)
    aside = min(aside, top) if sure else 0.0  # stopped early, nobody is said to be unable to follow
    method.leaves.level, method.leaves.prices[RAISED] = top, prices[: len(method.names[0])]
    raised = _reach(method, set_aside(problem, best, aside), top, start.prices, search)
    search.loaded.clear()  # a large city's pieces, loaded twice, would take too much memory
    return raised


def _likely(
    method: PricePlan, start: Search, best: Floats, highest: float, prices: Floats
) -> tuple[float, float, Floats]:
    """Try the level that plans without levels hint at; return it, the level to try next, and prices.

    The next is no lower than the bound of the level. Where the hint is hardly below the `highest` level there can be,
    nothing is tried, and that is next.
    """
    problem = method.joint.problem
    guess = LIKELY_ABOVE + float(np.quantile(method.mixed_scores(start)[scored(problem)], LIKELY))
    if guess > highest - LEVEL_NEAR:
        return np.inf, highest, prices
    levels = replace(set_aside(problem, best, guess), common=guess)
    search = method.search(None, without_floors(levels), prices, start)
    try:
        search.improve(gap=0.0, rounds=5, least=5 * LEVEL_SETTLED, enough=LACKING)
    except NoPlan:
        return np.inf, highest, prices
    level = guess - search.bound / max(1e-9, search.level_price)
    if level > guess:  # not sure to be a bound: at a higher level more are set aside, and others follow
        level += LEVEL_NEAR
    return guess, float(np.clip(level, 0.0, highest)), search.prices


def _reach(method: PricePlan, levels: Levels, top: float, start: Floats, raising: Search) -> Raised:
    """Make a plan whose level is near the bound: one that must keep a level just below it.

    Its yes-or-no decisions are kept; how high the level can be with them, money decides. `start` are prices of the
    second goal without levels, `raising` is the last search for the bound.
    """
    settings = method.settings
    before = method.decisions(method.begin, NEAR)
    x, reached = method.best, -1.0
    for plan in (method.best, before):
        level, there = (-1.0, None) if plan is None else best_level(method.fair, levels, plan)
        if level > reached:
            x, reached = there, level
    for part in (0.3, 1.0, 3.0):
        if method.stopped() or not levels.follows.any() or top - reached <= settings.level_gap:
            break
        asked = replace(without_floors(levels), common=max(0.0, top - part * settings.level_gap))
        try:
            for plan in _near_level(method, asked, start, raising, before):
                level, there = best_level(method.fair, levels, plan)
                if level > reached:
                    x, reached = there, level
                method.report("worst_off", reached, top)
                if top - reached <= settings.level_gap or method.stopped():
                    break
        except NoPlan:  # whole numbers cannot reach it somewhere, whatever the money
            continue
        break
    if x is None or reached < 0:
        raise NoPlan
    method.note_plan(NEAR, x)
    keeping = replace(levels, common=max(0.0, reached * (1 - settings.level_slack)))
    method.best, kept = keep_levels(method.fair, keeping, x)
    if floors_missed(keeping, kept) > FLOOR_MISSED:
        method.best, kept = _raise_floors(method, keeping, raising, method.best, kept)
    return Raised(kept, top, reached, method.best)


def _raise_floors(
    method: PricePlan, asked: Levels, raising: Search, best: Floats, kept: Levels
) -> tuple[Floats, Levels]:
    """Raise those set aside to their floors, where money allows it beside the level; return plan and levels kept.

    The plan so far, `best`, was made for the level alone. One that keeps the level asked of later goals and the floors,
    or floors part of the way, takes its place: that of a like search, or the cheapest.
    """

    def plans() -> Iterator[tuple[Levels, Floats]]:
        before = method.decisions(method.begin, KEPT)
        if before is not None:
            yield asked, before
        for part in FLOOR_PARTS:
            with np.errstate(invalid="ignore"):  # no floor, no way to it
                way = np.where(np.isneginf(kept.floor), -np.inf, kept.floor + part * (asked.floor - kept.floor))
            wanted = replace(asked, floor=way)
            search = method.search(None, wanted, raising.prices.copy(), raising)
            value = search.improve(gap=0.0, rounds=5, least=FLOORS_PAID, enough=0.0)
            if search.bound < 0 <= value:  # too rough to tell
                search.improve(gap=0.0, rounds=5, least=LEVEL_SETTLED, enough=0.0)
            if search.bound < 0:  # so much money is left
                start = completed(search, best, search.prices)
                gap = max(LEVEL_SETTLED, -FLOOR_PIECES * search.bound)
                done = plan_pieces(search, search.prices, gap=gap, quick=True, start=start, event=method.stop)
                yield wanted, method.assembled(search, done.plans)

    with suppress(NoPlan):  # whole numbers cannot keep them somewhere, whatever the money
        for wanted, decided in plans():
            if method.stopped():
                break
            with suppress(ValueError):  # too dear
                plan, higher = keep_levels(method.fair, wanted, decided)
                as_high = higher.common >= kept.common - SAME_LEVEL
                if as_high and floors_missed(asked, higher) < floors_missed(asked, kept):
                    best, kept = plan, higher
            if floors_missed(wanted, kept) <= FLOOR_MISSED:
                break
    return best, kept


def _near_level(
    method: PricePlan, asked: Levels, start: Floats, raising: Search, before: Floats | None
) -> Iterator[Floats]:
    """Yield plans in whole numbers that keep the levels asked for, until one is good enough.

    First the cheapest at the prices of the bound, then at prices corrected for what these use more than relaxed ones,
    and what can be put together from them. Where that is not enough, plans of the second goal, at its prices and
    corrected ones.
    """
    prices, joint = method.settings.level_gap, method.joint
    search = method.search(None, asked, raising.prices.copy(), raising)
    plans: Mapping[int, Floats] | None = None if before is None else completed(search, before, search.prices)
    priced, patterns = search.prices, []
    for number in range(CHEAPEST_PLANS):
        done = plan_pieces(search, priced, gap=LEVEL_PIECES * prices, quick=True, start=plans, event=method.stop)
        plans = done.plans
        yield method.assembled(search, plans)
        patterns.append(plans)
        if number:
            yield method.assembled(search, mix_plans(search, patterns))
        if number + 1 < CHEAPEST_PLANS and raising.mix:
            at = raising.shifted(done.use[: len(raising.prices)] - raising.mixed_use())
            at.improve(gap=0.0, rounds=10, width=0.3, least=prices)
            priced = lengthened(at.prices, len(search.prices))
    search = method.search(joint.second, asked, start.copy(), search)
    method.improve(NEAR, search, gap=prices)
    gap = LEVEL_PIECES * prices * abs(search.bound)
    plans = None if before is None else completed(search, before, search.prices)
    extra_use = None if before is None else method.leaves.extra_use.get(NEAR)
    for _ in range(2):
        at = search
        if extra_use is not None:
            at = search.corrected(extra_use, gap=prices)
        done = plan_pieces(search, at.prices, gap=gap, quick=True, start=plans, event=method.stop)
        extra_use, plans = done.use - at.mixed_use(), done.plans
        method.note_extra_use(NEAR, extra_use)
        yield method.assembled(search, done.plans)

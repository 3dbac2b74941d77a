"""Wishes that contradict each other where money alone does not tell (`shortage`), and each single way out.

Of all wishes a set is kept that no plan fulfils together and that needs each of its members, by leaving out one after
another (the deletion filter of J. W. Chinneck and E. W. Dravnieks, ORSA Journal on Computing 3, 1991). How far a wish
must give way alone is the least sum by which its rows have to be broken while all others hold (elastic programming,
G. G. Brown and G. W. Graves, 1975).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import coo_array, csr_array, hstack

from optimizer.fair_rows import group_rows
from optimizer.highs import solve
from optimizer.highs_arrays import Arrays, Options, Outcome, Status
from optimizer.joint import ExtraRows, Joint, build_joint
from optimizer.model import MONEY_UNIT_YUAN, Family
from optimizer.problem import Ints, Problem
from optimizer.search import WHOLE_LIMIT
from optimizer.words import PURPOSE_TITLES, need_title, number, source_title

NODES = 2000
"""Most nodes of each search: what is not proven by then, that wishes contradict each other or that one of them alone is
no way out, is not said."""


@dataclass(frozen=True)
class Wish:
    """Rows of the joint model that follow from one wish: what it is called and where it stands, and how it gives way.

    What a wish asks is the lower limit of its rows, or the upper one where they have no lower; each of them may give
    way by `most`. `far` says by how much at the least, with `{yuan}` and `{in_all}` in it; empty where it has no unit.
    """

    said: str
    way: str
    rows: Ints
    far: str = ""
    most: float = np.inf


def contradiction(problem: Problem, *, in_units: bool = False) -> str:
    """Return in words which wishes contradict each other and what could be done; empty where that cannot be told.

    With `in_units` only plans count whose grants are paid in whole units of the currency.
    Bounds of inequality are left out. Large cities are looked at with their decisions relaxed, so that only what
    contradicts itself even then is told.
    """
    joint = _with_carry_rows(problem)
    groups = group_rows(joint)
    joint = joint if groups is None else joint.with_rows(groups)
    model = joint.arrays((np.zeros(joint.n_columns), 0.0))
    of = ""
    if in_units:
        model, currency = joint.in_units(model)[0], problem.scenario.currency
        of = f" in whole units of {number(currency.unit_yuan)} {currency.name}"
    linear = replace(model, integer=np.zeros_like(model.integer))
    exact = int(model.integer.sum()) <= WHOLE_LIMIT
    within = linear if not exact or _fail(linear) else model
    if not _fail(within):
        return ""
    kept = list[Wish]()
    for wish in _wishes(joint):
        without = _without(within, wish)
        if _fail(without):
            within = without
        else:
            kept.append(wish)
    if not kept:
        return ""
    head = f"No plan{of} keeps these wishes together:" if len(kept) > 1 else f"No plan{of} keeps this wish:"
    lines = [head, *(f"  {wish.said}" for wish in kept)]
    tried = [(_giving_way(model if exact else linear, wish), wish) for wish in kept]
    ways = [
        (max(0.0, found.bound) * MONEY_UNIT_YUAN, wish)  # of rows of money, in yuan
        for found, wish in tried
        if found.x is not None
    ]
    if any(found.x is None and found.status is not Status.INFEASIBLE for found, _ in tried) and not ways:
        return "\n".join(lines)
    if not ways:
        which = "one of these" if len(kept) > 1 else "this one"
        return "\n".join(
            [*lines, f"Giving up {which} is not enough for a plan: other wishes contradict each other too."]
        )
    ways.sort(key=lambda way: way[0] if way[1].far else 0.0)  # what has no price first, then the cheapest
    name = problem.scenario.currency.name
    fairness = problem.scenario.fairness
    unequal = fairness is not None and (fairness.gini_at_most is not None or fairness.atkinson_at_most is not None)
    lines.append(
        ("Ways out, each of them by itself" if len(ways) > 1 else "The way out")
        + (", if the bounds of inequality allow it" if unequal else "")
        + ("" if exact else ", as far as can be told without settling every yes or no")
        + ":"
    )
    for yuan, wish in ways:
        in_all = "" if len(wish.rows) == 1 else " in all"
        far = wish.far.format(yuan=f"{number(yuan)} {name}", in_all=in_all) if yuan >= 1 else ""
        lines.append(f"  {wish.way}{far}")
    return "\n".join(lines)


def _with_carry_rows(problem: Problem) -> Joint:
    """Return the joint model whose limits of what is carried over are rows, also where nothing may be carried over."""
    joint = build_joint(replace(problem, carry_limit=np.full_like(problem.carry_limit, np.inf)))
    columns: dict[tuple[str, str], list[int]] = {}
    for column, name in enumerate(joint.money.names, start=joint.model.n_columns):
        if name.startswith("carry("):
            source, *_, year = name.removeprefix("carry(").removesuffix(")").split(",")
            columns.setdefault((source, year), []).append(column)
    if not columns:
        return joint
    row, column = np.array([(n, c) for n, mine in enumerate(columns.values()) for c in mine], dtype=np.int64).T
    position = {name: n for n, name in enumerate(problem.sources)}
    yuan = [problem.carry_limit[position[source], list(problem.years).index(int(year))] for source, year in columns]
    return joint.with_rows(
        ExtraRows(
            csr_array(coo_array((np.ones(len(row)), (row, column)), shape=(len(columns), joint.n_columns))),
            np.full(len(columns), -np.inf),
            np.array(yuan) / MONEY_UNIT_YUAN,
            tuple(f"eq20_carry({source},{year})" for source, year in columns),
            (1.0,) * len(columns),
        )
    )


def _solved(model: Arrays) -> Outcome:
    """Solve; that there is no plan is confirmed without presolve, which HiGHS 1.16 now and then gets wrong."""
    options = Options(gap=1e-3, nodes=NODES)
    found = solve(model, options)
    return solve(model, replace(options, presolve=False)) if found.status is Status.INFEASIBLE else found


def _fail(model: Arrays) -> bool:
    return _solved(model).status is Status.INFEASIBLE


def _without(model: Arrays, wish: Wish) -> Arrays:
    low, high, rows = model.row_lower.copy(), model.row_upper.copy(), wish.rows
    below = np.isfinite(low[rows])
    low[rows[below]] -= wish.most
    high[rows[~below]] += wish.most
    return replace(model, row_lower=low, row_upper=high)


def _giving_way(model: Arrays, wish: Wish) -> Outcome:
    """Find a plan that breaks the rows of a wish, and no others, by the least sum; its value is that sum."""
    count, rows = len(model.cost), wish.rows
    signs = np.where(np.isfinite(model.row_lower[rows]), 1.0, -1.0)
    more = coo_array((signs, (rows, np.arange(len(rows)))), shape=(model.matrix.shape[0], len(rows)))
    return _solved(
        Arrays(
            cost=np.append(np.zeros(count), np.ones(len(rows))),
            lower=np.append(model.lower, np.zeros(len(rows))),
            upper=np.append(model.upper, np.full(len(rows), wish.most)),
            integer=np.append(model.integer, np.zeros(len(rows), dtype=bool)),
            matrix=csr_array(hstack([model.matrix, more])),
            row_lower=model.row_lower,
            row_upper=model.row_upper,
        )
    )


def _wishes(joint: Joint) -> Iterator[Wish]:
    """Yield the wishes that a scenario and its data make, those first that are looked at least as the reason."""
    yield from _of_money(joint)
    yield from _of_programmes(joint)
    yield from _of_sites(joint)


def _of_money(joint: Joint) -> Iterator[Wish]:
    problem, first = joint.problem, joint.link_rows.stop
    rows: dict[tuple[str, ...], list[int]] = {}
    for row, name in enumerate(joint.row_names()[first:], start=first):
        family, _, inside = name.removesuffix(")").partition("(")
        parts = inside.split(",")
        what = {
            "eq20_source": ("money", parts[0]),
            "eq25_expiry": ("money", parts[0]),
            "eq20_carry": ("carry", parts[0]),
            "eq22_ceiling": ("ceiling", *parts[:2]),
            "eq22_most": ("most", *parts[:2]),
            "eq22_floor": ("floor", *parts[:2]),
            "eq22_match": ("co_funding", parts[0]),
            "eq22_cap": ("cap", parts[0]),
            "eq23_running": ("running", ""),
            "eq31_money": ("group", parts[0], "least_share_of_money"),
            "eq31_met": ("group", parts[0], "least_met_share"),
        }.get(family)
        if what is not None:
            rows.setdefault(what, []).append(row)
    order = ("carry", "ceiling", "most", "cap", "co_funding", "running", "money", "floor", "group")
    for (kind, *where), mine in sorted(rows.items(), key=lambda item: order.index(item[0][0])):
        yield _wish_of_money(problem, kind, where, np.array(mine, dtype=np.int64))


def _wish_of_money(problem: Problem, kind: str, where: list[str], rows: Ints) -> Wish:
    scenario = problem.scenario
    more, less = ": {yuan} more{in_all} at the least", ": {yuan} less{in_all} at the least"
    if kind in ("cap", "co_funding"):
        rule = scenario.co_funding[int(where[0])]
        purpose, of = PURPOSE_TITLES[rule.purpose].lower(), source_title(scenario, rule.of)
        if kind == "cap":
            key = f"co_funding.{where[0]}.cap_yuan"
            said = f"{of} pays no more than a cap for {purpose} ({key})"
            return Wish(said, f"raise {key}", rows, far=more)
        key = f"co_funding.{where[0]}.ratio"
        payer = "every district" if rule.payer == "district" else source_title(scenario, rule.payer)
        return Wish(f"{payer} pays its part of {purpose} beside {of} ({key})", f"lower {key}", rows)
    if kind == "group":
        key = f"fairness.groups.{where[0]}.{where[1]}"
        group = scenario.fairness.groups[int(where[0])].name(int(where[0])) if scenario.fairness else ""
        share = "of the money" if where[1] == "least_share_of_money" else "of its needs met"
        return Wish(f"{group} has its least share {share} ({key})", f"lower {key}", rows)
    if kind == "running":
        key = "running_commitment.share"
        said = f"yearly costs of the last year are covered by {number(100 * _commitment(problem))} % of recurring money"
        way = f"raise {key}, or make running_commitment null"
        return Wish(f"{said} ({key})", way, rows, far=": for {yuan} more a year{in_all} at the least")
    source, title = f"sources.{where[0]}", source_title(scenario, where[0])
    by_share = scenario.sources[where[0]].carry_limit_yuan is None and scenario.sources[where[0]].carry_limit_share < 1
    limit = "carry_limit_share" if by_share else "carry_limit_yuan"
    return {
        "money": Wish(
            f"{title} pays no more than it has ({source}.amount_yuan)", f"give {title} more", rows, far=more
        ),
        "carry": Wish(
            f"{title} carries over no more than its limit ({source}.{limit})", f"raise {source}.{limit}", rows, far=more
        ),
        "ceiling": Wish(
            f"{title} pays a part at most for {where[-1]} ({source}.ceiling_share.{where[-1]})",
            f"raise {source}.ceiling_share.{where[-1]}", rows, far=more,
        ),
        "most": Wish(
            f"{title} keeps its ceiling ({source}.limits.{where[-1]})",
            f"raise the ceiling {source}.limits.{where[-1]}", rows, far=more,
        ),
        "floor": Wish(
            f"{title} spends its floor ({source}.limits.{where[-1]})", f"lower the floor {source}.limits.{where[-1]}",
            rows, far=less,
        ),
    }[kind]  # fmt: skip


def _commitment(problem: Problem) -> float:
    rule = problem.scenario.running_commitment
    return 1.0 if rule is None else rule.share


def _of_programmes(joint: Joint) -> Iterator[Wish]:
    """What the scenario asks of work funds, of one-stop buildings and of services that close."""
    scenario, needs = joint.problem.scenario, joint.problem.needs
    for family in _families(joint, "eq3_hard_floor"):
        key = "programmes.work_funds.hard_floor"
        yield Wish(
            f"every entitled community gets its floor ({key})",
            f"make the floor soft ({key}: false) or lower floor_yuan",
            family.positions, far=": {yuan} less{in_all} at the least",
        )  # fmt: skip
    key, least = "programmes.one_stop.min_services", scenario.programmes.one_stop.min_services
    for family in _families(joint, "eq11_services") if least > 1 else ():
        said = f"a building that opens holds {least} services at least ({key})"
        yield Wish(said, f"lower {key}", family.positions, most=least - 1)  # one there must be
    gaps: dict[str, list[int]] = {}
    for family in _families(joint, "eq10_today", "eq10_continuity"):
        for row, need in zip(family.positions.tolist(), family.keys[1][0].tolist(), strict=True):
            gaps.setdefault(needs[need], []).append(row)
    for need, mine in gaps.items():
        key = f"programmes.services.{need}.closing.longest_gap_years"
        said = f"nobody loses {need_title(scenario, need).lower()} for longer than is allowed ({key})"
        yield Wish(said, f"raise {key} or make it null", np.array(mine, dtype=np.int64))


def _of_sites(joint: Joint) -> Iterator[Wish]:
    """What the data asks of single stations and buildings."""
    problem, model = joint.problem, joint.model
    for family in _families(joint, "eq10_close", "eq7_once"):
        for n in np.flatnonzero(model.row_lower[family.positions] > 0).tolist():
            row, at = family.positions[[n]], int(family.keys[0][0][n])
            if family.name == "eq7_once":
                site = problem.rooms.site[at]
                yield Wish(f"building {site} must be taken (must: take)", f"leave building {site} a choice", row)
            else:
                need = problem.needs[int(problem.existing.service[at]) + 2]
                station = f"{need_title(problem.scenario, need).lower()} at {problem.existing.site[at]}"
                said = f"{station} must close (its lease ends, or must: close)"
                yield Wish(said, f"let {station} stay: prolong its lease, or leave it a choice", row)


def _families(joint: Joint, *names: str) -> list[Family]:
    """Return the families of rows of these names."""
    return [family for family in joint.model.row_families if family.name in names and family.count]

"""Hard rules that a plan made by a rule does not keep, in words: floors of sources, stations that close, buildings."""

from collections.abc import Iterator

import numpy as np

from optimizer.ledger import MoneyShortError
from optimizer.plan_tables import plan_tables
from optimizer.problem import Floats, Problem
from optimizer.rules.forced import seen_to
from optimizer.scenario import RULE_TITLES
from optimizer.shortage import said_of_floors
from optimizer.solution import Decisions

NOISE = 1e-4
"""Share of a need that does not count as left without."""
_DROP = "or drop rule to have the best plan searched."


def unkept(problem: Problem, decisions: Decisions) -> str:
    """Return in words which hard rules a plan by rule does not keep, and what could be done; empty if it keeps all."""
    found = [broken_floors(problem, decisions), *_left_without(problem, decisions), *_too_few(problem, decisions)]
    return "\n".join(text for text in found if text)


def unpaid(problem: Problem, error: MoneyShortError) -> str:
    """Return in words that what exists and what must be done cannot be paid, and what could be done."""
    rule = problem.scenario.rule
    assert rule is not None
    return (
        f"No plan by this rule ({RULE_TITLES[rule.split]}) can pay what must be paid: {error.yuan:,.0f} "
        f"{problem.scenario.currency.name} are missing.\nIt keeps all stations open that need not close, and takes all "
        "sites that must be taken as early as it can.\nWays out: raise the amounts of the sources that may pay there; "
        f"let stations close (must = close in facilities), take sites later (first_year); {_DROP}"
    )


def broken_floors(problem: Problem, decisions: Decisions) -> str:
    """Return in words which floors of sources (22) a plan cannot keep, whoever pays its costs; empty if it can."""
    cost = np.zeros((len(problem.cells), len(problem.years)))
    for item in plan_tables(problem, decisions).items:
        cost[item.cell, item.year] += item.yuan
    return said_of_floors(problem, cost)


def _left_without(problem: Problem, decisions: Decisions) -> Iterator[str]:
    """Say for each service who is left without for longer than may be when stations close, equation (10)."""
    services = list(problem.scenario.services.items())
    lost, again = _lost(problem, decisions)
    for k in seen_to(problem):
        name, service = services[k]
        gap = service.closing.longest_gap_years if service.closing else None
        late = np.zeros_like(lost[:, k])
        late[:, (gap or 0) :] = lost[:, k, : late.shape[1] - (gap or 0)]
        who, when = np.nonzero(again[:, k] < late - NOISE)
        if len(who):
            names = list(dict.fromkeys(problem.names[i] for i in who.tolist()))
            said = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
            yield (
                f"The plan made by this rule leaves people without {name} for longer than "
                f"programmes.services.{name}.closing.longest_gap_years ({gap}), from {problem.years[int(when.min())]}: "
                f"{said}.\nWays out: allow a longer gap, or any (null); give money or buildings for stations that take "
                f"their people on; {_DROP}"
            )


def _lost(problem: Problem, decisions: Decisions) -> tuple[Floats, Floats]:
    """Return (n, services, T) shares of needs that ended with stations, and those that began after the first year."""
    n, needs, years = problem.shape
    lost, again = np.zeros((2, n, needs, years))
    old, places = problem.existing, problem.places
    closes = dict(zip(decisions.closed.tolist(), decisions.close_year.tolist(), strict=True))
    for arcs, service, to, arc, when, share in (
        (problem.existing_arcs, old.service, lost, decisions.kept_arc, None, decisions.kept_share),
        (
            problem.existing_arcs,
            old.service,
            again,
            decisions.handed_arc,
            decisions.handed_year,
            decisions.handed_share,
        ),
        (problem.arcs, places.service, again, decisions.serve_arc, decisions.serve_year, decisions.serve_share),
    ):
        target = arcs.target[arc]
        start = [closes.get(e, years) for e in target.tolist()] if when is None else when.tolist()
        for i, k, t, some in zip(arcs.community[arc], service[target], start, share, strict=True):
            if t > 0:
                to[i, k, t:] += some
    return lost, again


def _too_few(problem: Problem, decisions: Decisions) -> Iterator[str]:
    """Say which station buildings that must be taken have too few services, equation (11)."""
    rooms, fewest = problem.rooms, problem.scenario.programmes.one_stop.min_services
    opened = problem.places.room[decisions.opened]
    for r in np.flatnonzero(rooms.forced & rooms.is_station).tolist():
        there = len(np.unique(problem.places.service[decisions.opened[opened == r]]))
        if there < fewest:
            yield (
                f"The plan made by this rule opens {there} services in {rooms.site[r]}, which must be taken; "
                f"programmes.one_stop.min_services asks for {fewest}.\nWays out: leave must of the site empty, give "
                f"money for services there, or ask for fewer; {_DROP}"
            )

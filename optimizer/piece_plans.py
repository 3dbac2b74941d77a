"""Plans in whole numbers of all pieces of a stage at given prices: a bound of the whole, and the makings of a plan."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Event

import numpy as np

from optimizer.coupling import Piece
from optimizer.highs import solve
from optimizer.highs_arrays import Arrays, Options, Outcome
from optimizer.price_search import SIMPLEX, NoPlan, Search
from optimizer.problem import Bools, Floats
from optimizer.threads import in_parallel

WHOLE = 1e-7
"""A relaxed plan whose yes-or-no columns are this close to whole numbers is a plan in whole numbers."""
LARGE = 60
"""Pieces with more yes-or-no columns share what the plans together may leave open; smaller ones are solved out."""
NODES, QUICK_NODES = 4000, 200
"""Most nodes for a piece: where something is to be proven, and where only a good plan is wanted."""
SPARING = {
    "mip_heuristic_effort": 0.01,
    "mip_heuristic_run_root_reduced_cost": False,
    "mip_heuristic_run_rins": False,
    "mip_heuristic_run_feasibility_jump": False,
    "mip_detect_symmetry": False,
    "mip_allow_restart": False,
}
"""HiGHS's search for plans takes most of the time of a piece; these parts of it hardly ever find any here."""
PROVING = {
    **SPARING,
    "mip_heuristic_effort": 0.0,
    "mip_allow_cut_separation_at_nodes": False,
    "mip_pscost_minreliable": 1,
}
"""A proof begins with a plan and seeks a better one at its first node only: half the time where trees are long.

Cuts at other nodes take longer than they save, and so does presolve (`plan_pieces` proves without it). More than one
trial of a decision before it is branched on does so on the reference city and gains nothing elsewhere.
"""
CONFIRMING = {**PROVING, "mip_heuristic_run_rens": False}
"""A proof that begins with good plans, of a like city or of the proof before, seeks none: a fifth less time."""
MIXING_BOX = 1.0
"""When plans in whole numbers are mixed, money that is short costs up to twice its price."""
MIXING = Options(gap=5e-5, nodes=10, extra=SPARING)
"""A mix is sought some tenths of a second; longer gains a few hundredths of a percent of the goal."""


@dataclass(frozen=True)
class PiecePlans:
    """A plan of every piece at `prices`: `plans` (columns of the piece), their use of the coupling rows, their sum.

    `value` is the sum with all prices paid, `bound` what no plan of the whole stage is below; `bounds` is what no plan
    of a piece is below at the prices. In a quick round these hold of relaxed pieces only.
    """

    prices: Floats
    plans: Mapping[int, Floats]
    use: Floats
    value: float
    bound: float
    bounds: Mapping[int, float] = field(default_factory=dict)


def plan_pieces(
    search: Search,
    prices: Floats,
    *,
    gap: float,
    start: Mapping[int, Floats] | None = None,
    quick: bool = False,
    good: bool = False,
    event: Event | None = None,
) -> PiecePlans:
    """Plan every piece of a stage in whole numbers at `prices`.

    `gap`, in the unit of the goal, is what all of them together may leave open. `start` are plans to begin with, and
    to keep for a piece where the search is stopped before it has a better one; where these are `good`, a proof seeks no
    better ones at its first node. A quick round decides only what the relaxed piece and the plan to begin with (without
    one, nothing) do not agree in: plans are almost as good and much sooner there, but nothing is proven. Raises NoPlan
    where a piece has none.
    """
    pieces = search.coupling.pieces
    large = sum(int(p.arrays.integer.sum()) > LARGE for p in pieces)
    allowed = gap / max(1, large)
    nodes = QUICK_NODES if quick else NODES

    def one(number: int) -> tuple[Outcome, float]:
        piece = pieces[number]
        relaxed = search.relaxed(number, prices)
        if relaxed.x is None:
            raise NoPlan(piece.communities.tolist())
        part = relaxed.x[piece.arrays.integer]
        if not len(part) or np.abs(part - np.rint(part)).max() < WHOLE:
            return relaxed, relaxed.bound
        first = None if start is None else start.get(number)
        arrays = replace(piece.arrays, cost=search.priced_cost(number, prices))
        small = len(part) <= LARGE
        proving = CONFIRMING if good else PROVING
        options = Options(
            gap=0.0,
            absolute_gap=0.05 * allowed if small else allowed,
            nodes=nodes,
            presolve=first is None or quick,
            extra=proving if first is not None and not quick else SPARING,
        )
        if quick:
            outcome = solve(_where_they_differ(arrays, relaxed, first), options, start=first, stop=event)
            if outcome.x is not None or (event is not None and event.is_set()):
                return outcome, relaxed.bound
        outcome = solve(arrays, options, start=first, stop=event)
        return outcome, max(relaxed.bound, outcome.bound)

    order = search.coupling.by_size
    plans: dict[int, Floats] = {}
    bounds: dict[int, float] = {}
    value = bound = search.shared_minimum(prices)
    for number, (outcome, proven) in zip(order, in_parallel(one, order, search.threads), strict=True):
        x = (start or {}).get(number) if outcome.x is None else outcome.x
        bounds[number] = proven
        bound += proven
        if x is not None:
            plans[number] = x
            value += float(search.priced_cost(number, prices) @ x)
        elif event is None or not event.is_set():
            raise NoPlan(pieces[number].communities.tolist())
    return PiecePlans(prices, plans, _use(search, plans), value, bound, bounds)


def _use(search: Search, plans: Mapping[int, Floats]) -> Floats:
    use = np.zeros(len(search.coupling.rhs))
    for number, x in plans.items():
        piece: Piece = search.coupling.pieces[number]
        use[piece.rows] += piece.use @ x
    return use


def _where_they_differ(arrays: Arrays, relaxed: Outcome, plan: Floats | None) -> Arrays:
    """Return the piece with every decision fixed in which the relaxed plan and a plan in whole numbers agree.

    Where there is no plan, it is one that decides nothing.
    Source: E. Danna, E. Rothberg and C. Le Pape, Mathematical Programming 102 (2005), relaxation induced neighbourhood.
    """
    assert relaxed.x is not None
    taken: Bools = np.zeros_like(arrays.integer) if plan is None else plan > 0.5
    off = arrays.integer & (relaxed.x < WHOLE) & ~taken
    on = arrays.integer & (relaxed.x > 1 - WHOLE) & taken
    return replace(arrays, lower=np.where(on, 1.0, arrays.lower), upper=np.where(off, 0.0, arrays.upper))


def mix_plans(search: Search, patterns: Sequence[Mapping[int, Floats]]) -> dict[int, Floats]:
    """Mix plans of pieces so that the coupling rows hold nearly: pick one plan of every piece.

    `patterns` are plans of all pieces, from rounds at different prices. The mix is Dantzig and Wolfe's master (1960) in
    whole numbers.
    """
    columns = [search.column(number, x) for pattern in patterns for number, x in pattern.items()]
    mixing = Search(search.coupling, search.prices, search.follows, columns=columns)
    return {column.piece: column.x for column in mixing.picked(*search.box(MIXING_BOX), MIXING)}


def with_amounts(search: Search, number: int, prices: Floats, x: Floats) -> Floats | None:
    """Return a piece's plan with the yes-or-no columns of `x` (columns of the piece), amounts the best at prices.

    None where nothing can be made of these decisions.
    """
    p = search.coupling.pieces[number]
    whole = p.arrays.integer
    lower, upper = p.arrays.lower.copy(), p.arrays.upper.copy()
    lower[whole] = upper[whole] = np.rint(x[whole])
    cost = search.priced_cost(number, prices)
    return solve(replace(p.arrays, cost=cost, lower=lower, upper=upper, integer=np.zeros_like(whole)), SIMPLEX).x


def completed(search: Search, decisions: Floats, prices: Floats) -> dict[int, Floats]:
    """Return plans of all pieces with the yes-or-no columns of `decisions` (joint columns), amounts the best at prices.

    Left out are pieces in which nothing can be made of these decisions.
    """

    def one(number: int) -> Floats | None:
        return with_amounts(search, number, prices, decisions[search.coupling.pieces[number].columns])

    order = search.coupling.by_size
    plans = zip(order, in_parallel(one, order, search.threads), strict=True)
    return {number: x for number, x in plans if x is not None}


def nearer_plans(search: Search, plans: PiecePlans, near: Bools, closeness: float) -> dict[int, Floats]:
    """Take a piece's decisions from the plan to stay close to wherever that is worth the same at the prices.

    `near` (columns,) marks that plan's yes-or-no decisions. The pieces that lose least by it come first; what all of
    them lose together stays within `closeness` (relative) of the goal.
    """
    losses: list[tuple[float, int, Floats]] = []
    for number, x in completed(search, near.astype(float), plans.prices).items():
        if number in plans.plans:
            loss = float(search.priced_cost(number, plans.prices) @ (x - plans.plans[number]))
            losses.append((max(0.0, loss), number, x))
    left = closeness * abs(search.bound)
    chosen = dict(plans.plans)
    for loss, number, x in sorted(losses, key=lambda entry: entry[:2]):
        left -= loss
        if left < 0:
            break
        chosen[number] = x
    return chosen

"""Plans of pieces put together: two pieces, money for one and a quarter of them."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from optimizer.coupling import Coupling, Piece
from optimizer.fair import Fair
from optimizer.highs_arrays import Arrays
from optimizer.joint import build_joint
from optimizer.levels import no_levels
from optimizer.piece_plans import mix_plans
from optimizer.price_plan import PricePlan, Settings
from optimizer.price_rounds import Rounds
from optimizer.price_search import ASTRAY, Search
from optimizer.problem_data import build_problem
from tests.optimizer.tiny import make_city, make_scenario

NONE = np.zeros(0, dtype=np.int64)


def column(cost: float, upper: float, *, whole: bool) -> Arrays:
    empty = np.zeros(0)
    return Arrays(np.array([cost]), np.zeros(1), np.array([upper]), np.array([whole]), csr_array((0, 1)), empty, empty)


def city_with_money_for(money: float) -> Search:
    """Two pieces of one decision each that use 2 of money and are worth 10 and 6; what is paid is at most `money`."""
    use = csr_array(np.array([[2.0]]))
    rows = np.zeros(1, dtype=np.int64)
    pieces = tuple(
        Piece(np.array([n], dtype=np.int64), column(-worth, 1.0, whole=True), rows, use, NONE, NONE)
        for n, worth in enumerate((10.0, 6.0))
    )
    coupling = Coupling(
        pieces=pieces,
        shared_columns=np.array([2], dtype=np.int64),
        shared=column(0.0, money, whole=False),
        shared_use=csr_array(np.array([[-1.0]])),
        rhs=np.zeros(1),
        scale=np.ones(1),
        constant=0.0,
    )
    return Search(coupling, np.array([-4.0]), np.zeros(0, dtype=bool))


def test_a_mix_takes_for_each_piece_the_plan_that_money_allows() -> None:
    everything = {0: np.ones(1), 1: np.ones(1)}
    nothing = {0: np.zeros(1), 1: np.zeros(1)}
    chosen = [mix_plans(city_with_money_for(m), [everything, nothing]) for m in (0.5, 2.5, 3.5, 4.0)]
    assert [[round(c[0].item()), round(c[1].item())] for c in chosen] == [[0, 0], [1, 0], [1, 1], [1, 1]]


def test_the_best_of_what_all_plans_decide_is_put_together() -> None:
    # One piece, so that exchanging whole plans of pieces has one service or the other; money pays for both.
    desk = {"siting": "own", "unit": "cases", "fixed_yuan": 1000, "capital_yuan_per_unit": 0, "min_capacity": 0}
    scenario = make_scenario(
        programmes={"services": {"desk": desk, "clinic": desk}},
        sources={"city": {"role": "city", "amount_yuan": 2000}},
        solver={"method": "prices"},
    )
    city = make_city([{"community": "a"}], needs=[("a", "desk", 100), ("a", "clinic", 60)])
    joint = build_joint(build_problem(city, scenario))
    method = PricePlan(Fair(joint), Settings(), lambda: False, lambda *_: None)
    levels = no_levels(joint.problem)
    method.best = method.nothing_new(levels)
    search = method.relaxed()
    (piece,) = search.coupling.pieces
    opens = np.flatnonzero(joint.integer)
    for one in opens:
        decided = np.zeros(joint.n_columns)
        decided[one] = 1.0
        method.patterns.append({0: decided[piece.columns]})
    rounds = Rounds(method, search, levels)
    rounds.unite()
    assert rounds.value == pytest.approx(0.0, abs=1e-3)
    assert method.best is not None
    assert np.rint(method.best[opens]).tolist() == [1, 1]


def test_prices_are_corrected_only_so_far_as_they_still_prove_enough() -> None:
    desk = {"siting": "own", "unit": "cases", "fixed_yuan": 1000, "capital_yuan_per_unit": 10, "min_capacity": 0}
    scenario = make_scenario(
        programmes={"services": {"desk": desk}},
        sources={"city": {"role": "city", "amount_yuan": 3000}},
        solver={"method": "prices"},
    )
    communities = [{"community": name} for name in "abcdef"]
    city = make_city(communities, needs=[(name, "desk", 60 + 10 * n) for n, name in enumerate("abcdef")])
    joint = build_joint(build_problem(city, scenario))
    method = PricePlan(Fair(joint), Settings(), lambda: False, lambda *_: None)
    search = method.relaxed()
    least = (1 - ASTRAY) * search.bound
    used = search.mixed_use()
    wild, little = used * 5, used * 1e-4
    at = search.shifted(wild)
    at.improve(gap=1e-3, rounds=25, width=0.3)
    assert search.evaluate(at.prices) < least  # planned at these prices, nothing would be proven
    assert search.evaluate(search.corrected(wild, gap=1e-3).prices) >= least
    assert search.corrected(little, gap=1e-3) is not search

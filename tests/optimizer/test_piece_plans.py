"""Plans of pieces put together: two pieces, money for one and a quarter of them."""

import numpy as np
from scipy.sparse import csr_array

from optimizer.coupling import Coupling, Piece
from optimizer.highs_arrays import Arrays
from optimizer.piece_plans import mix_plans
from optimizer.price_search import Search

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


def test_a_mix_takes_for_each_piece_the_plan_with_the_largest_part() -> None:
    everything = {0: np.ones(1), 1: np.ones(1)}
    nothing = {0: np.zeros(1), 1: np.zeros(1)}
    chosen = [mix_plans(city_with_money_for(m), [everything, nothing]) for m in (0.5, 2.5, 3.5, 4.0)]
    assert [[round(c[0].item()), round(c[1].item())] for c in chosen] == [[0, 0], [1, 0], [1, 1], [1, 1]]
